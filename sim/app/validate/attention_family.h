// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Fused attention of one head without a mask.
extern const Family kFlashAttentionFamily;

} // namespace npusim::app
