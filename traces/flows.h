// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace npusim::traces {

/// Finds the raise that each wait consumes.
class Flows {
  public:
    /// A raise that some wait will consume.
    struct Flow {
        std::uint64_t number = 0; ///< counted from 1
        Cycles at;
        bool shown = false; ///< the listener's: whether it shows where this comes from
    };
    /// Numbers it. What is returned is good until the next call.
    Flow& raise(const observe::Raise& raise);
    /// What `execution` consumed, if it is a wait.
    std::optional<Flow> consume(const observe::Execution& execution);

  private:
    /// In the order in which they are consumed. Hardly ever is there more than one, so that one
    /// stands here.
    struct Raised {
        bool any = false;
        Flow first;
        std::vector<Flow> later;
    };
    Raised& of(std::size_t core, std::size_t flag);

    std::vector<std::vector<Raised>> raised_; ///< by core and flag
    std::uint64_t count_ = 0;
};

} // namespace npusim::traces
