// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/timing/cost.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

using namespace npusim;
using test::half;

namespace {

isa::Copy gm_to_l1(std::int64_t address = 0) {
    return {half(Memory::L1, address, 16, 16), half(Memory::Gm, 0, 16, 16)};
}
isa::Copy l1_to_l0a() {
    return {half(Memory::L0a, 0, 16, 16), half(Memory::L1, 0, 16, 16)};
}

const observe::PipeStatistics& pipe(const observe::RunStatistics& run, Pipe which) {
    return run.cores[0].pipes[static_cast<std::size_t>(which)];
}

} // namespace

TEST_CASE("one copy runs from its issue to its cost") {
    const auto run = test::statistics(test::tiny(), {gm_to_l1()});
    CHECK(run.total == Cycles{1 + 18});
    CHECK(pipe(run, Pipe::Mte2).busy() == 18);
    CHECK(pipe(run, Pipe::Mte2).idle(run.total) == 1);
}

TEST_CASE("a pipe runs its instructions in order, one at a time") {
    const auto run = test::statistics(test::tiny(), {gm_to_l1(), gm_to_l1(512), gm_to_l1(1024)});
    CHECK(run.total == Cycles{1 + 3 * 18});
}

TEST_CASE("pipes without flags overlap") {
    const auto run = test::statistics(test::tiny(), {gm_to_l1(), l1_to_l0a()});
    CHECK(run.total == Cycles{2 + 18});
}

TEST_CASE(
    "a wait holds its pipe until the set has executed, and the held cycles are a flag stall") {
    const auto run = test::statistics(test::tiny(),
                                      {gm_to_l1(),
                                       isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                       isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                       l1_to_l0a()});
    // copy [1,19), set [19,20), wait executes [20,21), copy [21,39)
    CHECK(run.total == Cycles{39});
    CHECK(pipe(run, Pipe::Mte1).cycles[static_cast<std::size_t>(observe::State::Flag)] == 20 - 3);
    CHECK(pipe(run, Pipe::Mte1).cycles[static_cast<std::size_t>(observe::State::Sync)] == 1);
    CHECK(pipe(run, Pipe::Mte2).cycles[static_cast<std::size_t>(observe::State::Sync)] == 1);
}

TEST_CASE("a full queue holds the dispatcher until an instruction leaves it") {
    auto machine = test::tiny();
    machine.scalar.queue_depth = 1;
    const auto run = test::statistics(machine, {gm_to_l1(), gm_to_l1(), gm_to_l1(), gm_to_l1()});
    CHECK(run.total == Cycles{1 + 4 * 18});
    // Issued at 1 and 2; held [2,19) until the second has left the queue, [20,37) for the third.
    CHECK(pipe(run, Pipe::Scalar).cycles[static_cast<std::size_t>(observe::State::QueueFull)] ==
          17 + 17);
    CHECK(pipe(run, Pipe::Scalar).busy() == 4);
}

TEST_CASE("busy, stalls and idle of every pipe add up to the total") {
    const auto run = test::statistics(test::tiny(),
                                      {gm_to_l1(),
                                       isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                       isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                       l1_to_l0a()});
    for (const Pipe which : run.cores[0].info.pipes) {
        const auto& statistics = pipe(run, which);
        CHECK(statistics.idle(run.total) >= 0);
        CHECK(statistics.busy() + statistics.stalled() + statistics.idle(run.total) ==
              run.total.count());
    }
}

TEST_CASE("shared GM bandwidth is a gm stall beyond the transfer's own pace") {
    auto machine = test::tiny();
    machine.gm.l2_read_bytes_per_cycle = 16;
    const auto run = test::statistics(machine, {gm_to_l1()});
    CHECK(run.total == Cycles{1 + 32}); // 512 bytes at 16
    CHECK(pipe(run, Pipe::Mte2).busy() == 18);
    CHECK(pipe(run, Pipe::Mte2).cycles[static_cast<std::size_t>(observe::State::Gm)] == 14);
}

TEST_CASE("a wait nobody sets ends in a report that names pipe, flag and setter") {
    CHECK_THROWS_WITH(
        test::statistics(test::tiny(), {isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 5}, l1_to_l0a()}),
        Catch::Contains("deadlock at cycle") &&
            Catch::Contains("core0.mte1: waits at `wait_flag mte2->mte1 #5`") &&
            Catch::Contains("for mte2 to set it"));
}

TEST_CASE("two pipes that wait for each other are a deadlock that names both") {
    CHECK_THROWS_WITH(test::statistics(test::tiny(),
                                       {isa::WaitFlag{Pipe::Mte1, Pipe::Mte2, 0},
                                        isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                        isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 0},
                                        isa::SetFlag{Pipe::Mte1, Pipe::Mte2, 0}}),
                      Catch::Contains("core0.mte1: waits") && Catch::Contains("core0.mte2: waits"));
}

TEST_CASE("an illegal instruction stops the run with its own error") {
    CHECK_THROWS_AS(
        test::statistics(test::tiny(),
                         {isa::Copy{half(Memory::L1, 1, 16, 16), half(Memory::Gm, 0, 16, 16)}}),
        ProgramError);
}

TEST_CASE("the first of many errors in one cycle is the one that shows") {
    const auto machine = test::hardware("ascend-910b");
    const model::Job job{[](isa::CoreId) {
                             return isa::from_list({isa::SetFlag{Pipe::Mte2, Pipe::Vector, 99}});
                         },
                         nullptr};
    CHECK_THROWS_WITH(model::simulate(machine, job, {}), Catch::Contains("flag id 99"));
}

TEST_CASE("a second simulation in the process starts from zero") {
    const auto first = test::statistics(test::tiny(), {gm_to_l1()});
    const auto second = test::statistics(test::tiny(), {gm_to_l1()});
    CHECK(first.total == second.total);
}

TEST_CASE("launch comes first and stalls every pipe") {
    auto machine = test::tiny();
    machine.launch = Cycles{100};
    const auto run = test::statistics(machine, {gm_to_l1()});
    CHECK(run.total == Cycles{100 + 19});
    CHECK(pipe(run, Pipe::Cube).cycles[static_cast<std::size_t>(observe::State::Launch)] == 100);
}

TEST_CASE("a timed run keeps the record of numerics it is given, and takes the same cycles") {
    const auto machine = test::tiny();
    const auto cycles = [&](std::int16_t step, functional::Numerics* numerics) {
        functional::GlobalMemory gm = functional::make_global_memory(1024);
        const isa::Tile a = isa::dense(Memory::Gm, DType::Fp32, 0, 1, 8);
        const isa::Tile ub = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 8);
        const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 1e6F};
        functional::store_row(a, gm.data(), 0, values.data());
        const isa::Tile half = isa::dense(Memory::Ub, DType::Fp16, 64, 1, 8);
        const isa::Block program{isa::Copy{ub, a},
                                 isa::SetFlag{Pipe::Mte2, Pipe::Vector, 0},
                                 isa::WaitFlag{Pipe::Mte2, Pipe::Vector, 0},
                                 isa::Vcast{half, ub, step}};
        const model::Job job{[&](isa::CoreId) { return isa::from_list(program); }, &gm, numerics};
        return model::simulate(machine, job, {});
    };
    functional::Numerics numerics;
    CHECK(cycles(5, &numerics) == cycles(-1, nullptr));
    CHECK(numerics.steps.at(5).stored == 8);
    CHECK(numerics.steps.at(5).peak == 7);
    CHECK(numerics.steps.at(5).saturated == 1);
}

TEST_CASE("cores that ask GM in one cycle are served in their order") {
    auto machine = test::tiny();
    machine.ai_cores = 3;
    machine.gm.l2_read_bytes_per_cycle = 16; // 512 bytes: 32 cycles
    observe::StatisticsCollector collector;
    const model::Job job{[](isa::CoreId core) {
                             // The last core asks a cycle later than the two others.
                             isa::Block program{gm_to_l1()};
                             if (core.ai_core == 2) {
                                 program.insert(program.begin(), isa::ScalarWork{1});
                             }
                             return isa::from_list(program);
                         },
                         nullptr};
    model::simulate(machine, job, {&collector});
    const auto& cores = collector.result().cores;
    CHECK(cores[0].finish == Cycles{1 + 32});
    CHECK(cores[1].finish == Cycles{1 + 64});
    CHECK(cores[2].finish == Cycles{1 + 96});
}

TEST_CASE("a core that runs far ahead asks GM in its turn all the same") {
    auto machine = test::tiny();
    machine.ai_cores = 2;
    machine.gm.l2_read_bytes_per_cycle = 16;
    observe::StatisticsCollector collector;
    const model::Job job{[](isa::CoreId core) {
                             isa::Block program;
                             if (core.ai_core == 0) {
                                 program.emplace_back(isa::ScalarWork{50});
                             }
                             for (int i = 0; i < 3; ++i) {
                                 program.emplace_back(gm_to_l1());
                             }
                             return isa::from_list(program);
                         },
                         nullptr};
    model::simulate(machine, job, {&collector});
    const auto& cores = collector.result().cores;
    // The second: [1,33), [33,65); the first from 51 queues behind, [65,97), then they alternate.
    CHECK(cores[1].finish == Cycles{1 + 4 * 32});
    CHECK(cores[0].finish == Cycles{1 + 6 * 32});
}

TEST_CASE("flags of two cores arrive in the order in which they were sent") {
    auto machine = test::tiny();
    machine.composition = config::Composition::Split;
    machine.vector_cores = 2;
    machine.sync.cross_core = Cycles{10};
    observe::StatisticsCollector collector;
    const model::Job job{[](isa::CoreId core) {
                             if (core.unit == 0) {
                                 return isa::from_list({isa::CrossWait{Pipe::Mte2, 0},
                                                        gm_to_l1(),
                                                        isa::CrossWait{Pipe::Mte2, 0},
                                                        gm_to_l1()});
                             }
                             // The first vector core is worked out first and sends last.
                             return isa::from_list({isa::ScalarWork{core.unit == 1 ? 200 : 40},
                                                    isa::CrossSet{Pipe::Mte3, 0, 0}});
                         },
                         nullptr};
    model::simulate(machine, job, {&collector});
    const auto& cube = collector.result().cores[0];
    // Issued at 41 and 201, a cycle to set, ten to cross, a cycle for the wait.
    CHECK(cube.pipes[static_cast<std::size_t>(Pipe::Mte2)].busy() == 36);
    CHECK(cube.finish == Cycles{201 + 1 + 10 + 1 + 18});
}

TEST_CASE("a program without transfers runs to its end, however long it is") {
    constexpr std::int64_t kOps = 20'000;
    const isa::Tile row = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 64);
    const isa::Block program(kOps, isa::Vadd{{row, row, row}});
    const auto machine = test::tiny();
    const std::int64_t each = timing::cost(program[0], machine).count();
    CHECK(test::statistics(machine, program).total == Cycles{1 + kOps * each});
}

TEST_CASE("cycles in which cube and vector unit both work count once as arithmetic") {
    const isa::Tile row = isa::dense(Memory::Ub, DType::Fp32, 0, 1, 64);
    const isa::Instruction add = isa::Vadd{{row, row, row}};
    const isa::Instruction product = isa::Mmad{isa::dense(Memory::L0c, DType::Fp32, 0, 16, 16),
                                               half(Memory::L0a, 0, 16, 16),
                                               half(Memory::L0b, 0, 16, 16),
                                               false};
    const auto machine = test::tiny();
    const Cycles adding = timing::cost(add, machine);
    const Cycles multiplying = timing::cost(product, machine);
    REQUIRE(adding > multiplying);
    // The product is issued a cycle after the add and ends before it.
    CHECK(test::statistics(machine, {add, product}).cores[0].arithmetic == adding);
    // Behind 100 cycles of control code it follows the add.
    CHECK(test::statistics(machine, {add, isa::ScalarWork{100}, product}).cores[0].arithmetic ==
          adding + multiplying);
    // A flag is not arithmetic.
    CHECK(test::statistics(machine, {add, isa::SetFlag{Pipe::Vector, Pipe::Mte3, 0}})
              .cores[0]
              .arithmetic == adding);
}

TEST_CASE("what two series of stretches share is found in whatever order they come") {
    const auto add = [](observe::Overlap& overlap, std::size_t series, int start, int end) {
        return overlap.add(series, Cycles{start}, Cycles{end}).count();
    };
    observe::Overlap overlap;
    CHECK(add(overlap, 0, 0, 10) == 0);
    CHECK(add(overlap, 0, 20, 30) == 0);
    CHECK(add(overlap, 1, 5, 25) == 5 + 5);
    CHECK(add(overlap, 1, 25, 26) == 1);
    CHECK(add(overlap, 1, 40, 50) == 0);
    overlap.forget(Cycles{45});
    CHECK(add(overlap, 0, 44, 60) == 6);
}
