// SPDX-License-Identifier: Apache-2.0
//
// Compiled with -ffp-contract=fast.
#include "sim/functional/matrix_kernel.h"
#include "sim/functional/matrix_product.h"

namespace npusim::functional {

void add_exact_product(const ProductShape& shape, const float* a, const float* b, float* sum) {
    on_this_host<detail::Product<true>>(shape, a, b, sum);
}

} // namespace npusim::functional
