// SPDX-License-Identifier: Apache-2.0
#include "traces/chrome.h"

#include "sim/base/error.h"
#include "sim/isa/instruction.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <system_error>
#include <utility>

namespace npusim::traces {

ChromeTrace::ChromeTrace(std::filesystem::path path, double clock_mhz)
    : path_(std::move(path)), partial_(path_.string() + ".partial"), clock_mhz_(clock_mhz),
      file_(std::fopen(partial_.c_str(), "w")) {
    if (file_ == nullptr) {
        throw ConfigError(
            fmt::format("--trace {}: cannot write: {}", path_.string(), std::strerror(errno)));
    }
}

ChromeTrace::~ChromeTrace() {
    if (file_ != nullptr) {
        file_.reset();
        std::error_code ignored;
        std::filesystem::remove(partial_, ignored);
    }
}

void ChromeTrace::on_begin(const std::vector<observe::CoreInfo>& cores) {
    fmt::print(file_.get(), R"({{"displayTimeUnit":"ns","traceEvents":[)");
    for (std::size_t core = 0; core < cores.size(); ++core) {
        write(fmt::format(R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})",
                          core,
                          cores[core].name));
        for (std::size_t i = 0; i < cores[core].pipes.size(); ++i) {
            const Pipe pipe = cores[core].pipes[i];
            const auto tid = static_cast<int>(pipe);
            write(fmt::format(
                R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})",
                core,
                tid,
                to_string(pipe)));
            write(fmt::format(
                R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})",
                core,
                tid,
                i));
        }
    }
}

std::int64_t ChromeTrace::nanoseconds(Cycles time) const {
    return std::llround(static_cast<double>(time.count()) * 1e3 / clock_mhz_);
}

void ChromeTrace::on_span(const observe::Span& span) {
    const std::int64_t start = nanoseconds(span.start);
    const std::int64_t length = nanoseconds(span.end) - start;
    const bool busy = span.state == observe::State::Busy;
    const std::string detail = span.instruction == nullptr ? "" : isa::to_text(*span.instruction);
    const std::string_view name = !busy                         ? observe::to_string(span.state)
                                  : span.instruction == nullptr ? std::string_view("dispatch")
                                                                : isa::name_of(*span.instruction);
    write(fmt::format(
        R"({{"ph":"X","pid":{},"tid":{},"ts":{}.{:03},"dur":{}.{:03},"name":"{}","cat":"{}","args":{{"cycle":{},"cycles":{},"op":"{}"}}}})",
        span.core,
        static_cast<int>(span.pipe),
        start / 1000,
        start % 1000,
        length / 1000,
        length % 1000,
        name,
        busy ? "busy" : "stall",
        span.start.count(),
        (span.end - span.start).count(),
        detail));
}

void ChromeTrace::on_end(Cycles /*total*/) {
    fmt::print(file_.get(), "\n]}}\n");
    const bool failed = std::fflush(file_.get()) != 0 || std::ferror(file_.get()) != 0;
    file_.reset();
    std::error_code error;
    if (!failed) {
        std::filesystem::rename(partial_, path_, error);
    }
    if (failed || error) {
        throw ConfigError(fmt::format("--trace {}: cannot write", path_.string()));
    }
}

void ChromeTrace::write(const std::string& event) {
    fmt::print(file_.get(), "{}\n{}", std::exchange(first_, false) ? "" : ",", event);
}

} // namespace npusim::traces
