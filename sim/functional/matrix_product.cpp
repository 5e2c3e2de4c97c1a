// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/matrix_product.h"

#include "sim/functional/matrix_kernel.h"

namespace npusim::functional {

void add_product(const ProductShape& shape, const float* a, const float* b, float* sum) {
    on_this_host<detail::Product<false>>(shape, a, b, sum);
}
void add_product(const ProductShape& shape,
                 const std::int32_t* a,
                 const std::int32_t* b,
                 std::int32_t* sum) {
    on_this_host<detail::Product<false>>(shape, a, b, sum);
}
void add_product(const ProductShape& shape,
                 const std::int64_t* a,
                 const std::int64_t* b,
                 std::int64_t* sum) {
    on_this_host<detail::Product<false>>(shape, a, b, sum);
}

} // namespace npusim::functional
