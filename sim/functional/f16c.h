// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

/// fp16 by the host's own instructions (F16C), a fraction of what formats.h takes and the same
/// bits. They say how many of `count` elements they have done, from the first on: none on a host
/// without them. What is left is the caller's.
namespace npusim::functional::f16c {

/// Ends before the first NaN or a little earlier: the instruction would make it quiet.
std::int64_t decode(const std::byte* from, std::int64_t count, float* out);
std::int64_t encode(std::byte* to, std::int64_t count, const float* values);

} // namespace npusim::functional::f16c
