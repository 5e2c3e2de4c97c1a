// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/elementwise.h"
#include "kernels/measured/vector/lower_ones.h"
#include "kernels/measured/vector/memory_probe.h"
#include "kernels/measured/vector/scan.h"
#include "kernels/measured/vector/segmented_scan.h"
#include "sim/app/operator_run.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

#include <algorithm>
#include <fmt/format.h>

using namespace npusim;
using kernels::Elementwise;
using test::Values;

namespace {

/// Small whole numbers: exact in every format used here.
Values whole(std::int64_t count, std::int64_t step) {
    Values values;
    for (std::int64_t i = 0; i < count; ++i) {
        values.push_back(static_cast<double>(i * step % 7) - 3);
    }
    return values;
}

std::int64_t elements(const kernels::Operator& op, const char* tensor) {
    return op.tensor(tensor).rows * op.tensor(tensor).cols;
}

/// y of an elementwise kernel of three tiles on two vector cores; input i is whole(n, i + 1).
Values elementwise(Elementwise function, std::int64_t inputs) {
    const auto hardware = test::hardware("ascend-910b");
    kernels::ElementwiseShape shape;
    shape.function = function;
    shape.elements = 3 * 256;
    shape.tile = 256;
    shape.blocks = 2;
    const kernels::ElementwiseKernel kernel(hardware, shape);
    std::map<std::string, Values> x;
    for (std::int64_t i = 1; i <= inputs; ++i) {
        x[fmt::format("x{}", i)] = whole(3 * 256, i);
    }
    return test::run(hardware, kernel, x).tensors.at("y");
}

} // namespace

TEST_CASE("an elementwise kernel of queues computes its function") {
    const Values a = whole(3 * 256, 1);
    const Values b = whole(3 * 256, 2);
    const Values c = whole(3 * 256, 3);
    const Values d = whole(3 * 256, 4);
    CHECK(elementwise(Elementwise::Copy, 1) == a);
    CHECK(elementwise(Elementwise::Staged, 1) == a);
    const Values relu = elementwise(Elementwise::Relu, 1);
    const Values product = elementwise(Elementwise::Mul, 2);
    const Values sum = elementwise(Elementwise::AddFour, 4);
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(relu[i] == std::max(a[i], 0.0));
        CHECK(product[i] == a[i] * b[i]);
        CHECK(sum[i] == a[i] + b[i] + c[i] + d[i]);
    }
}

TEST_CASE("a scan leaves the prefix sums of the rows") {
    const auto hardware = test::hardware("ascend-910b");
    constexpr std::int64_t kSide = 32;
    kernels::ScanShape shape;
    shape.elements = 6 * kSide * kSide;
    shape.side = kSide;
    shape.ai_cores = 2;
    shape.piece = 4 * kSide * kSide; // two pieces
    const kernels::Scan scan(hardware, shape);
    const Values x = whole(shape.elements, 3);
    Values ones(kSide * kSide, 0);
    for (std::size_t i = 0; i < kSide; ++i) {
        std::fill_n(ones.begin() + static_cast<std::ptrdiff_t>(i * (kSide + 1)), kSide - i, 1.0);
    }
    const Values sums(static_cast<std::size_t>(elements(scan, "sums")), 0.0);
    const Values y =
        test::run(hardware, scan, {{"x", x}, {"ones", ones}, {"sums", sums}}).tensors.at("y");
    for (std::size_t row = 0; row < x.size(); row += kSide) {
        double sum = 0;
        for (std::size_t i = row; i < row + kSide; ++i) {
            sum += x[i];
            REQUIRE(y[i] == sum);
        }
    }
}

TEST_CASE("a lower triangle of ones is written") {
    const auto hardware = test::hardware("ascend-910b");
    constexpr std::int64_t kSide = 64;
    const kernels::LowerOnes kernel(hardware, kSide, 48);
    const Values y = test::run(hardware, kernel, {}).tensors.at("y");
    for (std::size_t i = 0; i < kSide; ++i) {
        for (std::size_t j = 0; j < kSide; ++j) {
            REQUIRE(y[i * kSide + j] == (j <= i ? 1 : 0));
        }
    }
}

TEST_CASE("rounds of a long kernel take equal time") {
    const auto hardware = test::hardware("ascend-910b");
    const auto cycles = [&](std::int64_t rounds) {
        kernels::SegmentedScan kernel(hardware, {.elements = 64 * 32, .side = 32});
        kernel.stop_after(rounds);
        return app::time_operator(hardware, kernel).total.count();
    };
    const std::int64_t first = cycles(8);
    const std::int64_t second = cycles(16);
    const std::int64_t third = cycles(24);
    CHECK(second - first == third - second);
}

TEST_CASE("a probe of L2 reaches the rate of L2, and no more") {
    const auto hardware = test::hardware("ascend-910b");
    kernels::MemoryProbeShape shape;
    shape.bytes = 8 * 1024 * 1024;
    shape.passes = 4;
    const kernels::MemoryProbe probe(hardware, shape);
    const Cycles total = app::time_operator(hardware, probe).total - hardware.launch;
    const double rate = probe.bytes() / static_cast<double>(total.count());
    CHECK(rate <= hardware.gm.l2_read_bytes_per_cycle);
    CHECK(rate > 0.8 * hardware.gm.l2_read_bytes_per_cycle);
}
