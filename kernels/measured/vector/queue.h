// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"

#include <cstdint>
#include <vector>

namespace npusim::kernels {

/// Scalar cycles of Ascend C's library code round the instructions of a vector kernel.
///
/// From the scalar unit's busy share of three kernels that differ in their number of queues and of
/// vector calls (BobbyWeng/cannbot-ascendc-vs-pypto, msprof of relu, mul and a sum of four on a
/// 910B4): a tile costs 200, 289 and 536 cycles with 2, 3 and 5 queues, 1, 1 and 3 vector calls and
/// a TBuf in the last, so 85 a queue and about 20 a call, and a kernel of one tile 1294 to 1705.
struct QueueCode {
    /// Of AllocTensor, EnQue, DeQue and FreeTensor each; together they are one pass of a tile.
    static constexpr std::int64_t kQueueCall = 21;
    /// Of a call that issues one vector instruction: mask, repeat and address set-up.
    static constexpr std::int64_t kVectorCall = 20;
    /// Of LocalTensor::GetValue beside the load itself: address, conversion. With it the sweeps of
    /// pytorch-tcuscan come to their time.
    static constexpr std::int64_t kGetValue = 12;
    /// Before the first tile: TPipe, tiling data from GM, block index.
    static constexpr std::int64_t kStart = 900;
    /// The same of the vendor's library: its smallest kernels take 1240 cycles more than their
    /// transfers and vector ops, whatever the number of operands.
    static constexpr std::int64_t kVendorStart = 1080;
    /// Of each InitBuffer.
    static constexpr std::int64_t kInitBuffer = 65;
};

/// A TQue: tiles in turn between the pipe that fills them and the one that uses them, with the
/// flags Ascend C places.
///
///     const Tile& x = in.alloc();      // waits until the tile is free again
///     s(isa::Copy{x, gm});             // the filling pipe
///     in.enque();
///     const Tile& y = in.deque();      // the using pipe waits for it
///     s(isa::Vmaxs{{out, y}});
///     in.free();
class Queue {
  public:
    /// The pipes on either side and the number of the first event id; a queue takes as many as it
    /// has tiles.
    struct Ends {
        Pipe filler = Pipe::Mte2;
        Pipe user = Pipe::Vector;
        std::int32_t first_id = 0;
    };
    Queue(Script& script, Ends ends, std::vector<isa::Tile> tiles)
        : script_(script), ends_(ends), tiles_(std::move(tiles)) {
        script_.scalar(QueueCode::kInitBuffer);
    }

    const isa::Tile& alloc();
    void enque();
    const isa::Tile& deque();
    void free();
    /// Takes back the flags of tiles that are free, as the end of a kernel must.
    void close();

  private:
    [[nodiscard]] std::int64_t depth() const { return std::ssize(tiles_); }
    [[nodiscard]] std::int32_t id(std::int64_t turn) const {
        return ends_.first_id + static_cast<std::int32_t>(turn % depth());
    }
    [[nodiscard]] const isa::Tile& at(std::int64_t turn) const {
        return tiles_[static_cast<std::size_t>(turn % depth())];
    }

    Script& script_;
    Ends ends_;
    std::vector<isa::Tile> tiles_;
    std::int64_t allocated_ = 0;
    std::int64_t enqueued_ = 0;
    std::int64_t dequeued_ = 0;
    std::int64_t freed_ = 0;
};

/// `depth` tiles [rows, cols] of `memory` for a queue.
std::vector<isa::Tile> queue_tiles(Script& script,
                                   Memory memory,
                                   DType dtype,
                                   std::int64_t rows,
                                   std::int64_t cols,
                                   std::int64_t depth);

/// Which of `blocks` blocks of a kernel without cube code a vector core runs, or -1: one on every
/// AI core before a second one on any.
std::int64_t
vector_block(const config::HardwareConfig& hardware, isa::CoreId core, std::int64_t blocks);

/// Tiles that block `index` of `blocks` gets when every block but the last takes an equal number,
/// rounded up.
struct Deal {
    std::int64_t tiles = 0;  ///< in all
    std::int64_t blocks = 1; ///< that get any
    std::int64_t each = 0;   ///< of every block but the last

    Deal(std::int64_t count, std::int64_t most_blocks);
    [[nodiscard]] std::int64_t of(std::int64_t index) const;
};

/// Tiles of a round of a kernel whose busiest core has `tiles`: few enough that a run of
/// `kFullRounds` rounds is all of it, but at most `most`.
///
/// Rounds of many tiles are for kernels on data that L2 does not hold: those rounds that are run
/// have to turn over what L2 held before, or the pace at the start is taken for that of the rest.
std::int64_t tiles_per_round(std::int64_t tiles, std::int64_t most);
inline constexpr std::int64_t kFullRounds = 24;

} // namespace npusim::kernels
