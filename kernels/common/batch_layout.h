// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/emitter.h"
#include "kernels/common/kernel.h"

namespace npusim::kernels {

/// Input and output batches at the start of global memory, A then T; what else a kernel needs
/// follows from the same allocator.
class BatchLayout {
  public:
    BatchLayout(const config::HardwareConfig& hardware, const Problem& problem)
        : gm(hardware, Memory::Gm), chunk_(problem.chunk),
          input_(gm.tile(problem.dtype, problem.count * problem.chunk, problem.chunk)),
          output_(gm.tile(problem.dtype, problem.count * problem.chunk, problem.chunk)) {}

    Allocator gm;
    [[nodiscard]] isa::Tile input(std::int64_t index) const { return matrix(input_, index); }
    [[nodiscard]] isa::Tile output(std::int64_t index) const { return matrix(output_, index); }

  private:
    [[nodiscard]] isa::Tile matrix(const isa::Tile& batch, std::int64_t index) const {
        return batch.block(index * chunk_, 0, chunk_, chunk_);
    }
    std::int64_t chunk_;
    isa::Tile input_;
    isa::Tile output_;
};

/// Writes `values` (row-major fp32) to a tile in global memory, rounded to its dtype.
void write_tile(functional::GlobalMemory& gm,
                const isa::Tile& tile,
                const std::vector<float>& values);

} // namespace npusim::kernels
