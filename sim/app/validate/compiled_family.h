// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Stages of the gated delta net and linear attention as compiled by triton-ascend.
extern const Family kCompiledStagesFamily;
/// Triangular inverses compiled by triton-ascend.
extern const Family kCompiledInverseFamily;

} // namespace npusim::app
