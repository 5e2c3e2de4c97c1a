// SPDX-License-Identifier: Apache-2.0
#include "traces/progress.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace npusim::traces {

namespace {

using namespace std::chrono_literals;

constexpr auto kFirst = 2s; ///< quiet until then
constexpr auto kTerminalPeriod = 500ms;
constexpr auto kPlainPeriod = 10s;
constexpr const char* kClearLine = "\r\x1b[K";

} // namespace

Progress::Progress(std::string label, std::int64_t output_bytes)
    : label_(std::move(label)), output_bytes_(std::max<std::int64_t>(output_bytes, 1)),
      terminal_(isatty(STDERR_FILENO) == 1), begin_(Clock::now()), next_(begin_ + kFirst) {}

Progress::~Progress() {
    clear_line();
}

void Progress::on_gm(const observe::GmAccess& access) {
    if (!access.write || !access.cold) {
        return;
    }
    written_ += access.bytes;
    if (const auto now = Clock::now(); now >= next_) {
        say(now);
        next_ =
            now + (terminal_ ? Clock::duration(kTerminalPeriod) : Clock::duration(kPlainPeriod));
    }
}

void Progress::on_end(Cycles /*total*/) {
    clear_line();
}

void Progress::say(Clock::time_point now) {
    const double done =
        std::min(1.0, static_cast<double>(written_) / static_cast<double>(output_bytes_));
    const double elapsed = std::chrono::duration<double>(now - begin_).count();
    const double left = done > 0 ? elapsed * (1 - done) / done : 0;
    fmt::print(stderr,
               "{}npusim: {}: {:.0f} %, {:.0f} s, about {:.0f} s to go{}",
               terminal_ ? kClearLine : "",
               label_,
               100 * done,
               elapsed,
               left,
               terminal_ ? "" : "\n");
    std::fflush(stderr);
    line_open_ = terminal_;
}

void Progress::clear_line() {
    if (std::exchange(line_open_, false)) {
        fmt::print(stderr, "{}", kClearLine);
        std::fflush(stderr);
    }
}

} // namespace npusim::traces
