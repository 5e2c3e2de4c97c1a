// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#ifndef __SANITIZE_ADDRESS__ // which keeps memory its own way, and ends the process without

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

bool on_huge_page(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) % kHugePage == 0;
}

} // namespace

TEST_CASE("a block of a huge page and more begins on one") {
    CHECK(on_huge_page(std::vector<char>(kHugePage).data()));
    CHECK(on_huge_page(std::vector<double>(3 * kHugePage / sizeof(double)).data()));
    CHECK_FALSE(on_huge_page(std::vector<char>(kHugePage - 1).data()));
}

TEST_CASE("a block nobody has is refused as ever") {
    CHECK_THROWS_AS(::operator new(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
    CHECK_THROWS_AS(::operator new(std::numeric_limits<std::ptrdiff_t>::max()), std::bad_alloc);
}

#endif

TEST_CASE("blocks of all sizes are given back and had again") {
    for (int turn = 0; turn < 20; ++turn) {
        std::vector<std::unique_ptr<char[]>> blocks;
        for (std::size_t size = 0; size <= (4U << 20); size += 100'003) {
            blocks.push_back(std::make_unique<char[]>(size));
            if (size > 0) {
                blocks.back()[size - 1] = 'x';
            }
        }
    }
    SUCCEED();
}
