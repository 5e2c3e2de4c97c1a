// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/allocator.h"
#include "kernels/common/rounds.h"
#include "kernels/common/workers.h"
#include "sim/base/dtype.h"
#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npusim::kernels {

/// A matrix of an operator in global memory, row-major.
struct Tensor {
    enum class Role : std::uint8_t {
        Input,  ///< left there by the operator before
        Weight, ///< of the model: read from HBM
        State,  ///< read and written
        Output,
        Constant, ///< masks and the like; written once
        Scratch,  ///< between cores
    };
    std::string name;
    Role role = Role::Input;
    isa::Tile tile;
    std::vector<float> values = {}; ///< of a constant
};

/// One operator of a layer (a product, a norm, a stage of attention), laid out for one chip and one
/// shape: a kernel launch. Its programs refer to it and must not outlive it. Constructors throw
/// ConfigError where the chip cannot hold the shape.
class Operator : public InRounds {
  public:
    explicit Operator(const config::HardwareConfig& hardware)
        : hardware_(hardware), gm_(hardware, Memory::Gm) {}

    /// `gemm`, `rms-norm`: what it is, not what it is for.
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// The program of one core; an empty one where there is no work for it.
    [[nodiscard]] virtual isa::Program program(isa::CoreId core) const = 0;
    /// Arithmetic the operator stands for, by its textbook formula: 2 per multiply-add of a matrix
    /// product; 0 for what is element by element.
    [[nodiscard]] virtual double flops() const { return 0; }

    [[nodiscard]] const std::deque<Tensor>& tensors() const { return tensors_; }
    /// The tensor of that name; there must be one.
    [[nodiscard]] const isa::Tile& tensor(std::string_view name) const;
    [[nodiscard]] virtual std::int64_t gm_bytes() const { return gm_.used(); }
    /// What must cross the edge of the chip's cores whatever the tiling: inputs, weights, states
    /// and outputs once (states twice).
    [[nodiscard]] std::int64_t compulsory_bytes() const;
    virtual void write_constants(functional::GlobalMemory& gm) const;

  protected:
    /// Names a tensor that has its place in GM already.
    void place(std::string name, Tensor::Role role, const isa::Tile& tile) {
        tensors_.push_back({std::move(name), role, tile});
    }
    isa::Tile
    add(std::string name, Tensor::Role role, DType dtype, std::int64_t rows, std::int64_t cols);
    isa::Tile constant(std::string name,
                       DType dtype,
                       std::int64_t rows,
                       std::int64_t cols,
                       std::vector<float> values);
    /// Whether a tensor of `bytes` that an operator leaves is gone from L2 when the next one asks:
    /// it is larger than half of it. (The other half holds what is read beside it.)
    [[nodiscard]] bool spills(std::int64_t bytes) const {
        return bytes > hardware_.gm.l2_size_bytes / 2;
    }
    /// Whether to ask HBM for data that others of the operator ask for as well: the first one does,
    /// and where L2 is kept by address, all do and L2 tells.
    [[nodiscard]] bool shared_cold(bool first) const { return first || hardware_.gm.l2_tracked; }
    [[nodiscard]] bool split() const { return hardware_.composition == config::Composition::Split; }
    [[nodiscard]] const config::HardwareConfig& hardware() const { return hardware_; }

  private:
    const config::HardwareConfig& hardware_;
    Allocator gm_;
    std::deque<Tensor> tensors_;
};

} // namespace npusim::kernels
