// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/stream.h"

#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Ops kept back by `take`: a flag can be put behind the one that raises it only while it is here.
constexpr std::size_t kLookBack = 256;

void merge(auto& clock, const auto& other) {
    std::ranges::transform(
        clock, other, clock.begin(), [](auto a, auto b) { return std::max(a, b); });
}

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
        unit[static_cast<std::size_t>(memory)][tile.address].end = tile.end();
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

void Stream::share(const Tile& gm) {
    regions_[0][static_cast<std::size_t>(Memory::Gm)][gm.address].end = gm.end();
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
    Entry& entry = pending_.emplace_back(Entry{op, engine});
    const std::int64_t number = count_[engine];
    const isa::Accesses accesses = isa::accesses(entry.op);
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
            region->read.fill(0);
        } else {
            region->read[engine] = number + 1;
        }
    }
    entry.known = known_[engine];
    pending_of_[engine].push_back(&entry);
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
    const auto after = regions.upper_bound(tile.address);
    if (after != regions.begin()) {
        Region& region = std::prev(after)->second;
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
    for (Engine reader = 0; write && reader < engines_; ++reader) {
        order(entry, reader, region.read[reader] - 1);
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
    signals_.push_back({engine, entry.engine});
    Signal* signal = &signals_.back();
    entry.waits.push_back(signal);
    const std::deque<Entry*>& pending = pending_of_[engine];
    const std::int64_t gone = count_[engine] - std::ssize(pending);
    if (number < gone) {
        pending_.front().before.push_back(signal);
        known[engine] = gone;
    } else {
        Entry& source = *pending[static_cast<std::size_t>(number - gone)];
        source.after.push_back(signal);
        merge(known, source.known);
        known[engine] = number + 1;
    }
}

void Stream::drain(std::size_t keep) {
    while (pending_.size() > keep) {
        emit(pending_.front());
        pending_of_[pending_.front().engine].pop_front();
        pending_.pop_front();
    }
}

void Stream::emit(const Entry& entry) {
    for (Signal* signal : entry.before) {
        raise(*signal);
    }
    for (const Signal* signal : entry.waits) {
        await(*signal);
    }
    if (unit_of_[entry.engine] == unit_) {
        emit_(entry.op);
    }
    for (Signal* signal : entry.after) {
        raise(*signal);
    }
    // Signals are made in the order in which they are awaited.
    signals_.erase(signals_.begin(), signals_.begin() + std::ssize(entry.waits));
}

void Stream::raise(Signal& signal) {
    if (unit_of_[signal.from] == unit_of_[signal.to]) {
        if (unit_of_[signal.from] == unit_) {
            signal.ticket = emit_.signal(pipe_of_[signal.from], pipe_of_[signal.to]);
        }
    } else if (const std::int32_t id = cross_id(signal); unit_of_[signal.from] == unit_) {
        emit_(isa::CrossSet{
            pipe_of_[signal.from], static_cast<std::int32_t>(unit_of_[signal.to]), id});
    }
}

void Stream::await(const Signal& signal) {
    if (unit_of_[signal.to] != unit_) {
        return;
    }
    if (unit_of_[signal.from] == unit_) {
        emit_.await(pipe_of_[signal.from], pipe_of_[signal.to], signal.ticket);
    } else {
        emit_(isa::CrossWait{pipe_of_[signal.to], cross_id(signal)});
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

Worker ai_core_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    return {core.ai_core, hardware.ai_cores};
}

std::optional<Worker> cube_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    return core.unit == 0 ? std::optional(ai_core_worker(hardware, core)) : std::nullopt;
}

std::int64_t vector_workers(const config::HardwareConfig& hardware) {
    return hardware.ai_cores *
           (hardware.composition == config::Composition::Split ? hardware.vector_cores : 1);
}

std::optional<Worker> vector_worker(const config::HardwareConfig& hardware, isa::CoreId core) {
    if (hardware.composition == config::Composition::Fused) {
        return ai_core_worker(hardware, core);
    }
    if (core.unit == 0) {
        return std::nullopt;
    }
    return Worker{core.ai_core * hardware.vector_cores + core.unit - 1, vector_workers(hardware)};
}

} // namespace npusim::kernels
