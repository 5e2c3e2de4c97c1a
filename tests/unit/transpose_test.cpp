// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/functional/execute.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <cstring>

using namespace npusim;

namespace {

/// Element (r,c) of a tile of 16-bit patterns.
std::uint16_t&
bits(functional::CoreMemory& memory, const isa::Tile& tile, std::int64_t r, std::int64_t c) {
    return reinterpret_cast<std::uint16_t*>(memory.at(tile) + r * tile.stride_bytes)[c];
}

} // namespace

TEST_CASE("a transposition turns rows into columns and leaves every bit pattern as it is") {
    const auto machine = test::tiny();
    functional::GlobalMemory gm;
    functional::CoreMemory memory(machine, gm);
    const isa::Tile from = test::half(Memory::Ub, 0, 64, 64).block(0, 16, 48, 16);
    const isa::Tile to = test::half(Memory::Ub, 8192, 16, 48);
    const auto pattern = [](std::int64_t r, std::int64_t c) {
        return static_cast<std::uint16_t>(0x7BF0 + r * 16 + c); // from the largest number to NaNs
    };
    for (std::int64_t r = 0; r < 48; ++r) {
        for (std::int64_t c = 0; c < 16; ++c) {
            bits(memory, from, r, c) = pattern(r, c);
        }
    }
    functional::execute(isa::Vtranspose{to, from}, memory);
    for (std::int64_t r = 0; r < 48; ++r) {
        for (std::int64_t c = 0; c < 16; ++c) {
            CHECK(bits(memory, to, c, r) == pattern(r, c));
        }
    }
}

TEST_CASE("a transposition takes whole 16x16 squares of one dtype") {
    const auto machine = test::tiny();
    const auto square = test::half(Memory::Ub, 0, 16, 32);
    CHECK_NOTHROW(
        isa::check(isa::Vtranspose{test::half(Memory::Ub, 1024, 32, 16), square}, machine));
    CHECK_THROWS_WITH(
        isa::check(isa::Vtranspose{test::half(Memory::Ub, 1024, 16, 32), square}, machine),
        Catch::Contains("shapes must be [C,R] = [R,C]"));
    CHECK_THROWS_WITH(isa::check(isa::Vtranspose{test::half(Memory::Ub, 1024, 16, 8),
                                                 test::half(Memory::Ub, 0, 8, 16)},
                                 machine),
                      Catch::Contains("multiples of 16"));
    CHECK_THROWS_WITH(
        isa::check(isa::Vtranspose{isa::dense(Memory::Ub, DType::Fp32, 1024, 32, 16), square},
                   machine),
        Catch::Contains("does not convert"));
}
