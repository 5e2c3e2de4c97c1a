// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/batch_layout.h"
#include "kernels/inverse/block_diagonal.h"
#include "kernels/inverse/input.h"
#include "kernels/inverse/reference.h"
#include "sim/base/error.h"
#include "sim/functional/program_order.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace npusim;

namespace {

constexpr std::int64_t kSide = inverse::BlockDiagonalInverse::kBlock;

/// Loads A, inverts its diagonal blocks and stores X, one matrix after another on one vector core.
class BlockPlan {
  public:
    BlockPlan(const config::HardwareConfig& hardware, const kernels::Problem& problem)
        : hardware_(hardware), problem_(problem), layout_(hardware, problem),
          ub_(hardware, Memory::Ub), a_(ub_.tile(problem.dtype, problem.chunk, problem.chunk)),
          x_(ub_.tile(problem.dtype, problem.chunk, problem.chunk)), before_(ub_.used()),
          inverse_(problem.chunk, layout_.gm, ub_) {}

    [[nodiscard]] std::int64_t scratch_bytes() const { return ub_.used() - before_; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const {
        const std::int64_t unit = hardware_.composition == config::Composition::Split ? 1 : 0;
        return core.ai_core == 0 && core.unit == unit ? work() : isa::Program{};
    }
    [[nodiscard]] functional::GlobalMemory memory(const std::vector<float>& values) const {
        auto gm = functional::make_global_memory(layout_.gm.used());
        inverse_.write_constants(gm);
        isa::Tile batch = layout_.input(0);
        batch.rows *= problem_.count;
        kernels::write_tile(gm, batch, values);
        return gm;
    }
    [[nodiscard]] std::vector<float> read(const functional::GlobalMemory& gm,
                                          const isa::Tile& tile) const {
        std::vector<float> values(static_cast<std::size_t>(tile.rows * tile.cols));
        for (std::int64_t r = 0; r < tile.rows; ++r) {
            functional::load_row(tile, gm.data() + tile.address, r, values.data() + r * tile.cols);
        }
        return values;
    }
    [[nodiscard]] isa::Tile input(std::int64_t index) const { return layout_.input(index); }
    [[nodiscard]] isa::Tile output(std::int64_t index) const { return layout_.output(index); }

  private:
    isa::Program work() const {
        kernels::Emitter emit(hardware_);
        kernels::Ticket stored;
        inverse_.set_up(emit, {&x_, 1});
        for (std::int64_t index = 0; index < problem_.count; ++index) {
            emit.await(Pipe::Vector, Pipe::Mte2, emit.signal(Pipe::Vector, Pipe::Mte2));
            emit(isa::Copy{a_, input(index), true});
            emit.await(Pipe::Mte2, Pipe::Vector, emit.signal(Pipe::Mte2, Pipe::Vector));
            emit.await(Pipe::Mte3, Pipe::Vector, stored);
            inverse_.invert(emit, a_, x_);
            emit.await(Pipe::Vector, Pipe::Mte3, emit.signal(Pipe::Vector, Pipe::Mte3));
            emit(isa::Copy{output(index), x_, true});
            stored = emit.signal(Pipe::Mte3, Pipe::Vector);
            co_yield emit.block();
        }
    }

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    kernels::BatchLayout layout_;
    kernels::Allocator ub_;
    isa::Tile a_;
    isa::Tile x_;
    std::int64_t before_; ///< bytes of UB in use before the inverse's own
    inverse::BlockDiagonalInverse inverse_;
};

/// The inverse of the diagonal blocks of I - a, in double precision.
std::vector<double> expected(const std::vector<float>& a, std::int64_t n) {
    std::vector<double> blocks(a.begin(), a.end());
    for (std::int64_t i = 0; i < n * n; ++i) {
        if (i / n / kSide != i % n / kSide) {
            blocks[static_cast<std::size_t>(i)] = 0;
        }
    }
    return inverse::forward_substitution(blocks, n);
}

double distance(const std::vector<float>& x, const std::vector<double>& want) {
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        error += (x[i] - want[i]) * (x[i] - want[i]);
        norm += want[i] * want[i];
    }
    return std::sqrt(error / norm);
}

/// `count` matrices of the kind `spec`, one after another, as fp32.
std::vector<float> draw(const std::string& spec, std::int64_t n, std::int64_t count) {
    const auto matrices = inverse::load_input(spec, n, count, 5);
    std::vector<float> values;
    std::transform(matrices.values.begin(),
                   matrices.values.end(),
                   std::back_inserter(values),
                   [](double value) { return static_cast<float>(value); });
    return values;
}

functional::GlobalMemory simulate(const config::HardwareConfig& hardware,
                                  const BlockPlan& plan,
                                  const std::vector<float>& values) {
    auto gm = plan.memory(values);
    model::simulate(hardware, {[&](isa::CoreId core) { return plan.program(core); }, &gm}, {});
    return gm;
}

const std::vector<std::string> kMachines{"ascend-910b", "fused-local"};

/// A and X in fp32 alone fill the UB of fused-local.
bool fits(const std::string& machine, std::int64_t n, DType dtype) {
    return machine != "fused-local" || n < 128 || dtype != DType::Fp32;
}

} // namespace

TEST_CASE("diagonal blocks are inverted to the dtype's precision, with zeros around them") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const std::string spec : {"random", "correlated:0.9", "periodic:4"}) {
            for (const std::int64_t n : {16, 32, 48, 64, 128}) {
                for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
                    if (!fits(machine, n, dtype)) {
                        continue;
                    }
                    CAPTURE(machine, spec, n, to_string(dtype));
                    const BlockPlan plan(hardware, {3, n, dtype});
                    const auto gm = simulate(hardware, plan, draw(spec, n, 3));
                    // The unit roundoff, and as much again for the sums in fp32.
                    const double bound = dtype == DType::Fp32   ? 1e-6
                                         : dtype == DType::Fp16 ? 0x1p-11
                                                                : 0x1p-8;
                    for (std::int64_t index = 0; index < 3; ++index) {
                        const auto want = expected(plan.read(gm, plan.input(index)), n);
                        CHECK(distance(plan.read(gm, plan.output(index)), want) < bound);
                    }
                }
            }
        }
    }
}

TEST_CASE("diagonal blocks: the timed run leaves the bytes of program order") {
    for (const std::string& machine : kMachines) {
        const auto hardware = test::hardware(machine);
        for (const std::int64_t n : {16, 128}) {
            const BlockPlan plan(hardware, {4, n, DType::Fp16});
            const auto values = draw("random", n, 4);
            auto gm = plan.memory(values);
            functional::run_in_program_order(
                hardware, [&](isa::CoreId core) { return plan.program(core); }, gm);
            CAPTURE(machine, n);
            CHECK(simulate(hardware, plan, values) == gm);
        }
    }
}

TEST_CASE("diagonal blocks: all-ones is exact, and infinities stay in their own matrix") {
    const auto hardware = test::hardware("ascend-910b");
    const std::int64_t n = 32;
    auto values = draw("ones", n, 2);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n * n); ++i) {
        values[i] *= -6e4F; // products of 6e4, far beyond fp32 after eight rows
    }
    const BlockPlan plan(hardware, {2, n, DType::Fp16});
    const auto gm = simulate(hardware, plan, values);
    const auto first = plan.read(gm, plan.output(0));
    CHECK(std::any_of(first.begin(), first.end(), [](float x) { return std::isinf(x); }));
    const auto want = expected(plan.read(gm, plan.input(1)), n);
    CHECK(distance(plan.read(gm, plan.output(1)), want) == 0);
}

TEST_CASE("diagonal blocks take 352 bytes of UB a row, and say so when there is no room") {
    CHECK(BlockPlan(test::hardware("ascend-910b"), {1, 128, DType::Fp16}).scratch_bytes() ==
          352 * 128);
    CHECK_THROWS_WITH(BlockPlan(test::hardware("fused-local"), {1, 128, DType::Fp32}),
                      Catch::Contains("buffers.ub.size"));
}
