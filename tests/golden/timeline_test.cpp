// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job.h"
#include "sim/app/layer.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

using namespace npusim;
using test::half;

namespace {

/// Compares with tests/golden/NAME.txt; with NPUSIM_UPDATE_GOLDEN set, writes it instead.
void check_golden(const std::string& name, const std::string& text) {
    const std::string path = NPUSIM_SOURCE_DIR "/tests/golden/" + name + ".txt";
    if (std::getenv("NPUSIM_UPDATE_GOLDEN") != nullptr) { // NOLINT(concurrency-mt-unsafe)
        std::ofstream(path) << text;
    }
    std::ifstream file(path);
    std::stringstream expected;
    expected << file.rdbuf();
    CHECK(text == expected.str());
}

} // namespace

TEST_CASE("golden: one product from GM to GM") {
    const isa::Tile c = isa::dense(Memory::L0c, DType::Fp32, 0, 16, 16);
    check_golden(
        "product",
        test::timeline(
            test::tiny(),
            {isa::Copy{half(Memory::L1, 0, 16, 16), half(Memory::Gm, 0, 16, 16)},
             isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 0},
             isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 0},
             isa::Copy{half(Memory::L0a, 0, 16, 16), half(Memory::L1, 0, 16, 16)},
             isa::Copy{half(Memory::L0b, 0, 16, 16), half(Memory::L1, 0, 16, 16)},
             isa::SetFlag{Pipe::Mte1, Pipe::Cube, 0},
             isa::WaitFlag{Pipe::Mte1, Pipe::Cube, 0},
             isa::Mmad{c, half(Memory::L0a, 0, 16, 16), half(Memory::L0b, 0, 16, 16), false},
             isa::SetFlag{Pipe::Cube, Pipe::FixPipe, 0},
             isa::WaitFlag{Pipe::Cube, Pipe::FixPipe, 0},
             isa::Fixpipe{half(Memory::L1, 512, 16, 16), c}}));
}

TEST_CASE("golden: two vector adds, double-buffered") {
    check_golden("vector_add", test::timeline(test::tiny(), test::two_adds()));
}

TEST_CASE("golden: a result goes from the cube core through GM to a vector core and back") {
    auto machine = test::tiny();
    machine.composition = config::Composition::Split;
    machine.sync.cross_core = Cycles{100};
    const isa::Tile result = half(Memory::Gm, 0, 16, 16);
    const isa::Tile ub = half(Memory::Ub, 0, 16, 16);
    const auto program = [&](isa::CoreId core) {
        return core.unit == 0
                   ? isa::from_list(
                         {isa::Fixpipe{result, isa::dense(Memory::L0c, DType::Fp32, 0, 16, 16)},
                          isa::CrossSet{Pipe::FixPipe, 1, 0},
                          isa::CrossWait{Pipe::Mte2, 0},
                          isa::Copy{half(Memory::L1, 0, 16, 16), result}})
                   : isa::from_list({isa::CrossWait{Pipe::Mte2, 0},
                                     isa::Copy{ub, result},
                                     isa::SetFlag{Pipe::Mte2, Pipe::Vector, 0},
                                     isa::WaitFlag{Pipe::Mte2, Pipe::Vector, 0},
                                     isa::Vand{{ub, ub, ub}},
                                     isa::SetFlag{Pipe::Vector, Pipe::Mte3, 0},
                                     isa::WaitFlag{Pipe::Vector, Pipe::Mte3, 0},
                                     isa::Copy{result, ub},
                                     isa::CrossSet{Pipe::Mte3, 0, 0}});
    };
    traces::Timeline timeline;
    model::simulate(machine, {program, nullptr}, {&timeline});
    check_golden("hand_over", timeline.text());
}

TEST_CASE("golden: cycles of every shipped kernel, chunk, dtype and machine") {
    std::string table = fmt::format("{:<12} {:<30} {:>5} {:<5} {:>5} {:>9}\n",
                                    "machine",
                                    "kernel",
                                    "chunk",
                                    "dtype",
                                    "count",
                                    "cycles");
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const config::HardwareConfig hardware = test::hardware(machine);
        for (const std::string kernel : {"inverse/block-forward-substitution",
                                         "inverse/column-sweep",
                                         "inverse/forward-substitution",
                                         "inverse/neumann",
                                         "inverse/neumann:mask=none",
                                         "inverse/neumann:early=yes",
                                         "inverse/doubling",
                                         "inverse/bunch-hopcroft",
                                         "inverse/mixed",
                                         "inverse/newton-schulz",
                                         "inverse/radix4"}) {
            for (const std::int64_t chunk : {16, 32, 64, 128}) {
                for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
                    for (const std::int64_t count : {1, 100}) {
                        const auto result = app::run(hardware,
                                                     app::parse_request(kernel, {}),
                                                     {{count, chunk, dtype}, nullptr});
                        table += fmt::format("{:<12} {:<30} {:>5} {:<5} {:>5} {:>9}\n",
                                             machine,
                                             kernel,
                                             chunk,
                                             to_string(dtype),
                                             count,
                                             result.statistics.total.count());
                    }
                }
            }
        }
    }
    check_golden("cycles", table);
}

TEST_CASE("golden: cycles of every operator of a dense, an expert and a latent-attention model") {
    std::string table;
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const config::HardwareConfig hardware = test::hardware(machine);
        app::OperatorTimer timer(hardware);
        for (const auto& [name, weights] :
             {std::pair<std::string, DType>{"qwen3.5-0.8b", DType::Fp16},
              {"qwen3.5-35b-a3b", DType::Int4},
              {"kimi-linear-48b-a3b", DType::Fp16}}) {
            const config::ModelConfig model =
                config::load_model(NPUSIM_SOURCE_DIR "/configs/models/" + name + ".yaml");
            for (const app::Phase phase : {app::Phase::Prefill, app::Phase::Decode}) {
                app::LayerJob job;
                job.phase = phase;
                job.tokens = 70;
                job.weights = weights;
                job.inverse = app::parse_request("inverse/neumann", {});
                const app::Decoder decoder(hardware, model, job);
                auto steps = decoder.linear_attention(job.inverse);
                for (const auto& more : {decoder.full_attention(),
                                         model.experts ? decoder.expert_feed_forward()
                                                       : decoder.dense_feed_forward()}) {
                    steps.insert(steps.end(), more.begin(), more.end());
                }
                for (const app::OperatorCost& cost : timer.time(steps)) {
                    table += fmt::format("{:<12} {:<20} {:<62} {:>9}\n",
                                         machine,
                                         cost.kernel,
                                         cost.shape,
                                         cost.cycles);
                }
            }
        }
    }
    check_golden("operators", table);
}
