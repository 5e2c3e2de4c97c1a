// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

/// What the program says on stderr besides progress. The library is included in log.cpp alone: it
/// is slow to compile.
namespace npusim::app::log {

/// Lines are "npusim: LEVEL: what"; warnings and errors are shown.
void start();
/// Also what is being done, or errors only.
void set_level(bool verbose, bool quiet);

void info(const std::string& what);
void warn(const std::string& what);
void error(const std::string& what);

} // namespace npusim::app::log
