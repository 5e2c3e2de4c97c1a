// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/gdn/gdn_stage.h"

#include "kernels/measured/gdn/pto_tiles.h"
#include "sim/base/error.h"

#include <fmt/format.h>

namespace npusim::kernels::gdn {

using isa::CoreId;
using isa::Tile;

GdnStage::GdnStage(const config::HardwareConfig& hardware, const GdnShape& shape)
    : SteadyKernel(hardware), shape_(shape) {
    constexpr std::int64_t kVectorCores = 2;
    if (shape.tokens % shape.chunk != 0) {
        throw ConfigError(fmt::format(
            "sequences of {} tokens are not whole chunks of {}", shape.tokens, shape.chunk));
    }
    if (shape.heads % shape.key_heads != 0) {
        throw ConfigError(
            fmt::format("{} heads do not share {} key heads evenly", shape.heads, shape.key_heads));
    }
    if (!split() || hardware.vector_cores != kVectorCores) {
        throw ConfigError(hardware.name + ": these kernels are for a cube and two vector cores");
    }
}

isa::Program GdnStage::program(CoreId core) const {
    return core.unit == 0 ? cube(core) : vector(core);
}

Tile GdnStage::add_gate(std::string_view name, Tensor::Role role, DType dtype) {
    return add(std::string(name), role, dtype, shape_.heads, shape_.total());
}

Tile GdnStage::add_tokens(std::string_view name,
                          Tensor::Role role,
                          std::int64_t heads,
                          std::int64_t width) {
    return add(std::string(name), role, DType::Fp16, shape_.total(), heads * width);
}

Tile GdnStage::add_states(Tensor::Role role) {
    const std::int64_t count = shape_.batch * shape_.chunks() * shape_.heads;
    return add("states", role, DType::Fp16, count * shape_.size, shape_.size);
}

Tile GdnStage::add_workspace(std::string_view name,
                             std::int64_t slots,
                             std::int64_t rows,
                             std::int64_t cols) {
    return add(std::string(name), Tensor::Role::Scratch, DType::Fp16, cores() * slots * rows, cols);
}

Tile GdnStage::tile_of(const Tile& tensor,
                       Place place,
                       std::int64_t head,
                       std::int64_t width) const {
    const std::int64_t token = place.sequence * shape_.tokens + place.chunk * shape_.chunk;
    return tensor.block(token, head * width, shape_.chunk, width);
}

Tile GdnStage::gate_of(const Tile& gate, Place place) const {
    const std::int64_t token = place.sequence * shape_.tokens + place.chunk * shape_.chunk;
    return gate.block(place.head, token, 1, shape_.chunk);
}

void GdnStage::fence(Script& s) const {
    if (shape_.build == Build::A2) {
        s.barrier(Pipe::Vector);
    } else if (shape_.build == Build::A5Untuned) {
        s.barrier_all();
    }
}

void GdnStage::tell_vectors(Script& s, std::int32_t id) const {
    if (shape_.build == Build::A5) {
        s.barrier_all();
    }
    s.to_vectors(Pipe::FixPipe, id);
}

void GdnStage::tell_cube(Script& s, std::int32_t id) const {
    if (shape_.build == Build::A5) {
        s.barrier_all();
    }
    s.to_cube(Pipe::Mte3, id);
}

void GdnStage::await_cube(Script& s, std::int32_t id) const {
    s.from_cube(id);
    if (shape_.build == Build::A5) {
        s.barrier_all();
    }
}

void GdnStage::await_vectors(Script& s, std::int32_t id) const {
    s.from_vectors(id);
    if (shape_.build == Build::A5) {
        s.barrier_all();
    }
}

void GdnStage::row_expand(Script& s, const Tile& to, const Tile& from) const {
    if (shape_.build == Build::A2) {
        pto::row_expand(s, to, from);
    } else {
        pto::row_expand_in_registers(s, to, from);
    }
}

void GdnStage::column_expand(Script& s, const Tile& to, const Tile& from) const {
    if (shape_.build == Build::A2) {
        pto::column_expand(s, to, from);
    } else {
        pto::column_expand_in_registers(s, to, from);
    }
}

GdnStage::Place GdnStage::by_heads(CoreId core, std::int64_t index) const {
    const std::int64_t item = index / shape_.chunks() * cores() + core.ai_core;
    return {item / shape_.heads, index % shape_.chunks(), item % shape_.heads};
}

std::int64_t GdnStage::rounds_by_heads(std::int64_t core) const {
    return share_in_turn(shape_.batch * shape_.heads, cores(), core) * shape_.chunks();
}

GdnStage::Place GdnStage::by_chunks(CoreId core, std::int64_t index) const {
    const std::int64_t item = index * cores() + core.ai_core;
    const std::int64_t chunk = item / shape_.heads;
    return {chunk / shape_.chunks(), chunk % shape_.chunks(), item % shape_.heads};
}

std::int64_t GdnStage::rounds_by_chunks(std::int64_t core) const {
    return share_in_turn(shape_.batch * shape_.chunks() * shape_.heads, cores(), core);
}

std::int64_t GdnStage::rounds_of_all_heads(CoreId core) const {
    constexpr std::int64_t kFirstVectorCore = 1;
    return core.unit == kFirstVectorCore
               ? share_in_turn(shape_.batch * shape_.chunks(), cores(), core.ai_core)
               : 0;
}

} // namespace npusim::kernels::gdn
