// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/emitter.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/common/workers.h"
#include "sim/config/hardware.h"
#include "sim/isa/core_id.h"
#include "sim/isa/instruction.h"

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace npusim::kernels {

/// Tiles of one shape used in turn, so that one can be filled while another is read.
class Ring {
  public:
    explicit Ring(std::vector<isa::Tile> tiles) : tiles_(std::move(tiles)) {}
    const isa::Tile& next() { return tiles_[turn_++ % tiles_.size()]; }
    [[nodiscard]] const isa::Tile& front() const { return tiles_.front(); }

  private:
    std::vector<isa::Tile> tiles_;
    std::size_t turn_ = 0;
};

/// Items numbered from 0 in the order in which they come, of which those in use are kept. Their
/// places are used again, with what was in them.
template <class Item> class Window {
  public:
    [[nodiscard]] std::int64_t begin() const { return begin_; }
    [[nodiscard]] std::int64_t end() const { return end_; }
    [[nodiscard]] std::int64_t size() const { return end_ - begin_; }
    Item& operator[](std::int64_t number) { return items_[place(number)]; }
    /// One more, which holds anything.
    Item& add() {
        if (size() == std::ssize(items_)) {
            grow();
        }
        return items_[place(end_++)];
    }
    void drop(std::int64_t count) { begin_ += count; }

  private:
    [[nodiscard]] std::size_t place(std::int64_t number) const {
        return static_cast<std::size_t>(number) & (items_.size() - 1);
    }
    void grow() {
        std::vector<Item> more(items_.size() * 2);
        for (std::int64_t number = begin_; number < end_; ++number) {
            more[static_cast<std::size_t>(number) & (more.size() - 1)] = (*this)[number];
        }
        items_.swap(more);
    }

    std::vector<Item> items_ = std::vector<Item>(16); ///< a power of two of them
    std::int64_t begin_ = 0;
    std::int64_t end_ = 0;
};

/// The program of one core of an AI core, written as if the AI core had one instruction stream and
/// no flags:
///
///     Stream s(hardware, core);
///     Ring in = s.ring(Memory::Ub, DType::Fp16, 64, 128, 2);
///     for (...) {
///         const Tile& x = in.next();
///         s(isa::Copy{x, input.block(...)});   // MTE2
///         s(isa::Vadd{{x, x, x}});             // vector: waits for MTE2
///         s(isa::Copy{output.block(...), x});  // MTE3: waits for the vector unit
///         co_yield s.take();
///     }
///     co_yield s.finish();
///
/// The stream sees which tiles an op reads and writes, and puts a flag where a pipe needs what
/// another has done, right behind the op that does it. Only what is not known to be done already
/// gets one (vector clocks of the pipes), so two tiles in turn are all it takes to overlap.
///
/// On a split chip every core of an AI core generates the same ops in the same order and keeps its
/// own: transfers into L1, L1 -> L0, cube and FixPipe belong to the cube core, the rest to the
/// vector core of the current `lane`. Where one needs what the other has done, in a GM tile that
/// was announced by `share`, the flag is a cross-core one.
///
/// Every tile in local memory must come from `tile` or `ring`; GM is ordered only where shared.
class Stream : public OpWriter<Stream> {
  public:
    /// Throws ConfigError for more than four vector cores.
    Stream(const config::HardwareConfig& hardware, isa::CoreId core);

    /// A tile in local memory; in UB, at the same place in every vector core. Throws ConfigError
    /// where the memory is full.
    isa::Tile tile(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols);
    Ring ring(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t slots);
    /// Keeps reads and writes of tiles within `gm` in order.
    void share(const isa::Tile& gm);
    /// The vector core, 0.., that what follows belongs to on a split chip.
    void lane(std::int64_t lane) { lane_ = lane; }
    [[nodiscard]] const config::HardwareConfig& hardware() const { return hardware_; }
    [[nodiscard]] std::int64_t lanes() const { return split_ ? hardware_.vector_cores : 1; }
    /// Bytes still free in `memory`.
    [[nodiscard]] std::int64_t room(Memory memory) const;

    /// What may be dispatched; the last ops stay behind, since a flag may still have to follow
    /// them.
    isa::Block& take();
    /// All the rest.
    isa::Block& finish();

  private:
    friend class OpWriter<Stream>;
    /// A pipe of a core of the AI core, numbered in the order of first use.
    using Engine = std::size_t;
    static constexpr std::size_t kEngines = 16;
    static constexpr std::size_t kUnits = 5;          ///< the cube core and up to four vector cores
    using Clock = std::array<std::int64_t, kEngines>; ///< ops done, by engine

    /// A place that is written and read.
    struct Region {
        std::int64_t end = 0;
        Engine writer = 0;
        std::int64_t written = -1; ///< number of the writer's last op; -1: never
        std::uint32_t readers = 0; ///< a bit for each engine that has read since then
        Clock read{};              ///< number of its last op that did, by engine
    };
    /// Those of one memory, by start.
    struct Regions {
        std::vector<std::int64_t> starts;
        std::vector<Region> list;
    };

    /// A flag from an op to one on another engine. Numbered in the order in which they are awaited.
    struct Signal {
        Engine from = 0;
        Engine to = 0;
        Ticket ticket;
        std::int64_t next = -1; ///< the one that is raised next at the same place
    };
    /// Signals raised at one place.
    struct Raises {
        std::int64_t first = -1;
        std::int64_t last = -1;
    };
    struct Entry {
        isa::Instruction op; ///< if it is this unit's
        Engine engine = 0;
        Clock known{};               ///< ops done when this one starts
        std::int64_t first_wait = 0; ///< the signals it waits for
        std::int64_t waits = 0;
        Raises before; ///< for ops that are gone already
        Raises after;
    };

    static void place(Regions& regions, const isa::Tile& tile);
    void add(const isa::Instruction& op);
    Engine engine_of(const isa::Instruction& op);
    Region* region_of(const isa::Tile& tile, Engine engine);
    /// `entry` must not start before what has been done to `region`, as far as it matters to a
    /// write or a read.
    void order(Entry& entry, const Region& region, bool write);
    /// `entry` must not start before op `number` of `engine` is done.
    void order(Entry& entry, Engine engine, std::int64_t number);
    void drain(std::int64_t keep);
    void emit(const Entry& entry);
    void append(Raises& raises, std::int64_t signal);
    void raise(const Raises& raises);
    void raise(Signal& signal);
    void await(const Signal& signal);
    std::int32_t cross_id(const Signal& signal);

    const config::HardwareConfig& hardware_;
    std::size_t unit_; ///< whose program this is
    bool split_;
    std::int64_t lane_ = 0;
    Emitter emit_;
    std::map<Memory, Allocator> allocators_;
    std::array<std::array<Regions, kMemoryCount>, kUnits> regions_; ///< GM: those of unit 0
    std::array<std::array<Engine, kPipeCount>, kUnits> engine_{};   ///< one more; 0: none yet
    std::array<std::size_t, kEngines> unit_of_{};
    std::array<Pipe, kEngines> pipe_of_{};
    std::size_t engines_ = 0;
    std::array<Clock, kEngines> known_{}; ///< by engine: ops done when its next one starts
    Clock count_{};                       ///< ops so far
    Window<Entry> pending_;
    /// By engine: the numbers in pending_ of its ops, themselves numbered as its ops are.
    std::array<Window<std::int64_t>, kEngines> pending_of_;
    Window<Signal> signals_; ///< that still have to be awaited
    std::map<std::pair<Engine, Engine>, std::int32_t> cross_ids_;
    std::array<std::int32_t, kUnits> cross_used_{}; ///< ids given out, by target
};

/// by_slices of fp32 tiles, a repeat at a time.
template <class Op>
void by_slices(Stream& s, const isa::Tile& to, const isa::Tile& a, const isa::Tile& b) {
    by_slices<Op>(s, slice_floats(s.hardware()), to, a, b);
}

} // namespace npusim::kernels
