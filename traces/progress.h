// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace npusim::traces {

/// Says on stderr how far a long run has got, judged by the bytes it has written to HBM: one line
/// rewritten in place on a terminal, a line every ten seconds elsewhere. Short runs say nothing.
class Progress : public observe::Observer {
  public:
    /// `output_bytes` is what the whole run will write.
    Progress(std::string label, std::int64_t output_bytes);
    ~Progress() override;
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    Progress(Progress&&) = delete;
    Progress& operator=(Progress&&) = delete;

    void on_gm(const observe::GmAccess& access) override;
    void on_end(Cycles total) override;

  private:
    using Clock = std::chrono::steady_clock;
    void say(Clock::time_point now);
    void clear_line();

    std::string label_;
    std::int64_t output_bytes_;
    std::int64_t written_ = 0;
    bool terminal_;
    bool line_open_ = false;
    Clock::time_point begin_;
    Clock::time_point next_;
};

} // namespace npusim::traces
