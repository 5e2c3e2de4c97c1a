// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/compiled/chunk_stages.h"
#include "kernels/measured/convolution/img2col_conv.h"
#include "kernels/measured/convolution/rolling_conv.h"
#include "kernels/measured/stream/tile_stream.h"
#include "tests/support/machine.h"
#include "tests/support/operators.h"

using namespace npusim;
using kernels::CompiledChunkShape;
using kernels::CompiledStage;
using kernels::CompiledStages;
using test::Values;

namespace {

config::HardwareConfig two_cores() {
    return test::hardware("ascend-910b", {{"ai_cores", "2"}});
}

/// Every input of `op`, small.
std::map<std::string, Values> inputs(const kernels::Operator& op) {
    std::map<std::string, Values> values;
    for (const kernels::Tensor& tensor : op.tensors()) {
        values[tensor.name] = test::uniform(tensor.tile.rows * tensor.tile.cols, 0, 1);
    }
    return values;
}

/// Timed and in program order the same bytes: no flag is missing, none is left.
void check_flags(const config::HardwareConfig& hardware, const kernels::Operator& op) {
    test::run(hardware, op, inputs(op));
}

CompiledChunkShape small() {
    CompiledChunkShape shape;
    shape.sequences = 2;
    shape.tokens = 192;
    shape.heads = 2;
    return shape;
}

} // namespace

TEST_CASE("a stage of the gated delta net as compiled has all its flags") {
    const auto hardware = two_cores();
    for (const CompiledStage stage : {CompiledStage::CumulativeGate,
                                      CompiledStage::KeyProducts,
                                      CompiledStage::WyProducts,
                                      CompiledStage::States,
                                      CompiledStage::Outputs,
                                      CompiledStage::LinearOutputs}) {
        CAPTURE(static_cast<int>(stage));
        check_flags(hardware, CompiledStages(hardware, small(), {stage}));
    }
}

TEST_CASE("the block inverse as compiled has all its flags") {
    const auto hardware = two_cores();
    check_flags(hardware, CompiledStages(hardware, small(), {CompiledStage::Inverse}));
}

TEST_CASE("key products and outputs may follow each other in a chain") {
    const auto hardware = two_cores();
    check_flags(
        hardware,
        CompiledStages(hardware, small(), {CompiledStage::KeyProducts, CompiledStage::Outputs}));
}

TEST_CASE("a compiled stage takes the same time for chunks of 64 and of 128 rows") {
    const auto hardware = two_cores();
    for (const CompiledStage stage : {CompiledStage::WyProducts, CompiledStage::States}) {
        CompiledChunkShape shape = small();
        shape.tokens = 512;
        CompiledStages narrow(hardware, shape, {stage});
        shape.chunk = 128;
        CompiledStages wide(hardware, shape, {stage});
        narrow.stop_after(4);
        wide.stop_after(4);
        const auto a = static_cast<double>(app::time_operator(hardware, narrow).total.count());
        const auto b = static_cast<double>(app::time_operator(hardware, wide).total.count());
        CHECK(b / a < 1.1);
    }
}

TEST_CASE("a stream of tiles has all its flags and without passes is a copy") {
    const auto hardware = two_cores();
    kernels::TileStreamShape shape;
    shape.tiles = 19;
    shape.tile_bytes = 512;
    shape.results = {512};
    shape.in_place = true;
    const kernels::TileStream copy(hardware, shape);
    const Values values = test::uniform(shape.tiles * shape.tile_bytes, -100, 100);
    const auto outcome = test::run(hardware, copy, {{"in", values}});
    CHECK(outcome.tensors.at("in") == test::stored(copy, "in", values));
    shape.results = {128, 32};
    shape.in_place = false;
    shape.passes = {2, 1, 3};
    const kernels::TileStream quantiser(hardware, shape);
    CHECK(test::run(hardware, quantiser, {{"in", values}}).statistics.total > Cycles{0});
}

TEST_CASE("the rolling convolution has all its flags") {
    const auto hardware = two_cores();
    check_flags(hardware, kernels::RollingConv(hardware, {3, 5, 256}));
    check_flags(hardware, kernels::RollingConv(hardware, {1, 16, 4352}));
}

TEST_CASE("the unfolding convolution has all its flags") {
    const auto hardware = two_cores();
    check_flags(hardware, kernels::Img2colConv(hardware, {1, 2, 4, 48, 512}));
}
