// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

/// Conversions between fp32 and the number formats. Every one rounds to nearest, ties to even. The
/// IEEE ones compute every case and choose, so that loops over them can be vectorised.
///
/// | format           | largest  | beyond it | NaN  | near zero                  |
/// | ---------------- | -------- | --------- | ---- | -------------------------- |
/// | tf32, bf16, fp32 | 3.4e38   | infinite  | kept | gradual underflow          |
/// | fp16             | 65,504   | infinite  | kept | gradual underflow to 2^-24 |
/// | fp8e5m2          | 57,344   | infinite  | kept | gradual underflow to 2^-16 |
/// | fp8e4m3          | 448      | +-448     | kept | gradual underflow to 2^-9  |
/// | intN             | 2^(N-1)-1 | clamped to -2^(N-1)..2^(N-1)-1 | 0 | |
///
/// The fp8 formats: OCP 8-bit Floating Point Specification 1.0, fp8e4m3 in its saturating mode,
/// where infinities become +-448 too.
namespace npusim::functional {

namespace detail {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFFU;
constexpr std::uint32_t kInfinity = 0x7F800000U;

/// The code, without sign, of a finite fp32 magnitude in a format of `E` exponent and `M` mantissa
/// bits whose exponent goes on upwards without end.
template <unsigned E, unsigned M> constexpr std::uint32_t round_magnitude(std::uint32_t magnitude) {
    constexpr std::uint32_t kBias = (1U << (E - 1)) - 1;
    constexpr unsigned kLost = 23 - M;
    // Normal: rebias, round the lost bits.
    const std::uint32_t rounded = magnitude + (1U << (kLost - 1)) - 1 + ((magnitude >> kLost) & 1U);
    const std::uint32_t normal = (rounded - ((127 - kBias) << 23U)) >> kLost;
    // Subnormal: a sum in fp32 whose last place is the format's smallest step rounds to even.
    constexpr std::uint32_t kAligner = (127 + 24 - kBias - M) << 23U;
    const float aligned = std::bit_cast<float>(magnitude) + std::bit_cast<float>(kAligner);
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(aligned) - kAligner;
    return magnitude >= (128 - kBias) << 23U ? normal : subnormal;
}

/// The fp32 magnitude of such a code, exact.
template <unsigned E, unsigned M> constexpr float expand_magnitude(std::uint32_t code) {
    // As fp32 the code is too small by a power of two that depends on the bias alone, for normals
    // and subnormals alike.
    constexpr std::uint32_t kScale = (254 - ((1U << (E - 1)) - 1)) << 23U;
    return std::bit_cast<float>(code << (23 - M)) * std::bit_cast<float>(kScale);
}

/// An IEEE format from fp32: the top exponent holds the infinities and the NaNs.
template <unsigned E, unsigned M> constexpr std::uint32_t to_ieee(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits & ~kMagnitude) >> (31 - E - M);
    const std::uint32_t magnitude = bits & kMagnitude;
    constexpr std::uint32_t kCodeOfInfinity = ((1U << E) - 1) << M;
    // NaN keeps its top bits, made quiet.
    const std::uint32_t payload = (magnitude >> (23 - M)) & ((1U << M) - 1);
    const std::uint32_t nan = kCodeOfInfinity | (1U << (M - 1)) | payload;
    // The least magnitude that rounds to 2^2^(E-1).
    constexpr std::uint32_t kOverflow = ((127 + (1U << (E - 1))) << 23U) - (1U << (22 - M));
    const std::uint32_t finite = round_magnitude<E, M>(magnitude);
    const std::uint32_t number = magnitude >= kOverflow ? kCodeOfInfinity : finite;
    return sign | (magnitude > kInfinity ? nan : number);
}

template <unsigned E, unsigned M> constexpr float from_ieee(std::uint32_t code) {
    const std::uint32_t sign = (code >> (E + M)) << 31U;
    const std::uint32_t magnitude = code & ((1U << (E + M)) - 1);
    constexpr std::uint32_t kCodeOfInfinity = ((1U << E) - 1) << M;
    const std::uint32_t special = kInfinity | ((magnitude - kCodeOfInfinity) << (23 - M));
    const auto finite = std::bit_cast<std::uint32_t>(expand_magnitude<E, M>(magnitude));
    return std::bit_cast<float>(sign | (magnitude >= kCodeOfInfinity ? special : finite));
}

/// The bits of fp32 `value` with the mantissa rounded to 23 - `Lost` bits and the rest zero.
template <unsigned Lost> constexpr std::uint32_t drop_bits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    constexpr std::uint32_t kKept = ~((1U << Lost) - 1);
    if ((bits & kMagnitude) > kInfinity) { // NaN, made quiet
        return (bits | 0x400000U) & kKept;
    }
    return (bits + (1U << (Lost - 1)) - 1 + ((bits >> Lost) & 1U)) & kKept;
}

constexpr float decode_fp8e4m3(std::uint32_t code) {
    const std::uint32_t sign = (code & 0x80U) << 24U;
    const float magnitude = (code & 0x7FU) == 0x7FU ? std::numeric_limits<float>::quiet_NaN()
                                                    : expand_magnitude<4, 3>(code & 0x7FU);
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

/// The value of every code of an 8-bit format.
template <class Decode> constexpr std::array<float, 256> table(Decode decode) {
    std::array<float, 256> values{};
    for (std::uint32_t code = 0; code < values.size(); ++code) {
        values[code] = decode(code);
    }
    return values;
}

} // namespace detail

inline std::uint16_t to_fp16(float value) {
    return static_cast<std::uint16_t>(detail::to_ieee<5, 10>(value));
}
inline float from_fp16(std::uint16_t code) {
    return detail::from_ieee<5, 10>(code);
}

inline std::uint16_t to_bf16(float value) {
    return static_cast<std::uint16_t>(detail::drop_bits<16>(value) >> 16U);
}
inline float from_bf16(std::uint16_t code) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(code) << 16U);
}

/// fp32 in which tf32 holds `value`; to read it back takes nothing.
inline float to_tf32(float value) {
    return std::bit_cast<float>(detail::drop_bits<13>(value));
}

inline std::uint8_t to_fp8e5m2(float value) {
    return static_cast<std::uint8_t>(detail::to_ieee<5, 2>(value));
}
inline float from_fp8e5m2(std::uint8_t code) {
    static constexpr std::array<float, 256> kValues = detail::table(detail::from_ieee<5, 2>);
    return kValues[code];
}

inline std::uint8_t to_fp8e4m3(float value) {
    constexpr std::uint32_t kLargest = 0x7E; // 448; the code after it is NaN
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & detail::kMagnitude;
    const std::uint32_t code = magnitude > detail::kInfinity
                                   ? kLargest + 1
                                   : std::min(kLargest, detail::round_magnitude<4, 3>(magnitude));
    return static_cast<std::uint8_t>((bits >> 31U) << 7U | code);
}
inline float from_fp8e4m3(std::uint8_t code) {
    static constexpr std::array<float, 256> kValues = detail::table(detail::decode_fp8e4m3);
    return kValues[code];
}

/// fp32 from fp64, rounded to odd: rounding the result again to 22 bits or fewer gives what one
/// rounding of `value` would (Boldo and Melquiond, "When double rounding is odd", 2005).
inline float to_odd_fp32(double value) {
    const auto nearest = static_cast<float>(value);
    const bool odd = (std::bit_cast<std::uint32_t>(nearest) & 1U) != 0;
    if (odd || !(static_cast<double>(nearest) != value) || std::isnan(value)) {
        return nearest;
    }
    return std::nextafter(nearest, nearest < value ? HUGE_VALF : -HUGE_VALF);
}

/// Values of an integer format, both ends included.
struct IntegerRange {
    std::int64_t low;
    std::int64_t high;
};
constexpr IntegerRange integer_range(DType dtype) {
    const auto high = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits_of(dtype)));
    return {-high - 1, high};
}
inline std::int64_t to_integer(std::floating_point auto value, IntegerRange range) {
    using Float = decltype(value);
    if (std::isnan(value)) {
        return 0;
    }
    const Float rounded = std::nearbyint(value);
    // 2^63 - 1 becomes 2^63 here, which is out of range itself.
    if (rounded >= static_cast<Float>(range.high)) {
        return range.high;
    }
    return rounded <= static_cast<Float>(range.low) ? range.low
                                                    : static_cast<std::int64_t>(rounded);
}
constexpr std::int64_t to_integer(std::int64_t value, IntegerRange range) {
    return std::clamp(value, range.low, range.high);
}

} // namespace npusim::functional
