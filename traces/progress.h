// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"
#include "traces/status_line.h"

#include <cstdint>
#include <string>

namespace npusim::traces {

/// Says on a `StatusLine` how far a long run has got, judged by the bytes it has written to HBM.
class Progress : public observe::Observer {
  public:
    /// `output_bytes` is what the whole run will write.
    Progress(std::string label, std::int64_t output_bytes);

    void on_gm(const observe::GmAccess& access) override;
    [[nodiscard]] bool takes_laps() const override { return true; }
    void on_lap_begin() override { at_lap_ = written_; }
    void on_laps(std::int64_t laps, Cycles cycles) override;
    void on_end(Cycles total) override;

  private:
    std::string label_;
    std::int64_t output_bytes_;
    std::int64_t written_ = 0;
    std::int64_t at_lap_ = 0; ///< when the lap began
    StatusLine line_;
};

} // namespace npusim::traces
