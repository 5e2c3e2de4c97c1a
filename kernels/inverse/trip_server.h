// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/inverse/integer_work.h"
#include "kernels/inverse/vector_work.h"

#include <map>
#include <optional>
#include <tuple>

namespace npusim::inverse {

/// A vector core of a split chip, where what passes between it and the cube core goes over GM.
class TripServer {
  public:
    TripServer(const RecipePlan& plan, isa::CoreId core);
    void serve(const Trip& trip);

    kernels::Emitter emit;

  private:
    void mask(const Trip& trip);
    void integers(const Trip& trip);
    [[nodiscard]] isa::Tile source(const Trip& trip, std::size_t value, BlockSpan span) const;

    /// A result in GM that later trips of its matrix may add.
    struct Stored {
        isa::Tile place;
        kernels::Ticket there; ///< MTE3 has written it (for MTE2)
    };

    const RecipePlan& plan_;
    isa::CoreId core_;
    std::optional<VectorWork> masks_;
    std::optional<IntegerWork> integers_;
    std::map<std::tuple<std::size_t, std::size_t, std::int64_t>, Stored>
        stored_; ///< by value, context, start of the block
};

} // namespace npusim::inverse
