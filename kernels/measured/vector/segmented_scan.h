// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/measured/steady.h"
#include "kernels/measured/vector/queue.h"

namespace npusim::kernels {

struct SegmentedScanShape {
    std::int64_t elements = 0;
    std::int64_t side = 32; ///< s of the matrix of ones
    double segments = 0.7;  ///< of an element: how often a segment begins
};

/// Prefix sum within segments on one AI core: huawei-csl/pytorch-tcuscan,
/// src/kernels/kernel_seg_scan_single_core.h. The cube scans the rows of values and of flags as if
/// there were no segments; then one vector core goes over the rows, and for every segment of a row
/// looks for where it begins and takes off what the scan should not have carried into it, an op of
/// one row after the other, with barriers and reads by the scalar unit between them.
///
/// Tensors `x`, `flags` fp16, `scan`, `flag_scan`, `y` fp32 [rows, side], `ones` [side, side].
/// Timing only: the number of segments is the same in each row, bit operations are stood for by
/// `vand`. For chips of split cores.
///
/// A round is a row.
class SegmentedScan : public SteadyKernel {
  public:
    /// Throws ConfigError for a chip of fused cores.
    SegmentedScan(const config::HardwareConfig& hardware, const SegmentedScanShape& shape);
    [[nodiscard]] std::string_view name() const override { return "segmented-scan"; }
    [[nodiscard]] std::int64_t rounds() const override { return rows_; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;

  private:
    struct Buffers;
    [[nodiscard]] isa::Program cube_program(isa::CoreId core) const;
    [[nodiscard]] isa::Program vector_program(isa::CoreId core) const;
    void scan(Script& s, const isa::Tile& from, const isa::Tile& to) const;
    void find_start(Script& s, const Buffers& b) const;
    void revert(Script& s, const Buffers& b) const;

    SegmentedScanShape shape_;
    std::int64_t rows_; ///< a whole number of tiles
    isa::Tile x_;
    isa::Tile flags_;
    isa::Tile ones_;
    isa::Tile scan_;
    isa::Tile flag_scan_;
    isa::Tile y_;
};

} // namespace npusim::kernels
