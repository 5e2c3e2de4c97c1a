// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <cstdint>

namespace npusim::test {

/// Counts laps, as an observer that can do without them.
class LapCount : public observe::Observer {
  public:
    [[nodiscard]] bool takes_laps() const override { return true; }
    void on_laps(std::int64_t laps, Cycles cycles) override {
        laps_ += laps;
        cycles_ += cycles;
    }
    [[nodiscard]] std::int64_t laps() const { return laps_; }
    [[nodiscard]] Cycles cycles() const { return cycles_; }

  private:
    std::int64_t laps_ = 0;
    Cycles cycles_;
};

} // namespace npusim::test
