// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace npusim::bench {

/// c [n,n] += a [n,n] b [n,n], dense and row-major, by Eigen on one thread, compiled for this very
/// host: what to measure our own products by.
void eigen_product(std::int64_t n, const float* a, const float* b, float* c);
void eigen_product(std::int64_t n, const std::int32_t* a, const std::int32_t* b, std::int32_t* c);

} // namespace npusim::bench
