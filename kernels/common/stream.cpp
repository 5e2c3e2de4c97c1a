// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/stream.h"

#include "sim/base/error.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Ops kept back by `take`: a flag can be put behind the one that raises it only while it is here.
constexpr std::int64_t kLookBack = 256;

} // namespace

Stream::Stream(const config::HardwareConfig& hardware, isa::CoreId core)
    : hardware_(hardware), unit_(static_cast<std::size_t>(core.unit)),
      split_(hardware.composition == config::Composition::Split),
      lane_(std::max<std::int64_t>(core.unit - 1, 0)), emit_(hardware) {
    if (split_ && hardware.vector_cores >= static_cast<std::int64_t>(kUnits)) {
        throw ConfigError(fmt::format("{}: {} (allowed: up to {} for this kernel)",
                                      hardware.at("vector_cores"),
                                      hardware.vector_cores,
                                      kUnits - 1));
    }
}

Tile Stream::tile(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols) {
    Allocator& allocator = allocators_.try_emplace(memory, hardware_, memory).first->second;
    const Tile tile = allocator.tile(dtype, rows, cols);
    for (auto& unit : regions_) {
        place(unit[static_cast<std::size_t>(memory)], tile);
    }
    return tile;
}

Ring Stream::ring(
    Memory memory, DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t slots) {
    std::vector<Tile> tiles;
    for (std::int64_t i = 0; i < slots; ++i) {
        tiles.push_back(tile(memory, dtype, rows, cols));
    }
    return Ring(std::move(tiles));
}

void Stream::place(Regions& regions, const Tile& tile) {
    const auto at = std::ranges::lower_bound(regions.starts, tile.address) - regions.starts.begin();
    if (at == std::ssize(regions.starts) ||
        regions.starts[static_cast<std::size_t>(at)] != tile.address) {
        regions.starts.insert(regions.starts.begin() + at, tile.address);
        regions.list.insert(regions.list.begin() + at, Region{});
    }
    regions.list[static_cast<std::size_t>(at)].end = tile.end();
}

void Stream::share(const Tile& gm) {
    place(regions_[0][static_cast<std::size_t>(Memory::Gm)], gm);
}

std::int64_t Stream::room(Memory memory) const {
    const auto found = allocators_.find(memory);
    return hardware_.buffer(memory).size_bytes -
           (found == allocators_.end() ? 0 : found->second.used());
}

isa::Block& Stream::take() {
    drain(kLookBack);
    return emit_.block();
}

isa::Block& Stream::finish() {
    drain(0);
    return emit_.block();
}

void Stream::add(const isa::Instruction& op) {
    const Engine engine = engine_of(op);
    pending_of_[engine].add() = pending_.end();
    Entry& entry = pending_.add();
    if (unit_of_[engine] == unit_) {
        entry.op = op;
    }
    entry.engine = engine;
    entry.first_wait = signals_.end();
    entry.before = entry.after = {};
    const std::int64_t number = count_[engine];
    const isa::Accesses accesses = isa::accesses(op);
    std::array<Region*, std::tuple_size_v<decltype(accesses.list)>> regions{};
    for (std::size_t i = 0; i < accesses.count; ++i) {
        const isa::Access& access = accesses.list[i];
        regions[i] = region_of(*access.tile, engine);
        if (regions[i] != nullptr) {
            order(entry, *regions[i], access.write);
        }
    }
    for (std::size_t i = 0; i < accesses.count; ++i) {
        Region* region = regions[i];
        if (region == nullptr) {
            continue;
        }
        if (accesses.list[i].write) {
            region->writer = engine;
            region->written = number;
            region->readers = 0;
        } else {
            region->readers |= 1U << engine;
            region->read[engine] = number;
        }
    }
    entry.waits = signals_.end() - entry.first_wait;
    entry.known = known_[engine];
    ++count_[engine];
    known_[engine][engine] = count_[engine]; // a pipe does one op after the other
}

Stream::Engine Stream::engine_of(const isa::Instruction& op) {
    const Pipe pipe = isa::pipe_of(op, hardware_);
    bool vector = pipe == Pipe::Vector || pipe == Pipe::Mte3;
    if (pipe == Pipe::Mte2) {
        vector = std::get<isa::Copy>(op).to.memory == Memory::Ub;
    }
    const std::size_t unit = split_ && vector ? static_cast<std::size_t>(1 + lane_) : 0;
    Engine& engine = engine_[unit][static_cast<std::size_t>(pipe)];
    if (engine == 0) {
        unit_of_[engines_] = unit;
        pipe_of_[engines_] = pipe;
        engine = ++engines_;
    }
    return engine - 1;
}

Stream::Region* Stream::region_of(const Tile& tile, Engine engine) {
    const bool gm = tile.memory == Memory::Gm;
    Regions& regions = regions_[gm ? 0 : unit_of_[engine]][static_cast<std::size_t>(tile.memory)];
    const auto after =
        std::ranges::upper_bound(regions.starts, tile.address) - regions.starts.begin();
    if (after > 0) {
        Region& region = regions.list[static_cast<std::size_t>(after - 1)];
        if (tile.address < region.end) {
            if (tile.end() > region.end) {
                throw ProgramError(
                    fmt::format("a tile at {} of {} ends outside the one it begins in",
                                tile.address,
                                to_string(tile.memory)));
            }
            return &region;
        }
    }
    if (!gm) {
        throw ProgramError(fmt::format(
            "a tile at {} of {} is none of the stream's", tile.address, to_string(tile.memory)));
    }
    return nullptr;
}

void Stream::order(Entry& entry, const Region& region, bool write) {
    // Readers first: they have waited for the writer.
    for (std::uint32_t left = write ? region.readers : 0; left != 0; left &= left - 1) {
        const auto reader = static_cast<Engine>(std::countr_zero(left));
        order(entry, reader, region.read[reader]);
    }
    if (region.written >= 0) {
        order(entry, region.writer, region.written);
    }
}

void Stream::order(Entry& entry, Engine engine, std::int64_t number) {
    Clock& known = known_[entry.engine];
    if (known[engine] > number) {
        return;
    }
    const std::int64_t signal = signals_.end();
    signals_.add() = {engine, entry.engine, {}, -1};
    Window<std::int64_t>& pending = pending_of_[engine];
    if (number < pending.begin()) { // gone
        append(pending_[pending_.begin()].before, signal);
        known[engine] = pending.begin();
    } else {
        Entry& source = pending_[pending[number]];
        append(source.after, signal);
        for (Engine i = 0; i < engines_; ++i) {
            known[i] = std::max(known[i], source.known[i]);
        }
        known[engine] = number + 1;
    }
}

void Stream::drain(std::int64_t keep) {
    while (pending_.size() > keep) {
        const Entry& entry = pending_[pending_.begin()];
        emit(entry);
        signals_.drop(entry.waits);
        pending_of_[entry.engine].drop(1);
        pending_.drop(1);
    }
}

void Stream::emit(const Entry& entry) {
    raise(entry.before);
    for (std::int64_t i = 0; i < entry.waits; ++i) {
        await(signals_[entry.first_wait + i]);
    }
    if (unit_of_[entry.engine] == unit_) {
        emit_(entry.op);
    }
    raise(entry.after);
}

void Stream::append(Raises& raises, std::int64_t signal) {
    (raises.first < 0 ? raises.first : signals_[raises.last].next) = signal;
    raises.last = signal;
}

void Stream::raise(const Raises& raises) {
    for (std::int64_t signal = raises.first; signal >= 0; signal = signals_[signal].next) {
        raise(signals_[signal]);
    }
}

void Stream::raise(Signal& signal) {
    if (unit_of_[signal.from] == unit_of_[signal.to]) {
        if (unit_of_[signal.from] == unit_) {
            signal.ticket = emit_.signal(pipe_of_[signal.from], pipe_of_[signal.to]);
        }
    } else if (const std::int32_t id = cross_id(signal); unit_of_[signal.from] == unit_) {
        emit_(isa::Instruction(isa::CrossSet{
            pipe_of_[signal.from], static_cast<std::int32_t>(unit_of_[signal.to]), id}));
    }
}

void Stream::await(const Signal& signal) {
    if (unit_of_[signal.to] != unit_) {
        return;
    }
    if (unit_of_[signal.from] == unit_) {
        emit_.await(pipe_of_[signal.from], pipe_of_[signal.to], signal.ticket);
    } else {
        emit_(isa::Instruction(isa::CrossWait{pipe_of_[signal.to], cross_id(signal)}));
    }
}

/// Every pair of engines has an id of its own on the core that waits.
std::int32_t Stream::cross_id(const Signal& signal) {
    const auto [found, fresh] = cross_ids_.try_emplace({signal.from, signal.to});
    if (fresh) {
        found->second = cross_used_[unit_of_[signal.to]]++;
    }
    return found->second;
}

} // namespace npusim::kernels
