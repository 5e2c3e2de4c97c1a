// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Tiles that the cube core and the vector cores of an AI core pass each other.
extern const Family kHandOverFamily;

} // namespace npusim::app
