// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/hand_over.h"
#include "kernels/common/operator.h"
#include "kernels/common/stream.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

using namespace npusim;
using isa::Tile;
using kernels::Tensor;

namespace {

constexpr std::int64_t kSide = 32;

/// y_i = (x_i x_i + x_i) x_i for `count` matrices: cube, vector unit, cube.
class ThereAndBack : public kernels::Operator {
  public:
    ThereAndBack(const config::HardwareConfig& hardware, std::int64_t count)
        : Operator(hardware), count_(count),
          x_(add("x", Tensor::Role::Input, DType::Fp16, count * kSide, kSide)),
          y_(add("y", Tensor::Role::Output, DType::Fp32, count * kSide, kSide)),
          scratch_(add("scratch",
                       Tensor::Role::Scratch,
                       DType::Fp32,
                       kernels::HandOver::scratch_rows(hardware, kSide),
                       kSide)) {}
    [[nodiscard]] std::string_view name() const override { return "there-and-back"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        kernels::Stream s(hardware(), core);
        kernels::HandOver hand_over(s, hardware(), core, scratch_);
        auto inputs = s.ring(Memory::L1, DType::Fp16, kSide, kSide, 2);
        auto backs = s.ring(Memory::L1, DType::Fp16, kSide, kSide, 2);
        auto lefts = s.ring(Memory::L0a, DType::Fp16, kSide, kSide, 2);
        auto rights = s.ring(Memory::L0b, DType::Fp16, kSide, kSide, 2);
        auto sums = s.ring(Memory::L0c, DType::Fp32, kSide, kSide, 2);
        auto halves = s.ring(Memory::Ub, DType::Fp16, kSide, kSide, 2);
        auto wides = s.ring(Memory::Ub, DType::Fp32, kSide, kSide, 2);
        auto squares = s.ring(Memory::Ub, DType::Fp32, kSide, kSide, 2);
        const auto product = [&](const Tile& a, const Tile& b) {
            const Tile& left = lefts.next();
            const Tile& right = rights.next();
            const Tile& sum = sums.next();
            s(isa::Copy{left, a});
            s(isa::Copy{right, b});
            s(isa::Mmad{sum, left, right});
            return sum;
        };
        const kernels::Range mine = kernels::ai_core_worker(hardware(), core).of(count_);
        for (std::int64_t i = mine.begin; i < mine.end; ++i) {
            s.lane(i % s.lanes());
            const Tile x = x_.block(i * kSide, 0, kSide, kSide);
            const Tile& input = inputs.next();
            s(isa::Copy{input, x});
            const Tile square = product(input, input);
            const Tile& half = halves.next();
            const Tile& wide = wides.next();
            const Tile& sum = squares.next();
            s(isa::Copy{half, x});
            s(isa::Vcast{wide, half});
            hand_over.to_vector(sum, square);
            s(isa::Vadd{{sum, sum, wide}});
            s(isa::Vcast{half, sum});
            const Tile& back = backs.next();
            hand_over.to_cube(back, half);
            s(isa::Fixpipe{y_.block(i * kSide, 0, kSide, kSide), product(back, input)});
            co_yield s.take();
        }
        co_yield s.finish();
    }

  private:
    std::int64_t count_;
    Tile x_;
    Tile y_;
    Tile scratch_;
};

} // namespace

TEST_CASE("stream: flags it puts in keep a kernel of both units right, whatever the chip") {
    for (const auto& [machine, overrides] :
         {std::pair<std::string, std::vector<config::Override>>{"ascend-910b", {}},
          {"ascend-910b", {{"vector_cores", "1"}, {"ai_cores", "2"}}},
          {"ascend-910b", {{"sync.flag_ids", "1"}, {"scalar.queue_depth", "1"}}},
          {"ascend-910b",
           {{"vector_cores", "4"}, {"ai_cores", "1"}, {"sync.cross_core_cycles", "0"}}},
          {"fused-local", {}},
          {"fused-local", {{"sync.flag_ids", "2"}, {"scalar.queue_depth", "64"}}}}) {
        const auto hardware = test::hardware(machine, overrides);
        for (const std::int64_t count : {1, 7, 60}) {
            CAPTURE(machine, count);
            const ThereAndBack op(hardware, count);
            const auto x = test::stored(op, "x", test::uniform(count * kSide * kSide, -1, 1));
            const auto outcome = test::run(hardware, op, {{"x", x}});
            double worst = 0;
            for (std::int64_t i = 0; i < count; ++i) {
                const auto matrix = [&](const test::Values& all) {
                    return test::Values(all.begin() + i * kSide * kSide,
                                        all.begin() + (i + 1) * kSide * kSide);
                };
                const auto a = matrix(x);
                auto sum = test::multiply(a, a, kSide, kSide, kSide);
                for (std::size_t e = 0; e < sum.size(); ++e) {
                    sum[e] += a[e];
                }
                worst = std::max(worst,
                                 test::distance(matrix(outcome.tensors.at("y")),
                                                test::multiply(sum, a, kSide, kSide, kSide)));
            }
            CHECK(worst < 1e-3); // the sum passes in fp16
        }
    }
}

TEST_CASE("stream: two tiles in turn overlap load, work and store") {
    // Alone, an item takes load + add + store; in a row, the slowest of the three.
    const auto machine = test::tiny();
    const auto cycles = [&](std::int64_t items, std::int64_t slots) {
        kernels::Stream s(machine, {});
        auto ring = s.ring(Memory::Ub, DType::Fp32, 16, 64, slots);
        const Tile gm = isa::dense(Memory::Gm, DType::Fp32, 0, 16, 64);
        for (std::int64_t i = 0; i < items; ++i) {
            const Tile& tile = ring.next();
            s(isa::Copy{tile, gm});
            s(isa::Vadd{{tile, tile, tile}});
            s(isa::Copy{gm, tile});
        }
        return test::statistics(machine, s.finish()).total.count();
    };
    const std::int64_t one = cycles(1, 1);
    CHECK(cycles(20, 1) > 19 * one);
    CHECK(cycles(20, 3) < 10 * one); // 3 x 74, nearly
}

TEST_CASE("stream: a flag is put only where nothing else has said so") {
    const auto machine = test::tiny();
    kernels::Stream s(machine, {});
    const Tile a = s.tile(Memory::Ub, DType::Fp32, 1, 64);
    const Tile b = s.tile(Memory::Ub, DType::Fp32, 1, 64);
    const Tile gm = isa::dense(Memory::Gm, DType::Fp32, 0, 1, 64);
    s(isa::Copy{a, gm});
    s(isa::Copy{b, gm});
    s(isa::Vadd{{b, b, b}}); // b: and so a, which was there before
    s(isa::Vadd{{a, a, b}});
    s(isa::Copy{gm, a}); // of the vector unit
    s(isa::Copy{a, gm}); // of MTE3, which has waited for the vector unit
    std::string flags;
    for (const isa::Instruction& op : s.finish()) {
        if (isa::accesses(op).count == 0) {
            flags += isa::to_text(op) + "\n";
        }
    }
    CHECK(flags == "set_flag mte2->vector #0\n"
                   "wait_flag mte2->vector #0\n"
                   "set_flag vector->mte3 #0\n"
                   "wait_flag vector->mte3 #0\n"
                   "set_flag mte3->mte2 #0\n"
                   "wait_flag mte3->mte2 #0\n");
}
