// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/memory.h"

#include "sim/base/error.h"
#include "sim/functional/f16c.h"
#include "sim/functional/formats.h"
#include "sim/functional/host.h"

#include <concepts>
#include <cstring>
#include <fmt/format.h>
#include <type_traits>

namespace npusim::functional {

namespace {

/// A value of a format as a `Value`.
template <class Value, class From> Value as(From value) {
    if constexpr (std::is_integral_v<Value>) {
        return static_cast<Value>(to_integer(value, integer_range(DType::Int64)));
    } else {
        return static_cast<Value>(value);
    }
}

/// A value on its way to a format narrower than fp32.
float narrow(float value) {
    return value;
}
float narrow(double value) {
    return to_odd_fp32(value);
}
float narrow(std::integral auto value) {
    return to_odd_fp32(static_cast<double>(value));
}

/// Elements of `Code` bytes each.
template <class Code> struct LoadCodes {
    template <Isa, class Value, class Decode>
    [[gnu::always_inline]] static void
    run(const std::byte* from, std::int64_t count, Value* out, Decode decode) {
        for (std::int64_t i = 0; i < count; ++i) {
            Code code{};
            std::memcpy(&code, from + i * static_cast<std::int64_t>(sizeof code), sizeof code);
            out[i] = as<Value>(decode(code));
        }
    }
};
template <class Code> struct StoreCodes {
    template <Isa, class Value, class Encode>
    [[gnu::always_inline]] static void
    run(std::byte* to, std::int64_t count, const Value* values, Encode encode) {
        for (std::int64_t i = 0; i < count; ++i) {
            const Code code = encode(values[i]);
            std::memcpy(to + i * static_cast<std::int64_t>(sizeof code), &code, sizeof code);
        }
    }
};
template <class Code, class Value, class Decode>
void load_codes(const std::byte* from, std::int64_t count, Value* out, Decode decode) {
    on_this_host<LoadCodes<Code>>(from, count, out, decode);
}
template <class Code, class Value, class Encode>
void store_codes(std::byte* to, std::int64_t count, const Value* values, Encode encode) {
    on_this_host<StoreCodes<Code>>(to, count, values, encode);
}

void load_fp32(const std::byte* from, std::int64_t count, float* out) {
    std::memcpy(out, from, static_cast<std::size_t>(count) * sizeof *out);
}
template <class Value> void load_fp32(const std::byte* from, std::int64_t count, Value* out) {
    load_codes<float>(from, count, out, [](float value) { return value; });
}
void store_fp32(std::byte* to, std::int64_t count, const float* values) {
    std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof *values);
}
template <class Value> void store_fp32(std::byte* to, std::int64_t count, const Value* values) {
    store_codes<float>(to, count, values, [](Value value) { return static_cast<float>(value); });
}

template <class Value> void load_fp16(const std::byte* from, std::int64_t count, Value* out) {
    std::int64_t done = 0;
    if constexpr (std::is_same_v<Value, float>) {
        done = f16c::decode(from, count, out);
    }
    load_codes<std::uint16_t>(from + 2 * done, count - done, out + done, [](std::uint16_t code) {
        return from_fp16(code);
    });
}
template <class Value> void store_fp16(std::byte* to, std::int64_t count, const Value* values) {
    std::int64_t done = 0;
    if constexpr (std::is_same_v<Value, float>) {
        done = f16c::encode(to, count, values);
    }
    store_codes<std::uint16_t>(to + 2 * done, count - done, values + done, [](Value value) {
        return to_fp16(narrow(value));
    });
}

template <class Int, class Value>
void load_integers(const std::byte* from, std::int64_t count, Value* out) {
    load_codes<Int>(from, count, out, [](Int code) { return std::int64_t{code}; });
}
template <class Int, class Value>
void store_integers(DType dtype, std::byte* to, std::int64_t count, const Value* values) {
    store_codes<Int>(to, count, values, [range = integer_range(dtype)](Value value) {
        return static_cast<Int>(to_integer(value, range));
    });
}

constexpr unsigned kNibble = 4;

template <class Value> void load_nibbles(const std::byte* from, std::int64_t count, Value* out) {
    for (std::int64_t i = 0; i < count; ++i) {
        const auto pair = std::to_integer<unsigned>(from[i / 2]);
        const unsigned code = i % 2 == 0 ? pair & 0xFU : pair >> kNibble;
        out[i] = as<Value>(std::int64_t{code} - (code < 8 ? 0 : 16));
    }
}
template <class Value> void store_nibbles(std::byte* to, std::int64_t count, const Value* values) {
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t value = to_integer(values[i], integer_range(DType::Int4));
        const auto code = static_cast<std::byte>(static_cast<std::uint64_t>(value) & 0xFU);
        to[i / 2] = i % 2 == 0 ? code : to[i / 2] | code << kNibble;
    }
}

} // namespace

GlobalMemory make_global_memory(std::int64_t bytes, std::byte fill) {
    return GlobalMemory(static_cast<std::size_t>(bytes), fill);
}

CoreMemory::CoreMemory(const config::HardwareConfig& hardware, GlobalMemory& gm)
    : hardware_(hardware), gm_(gm) {}

/// The buffer, made when it is first asked for: most cores of a chip use few of theirs.
std::vector<std::byte>& CoreMemory::buffer(Memory memory) {
    std::vector<std::byte>& bytes = buffers_[static_cast<std::size_t>(memory)];
    if (bytes.empty()) {
        bytes.assign(static_cast<std::size_t>(hardware_.buffer(memory).size_bytes), kPoison);
    }
    return bytes;
}

std::byte* CoreMemory::at(const isa::Tile& tile) {
    std::vector<std::byte>& bytes = tile.memory == Memory::Gm ? gm_ : buffer(tile.memory);
    if (tile.address < 0 || tile.end() > static_cast<std::int64_t>(bytes.size())) {
        throw ProgramError(fmt::format("{} bytes {}..{} touched, but {} are there",
                                       to_string(tile.memory),
                                       tile.address,
                                       tile.end(),
                                       bytes.size()));
    }
    return bytes.data() + tile.address;
}

template <class Value>
void load_row(const isa::Tile& tile, const std::byte* base, std::int64_t row, Value* out) {
    const std::byte* from = base + row * tile.stride_bytes;
    switch (tile.dtype) {
    case DType::Fp32:
    case DType::Tf32:
        return load_fp32(from, tile.cols, out);
    case DType::Fp16:
        return load_fp16(from, tile.cols, out);
    case DType::Bf16:
        return load_codes<std::uint16_t>(
            from, tile.cols, out, [](std::uint16_t code) { return from_bf16(code); });
    case DType::Fp8E4m3:
        return load_codes<std::uint8_t>(
            from, tile.cols, out, [](std::uint8_t code) { return from_fp8e4m3(code); });
    case DType::Fp8E5m2:
        return load_codes<std::uint8_t>(
            from, tile.cols, out, [](std::uint8_t code) { return from_fp8e5m2(code); });
    case DType::Int64:
        return load_integers<std::int64_t>(from, tile.cols, out);
    case DType::Int32:
        return load_integers<std::int32_t>(from, tile.cols, out);
    case DType::Int16:
        return load_integers<std::int16_t>(from, tile.cols, out);
    case DType::Int8:
        return load_integers<std::int8_t>(from, tile.cols, out);
    case DType::Int4:
        return load_nibbles(from, tile.cols, out);
    }
}

template <class Value>
void store_row(const isa::Tile& tile, std::byte* base, std::int64_t row, const Value* values) {
    std::byte* to = base + row * tile.stride_bytes;
    switch (tile.dtype) {
    case DType::Fp32:
        return store_fp32(to, tile.cols, values);
    case DType::Tf32:
        return store_codes<float>(
            to, tile.cols, values, [](Value value) { return to_tf32(narrow(value)); });
    case DType::Fp16:
        return store_fp16(to, tile.cols, values);
    case DType::Bf16:
        return store_codes<std::uint16_t>(
            to, tile.cols, values, [](Value value) { return to_bf16(narrow(value)); });
    case DType::Fp8E4m3:
        return store_codes<std::uint8_t>(
            to, tile.cols, values, [](Value value) { return to_fp8e4m3(narrow(value)); });
    case DType::Fp8E5m2:
        return store_codes<std::uint8_t>(
            to, tile.cols, values, [](Value value) { return to_fp8e5m2(narrow(value)); });
    case DType::Int64:
        return store_integers<std::int64_t>(tile.dtype, to, tile.cols, values);
    case DType::Int32:
        return store_integers<std::int32_t>(tile.dtype, to, tile.cols, values);
    case DType::Int16:
        return store_integers<std::int16_t>(tile.dtype, to, tile.cols, values);
    case DType::Int8:
        return store_integers<std::int8_t>(tile.dtype, to, tile.cols, values);
    case DType::Int4:
        return store_nibbles(to, tile.cols, values);
    }
}

template void load_row(const isa::Tile&, const std::byte*, std::int64_t, float*);
template void load_row(const isa::Tile&, const std::byte*, std::int64_t, double*);
template void load_row(const isa::Tile&, const std::byte*, std::int64_t, std::int32_t*);
template void load_row(const isa::Tile&, const std::byte*, std::int64_t, std::int64_t*);
template void store_row(const isa::Tile&, std::byte*, std::int64_t, const float*);
template void store_row(const isa::Tile&, std::byte*, std::int64_t, const double*);
template void store_row(const isa::Tile&, std::byte*, std::int64_t, const std::int32_t*);
template void store_row(const isa::Tile&, std::byte*, std::int64_t, const std::int64_t*);

} // namespace npusim::functional
