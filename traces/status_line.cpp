// SPDX-License-Identifier: Apache-2.0
#include "traces/status_line.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace npusim::traces {

namespace {

using namespace std::chrono_literals;

constexpr auto kFirst = 2s; ///< silent until then
constexpr std::chrono::steady_clock::duration kTerminalPeriod = 200ms;
constexpr std::chrono::steady_clock::duration kPlainPeriod = 10s;
constexpr const char* kClearLine = "\r\x1b[K";

} // namespace

StatusLine::StatusLine()
    : terminal_(isatty(STDERR_FILENO) == 1), begin_(Clock::now()), next_(begin_ + kFirst) {}

StatusLine::~StatusLine() {
    clear();
}

void StatusLine::say(const std::string& text) {
    fmt::print(stderr, "{}npusim: {}{}", terminal_ ? kClearLine : "", text, terminal_ ? "" : "\n");
    std::fflush(stderr);
    open_ = terminal_;
    next_ = Clock::now() + (terminal_ ? kTerminalPeriod : kPlainPeriod);
}

void StatusLine::clear() {
    if (std::exchange(open_, false)) {
        fmt::print(stderr, "{}", kClearLine);
        std::fflush(stderr);
    }
}

double StatusLine::seconds() const {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
}

} // namespace npusim::traces
