// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace npusim::traces {

/// A bandwidth, in GB/s.
struct Roof {
    std::string name;
    double gbps = 0;
};

/// A kernel under the roofs.
struct RooflineKernel {
    std::string name;
    double gflops = 0;
    double hbm_intensity = 0; ///< flops per byte to and from HBM; 0: no such byte
    double l2_intensity = 0;  ///< flops per byte read from L2; 0: no such byte
};

struct Roofline {
    std::string subtitle;
    Roof hbm;
    Roof l2;
    std::optional<double> peak_gflops; ///< of the cube; none: the chip's cube lacks the dtype
    std::string peak_name;
    std::vector<RooflineKernel> kernels; ///< at least one, each above 0 GFLOP/s
};

/// GFLOP/s against flops per byte, both logarithmic, as an SVG picture: the roofs, and for each
/// kernel a dot above its bytes of HBM and a ring above those of L2, numbered as in the legend.
std::string roofline_svg(const Roofline& roofline);

} // namespace npusim::traces
