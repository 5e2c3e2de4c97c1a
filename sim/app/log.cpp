// SPDX-License-Identifier: Apache-2.0
#include "sim/app/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <string>

namespace npusim::app::log {

void start() {
    spdlog::set_default_logger(spdlog::stderr_color_st("npusim"));
    spdlog::set_pattern("npusim: %^%l%$: %v");
    spdlog::set_level(spdlog::level::warn);
}

void set_level(bool verbose, bool quiet) {
    spdlog::set_level(verbose ? spdlog::level::info
                      : quiet ? spdlog::level::err
                              : spdlog::level::warn);
}

void info(const std::string& what) {
    spdlog::info(what);
}

void warn(const std::string& what) {
    spdlog::warn(what);
}

void error(const std::string& what) {
    spdlog::error(what);
}

} // namespace npusim::app::log
