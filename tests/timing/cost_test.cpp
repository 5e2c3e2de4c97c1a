// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/timing/cost.h"
#include "sim/timing/gm_server.h"
#include "sim/timing/scoreboard.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace npusim;

namespace {

isa::Instruction
mmad(DType accumulator, DType dtype, std::int64_t m, std::int64_t k, std::int64_t n) {
    return isa::Mmad{isa::dense(Memory::L0c, accumulator, 0, m, n),
                     isa::dense(Memory::L0a, dtype, 0, m, k),
                     isa::dense(Memory::L0b, dtype, 0, k, n),
                     false};
}

std::int64_t mmad_cycles(DType dtype,
                         std::int64_t m,
                         std::int64_t k,
                         std::int64_t n,
                         const std::string& machine = "ascend-910b") {
    const auto hardware = test::hardware(machine);
    const isa::Instruction op = mmad(hardware.cube_format(dtype).accumulator, dtype, m, k, n);
    isa::check(op, hardware);
    return timing::cost(op, hardware).count();
}

} // namespace

TEST_CASE("mmad on 910B takes the cycles of the published golden cases") {
    // hw-native-sys/pto-isa tests/costmodel: half 40x50x60 54, half 128x128x64 262, float
    // 120x110x50 902
    CHECK(mmad_cycles(DType::Fp16, 40, 50, 60) == 54);
    CHECK(mmad_cycles(DType::Fp16, 128, 128, 64) == 262);
    CHECK(mmad_cycles(DType::Fp32, 120, 110, 50) == 902);
}

TEST_CASE("mmad takes a cycle a block, and the narrower the format the deeper the block") {
    CHECK(mmad_cycles(DType::Int8, 16, 32, 16) == 6 + 1);
    CHECK(mmad_cycles(DType::Int8, 16, 33, 16) == 6 + 2);
    CHECK(mmad_cycles(DType::Int4, 32, 64, 16) == 6 + 2);
    const auto fused = [](DType dtype) { return mmad_cycles(dtype, 16, 64, 8, "fused-local"); };
    CHECK(fused(DType::Fp32) == 6 + 16);
    CHECK(fused(DType::Tf32) == 6 + 8);
    CHECK(fused(DType::Fp16) == 6 + 4);
    CHECK(fused(DType::Bf16) == 6 + 4);
    CHECK(fused(DType::Int16) == 6 + 4);
    CHECK(fused(DType::Fp8E4m3) == 6 + 2);
    CHECK(fused(DType::Fp8E5m2) == 6 + 2);
    CHECK(fused(DType::Int8) == 6 + 2);
    CHECK(fused(DType::Int4) == 6 + 1);
}

TEST_CASE("mmad in a format the cube lacks or into another accumulator is refused") {
    const auto machine = test::hardware("ascend-910b");
    CHECK_THROWS_WITH(isa::check(mmad(DType::Fp32, DType::Tf32, 16, 16, 16), machine),
                      Catch::Contains("cube.formats: no format tf32 (allowed: fp32, fp16, bf16, "
                                      "int8, int4), in `mmad "));
    CHECK_THROWS_WITH(
        isa::check(mmad(DType::Fp32, DType::Int8, 16, 16, 16), machine),
        Catch::Contains("cube.formats.int8.accumulator: `c` is fp32 (allowed: int32)"));
    CHECK_THROWS_AS(isa::check(mmad(DType::Int32, DType::Fp16, 16, 16, 16), machine), ProgramError);
    CHECK_NOTHROW(
        isa::check(mmad(DType::Int64, DType::Int16, 16, 16, 16), test::hardware("fused-local")));
}

TEST_CASE("the result path moves whole accumulators, whatever becomes of them") {
    const auto machine = test::tiny();
    const auto cycles = [&](DType to, DType from) {
        const isa::Instruction op = isa::Fixpipe{isa::dense(Memory::L1, to, 0, 16, 16),
                                                 isa::dense(Memory::L0c, from, 0, 16, 16),
                                                 false,
                                                 0.5F};
        isa::check(op, machine);
        return timing::cost(op, machine).count();
    };
    CHECK(cycles(DType::Fp16, DType::Fp32) == 10 + 16);
    CHECK(cycles(DType::Int4, DType::Int32) == 10 + 16);
    CHECK(cycles(DType::Int8, DType::Int64) == 10 + 32);
    CHECK_THROWS_WITH(cycles(DType::Int8, DType::Int16), Catch::Contains("L0C holds"));
}

TEST_CASE("a vector op costs slope times repeats plus base, rounded up") {
    const auto machine = test::hardware("ascend-910b");
    const auto ub = [](std::int64_t address, std::int64_t rows, std::int64_t cols) {
        return isa::dense(Memory::Ub, DType::Fp32, address, rows, cols);
    };
    // 64 repeats of 256 bytes: 2.11 * 64 + 24 = 159.04
    CHECK(timing::cost(isa::Vadd{{ub(0, 64, 64), ub(16384, 64, 64), ub(32768, 64, 64)}}, machine) ==
          Cycles{160});
    // Dense rows of 64 bytes share repeats; strided ones take one each.
    CHECK(timing::repeats(64, 64, true, 256) == 16);
    CHECK(timing::repeats(64, 64, false, 256) == 64);
    CHECK(timing::repeats(3, 300, false, 256) == 6);
}

TEST_CASE("operands that do not meet in a bank group of UB save a cycle a repeat") {
    auto machine = test::hardware("ascend-910b");
    const auto add = [&](const isa::Tile& a, const isa::Tile& b) {
        const isa::Tile to = isa::dense(Memory::Ub, a.dtype, 0x20000, a.rows, a.cols);
        return timing::cost(isa::Vadd{{to, a, b}}, machine).count();
    };
    const auto fp32 = [](std::int64_t address, std::int64_t rows, std::int64_t cols) {
        return isa::dense(Memory::Ub, DType::Fp32, address, rows, cols);
    };
    // The two placements of the vendor's example: 4096 floats are 64 repeats.
    CHECK(add(fp32(0, 64, 64), fp32(0x4000, 64, 64)) == 160);       // 2.11 * 64 + 24
    CHECK(add(fp32(0, 64, 64), fp32(0x4100, 64, 64)) == 96);        // 1.11 * 64 + 24
    CHECK(add(fp32(0x4100, 64, 64), fp32(0, 64, 64)) == 96);        // either way round
    CHECK(add(fp32(0, 64, 64), fp32(0x4000 + 224, 64, 64)) == 160); // one group in common
    // A block a repeat: the groups of 0x10020, 0x20020 and 0x10000 are 1, 1 and 0.
    CHECK(add(fp32(0x10020, 1, 8), fp32(0x20020, 1, 8)) == 27); // 2.11 + 24
    CHECK(add(fp32(0x10020, 1, 8), fp32(0x10000, 1, 8)) == 26); // 1.11 + 24
    // Rows that drift apart by 256 bytes meet every other time: 16 repeats of 1.61.
    const isa::Tile wide = fp32(0x8000, 16, 128).block(0, 0, 16, 64);
    CHECK(add(fp32(0, 16, 64), wide) == 50); // 1.61 * 16 + 24
    // A block that is reused along the row, and an op that is slower than its reads: no change.
    CHECK(timing::cost(isa::Vmul{{fp32(0x20000, 8, 64), fp32(0, 8, 64), fp32(0x4100, 8, 8)}},
                       machine) == Cycles{44}); // 2.30 * 8 + 25
    CHECK(timing::cost(isa::Vdiv{{fp32(0x20000, 8, 64), fp32(0, 8, 64), fp32(0x4100, 8, 64)}},
                       machine) == Cycles{64}); // 4.03 * 8 + 31
    machine.vector.bank_groups = 0;
    CHECK(add(fp32(0, 64, 64), fp32(0x4100, 64, 64)) == 160);
}

TEST_CASE("a transposition costs its bytes, whatever the strides") {
    const auto machine = test::hardware("ascend-910b");
    const auto cycles = [&](DType dtype, std::int64_t rows, std::int64_t cols) {
        const isa::Tile whole = isa::dense(Memory::Ub, dtype, 0, 128, 128);
        return timing::cost(isa::Vtranspose{isa::dense(Memory::Ub, dtype, 65536, cols, rows),
                                            whole.block(0, 0, rows, cols)},
                            machine);
    };
    CHECK(cycles(DType::Fp16, 16, 16) == Cycles{12 * 2 + 27}); // 512 bytes: 2 repeats of 256
    CHECK(cycles(DType::Fp32, 16, 16) == Cycles{12 * 4 + 27});
    CHECK(cycles(DType::Fp16, 112, 16) == Cycles{12 * 14 + 27});
    CHECK(cycles(DType::Bf16, 128, 128) == Cycles{12 * 128 + 27});
}

TEST_CASE("every vector op costs its own line") {
    const auto machine = test::hardware("ascend-910b");
    const auto tile = [](std::int64_t address, std::int64_t rows, std::int64_t cols) {
        return isa::dense(Memory::Ub, DType::Fp32, address, rows, cols);
    };
    const isa::Tile to = tile(0, 64, 64);
    const isa::Tile a = tile(16384, 64, 64);
    const isa::Tile b = tile(32768, 64, 64);
    const auto cycles = [&](const isa::Instruction& op) {
        isa::check(op, machine);
        return timing::cost(op, machine).count();
    };
    // 64 repeats of 256 bytes
    CHECK(cycles(isa::Vmul{{to, a, b}}) == 173);         // 2.30 * 64 + 25 = 172.2
    CHECK(cycles(isa::Vdiv{{to, a, b}}) == 289);         // 4.03 * 64 + 31 = 288.92
    CHECK(cycles(isa::Vmax{{to, a, b}}) == 152);         // 2.01 * 64 + 23 = 151.64
    CHECK(cycles(isa::Vmuls{{to, a}, 2.0F}) == 90);      // 1.00 * 64 + 26
    CHECK(cycles(isa::Vabs{{to, a}}) == 86);             // 1.00 * 64 + 22
    CHECK(cycles(isa::Vcmax{tile(0, 1, 64), a}) == 480); // 7.00 * 64 + 32
    // Rows of 64 bytes share repeats, but not where each gives a result of its own.
    const isa::Tile narrow = tile(16384, 64, 16);
    CHECK(cycles(isa::Vabs{{tile(0, 64, 16), narrow}}) == 16 + 22);
    CHECK(cycles(isa::Vcmax{tile(0, 1, 64), narrow}) == 480);
}

TEST_CASE("a vector op costs what its dtype has a line for, a conversion by its source") {
    const auto machine = test::hardware("ascend-910b");
    const auto tile = [](DType dtype) { return isa::dense(Memory::Ub, dtype, 0, 16, 128); };
    const auto exp = [&](DType dtype) {
        return timing::cost(isa::Vexp{{tile(dtype), tile(dtype)}}, machine);
    };
    const auto cast = [&](DType to, DType from) {
        return timing::cost(isa::Vcast{tile(to), tile(from)}, machine);
    };
    CHECK(exp(DType::Fp32) == Cycles{2 * 32 + 31});
    CHECK(exp(DType::Fp16) == Cycles{64 + 31}); // 3.99 * 16 = 63.84
    CHECK(exp(DType::Bf16) == Cycles{2 * 16 + 31});
    CHECK(cast(DType::Fp32, DType::Bf16) == Cycles{2 * 32 + 24});
    CHECK(cast(DType::Fp32, DType::Fp16) == Cycles{32 + 24});
    CHECK(cast(DType::Bf16, DType::Fp32) == Cycles{32 + 24});
}

TEST_CASE("vector arithmetic is for floats, and a row to be reduced fits a repeat") {
    const auto machine = test::hardware("ascend-910b");
    const auto tile = [](DType dtype, std::int64_t rows, std::int64_t cols) {
        return isa::dense(Memory::Ub, dtype, 0, rows, cols);
    };
    const isa::Tile bytes = tile(DType::Int8, 4, 64);
    for (const isa::Instruction& op : isa::Block{isa::Vadd{{bytes, bytes, bytes}},
                                                 isa::Vmax{{bytes, bytes, bytes}},
                                                 isa::Vabs{{bytes, bytes}},
                                                 isa::Vmuls{{bytes, bytes}, 2},
                                                 isa::Vcmax{tile(DType::Int8, 1, 4), bytes}}) {
        CHECK_THROWS_WITH(isa::check(op, machine), Catch::Contains("is for float formats"));
    }
    CHECK_NOTHROW(isa::check(isa::Vand{{bytes, bytes, bytes}}, machine));
    const isa::Tile maxima = tile(DType::Fp32, 1, 4);
    CHECK_NOTHROW(isa::check(isa::Vcmax{maxima, tile(DType::Fp32, 4, 64)}, machine));
    CHECK_THROWS_WITH(isa::check(isa::Vcmax{maxima, tile(DType::Fp32, 4, 72)}, machine),
                      Catch::Contains("vector.repeat_bytes"));
    CHECK_THROWS_WITH(isa::check(isa::Vcmax{maxima, tile(DType::Fp32, 5, 64)}, machine),
                      Catch::Contains("[1,R] = [R,C]"));
}

TEST_CASE("a transfer takes start-up plus bytes over rate, rounded up") {
    auto machine = test::tiny();
    const isa::Copy copy{test::half(Memory::L1, 0, 16, 16), test::half(Memory::Gm, 0, 16, 16)};
    CHECK(timing::cost(copy, machine) == Cycles{10 + 8});
    for (auto& link : machine.links) {
        link.bytes_per_cycle = 63;
    }
    CHECK(timing::cost(copy, machine) == Cycles{10 + 9});
}

TEST_CASE("a path the chip lacks is refused by name") {
    const auto machine = test::hardware("ascend-910b");
    const isa::Instruction copy =
        isa::Copy{test::half(Memory::L1, 0, 16, 16), test::half(Memory::Ub, 0, 16, 16)};
    CHECK_THROWS_WITH(isa::pipe_of(copy, machine),
                      Catch::Contains("no path ub->l1 (allowed: gm->ub, "));
    CHECK_THROWS_AS(timing::cost(copy, machine), ProgramError);
}

TEST_CASE("a tile past the end of its buffer or off its alignment is refused") {
    const auto machine = test::tiny();
    const std::int64_t size = machine.buffer(Memory::L1).size_bytes;
    CHECK_NOTHROW(isa::check(
        isa::Copy{test::half(Memory::L1, size - 512, 16, 16), test::half(Memory::Gm, 0, 16, 16)},
        machine));
    CHECK_THROWS_WITH(isa::check(isa::Copy{test::half(Memory::L1, size - 480, 16, 16),
                                           test::half(Memory::Gm, 0, 16, 16)},
                                 machine),
                      Catch::Contains("buffers.l1.size: `to` ends at byte"));
    CHECK_THROWS_WITH(
        isa::check(isa::Copy{test::half(Memory::L1, 30, 16, 16), test::half(Memory::Gm, 0, 16, 16)},
                   machine),
        Catch::Contains("buffers.l1.align: `to` is at address 30 (allowed: multiples of 32)"));
}

TEST_CASE("flag ids beyond the chip's count are refused") {
    const auto machine = test::tiny();
    const auto last = static_cast<std::int32_t>(machine.sync.flag_ids - 1);
    CHECK_NOTHROW(isa::check(isa::SetFlag{Pipe::Mte2, Pipe::Mte1, last}, machine));
    CHECK_THROWS_AS(isa::check(isa::SetFlag{Pipe::Mte2, Pipe::Mte1, last + 1}, machine),
                    ProgramError);
}

config::GmConfig small_gm() {
    config::GmConfig config;
    config.hbm_bytes_per_cycle = 20;
    config.hbm_fill_bytes_per_cycle = 10;
    config.hbm_write_bytes_per_cycle = 5;
    config.l2_read_bytes_per_cycle = 100;
    config.l2_write_bytes_per_cycle = 100;
    config.l2_size_bytes = 4096;
    config.l2_ways = 4;
    config.l2_granule_bytes = 1024;
    config.line_bytes = 256;
    config.miss_latency = Cycles{7};
    return config;
}

TEST_CASE("GM serves transfers in order of arrival at its rates") {
    config::GmConfig config = small_gm();
    config.l2_tracked = false;
    timing::GmServer server(config, timing::L2Cache(config, {}));
    const auto ends = [&](std::int64_t now, std::int64_t alone, bool write, bool cold, bool past) {
        const timing::GmTraffic traffic{1000, 1000, write, cold, past, {}};
        return server.transfer(Cycles{now}, Cycles{alone}, traffic, server.past_l2(traffic))
            .end.count();
    };
    CHECK(ends(0, 50, false, true, false) == 100);    // 1000 bytes at 10
    CHECK(ends(0, 50, false, true, false) == 200);    // queued behind the first
    CHECK(ends(500, 700, false, true, false) == 707); // idle again: its own pace and the latency
    CHECK(ends(500, 501, true, false, false) == 510); // HBM not needed
    CHECK(ends(1000, 1001, true, true, false) == 1200);
    CHECK(ends(2000, 2001, false, false, true) == 2050);
}

namespace {

/// A cache of hashed sets that give up the granule used longest ago: what L2Cache is the
/// expectation of.
class HashedSets {
  public:
    HashedSets(std::int64_t sets, std::int64_t ways, unsigned seed)
        : sets_(static_cast<std::size_t>(sets)), ways_(static_cast<std::size_t>(ways)),
          random_(seed) {}
    /// Whether `line`, one of two of a granule, misses.
    bool miss(std::int64_t line) {
        const auto [found, fresh] = set_of_.try_emplace(line / 2, 0);
        if (fresh) {
            found->second =
                std::uniform_int_distribution<std::size_t>(0, sets_.size() - 1)(random_);
        }
        std::vector<Granule>& set = sets_[found->second];
        const auto at = std::ranges::find(set, line / 2, &Granule::number);
        Granule granule{line / 2, {}};
        if (at != set.end()) {
            granule = *at;
            set.erase(at);
        } else if (set.size() == ways_) {
            set.erase(set.begin());
        }
        const bool missed = !std::exchange(granule.valid[static_cast<std::size_t>(line % 2)], true);
        set.push_back(granule);
        return missed;
    }

  private:
    struct Granule {
        std::int64_t number = 0;
        std::array<bool, 2> valid{};
    };
    std::vector<std::vector<Granule>> sets_;
    std::size_t ways_;
    std::mt19937 random_;
    std::map<std::int64_t, std::size_t> set_of_;
};

/// 4 MiB in lines of 512 bytes, granules of 1 KiB.
config::GmConfig middling_gm(std::int64_t ways) {
    config::GmConfig config = small_gm();
    config.l2_size_bytes = 4 << 20;
    config.l2_ways = ways;
    config.l2_granule_bytes = 1024;
    config.line_bytes = 512;
    return config;
}

isa::Tile line_of_gm(std::int64_t line) {
    return isa::dense(Memory::Gm, DType::Int8, line * 512, 1, 512);
}

} // namespace

TEST_CASE("recency counts each line once, to an epoch") {
    constexpr std::int64_t kPerEpoch = 8;
    constexpr std::int64_t kLines = 300;
    timing::Recency recency(kPerEpoch);
    std::vector<std::int64_t> order; // last used last
    std::map<std::int64_t, timing::Recency::Epoch> used;
    std::mt19937 random(1);
    for (int i = 0; i < 60'000; ++i) {
        // Some lines are used again soon, some after all others.
        const std::int64_t line =
            i % 3 == 0 ? i / 3 % kLines
                       : std::uniform_int_distribution<std::int64_t>(0, kLines / 10)(random);
        const auto at = std::ranges::find(order, line);
        if (at == order.end()) {
            recency.use_fresh(1);
        } else {
            const auto since = order.end() - at - 1;
            REQUIRE(std::abs(recency.since(used[line]) - since) <= kPerEpoch);
            recency.use(1, used[line]);
            order.erase(at);
        }
        order.push_back(line);
        used[line] = recency.now();
        recency.turn();
    }
    CHECK(recency.now() > 4096); // epochs have been merged
}

TEST_CASE("L2 misses as often as a cache of hashed sets does on average") {
    constexpr std::int64_t kLines = (4 << 20) / 512;
    const std::int64_t ways = GENERATE(2, 4, 8);
    const auto pattern =
        GENERATE(std::string("sweep of a third"),
                 std::string("sweep of all"),
                 std::string("sweep of twice"),
                 std::string("sweep of two thirds, one line of each granule first"),
                 std::string("granules anywhere"),
                 std::string("a stream beside a third in use"));
    std::mt19937 random(7);
    timing::L2Cache l2(middling_gm(ways), timing::L2Start{});
    HashedSets sets(kLines / 2 / ways, ways, 3);
    std::int64_t next = 0;
    double expected = 0;
    double missed = 0;
    constexpr std::int64_t kAccesses = 20 * kLines;
    for (std::int64_t i = 0; i < kAccesses; ++i) {
        std::int64_t line = 0;
        if (pattern == "sweep of a third") {
            line = i % (kLines / 3);
        } else if (pattern == "sweep of all") {
            line = i % kLines;
        } else if (pattern == "sweep of twice") {
            line = i % (2 * kLines);
        } else if (pattern == "granules anywhere") {
            line = i % 2 == 0
                       ? 2 * std::uniform_int_distribution<std::int64_t>(0, 3 * kLines / 4)(random)
                       : next + 1;
            next = line;
        } else if (pattern.starts_with("sweep of two thirds")) {
            const std::int64_t granule = i % (kLines / 3);
            line = 2 * granule + i / (kLines / 3) % 2;
        } else {
            line = i % 2 == 0 ? i / 2 % (kLines / 3) : kLines + next++;
        }
        const bool counted = i > 4 * kLines;
        const bool miss = sets.miss(line);
        const auto fetched = l2.access(line_of_gm(line), false, true).fetched;
        expected += counted ? static_cast<double>(fetched) / 512 : 0;
        missed += counted && miss ? 1 : 0;
    }
    const double accesses = kAccesses - 4 * kLines;
    INFO(pattern << ", " << ways << " ways: " << expected / accesses << " expected, "
                 << missed / accesses << " missed");
    CHECK(std::abs(expected - missed) / accesses < 0.03);
}

TEST_CASE("what was written goes to HBM once, when as much as L2 holds has been used since") {
    constexpr std::int64_t kLines = (4 << 20) / 512;
    timing::L2Cache l2(middling_gm(2), timing::L2Start{});
    std::int64_t back = 0;
    for (std::int64_t line = 0; line < 64; ++line) {
        back += l2.access(line_of_gm(line), true, true).written_back;
    }
    for (std::int64_t i = 0; i < kLines - kLines / 16; ++i) {
        back += l2.access(line_of_gm(1000 + i), false, true).written_back;
    }
    CHECK(back == 0);
    for (std::int64_t i = 0; i < kLines; ++i) {
        back += l2.access(line_of_gm(100'000 + i), false, true).written_back;
    }
    CHECK(back == 64 * 512);
    // Written over and over it stays.
    timing::L2Cache busy(middling_gm(2), timing::L2Start{});
    for (std::int64_t i = 0; i < 20 * kLines; ++i) {
        back += busy.access(line_of_gm(i % 1000), true, true).written_back;
    }
    CHECK(back == 64 * 512);
}

TEST_CASE("L2 fetches lines, not granules, and starts as it is told to") {
    const isa::Tile column{Memory::Gm, DType::Fp16, 0, 4, 64, 512}; // 128 bytes of each 512
    timing::L2Cache clean(small_gm(), timing::L2Start{});
    CHECK(clean.access(column, false, true).fetched == 4 * 256);
    CHECK(clean.access(column, false, true).fetched == 0);
    timing::L2Cache warm(small_gm(), timing::L2Start{});
    CHECK(warm.access(column, false, false).fetched == 0); // never touched and not cold
    CHECK(warm.access(column, true, true).fetched == 0);   // written whole
    timing::L2Cache resident(small_gm(), timing::L2Start{0, 1});
    CHECK(resident.access(column, false, true).fetched == 0);

    constexpr std::int64_t kLines = (4 << 20) / 512;
    timing::L2Cache dirty(middling_gm(2), timing::L2Start{0.5, 0});
    std::int64_t back = 0;
    for (std::int64_t line = 0; line < 16 * kLines; ++line) {
        back += dirty.access(line_of_gm(line), false, true).written_back;
    }
    CHECK(back == kLines / 2 * 512);
}

TEST_CASE("a line that is hardly expected to miss hardly costs the latency of a miss") {
    config::GmConfig config = middling_gm(2);
    config.miss_latency = Cycles{100};
    config.hbm_fill_bytes_per_cycle = 1e6;
    timing::GmServer server(config, timing::L2Cache(config, {}));
    const auto latency = [&](std::int64_t line) {
        timing::GmTraffic traffic{512, 512, false, true, false, line_of_gm(line)};
        return server.transfer(Cycles{0}, Cycles{1'000'000}, traffic, server.past_l2(traffic))
                   .end.count() -
               1'000'000;
    };
    CHECK(latency(0) == 100);
    CHECK(latency(0) == 0);
    for (std::int64_t line = 2; line < (4 << 20) / 512 / 2; ++line) {
        latency(line);
    }
    // Half of L2 has been used since: 1 - 2/e of a chance.
    CHECK(latency(0) == Approx(26).margin(2));
}

TEST_CASE("sweeps over a part of L2 miss about as often as measured on the 910B2") {
    config::GmConfig config = test::hardware("ascend-910b").gm;
    // Rate of hits and of misses, and what was measured (npu-skillyard, platform_model.md), GB/s.
    constexpr double kHit = 4618;
    constexpr double kMiss = 920;
    for (const auto& [mib, measured] :
         {std::pair{8, 4618.0}, {32, 3406.0}, {128, 1664.0}, {470, 920.0}}) {
        timing::L2Cache l2(config, timing::L2Start{});
        constexpr std::int64_t kPiece = 64 * 1024;
        const std::int64_t pieces = mib * 1024 * 1024 / kPiece;
        std::int64_t fetched = 0;
        for (const bool counted : {false, true}) {
            for (std::int64_t i = 0; i < pieces; ++i) {
                const isa::Tile piece = isa::dense(Memory::Gm, DType::Int8, i * kPiece, 1, kPiece);
                fetched += counted ? l2.access(piece, false, true).fetched
                                   : 0 * l2.access(piece, false, true).fetched;
            }
        }
        const double missed = static_cast<double>(fetched) / static_cast<double>(pieces * kPiece);
        const double rate = 1 / ((1 - missed) / kHit + missed / kMiss);
        INFO(mib << " MiB: " << missed << " missed, " << rate << " GB/s");
        CHECK(rate == Approx(measured).epsilon(0.2));
    }
}

TEST_CASE("a flag is consumed once per raise, the first raised first") {
    timing::Scoreboard flags(8, 16);
    CHECK_FALSE(flags.consume(Pipe::Mte2, Pipe::Mte1, 3));
    flags.raise(Pipe::Mte2, Pipe::Mte1, 3, {Cycles{7}});
    flags.raise(Pipe::Mte2, Pipe::Mte1, 3, {Cycles{9}});
    CHECK_FALSE(flags.consume(Pipe::Mte1, Pipe::Mte2, 3));
    CHECK(flags.consume(Pipe::Mte2, Pipe::Mte1, 3)->at == Cycles{7});
    CHECK(flags.consume(Pipe::Mte2, Pipe::Mte1, 3)->at == Cycles{9});
    CHECK_FALSE(flags.consume(Pipe::Mte2, Pipe::Mte1, 3));
}

TEST_CASE("raises keep their order however many are ahead of the waits") {
    timing::Scoreboard flags(8, 16);
    std::int64_t waited = 0;
    for (std::int64_t raised = 0; raised < 1000; ++raised) {
        flags.raise_cross(5, {Cycles{raised}, static_cast<std::uint64_t>(raised)});
        if (raised % 3 != 0) {
            const auto consumed = flags.consume_cross(5);
            REQUIRE(consumed);
            CHECK(consumed->at == Cycles{waited});
            CHECK(consumed->number == static_cast<std::uint64_t>(waited++));
        }
    }
}

TEST_CASE("a repeat reduces eight blocks, wherever they lie") {
    const auto machine = test::hardware("ascend-910b");
    const isa::Tile blocks = isa::dense(Memory::Ub, DType::Fp32, 0, 128, 8);
    const isa::Tile to = isa::dense(Memory::Ub, DType::Fp32, 8192, 1, 128);
    const auto cycles = [&](const isa::Instruction& op) {
        isa::check(op, machine);
        return timing::cost(op, machine).count();
    };
    CHECK(cycles(isa::Vcgmax{{to, blocks}}) == 16 + 23);
    isa::Tile apart = blocks;
    apart.stride_bytes = 64;
    CHECK(cycles(isa::Vcgadd{{to.block(0, 0, 1, 128), apart}}) == 16 + 30);
    const isa::Tile wide = isa::dense(Memory::Ub, DType::Fp32, 0, 128, 16);
    CHECK_THROWS_WITH(isa::check(isa::Vcgmax{{to, wide}}, machine),
                      Catch::Contains("[B, 32 bytes]"));
}
