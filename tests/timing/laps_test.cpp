// SPDX-License-Identifier: Apache-2.0
//
// Laps that are passed over: the same cycles and statistics as of a run that works out everything.
#include "sim/base/error.h"
#include "sim/model/feed.h"
#include "sim/timing/scoreboard.h"
#include "tests/support/catch.hpp"
#include "tests/support/lap_count.h"
#include "tests/support/machine.h"

#include <functional>
#include <string>
#include <vector>

using namespace npusim;
using test::half;

namespace {

constexpr std::int64_t kRounds = 400;
constexpr std::int64_t kTileBytes = 512;

/// Makes round `number` of a program.
using Round = std::function<isa::Block(std::int64_t number)>;

isa::Program rounds(Round round, std::int64_t count) {
    for (std::int64_t number = 0; number < count; ++number) {
        isa::Block block = round(number);
        co_yield block;
    }
}

/// A tile in, added to itself, and out again; flags in turn, as an emitter takes them.
isa::Block add_round(std::int64_t number) {
    const auto flag = static_cast<std::int32_t>(number % 3);
    const isa::Tile slot = half(Memory::Ub, number % 2 * kTileBytes, 16, 16);
    return {isa::Copy{slot, half(Memory::Gm, number * kTileBytes, 16, 16), true},
            isa::SetFlag{Pipe::Mte2, Pipe::Vector, flag},
            isa::WaitFlag{Pipe::Mte2, Pipe::Vector, flag},
            isa::Vadd{{slot, slot, slot}},
            isa::SetFlag{Pipe::Vector, Pipe::Mte3, flag},
            isa::WaitFlag{Pipe::Vector, Pipe::Mte3, flag},
            isa::Copy{half(Memory::Gm, (kRounds + number) * kTileBytes, 16, 16), slot, true}};
}

struct Outcome {
    observe::RunStatistics statistics;
    Cycles passed;
    std::int64_t laps = 0;
};

Outcome run(const config::HardwareConfig& machine,
            const std::function<isa::Program(isa::CoreId)>& program,
            bool exact) {
    observe::StatisticsCollector statistics;
    test::LapCount count;
    model::simulate(machine, {program, nullptr, nullptr, {}, exact}, {&statistics, &count});
    return {statistics.result(), count.cycles(), count.laps()};
}

/// Cycles passed over, of a run that comes to the same with and without.
Cycles passed(const config::HardwareConfig& machine,
              const std::function<isa::Program(isa::CoreId)>& program) {
    const Outcome with = run(machine, program, false);
    const Outcome without = run(machine, program, true);
    CHECK(with.statistics == without.statistics);
    CHECK(without.laps == 0);
    return with.passed;
}

Cycles passed(const config::HardwareConfig& machine, const Round& round) {
    return passed(machine, [&](isa::CoreId) { return rounds(round, kRounds); });
}

Cycles total(const config::HardwareConfig& machine, const Round& round) {
    return run(
               machine, [&](isa::CoreId) { return rounds(round, kRounds); }, false)
        .statistics.total;
}

/// The shipped chip with four cores, of which L2 is small enough to run full.
config::HardwareConfig four_cores() {
    config::HardwareConfig machine = test::tiny();
    machine.ai_cores = 4;
    machine.gm = test::hardware("fused-local").gm;
    machine.gm.l2_size_bytes = 1 << 20;
    return machine;
}

std::string error_of(const config::HardwareConfig& machine, const Round& round, bool exact) {
    try {
        run(
            machine, [&](isa::CoreId) { return rounds(round, kRounds); }, exact);
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

} // namespace

TEST_CASE("rounds that repeat are passed over, whoever's turn their flags are") {
    const Cycles cycles = passed(test::tiny(), add_round);
    CHECK(cycles.count() > total(test::tiny(), add_round).count() * 9 / 10);
}

TEST_CASE("a round that is not as the others is worked out") {
    const auto with_one_more = [](std::int64_t number) {
        isa::Block block = add_round(number);
        if (number == kRounds / 2) {
            block.insert(block.begin() + 4, block[3]);
        }
        return block;
    };
    CHECK(passed(test::tiny(), with_one_more) > Cycles{0});
    CHECK(total(test::tiny(), with_one_more) > total(test::tiny(), add_round));
}

TEST_CASE("a tile of another shape makes another round, another address in GM does not") {
    const auto scattered = [](std::int64_t number) {
        isa::Block block = add_round(number);
        std::get<isa::Copy>(block.front()).from.address = number * number * kTileBytes;
        return block;
    };
    const auto growing = [](std::int64_t number) {
        isa::Block block = add_round(number);
        for (const std::size_t i : {0U, 6U}) {
            auto& copy = std::get<isa::Copy>(block[i]);
            copy.to.rows = copy.from.rows = 1 + number % 97 % 16;
        }
        return block;
    };
    CHECK(passed(test::tiny(), scattered) > Cycles{0});
    CHECK(passed(test::tiny(), growing) == Cycles{0});
}

TEST_CASE("cores that share GM are passed over together, and L2 sees all they touch") {
    const auto own_share = [](isa::CoreId core) {
        return rounds([core](std::int64_t number) { return add_round(4 * number + core.ai_core); },
                      kRounds * (1 + core.ai_core % 2));
    };
    CHECK(passed(four_cores(), own_share) > Cycles{0});
}

TEST_CASE("what is found in L2 a second time is not taken for a miss") {
    // As much again as L2 holds, from the start, and so on.
    const auto round_and_round = [](std::int64_t number) {
        return add_round(number % (kRounds / 4));
    };
    config::HardwareConfig machine = four_cores();
    machine.ai_cores = 1;
    machine.gm.miss_latency = Cycles{500};
    CHECK(passed(machine, round_and_round) > Cycles{0});
}

TEST_CASE("a program that waits for ever says so at the same cycle") {
    const auto stuck = [](std::int64_t number) {
        isa::Block block = add_round(number);
        if (number == kRounds - 1) {
            block.emplace_back(isa::WaitFlag{Pipe::Mte3, Pipe::Mte2, 0});
        }
        return block;
    };
    const std::string error = error_of(test::tiny(), stuck, false);
    CHECK_THAT(error, Catch::Contains("deadlock at cycle"));
    CHECK(error == error_of(test::tiny(), stuck, true));
}

TEST_CASE("an error of a program or of an instruction late in a run stops it") {
    const auto illegal = [](std::int64_t number) {
        isa::Block block = add_round(number);
        if (number == kRounds - 1) {
            std::get<isa::Copy>(block.front()).to.address = 1;
        }
        return block;
    };
    const auto failing = [](std::int64_t number) {
        if (number == kRounds / 2) {
            throw ProgramError("no more");
        }
        return add_round(number);
    };
    CHECK_THAT(error_of(test::tiny(), illegal, false), Catch::Contains("multiples of"));
    CHECK(error_of(test::tiny(), illegal, false) == error_of(test::tiny(), illegal, true));
    CHECK(error_of(test::tiny(), failing, false) == "no more");
}

TEST_CASE("a core whose end is known before laps are passed ends when it ends") {
    config::HardwareConfig machine = test::tiny();
    machine.ai_cores = 2;
    const isa::Tile big = half(Memory::Ub, 0, 1, 65'536);
    for (const std::int64_t own : {1, 5, 20}) { // rounds before a store that takes long
        INFO(own);
        CHECK(passed(machine, [&](isa::CoreId core) {
                  return core.ai_core == 0
                             ? rounds(add_round, 300)
                             : rounds(
                                   [=](std::int64_t number) {
                                       return number < own
                                                  ? add_round(number)
                                                  : isa::Block{isa::Copy{
                                                        half(Memory::Gm, 1 << 24, 1, 65'536), big}};
                                   },
                                   own + 1);
              }) > Cycles{0});
    }
}

TEST_CASE("a pipe that is far ahead when laps are passed ends later, too") {
    const isa::Tile big = half(Memory::Ub, 1 << 16, 1, 16'384);
    const auto far_ahead = [&](std::int64_t number) {
        return isa::Block{
            isa::Vadd{{big, big, big}},
            isa::Copy{half(Memory::Ub, 0, 16, 16), half(Memory::Gm, number * kTileBytes, 16, 16)}};
    };
    CHECK(passed(test::tiny(), far_ahead) > Cycles{0});
}

TEST_CASE("stores that write over each other are no lap of stores that do not") {
    config::HardwareConfig machine = test::tiny();
    machine.scalar.queue_depth = 16;
    for (config::LinkConfig& link : machine.links) {
        if (link.to == Memory::Gm) {
            link.startup = Cycles{60};
            link.overlap = Cycles{50};
        }
    }
    const isa::Tile slot = half(Memory::Ub, 0, 16, 16);
    for (const std::int64_t first : {1, 17, 40, 90}) { // stores to one place before all others
        INFO(first);
        passed(machine, [&](std::int64_t number) {
            const std::int64_t to = number < first ? 0 : number * kTileBytes;
            return isa::Block{isa::Copy{half(Memory::Gm, to, 16, 16), slot}};
        });
    }
    // Round a ring of tiles: whether the last store is written over changes as laps are passed.
    for (const std::int64_t ring : {1, 3, 7}) {
        INFO(ring);
        const auto in_a_ring = [&](std::int64_t number) {
            isa::Block block = add_round(number);
            std::get<isa::Copy>(block.back()).to.address = (kRounds + number % ring) * kTileBytes;
            block.insert(block.begin(), isa::ScalarWork{15});
            return block;
        };
        CHECK(passed(machine, in_a_ring) > Cycles{0});
    }
}

TEST_CASE("rounds that wait for the scalar unit alone are passed over") {
    const auto slow = [](std::int64_t number) {
        isa::Block block = add_round(number);
        block.insert(block.begin(), isa::ScalarWork{100});
        return block;
    };
    CHECK(passed(test::tiny(), slow).count() > total(test::tiny(), slow).count() * 9 / 10);
}

TEST_CASE("laps are found although the core that was looked at first has ended") {
    config::HardwareConfig machine = test::tiny();
    machine.ai_cores = 2;
    CHECK(passed(machine, [](isa::CoreId core) {
              return rounds(add_round, core.ai_core == 0 ? 20 : 4 * kRounds);
          }).count() > 10'000);
}

TEST_CASE("an illegal flag or address is no other turn and no other place") {
    const auto with = [](const std::function<void(isa::Block&)>& change) {
        return [change](std::int64_t number) {
            isa::Block block = add_round(number);
            if (number == kRounds * 3 / 4) {
                change(block);
            }
            return block;
        };
    };
    config::HardwareConfig machine = test::tiny();
    for (const bool l2 : {false, true}) {
        machine.gm = l2 ? test::hardware("fused-local").gm : machine.gm;
        for (const auto& change : std::vector<std::function<void(isa::Block&)>>{
                 [](isa::Block& block) { std::get<isa::SetFlag>(block[1]).id = 8; },
                 [](isa::Block& block) { std::get<isa::WaitFlag>(block[2]).id = -1; },
                 [](isa::Block& block) { std::get<isa::Copy>(block[0]).from.address = -64; },
                 [](isa::Block& block) { std::get<isa::Copy>(block[6]).to.address = -4096; }}) {
            const std::string error = error_of(machine, with(change), true);
            CHECK_FALSE(error.empty());
            CHECK(error_of(machine, with(change), false) == error);
        }
    }
}

TEST_CASE("nothing is passed over where data change or somebody wants to see all") {
    const model::Job job{[](isa::CoreId) { return rounds(add_round, kRounds); }, nullptr};
    test::LapCount alone;
    model::simulate(test::tiny(), job, {&alone});
    CHECK(alone.laps() > 0);

    test::LapCount beside;
    traces::Timeline timeline;
    model::simulate(test::tiny(), job, {&beside, &timeline});
    CHECK(beside.laps() == 0);

    functional::GlobalMemory gm = functional::make_global_memory(2 * kRounds * kTileBytes);
    test::LapCount with_data;
    model::simulate(test::tiny(), {job.program, &gm}, {&with_data});
    CHECK(with_data.laps() == 0);
}

TEST_CASE("a feed tells blocks that write over what was written from those that write beside it") {
    const auto lap_is_same = [](std::int64_t step) {
        model::Feed feed(rounds(
                             [&](std::int64_t number) {
                                 const isa::Tile slot = half(Memory::Ub, 0, 16, 16);
                                 const std::int64_t to = number < 2
                                                             ? number * kTileBytes
                                                             : kTileBytes + (number - 1) * step;
                                 return isa::Block{isa::Copy{half(Memory::Gm, to, 16, 16), slot}};
                             },
                             4),
                         8);
        feed.watch();
        feed.next(); // its first writes beside nothing
        feed.watch();
        feed.next();
        return feed.draw();
    };
    CHECK(lap_is_same(kTileBytes));
    CHECK(!lap_is_same(kTileBytes / 2));
}

TEST_CASE("a feed hands on what it has drawn in vain") {
    model::Feed feed(
        rounds([](std::int64_t number) { return isa::Block{isa::ScalarWork{number / 3}}; }, 6), 8);
    feed.watch();
    feed.next();
    feed.watch();
    feed.next();
    REQUIRE(feed.draw()); // 2, as 1
    feed.pass();
    REQUIRE(!feed.draw()); // 3 is another
    const auto cycles = [&] { return std::get<isa::ScalarWork>(feed.next()->front()).cycles; };
    CHECK(cycles() == 1);
    CHECK(cycles() == 1);
    CHECK(cycles() == 1);
    CHECK(feed.next() == nullptr);
}

TEST_CASE("flags that have turned are known by their age") {
    timing::FlagTurns then(4);
    then.see(isa::SetFlag{Pipe::Mte2, Pipe::Vector, 1});
    timing::FlagTurns now = then;
    for (const std::int32_t id : {2, 3, 0}) {
        now.see(isa::SetFlag{Pipe::Mte2, Pipe::Vector, id});
    }
    CHECK(now.turned(Pipe::Mte2, Pipe::Vector, then) == 3);
    CHECK(now.turned(Pipe::Vector, Pipe::Mte3, then) == 0);
    isa::Instruction wait = isa::WaitFlag{Pipe::Mte2, Pipe::Vector, 0}; // one before the last
    now.turn(wait, then);
    CHECK(std::get<isa::WaitFlag>(wait).id == 3);

    timing::Scoreboard flags(4, 1);
    flags.raise(Pipe::Mte2, Pipe::Vector, 0, {Cycles{7}});
    flags.raise(Pipe::Vector, Pipe::Mte3, 2, {Cycles{8}});
    flags.turn(then, now);
    CHECK(!flags.consume(Pipe::Mte2, Pipe::Vector, 0));
    CHECK(flags.consume(Pipe::Mte2, Pipe::Vector, 3)->at == Cycles{7});
    CHECK(flags.consume(Pipe::Vector, Pipe::Mte3, 2)->at == Cycles{8});
}
