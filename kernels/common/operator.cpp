// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/operator.h"

#include "kernels/common/batch_layout.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace npusim::kernels {

const isa::Tile& Operator::tensor(std::string_view name) const {
    const auto found = std::ranges::find(tensors_, name, &Tensor::name);
    assert(found != tensors_.end());
    return found->tile;
}

std::int64_t Operator::compulsory_bytes() const {
    std::int64_t bytes = 0;
    for (const Tensor& tensor : tensors_) {
        switch (tensor.role) {
        case Tensor::Role::State:
            bytes += 2 * tensor.tile.bytes();
            break;
        case Tensor::Role::Input:
        case Tensor::Role::Weight:
        case Tensor::Role::Output:
            bytes += tensor.tile.bytes();
            break;
        case Tensor::Role::Constant:
        case Tensor::Role::Scratch:
            break;
        }
    }
    return bytes;
}

void Operator::write_constants(functional::GlobalMemory& gm) const {
    for (const Tensor& tensor : tensors_) {
        if (tensor.role == Tensor::Role::Constant) {
            write_tile(gm, tensor.tile, tensor.values);
        }
    }
}

isa::Tile Operator::add(
    std::string name, Tensor::Role role, DType dtype, std::int64_t rows, std::int64_t cols) {
    const isa::Tile tile = gm_.tile(dtype, rows, cols);
    tensors_.push_back({std::move(name), role, tile});
    return tile;
}

isa::Tile Operator::constant(std::string name,
                             DType dtype,
                             std::int64_t rows,
                             std::int64_t cols,
                             std::vector<float> values) {
    const isa::Tile tile = add(std::move(name), Tensor::Role::Constant, dtype, rows, cols);
    tensors_.back().values = std::move(values);
    return tile;
}

} // namespace npusim::kernels
