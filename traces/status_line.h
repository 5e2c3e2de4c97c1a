// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace npusim::traces {

/// Says on stderr how far something has got: one line rewritten in place on a terminal, a line
/// every ten seconds elsewhere. Silent for the first two seconds.
class StatusLine {
  public:
    StatusLine();
    ~StatusLine();
    StatusLine(const StatusLine&) = delete;
    StatusLine& operator=(const StatusLine&) = delete;
    StatusLine(StatusLine&&) = delete;
    StatusLine& operator=(StatusLine&&) = delete;

    /// Whether it is time to say something.
    [[nodiscard]] bool due() const { return Clock::now() >= next_; }
    void say(const std::string& text);
    /// Takes the line off the terminal.
    void clear();
    /// Since construction.
    [[nodiscard]] double seconds() const;

  private:
    using Clock = std::chrono::steady_clock;

    bool terminal_;
    bool open_ = false;
    Clock::time_point begin_;
    Clock::time_point next_;
};

} // namespace npusim::traces
