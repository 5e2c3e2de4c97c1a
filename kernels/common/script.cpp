// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/script.h"

namespace npusim::kernels {

isa::Tile Script::tile(Memory memory, DType dtype, std::int64_t rows, std::int64_t cols) {
    return allocators_.try_emplace(memory, hardware_, memory).first->second.tile(dtype, rows, cols);
}

void Script::add(const isa::Instruction& instruction) {
    block_.push_back(instruction);
}

std::int32_t Script::lane_id(std::int32_t id, std::int64_t lane) const {
    const std::int64_t per_lane = hardware_.sync.cross_flag_ids / lanes();
    return id + static_cast<std::int32_t>(lane * per_lane);
}

void Script::to_vectors(Pipe pipe, std::int32_t id) {
    for (std::int32_t core = 1; !fused() && core <= hardware_.vector_cores; ++core) {
        (*this)(isa::CrossSet{pipe, core, id});
    }
}

void Script::to_cube(Pipe pipe, std::int32_t id) {
    if (!fused()) {
        (*this)(isa::CrossSet{pipe, 0, lane_id(id, lane())});
    }
}

void Script::from_cube(std::int32_t id) {
    if (!fused()) {
        (*this)(isa::CrossWait{Pipe::Scalar, id});
    }
}

void Script::from_vectors(std::int32_t id) {
    for (std::int64_t lane = 0; !fused() && lane < lanes(); ++lane) {
        (*this)(isa::CrossWait{Pipe::Scalar, lane_id(id, lane)});
    }
}

} // namespace npusim::kernels
