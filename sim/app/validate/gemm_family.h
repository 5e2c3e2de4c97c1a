// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/validate/family.h"

namespace npusim::app {

/// Dense matrix products: of PTO kernels, CATLASS, PyPTO and the vendor library.
extern const Family kGemmFamily;

/// Batches of small products.
extern const Family kBatchGemmFamily;

} // namespace npusim::app
