// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/operator.h"
#include "sim/app/job.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"
#include "traces/critical_path.h"

#include <fmt/format.h>
#include <map>
#include <string>
#include <tuple>

namespace npusim {
namespace {

using traces::CriticalPath;
using Reason = CriticalPath::Reason;

/// The path of `program` on core 0 of a tiny machine.
std::vector<CriticalPath::Stretch> path_of(const isa::Block& program) {
    const config::HardwareConfig machine = test::tiny();
    CriticalPath path(machine);
    test::simulate(machine, program, {&path});
    return path.path().value();
}

/// "cube work 0..4" and so on.
std::string text(const std::vector<CriticalPath::Stretch>& path) {
    std::string text;
    for (const CriticalPath::Stretch& stretch : path) {
        text += fmt::format("{} {} {}..{}\n",
                            to_string(stretch.pipe),
                            CriticalPath::kReasonNames[static_cast<std::size_t>(stretch.reason)],
                            stretch.start.count(),
                            stretch.end.count());
    }
    return text;
}

/// `kernel` on a hundred small matrices.
auto run_of(const config::HardwareConfig& hardware,
            const kernels::Kernel& kernel,
            observe::Observer& observer) {
    return app::run(hardware,
                    app::parse_request(std::string(kernel.name()), {}),
                    {{100, 64, DType::Fp16}, nullptr},
                    {&observer});
}

} // namespace

TEST_CASE("the critical path goes from pipe to pipe by the flags that held up the next") {
    const isa::Tile ub = test::half(Memory::Ub, 0, 16, 16);
    const isa::Tile gm = test::half(Memory::Gm, 0, 16, 16);
    CHECK(text(path_of({isa::Copy{ub, gm},
                        isa::SetFlag{Pipe::Mte2, Pipe::Vector, 0},
                        isa::WaitFlag{Pipe::Mte2, Pipe::Vector, 0},
                        isa::Vadd{{ub, ub, ub}},
                        isa::SetFlag{Pipe::Vector, Pipe::Mte3, 0},
                        isa::WaitFlag{Pipe::Vector, Pipe::Mte3, 0},
                        isa::Copy{gm, ub}})) == "scalar issue 0..1\n"
                                                "mte2 work 1..20\n"
                                                "vector work 20..51\n"
                                                "mte3 work 51..70\n");
}

TEST_CASE("every wait tells which raise it consumes, the one that has been up longest") {
    class Listener : public observe::Observer {
      public:
        [[nodiscard]] bool detailed() const override { return true; }
        void on_raise(const observe::Raise& raise) override {
            CHECK(raise.number > 0);
            CHECK(raises.emplace(raise.number, raise).second);
        }
        void on_execute(const observe::Execution& execution) override {
            const bool waits = std::holds_alternative<isa::WaitFlag>(*execution.instruction) ||
                               std::holds_alternative<isa::CrossWait>(*execution.instruction);
            CHECK((execution.consumed != 0) == waits);
            if (waits) {
                const observe::Raise& raise = raises.at(execution.consumed);
                CHECK(raise.core == execution.core);
                CHECK(raise.at <= execution.start);
                const std::tuple flag(raise.core, raise.cross, raise.from, raise.to, raise.id);
                CHECK(raise.at >= consumed[flag]);
                consumed[flag] = raise.at;
                raises.erase(execution.consumed);
            }
        }
        std::map<std::uint64_t, observe::Raise> raises; ///< not consumed yet
        std::map<std::tuple<std::size_t, bool, Pipe, Pipe, std::int32_t>, Cycles> consumed;
    };
    const config::HardwareConfig hardware = test::hardware("ascend-910b");
    for (const kernels::Kernel* kernel : kernels::registry()) {
        Listener listener;
        INFO(kernel->name());
        run_of(hardware, *kernel, listener);
    }
}

TEST_CASE("what is off the critical path is not on it") {
    const isa::Tile a = test::half(Memory::Ub, 0, 16, 16);
    const isa::Tile b = test::half(Memory::Ub, 512, 64, 64);
    const isa::Tile gm = test::half(Memory::Gm, 0, 64, 64);
    // The short copy to L1 overlaps the long one to UB.
    for (const CriticalPath::Stretch& stretch : path_of({isa::Copy{b, gm}, isa::Vadd{{a, a, a}}})) {
        CHECK(stretch.pipe != Pipe::Vector);
    }
}

TEST_CASE("a full queue is on the path when it holds up what comes last") {
    const isa::Tile ub = test::half(Memory::Ub, 0, 16, 16);
    isa::Block program(12, isa::Vadd{{ub, ub, ub}}); // the queue holds 4
    const isa::Tile far = test::half(Memory::Ub, 4096, 128, 128);
    program.emplace_back(isa::Copy{far, test::half(Memory::Gm, 0, 128, 128)});
    const std::vector<CriticalPath::Stretch> path = path_of(program);
    CHECK(path.back().pipe == Pipe::Mte2);
    CHECK(path[path.size() - 2].reason == Reason::Issue);
    CHECK(path[path.size() - 3].pipe == Pipe::Vector);
}

TEST_CASE("the critical path covers every run from its first cycle to its last") {
    for (const std::string machine : {"ascend-910b", "fused-local"}) {
        const config::HardwareConfig hardware = test::hardware(machine);
        for (const kernels::Kernel* kernel : kernels::registry()) {
            CriticalPath path(hardware);
            const auto result = run_of(hardware, *kernel, path);
            CAPTURE(machine, std::string(kernel->name()));
            Cycles reached;
            std::map<Reason, std::int64_t> cycles;
            const auto stretches = path.path();
            REQUIRE(stretches);
            for (const CriticalPath::Stretch& stretch : *stretches) {
                REQUIRE(stretch.start == reached);
                REQUIRE(stretch.end > stretch.start);
                reached = stretch.end;
                cycles[stretch.reason] += (stretch.end - stretch.start).count();
            }
            CHECK(reached == result.statistics.total);
            CHECK(cycles[Reason::Launch] == hardware.launch.count());
            CHECK(cycles[Reason::Work] > 0);
        }
    }
}

TEST_CASE("a run with too many instructions has no critical path") {
    const config::HardwareConfig hardware = test::hardware("fused-local");
    CriticalPath path(hardware, 1000);
    app::run(hardware,
             app::parse_request("inverse/neumann", {}),
             {{100, 64, DType::Fp16}, nullptr},
             {&path});
    CHECK_FALSE(path.path());
}

} // namespace npusim
