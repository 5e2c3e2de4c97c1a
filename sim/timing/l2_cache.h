// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <vector>

namespace npusim::timing {

/// What L2 holds when a kernel starts.
struct L2Start {
    /// Share of its granules that have to be written back before they can be given up: results of
    /// kernels before.
    double dirty = 0;
    /// Share of what is read first that is there, whatever the transfer says: left by a run before.
    double resident = 0;
};

/// Which parts of global memory L2 holds. Set-associative with hashed sets and least recently used
/// replacement; a granule of `gm.l2_granule` is kept or given up as a whole, its lines are fetched
/// as they are touched. A written line is not fetched and goes to HBM when its granule leaves.
///
/// Two ways of hashed sets give the miss rates measured on the 910B2, where sweeps over a part of
/// L2 miss more and more as that part grows (gm_read rows, npu-skillyard platform_model.md).
class L2Cache {
  public:
    L2Cache(const config::GmConfig& config, L2Start start);

    /// Bytes that have to cross to HBM, in whole lines.
    struct Traffic {
        std::int64_t fetched = 0;
        std::int64_t written_back = 0;
    };
    /// Touches the lines of `tile`. A line that nobody has touched before is in HBM if `cold`,
    /// otherwise in L2.
    Traffic access(const isa::Tile& tile, bool write, bool cold);

  private:
    using Lines = std::uint64_t; ///< a bit per line of a granule
    /// Pieces of equal size, numbered from 0. Sizes are powers of two as a rule, and a division is
    /// what an access would spend most of its time on.
    struct Pieces {
        explicit Pieces(std::int64_t each);
        [[nodiscard]] std::int64_t of(std::int64_t at) const {
            return shift >= 0 ? at >> shift : at / size;
        }
        std::int64_t size;
        int shift; ///< -1: not a power of two
    };
    struct Way {
        std::int64_t granule = -1; ///< -1: none that anybody will ask for
        Lines valid = 0;
        Lines dirty = 0;
    };
    struct Granule {
        Lines touched = 0; ///< by anybody, ever
        std::uint32_t set = kUnknown;
    };
    static constexpr std::uint32_t kUnknown = ~0U;

    /// What a transfer touches of a granule.
    struct Piece {
        std::int64_t granule;
        Lines lines;
    };
    void add_piece(std::int64_t number, Lines lines);
    void touch(const Piece& piece, bool write, bool cold, Traffic& traffic);
    Way& find_or_replace(std::int64_t number, std::uint32_t set, Traffic& traffic);
    [[nodiscard]] std::int64_t bytes(Lines lines) const;
    [[nodiscard]] bool was_left(std::int64_t granule) const;

    Pieces lines_;
    Pieces granules_;
    Pieces in_granule_; ///< lines of one
    std::size_t ways_;
    std::size_t sets_;
    double resident_;
    std::vector<Way> entries_;   ///< by set, in it by time since last use
    std::vector<Granule> known_; ///< by number, as far as anybody has come
    std::vector<Piece> pieces_;  ///< of the transfer at hand
};

} // namespace npusim::timing
