// SPDX-License-Identifier: Apache-2.0
#include "sim/app/job.h"
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

using namespace npusim;

namespace {

struct Case {
    std::string machine;
    std::string kernel;
};

const std::vector<Case> kCases{
    {"ascend-910b", "inverse/column-sweep"},
    {"fused-local", "inverse/column-sweep"},
    {"ascend-910b", "inverse/forward-substitution"},
    {"ascend-910b", "inverse/neumann"},
    {"ascend-910b", "inverse/neumann:order=3,steps=5,early=yes"},
    {"fused-local", "inverse/forward-substitution"},
    {"fused-local", "inverse/neumann"},
};

app::Result timed(const Case& what,
                  const std::vector<config::Override>& overrides = {},
                  std::int64_t count = 100,
                  observe::Observers observers = {}) {
    return app::run(test::hardware(what.machine, overrides),
                    app::parse_request(what.kernel, {}),
                    {{count, 64, DType::Fp16}, nullptr},
                    std::move(observers));
}

std::int64_t cycles(const Case& what,
                    const std::vector<config::Override>& overrides = {},
                    std::int64_t count = 100) {
    return timed(what, overrides, count).statistics.total.count();
}

/// Fails a span that starts before the last one of its pipe ended, or lasts no time.
class SpanCheck : public observe::Observer {
  public:
    void on_begin(const std::vector<observe::CoreInfo>& cores) override {
        ends_.resize(cores.size());
    }
    void on_span(const observe::Span& span) override {
        Cycles& end = ends_[span.core][static_cast<std::size_t>(span.pipe)];
        orderly = orderly && span.start >= end && span.end > span.start;
        end = span.end;
        ++spans;
    }
    void on_end(Cycles total) override {
        for (const auto& core : ends_) {
            for (const Cycles end : core) {
                orderly = orderly && end <= total;
            }
        }
    }
    bool orderly = true;
    std::int64_t spans = 0;

  private:
    std::vector<std::array<Cycles, kPipeCount>> ends_;
};

} // namespace

TEST_CASE("property: spans of a pipe neither overlap nor go back") {
    for (const Case& what : kCases) {
        SpanCheck check;
        timed(what, {}, 50, {&check});
        CAPTURE(what.machine, what.kernel);
        CHECK(check.orderly);
        CHECK(check.spans > 1000);
    }
}

TEST_CASE("property: the timed run leaves the bytes of program order") {
    for (const Case& what : kCases) {
        for (const std::int64_t chunk : {16, 128}) {
            for (const DType dtype : {DType::Fp32, DType::Fp16, DType::Bf16}) {
                const auto hardware = test::hardware(what.machine);
                const auto request = app::parse_request(what.kernel, {});
                const auto matrices = inverse::load_input("random", chunk, 30, 2);
                const kernels::Problem problem{30, chunk, dtype};
                CAPTURE(what.machine, what.kernel, chunk, to_string(dtype));
                CHECK(app::run(hardware, request, {problem, &matrices}).inverses ==
                      app::run_in_program_order(hardware, request, {problem, &matrices}));
            }
        }
    }
}

TEST_CASE("property: a slower part makes no run faster") {
    // But for the order in which cores come to the shared queues of GM: a hundredth.
    constexpr double kOrder = 0.99;
    const std::vector<config::Override> slower{{"sync.cross_core_cycles", "3000"},
                                               {"links.gm->l1.bytes_per_cycle", "8"},
                                               {"links.gm->ub.startup_cycles", "2000"},
                                               {"links.l1->l0a.bytes_per_cycle", "32"},
                                               {"vector.ops.vadd.slope", "9"},
                                               {"cube.startup_cycles", "100"},
                                               {"gm.hbm_bytes_per_cycle", "8"},
                                               {"scalar.issue_cycles", "20"},
                                               {"launch_cycles", "50000"}};
    for (const Case& what : kCases) {
        const std::int64_t base = cycles(what);
        for (const config::Override& change : slower) {
            CAPTURE(what.machine, what.kernel, change.key);
            CHECK(static_cast<double>(cycles(what, {change})) >=
                  kOrder * static_cast<double>(base));
        }
    }
}

TEST_CASE("property: what a kernel leans on makes it slower when slowed") {
    const Case forward{"ascend-910b", "inverse/forward-substitution"};
    const Case neumann{"ascend-910b", "inverse/neumann"};
    const Case fused{"fused-local", "inverse/neumann"};
    CHECK(cycles(forward, {{"vector.ops.vmul.slope", "23"}}) > 2 * cycles(forward));
    CHECK(cycles(neumann, {{"links.l0c->l1.bytes_per_cycle", "7"}}) > 2 * cycles(neumann));
    CHECK(cycles(neumann, {{"sync.cross_core_cycles", "30000"}}) > cycles(neumann) + 30000);
    // Joined cube and vector: the hand-over crosses no core.
    CHECK(cycles(fused, {{"sync.cross_core_cycles", "30000"}}) == cycles(fused));
}

TEST_CASE("property: twice the cores halve the time after launch of a large batch") {
    for (const std::string kernel : {"inverse/forward-substitution", "inverse/neumann"}) {
        const Case what{"ascend-910b", kernel};
        const auto few = timed(what, {{"ai_cores", "4"}}, 960).cycles_after_launch();
        const auto many = timed(what, {{"ai_cores", "8"}}, 960).cycles_after_launch();
        CAPTURE(kernel);
        CHECK(static_cast<double>(many) / static_cast<double>(few) == Approx(0.5).epsilon(0.05));
    }
}

TEST_CASE("property: a large batch takes time in proportion to its size") {
    for (const Case& what : kCases) {
        const auto once = timed(what, {}, 960).cycles_after_launch();
        const auto twice = timed(what, {}, 1920).cycles_after_launch();
        CAPTURE(what.machine, what.kernel);
        CHECK(static_cast<double>(twice) / static_cast<double>(once) == Approx(2).epsilon(0.05));
    }
}

TEST_CASE("property: the cube does the products of the algorithm and no more") {
    // N=3, S=8, masked: sums of 2+1 | 1 | 1+1... counted as products of [n,n] matrices by hand:
    // I.I I.A A.A A2.A | A.A | I.I -I.T0 A.T0 | E.E | I.I I.E I.E2 E.E2 | E2.E2 | Q.I Q.E4 | T0.Q
    // with A.A stored once before T0 is summed.
    const auto result = timed({"fused-local", "inverse/neumann"}, {}, 10);
    const std::int64_t products = result.statistics.macs() / (10 * 64 * 64 * 64);
    CHECK(products == 4 + 1 + 3 + 1 + 4 + 1 + 2 + 1);
    CHECK(result.statistics.macs() % (10 * 64 * 64 * 64) == 0);
}

TEST_CASE("property: no run beats the roofline or the vector unit's own bound") {
    for (const Case& what : kCases) {
        const auto result = timed(what, {}, 960);
        CAPTURE(what.machine, what.kernel);
        CHECK(result.useful_gflops() < result.bound_gflops());
        for (const auto& core : result.statistics.cores) {
            CHECK(core.arithmetic <= core.finish);
        }
    }
}
