// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Triangular inverses of huawei-csl (megagdn-pto, pto-kernels, pytorch-tcuscan, and as measured in
/// gdn-tri-inverse) and of tile-ai/tilelang-ascend. Not those that Triton compiles.
extern const Family kTriangularInverseFamily;

} // namespace npusim::app
