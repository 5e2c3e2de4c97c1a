// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/f16c.h"

#include <cpuid.h>
#include <immintrin.h>

namespace npusim::functional::f16c {

namespace {

constexpr std::int64_t kLanes = 8;
constexpr std::int64_t kStep = 4 * kLanes; ///< elements between looks for a NaN

bool found() {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __builtin_cpu_supports("avx") != 0 && __get_cpuid(1, &a, &b, &c, &d) != 0 &&
           (c & bit_F16C) != 0;
}
bool here() {
    static const bool has = found();
    return has;
}

[[gnu::target("avx,f16c")]] std::int64_t
decode_here(const std::byte* from, std::int64_t count, float* out) {
    std::int64_t done = 0;
    for (; done + kStep <= count; done += kStep) {
        __m256 unordered = _mm256_setzero_ps();
        for (std::int64_t i = done; i < done + kStep; i += kLanes) {
            const __m256 values =
                _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * i)));
            unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(values, values, _CMP_UNORD_Q));
            _mm256_storeu_ps(out + i, values);
        }
        if (_mm256_movemask_ps(unordered) != 0) {
            break;
        }
    }
    return done;
}

[[gnu::target("avx,f16c")]] std::int64_t
encode_here(std::byte* to, std::int64_t count, const float* values) {
    std::int64_t done = 0;
    for (; done + kLanes <= count; done += kLanes) {
        _mm_storeu_si128(
            reinterpret_cast<__m128i*>(to + 2 * done),
            _mm256_cvtps_ph(_mm256_loadu_ps(values + done), _MM_FROUND_TO_NEAREST_INT));
    }
    return done;
}

} // namespace

std::int64_t decode(const std::byte* from, std::int64_t count, float* out) {
    return here() ? decode_here(from, count, out) : 0;
}

std::int64_t encode(std::byte* to, std::int64_t count, const float* values) {
    return here() ? encode_here(to, count, values) : 0;
}

} // namespace npusim::functional::f16c
