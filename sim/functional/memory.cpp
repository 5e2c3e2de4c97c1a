// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/memory.h"

#include "sim/base/error.h"
#include "sim/functional/formats.h"

#include <cstring>
#include <fmt/format.h>

namespace npusim::functional {

namespace {

constexpr std::byte kPoison{0xFF};

template <class F> void load_16(const std::byte* from, std::int64_t count, float* out, F convert) {
    for (std::int64_t i = 0; i < count; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, from + 2 * i, sizeof bits);
        out[i] = convert(bits);
    }
}

template <class F>
void store_16(std::byte* to, std::int64_t count, const float* values, F convert) {
    for (std::int64_t i = 0; i < count; ++i) {
        const std::uint16_t bits = convert(values[i]);
        std::memcpy(to + 2 * i, &bits, sizeof bits);
    }
}

} // namespace

GlobalMemory make_global_memory(std::int64_t bytes) {
    return GlobalMemory(static_cast<std::size_t>(bytes), kPoison);
}

CoreMemory::CoreMemory(const config::HardwareConfig& hardware, GlobalMemory& gm) : gm_(gm) {
    for (std::size_t m = 1; m < kMemoryCount; ++m) { // GM is shared
        buffers_[m].assign(static_cast<std::size_t>(hardware.buffers[m].size_bytes), kPoison);
    }
}

std::byte* CoreMemory::at(const isa::Tile& tile) {
    std::vector<std::byte>& bytes =
        tile.memory == Memory::Gm ? gm_ : buffers_[static_cast<std::size_t>(tile.memory)];
    if (tile.address < 0 || tile.end() > static_cast<std::int64_t>(bytes.size())) {
        throw ProgramError(fmt::format("{} bytes {}..{} touched, but {} are there",
                                       to_string(tile.memory),
                                       tile.address,
                                       tile.end(),
                                       bytes.size()));
    }
    return bytes.data() + tile.address;
}

void load_row(const isa::Tile& tile, const std::byte* base, std::int64_t row, float* out) {
    const std::byte* from = base + row * tile.stride_bytes;
    switch (tile.dtype) {
    case DType::Fp32:
        std::memcpy(out, from, static_cast<std::size_t>(tile.row_bytes()));
        return;
    case DType::Fp16:
        load_16(from, tile.cols, out, from_fp16);
        return;
    case DType::Bf16:
        load_16(from, tile.cols, out, from_bf16);
        return;
    }
}

void store_row(const isa::Tile& tile, std::byte* base, std::int64_t row, const float* values) {
    std::byte* to = base + row * tile.stride_bytes;
    switch (tile.dtype) {
    case DType::Fp32:
        std::memcpy(to, values, static_cast<std::size_t>(tile.row_bytes()));
        return;
    case DType::Fp16:
        store_16(to, tile.cols, values, to_fp16);
        return;
    case DType::Bf16:
        store_16(to, tile.cols, values, to_bf16);
        return;
    }
}

} // namespace npusim::functional
