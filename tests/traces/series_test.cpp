// SPDX-License-Identifier: Apache-2.0
#include "sim/isa/instruction.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"
#include "traces/occupancy.h"
#include "traces/op_texts.h"
#include "traces/protobuf.h"
#include "traces/selection.h"
#include "traces/series.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace npusim {
namespace {

using traces::Series;

double area(const Series& series) {
    double sum = 0;
    for (std::size_t i = 0; i < series.size(); ++i) {
        sum += series.mean(i) * static_cast<double>(series.step().count());
    }
    return sum;
}

observe::Execution execution(std::int64_t start, std::int64_t end) {
    return {.start = Cycles{start}, .end = Cycles{end}, .settled = Cycles{end}};
}

} // namespace

TEST_CASE("a series keeps what is added, however coarse its steps become") {
    Series series(Cycles{0}, traces::Selection::kForever, 16);
    std::mt19937 random(1);
    double sum = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto start = static_cast<std::int64_t>(random() % 100000);
        const auto length = static_cast<std::int64_t>(random() % 3000);
        series.add(Cycles{start}, Cycles{start + length}, 2);
        sum += 2 * static_cast<double>(length);
    }
    CHECK(series.size() <= 16);
    CHECK(series.step() == Cycles{8192}); // 13 of them reach 103,000
    CHECK(area(series) == Approx(sum));
}

TEST_CASE("a series has the means of its steps, and nothing outside of its window") {
    Series series(Cycles{100}, Cycles{108}, 8);
    series.add(Cycles{90}, Cycles{102}, 1);
    series.add(Cycles{101}, Cycles{104}, 4);
    series.add(Cycles{107}, Cycles{120}, 3);
    series.spread(Cycles{105}, Cycles{105}, 7); // in one cycle
    const std::vector<double> expected{1, 5, 4, 4, 0, 7, 0, 3};
    REQUIRE(series.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(series.mean(i) == expected[i]);
    }
    const auto samples = traces::changes(series);
    CHECK(samples.size() == 8); // two steps of 4 are one, and 0 ends it
    CHECK(samples.back().at == Cycles{108});
    CHECK(samples.back().value == 0);
}

TEST_CASE("a buffer is in use from a write to the last read before the next write") {
    Series series(Cycles{0}, Cycles{64}, 64);
    traces::Occupancy buffer(series);
    const isa::Tile tile = isa::dense(Memory::L1, DType::Fp16, 0, 4, 8); // 64 bytes
    buffer.access(tile, true, execution(2, 4));
    buffer.access(tile, false, execution(6, 8));
    buffer.access(tile, false, execution(9, 10));
    // Half of it is written anew at 20 and not read.
    buffer.access(isa::dense(Memory::L1, DType::Fp16, 0, 2, 8), true, execution(20, 24));
    buffer.access(isa::dense(Memory::L1, DType::Fp16, 32, 2, 8), false, execution(26, 30));
    buffer.finish();
    const auto used = [&](std::size_t cycle) { return series.mean(cycle); };
    CHECK(used(1) == 0);
    CHECK(used(2) == 64);
    CHECK(used(9) == 64);
    CHECK(used(10) == 32); // the upper half is still to be read
    CHECK(used(21) == 64); // and the lower half holds what is being written
    CHECK(used(25) == 32);
    CHECK(series.size() == 30);
}

TEST_CASE("texts of ops are told apart by shape, not by address") {
    traces::OpTexts texts;
    const auto copy = [](std::int64_t address, std::int64_t rows) -> isa::Instruction {
        return isa::Copy{test::half(Memory::L1, address, rows, 16),
                         test::half(Memory::Gm, 2 * address, rows, 16)};
    };
    CHECK(texts.number(copy(0, 16)) == texts.number(copy(512, 16)));
    CHECK(texts.number(copy(0, 16)) != texts.number(copy(0, 32)));
    CHECK(texts.text(texts.number(copy(64, 16))) == "copy fp16 l1 16x16, fp16 gm 16x16, 512 bytes");
    CHECK(texts.text(texts.number(isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 3})) ==
          "set_flag mte2->mte1 #3");
    CHECK(texts.size() == 3);
}

TEST_CASE("messages that outgrow a byte of length are moved to make room") {
    for (const std::size_t size : {1U, 127U, 128U, 16383U, 16384U, 70000U}) {
        traces::ProtobufBuffer buffer;
        const std::string text(size, 'x');
        buffer.message(1, 3, size, [&](traces::ProtobufFields& to) {
            to.message(4, [&] { to.text(2, text); });
            to.number(3, 5);
        });
        // Read back by hand: tag, length, the same within.
        const std::string_view bytes = buffer.bytes();
        std::size_t at = 0;
        const auto varint = [&] {
            std::uint64_t value = 0;
            for (unsigned shift = 0;; shift += 7) {
                const auto byte = static_cast<unsigned char>(bytes.at(at++));
                value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
                if (byte < 0x80U) {
                    return value;
                }
            }
        };
        CHECK(varint() == (1U << 3U | 2U));
        const std::uint64_t whole = varint();
        CHECK(whole == bytes.size() - at);
        CHECK(varint() == (4U << 3U | 2U));
        const std::uint64_t outer = varint();
        const std::size_t begin = at;
        CHECK(varint() == (2U << 3U | 2U));
        CHECK(varint() == size);
        at += size;
        CHECK(at - begin == outer);
        CHECK(varint() == 3U << 3U);
        CHECK(varint() == 5);
        CHECK(at == bytes.size());
    }
}

} // namespace npusim
