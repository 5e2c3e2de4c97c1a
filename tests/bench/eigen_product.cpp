// SPDX-License-Identifier: Apache-2.0
//
// Compiled with -march=native.
#include "tests/bench/eigen_product.h"

#include <Eigen/Core>

namespace npusim::bench {

namespace {

template <class Value> void product(std::int64_t n, const Value* a, const Value* b, Value* c) {
    using Matrix = Eigen::Matrix<Value, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Matrix> left(a, n, n);
    const Eigen::Map<const Matrix> right(b, n, n);
    Eigen::Map<Matrix>(c, n, n).noalias() += left * right;
}

} // namespace

void eigen_product(std::int64_t n, const float* a, const float* b, float* c) {
    product(n, a, b, c);
}
void eigen_product(std::int64_t n, const std::int32_t* a, const std::int32_t* b, std::int32_t* c) {
    product(n, a, b, c);
}

} // namespace npusim::bench
