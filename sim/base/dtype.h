// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace npusim {

/// Number format of the elements of a tile. How each rounds: sim/functional/formats.h.
enum class DType : std::uint8_t {
    Fp32,    ///< IEEE binary32
    Tf32,    ///< fp32 with a mantissa of 10 bits, kept in 4 bytes
    Fp16,    ///< IEEE binary16
    Bf16,    ///< the upper half of fp32
    Fp8E4m3, ///< OCP FP8: no infinity, up to 448
    Fp8E5m2, ///< OCP FP8: the upper half of fp16
    Int64,   ///< accumulator
    Int32,   ///< accumulator
    Int16,
    Int8,
    Int4, ///< two to a byte, the low half first
};

struct DTypeInfo {
    std::string_view name;
    std::int64_t bits; ///< of one element in memory
    bool integer;      ///< two's complement
};
inline constexpr std::size_t kDTypeCount = 11;
/// By DType.
inline constexpr std::array<DTypeInfo, kDTypeCount> kDTypeInfo{{
    {"fp32", 32, false},
    {"tf32", 32, false},
    {"fp16", 16, false},
    {"bf16", 16, false},
    {"fp8e4m3", 8, false},
    {"fp8e5m2", 8, false},
    {"int64", 64, true},
    {"int32", 32, true},
    {"int16", 16, true},
    {"int8", 8, true},
    {"int4", 4, true},
}};
constexpr const DTypeInfo& info(DType dtype) {
    return kDTypeInfo[static_cast<std::size_t>(dtype)];
}
constexpr std::string_view to_string(DType dtype) {
    return info(dtype).name;
}
constexpr std::int64_t bits_of(DType dtype) {
    return info(dtype).bits;
}
constexpr bool is_integer(DType dtype) {
    return info(dtype).integer;
}

/// Bytes of `count` elements next to each other; an odd int4 takes the whole of its byte.
constexpr std::int64_t bytes_of(DType dtype, std::int64_t count) {
    return ceil_div(count * bits_of(dtype), 8);
}

/// Formats operands can have.
inline constexpr std::array kDTypes{DType::Fp32,
                                    DType::Tf32,
                                    DType::Fp16,
                                    DType::Bf16,
                                    DType::Fp8E4m3,
                                    DType::Fp8E5m2,
                                    DType::Int16,
                                    DType::Int8,
                                    DType::Int4};
/// Formats a cube can sum in.
inline constexpr std::array kAccumulators{DType::Fp32, DType::Int32, DType::Int64};

/// The operand format called `name`.
constexpr std::optional<DType> dtype_from(std::string_view name) {
    for (const DType dtype : kDTypes) {
        if (to_string(dtype) == name) {
            return dtype;
        }
    }
    return std::nullopt;
}

} // namespace npusim
