// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace npusim {

/// Number format of the elements of a tile.
enum class DType : std::uint8_t { Fp32, Fp16, Bf16 };

inline constexpr std::array kDTypes{DType::Fp32, DType::Fp16, DType::Bf16};

constexpr std::string_view to_string(DType dtype) {
    switch (dtype) {
    case DType::Fp32:
        return "fp32";
    case DType::Fp16:
        return "fp16";
    case DType::Bf16:
        return "bf16";
    }
    return "?";
}

constexpr std::int64_t bytes_of(DType dtype) {
    return dtype == DType::Fp32 ? 4 : 2;
}

constexpr std::optional<DType> dtype_from(std::string_view name) {
    for (const DType dtype : kDTypes) {
        if (to_string(dtype) == name) {
            return dtype;
        }
    }
    return std::nullopt;
}

} // namespace npusim
