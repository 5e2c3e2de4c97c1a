// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/isa/tile.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace npusim::timing {

/// The chances of 0, 1, ... `count` - 1 others in the hashed set of a line, where there are `mean`.
std::vector<double> poisson(double mean, std::int64_t count);

/// What L2 holds when a kernel starts.
struct L2Start {
    /// Share of it that has to be written back before it can be given up: results of kernels
    /// before.
    double dirty = 0;
    /// Share of what is read first that is there, whatever the transfer says: left by a run before.
    double resident = 0;
};

/// How many lines have been used since a line was used last, each counted once: how far a line is
/// from being the one that is given up. Time is divided into epochs in which a share of L2 is used,
/// and known to the epoch.
class Recency {
  public:
    explicit Recency(std::int64_t lines_per_epoch);

    using Epoch = std::int32_t;
    [[nodiscard]] Epoch now() const { return now_; }
    /// Lines used after `epoch`, and half of those used last in it.
    [[nodiscard]] std::int64_t since(Epoch epoch) const;
    /// `lines` that nobody has used before are used now.
    void use_fresh(std::int64_t lines) { add(slot_of_.back(), lines); }
    /// `lines` that were used last in `before` are.
    void use(std::int64_t lines, Epoch before);
    /// Goes on to the next epoch if enough has been used in this one.
    void turn();
    /// Whether `lines` or more have been used since every line of `epoch`.
    [[nodiscard]] bool older(Epoch epoch, std::int64_t lines) const;
    /// Lines that have been used, ever.
    [[nodiscard]] std::int64_t lines() const { return all_; }

  private:
    void add(std::size_t slot, std::int64_t lines);
    void merge();

    static constexpr std::size_t kSlots = 4096;
    std::int64_t per_epoch_;
    Epoch now_ = 0;
    std::vector<std::uint16_t> slot_of_{0}; ///< by epoch
    std::vector<std::int64_t> lines_;       ///< by slot: those used last in its epochs
    std::vector<std::int64_t> sums_;        ///< of lines_, as a Fenwick tree
    std::int64_t all_ = 0;                  ///< sum of lines_
};

/// What of global memory L2 holds, as an expectation. Its sets are hashed and give up what was used
/// longest ago, so when n lines have been used since, a line is gone if the ways of its set or more
/// are among them: draws of a Poisson distribution of mean n / sets. Of a transfer the expected
/// part has to be fetched, to the 1024th of a line: no run is lucky with its addresses, and what is
/// done again takes the same time again.
///
/// A granule, `gm.l2_granule` bytes, ages as a whole; its lines are fetched as they are touched. A
/// written line is not fetched, and goes to HBM when as many lines as L2 holds have been used
/// since.
///
/// Two ways of hashed sets give the miss rates measured on the 910B2, where sweeps over a part of
/// L2 miss more and more as that part grows (gm_read rows, npu-skillyard platform_model.md).
class L2Cache {
  public:
    L2Cache(const config::GmConfig& config, L2Start start);

    /// Bytes that have to cross to HBM.
    struct Traffic {
        std::int64_t fetched = 0;
        std::int64_t written_back = 0;
        bool operator==(const Traffic&) const = default;
    };
    /// Touches the lines of `tile`. A line that nobody has touched before is in HBM if `cold`,
    /// otherwise in L2.
    Traffic access(const isa::Tile& tile, bool write, bool cold);

    /// Bytes that have been touched, ever.
    [[nodiscard]] std::int64_t bytes_touched() const { return recency_.lines() * line_.size; }

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
    struct Granule {
        Lines touched = 0; ///< by anybody, ever
        Lines dirty = 0;
        Lines stale = 0; ///< not touched since the granule was used again after it may have gone
        Recency::Epoch used = 0; ///< last
        std::int16_t lost = 0;   ///< the share of stale lines that is gone
    };
    /// By number from address 0, a page of them where one has been touched: a run of a part of a
    /// kernel touches little of what is there.
    class Granules {
      public:
        Granules() = default;
        Granules(const Granules& other) : pages_(other.pages_) {}
        Granules(Granules&&) = default;
        Granules& operator=(const Granules&) = delete;
        Granules& operator=(Granules&&) = delete;
        ~Granules() = default;
        Granule& operator[](std::int64_t number) {
            const auto place = static_cast<std::size_t>(number);
            if (place / kPage != page_) {
                open(place / kPage);
            }
            return here_[place % kPage];
        }

      private:
        void open(std::size_t page);

        static constexpr std::size_t kPage = 1024;
        std::vector<std::vector<Granule>> pages_;
        std::size_t page_ = ~std::size_t{0}; ///< the one used last
        Granule* here_ = nullptr;            ///< its granules
    };
    /// An access and what it adds up to.
    struct Touch {
        bool write;
        bool cold;
        std::int64_t fetched = 0;  ///< in 1024ths of lines
        std::int64_t taken_in = 0; ///< the same, fetched or written anew
        // Of the granules before, which were used together as a rule:
        Recency::Epoch epoch = -1;
        std::int64_t gone = 0; ///< what is gone of those used last in `epoch`
        std::int64_t used = 0; ///< lines of that epoch used now
    };
    static constexpr std::int64_t kSteps = 512;
    using Shares = std::array<std::int16_t, kSteps>; ///< in 1024ths, by lines used since

    /// A tile that was read, and when.
    struct Read {
        Recency::Epoch epoch = -1;
        isa::Tile tile;
        bool operator==(const Read&) const = default;
    };
    static constexpr std::size_t kReads = 1024;

    bool read_now(const isa::Tile& tile);
    void touch_lines(const isa::Tile& tile, Touch& touch);
    void touch(std::int64_t number, Lines lines, Touch& touch);
    std::int64_t lose(Granule& granule, Lines lines, std::int64_t gone);
    void settle(Touch& touch);
    std::int64_t write_back(std::int64_t taken_in);
    [[nodiscard]] std::int64_t share(const Shares& shares, std::int64_t lines) const;

    Pieces line_;
    Pieces in_granule_;        ///< lines of a granule
    std::int64_t size_;        ///< in lines
    std::int64_t per_step_;    ///< lines of a step of Shares
    Shares gone_{};            ///< of a line
    Shares replaced_{};        ///< of what L2 held at the start, by lines taken in
    std::int64_t missing_;     ///< of what is cold and touched first, in 1024ths
    std::int64_t dirty_start_; ///< lines to write back that others have left

    Recency recency_;
    Granules granules_;
    std::vector<Read> last_reads_ = std::vector<Read>(kReads); ///< by address
    std::int64_t taken_in_ = 0;                                ///< in 1024ths of lines
    struct Written {
        Recency::Epoch used;
        std::int64_t granule;
    };
    std::deque<Written> written_;  ///< each dirty granule once
    Recency::Epoch looked_at_ = 0; ///< written_ was, last
    std::int64_t left_given_ = 0;  ///< of dirty_start_
    std::int64_t due_ = 0;         ///< lines to write back as others come in
};

} // namespace npusim::timing
