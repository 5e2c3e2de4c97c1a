// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

namespace npusim::kernels {

/// What a probe of global memory does.
enum class Probe : std::uint8_t {
    ReadByVector, ///< every vector core loads into UB
    ReadByCube,   ///< every cube core loads into L1
    ReadByBoth,
    Write, ///< every vector core stores a tile of zeros
};

struct MemoryProbeShape {
    Probe probe = Probe::ReadByVector;
    std::int64_t bytes = 0;                      ///< of GM, all cores together
    std::int64_t passes = 1;                     ///< over them
    std::int64_t tile = std::int64_t{32} * 1024; ///< bytes
    bool cold = false;                           ///< whether data lies in HBM at first
    bool bypass = false;                         ///< whether reads go past L2
};

/// Every core moves its part of global memory, tile after tile, with two tiles in turn and nothing
/// else: what bandwidth is measured with (huawei-csl/npu-skillyard, platform_model.md).
///
/// Tensor `x` [tiles, tile]. One round: L2 is to go through all it goes through on the device.
class MemoryProbe : public SteadyKernel {
  public:
    MemoryProbe(const config::HardwareConfig& hardware, const MemoryProbeShape& shape);
    [[nodiscard]] std::string_view name() const override { return "memory-probe"; }
    [[nodiscard]] std::int64_t rounds() const override { return 1; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    /// That are moved.
    [[nodiscard]] double bytes() const;

  private:
    [[nodiscard]] std::int64_t workers() const;
    [[nodiscard]] std::int64_t worker(isa::CoreId core) const;

    MemoryProbeShape shape_;
    Deal deal_;
    isa::Tile x_;
};

/// Barriers of the whole chip, one after the other. A round is one of them.
class BarrierProbe : public SteadyKernel {
  public:
    BarrierProbe(const config::HardwareConfig& hardware, std::int64_t barriers)
        : SteadyKernel(hardware), barriers_(barriers) {}
    [[nodiscard]] std::string_view name() const override { return "barrier-probe"; }
    [[nodiscard]] std::int64_t rounds() const override { return barriers_; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    std::int64_t barriers_;
};

} // namespace npusim::kernels
