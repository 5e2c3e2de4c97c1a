// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/isa/program.h"
#include "sim/model/effects.h"
#include "sim/model/feed.h"
#include "sim/model/pipe_unit.h"
#include "sim/observe/observer.h"
#include "sim/timing/cost.h"
#include "sim/timing/flag_turns.h"
#include "sim/timing/gm_server.h"
#include "sim/timing/scoreboard.h"

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <systemc>
#include <utility>
#include <vector>

namespace npusim::model {

class Core;

/// The global-memory port of a core.
class GmInterface : public virtual sc_core::sc_interface {
  public:
    /// A transfer, of which the core may have worked out the start before that time comes.
    struct Request {
        Cycles start;
        std::size_t core_index = 0;
        Pipe pipe = Pipe::Mte2;
        Core* core = nullptr;
        Cycles alone; ///< its end on an idle chip
        timing::GmTraffic traffic;
    };
    /// Serves `request` when its time has come and tells its core. Requests are served in order of
    /// their start, those of a cycle in order of cores and of their pipes.
    virtual void transfer(const Request& request) = 0;
};

/// What cores of one chip share besides memory.
class CoreHost {
  public:
    CoreHost() = default;
    CoreHost(const CoreHost&) = delete;
    CoreHost& operator=(const CoreHost&) = delete;
    CoreHost(CoreHost&&) = delete;
    CoreHost& operator=(CoreHost&&) = delete;
    virtual ~CoreHost() = default;
    /// Pipe `from` of core `source` raises cross-core event `id` of core `target` in its AI core at
    /// `at`, now or later.
    virtual void
    cross_set(std::size_t source, Pipe from, std::int32_t target, std::int32_t id, Cycles at) = 0;
    /// A core comes to a barrier of the chip at `at`; all are released once the last one has.
    virtual void arrive(Cycles at) = 0;
    virtual void fail() noexcept = 0; ///< hands the current exception to the simulation
};

/// What one core runs and reports to.
struct CoreSetup {
    std::size_t index = 0;
    observe::CoreInfo info;
    functional::GlobalMemory* gm = nullptr; ///< null: timing only
    Effects* effects = nullptr;             ///< where its data change
};

/// Where the transfers of a pipe go in GM.
struct GmSide {
    std::deque<std::int64_t> next;    ///< in order
    std::optional<std::int64_t> last; ///< before these, of the laps that were passed
};
using GmSides = std::array<GmSide, kPipeCount>;

/// One instruction stream: a dispatcher (the scalar unit), its pipes, flags and local buffers.
///
/// A core runs ahead of the kernel: it works out the times of its instructions in program order, as
/// far as they follow from one another, and meets the kernel only where other cores come in: at
/// transfers of GM, flags between cores and barriers of the chip. What it works out does not depend
/// on how far ahead it is.
class Core : public sc_core::sc_module {
  public:
    Core(const sc_core::sc_module_name& name,
         const config::HardwareConfig& hardware,
         CoreSetup setup,
         isa::Program program,
         CoreHost& host,
         const observe::Observers& observers);

    sc_core::sc_port<GmInterface> gm{"gm"};

    /// Raises cross-core event `id`, sent by another core at `sent`, once the signal has crossed.
    void cross_raise(std::int32_t id, std::size_t source, Pipe from, Cycles sent);
    /// The transfer under way in `pipe` has been served.
    void served(Pipe pipe, const timing::GmTraffic& traffic, timing::GmServer::Outcome outcome);
    /// Lets the core go on behind its SyncAll at `at`.
    void release(Cycles at);
    [[nodiscard]] bool finished() const;
    /// When the last thing known to happen in this core happens, laps that were passed included.
    [[nodiscard]] Cycles reached() const { return reached_; }
    /// One line per pipe: what it waits for and who should set it.
    [[nodiscard]] std::string report() const;
    [[nodiscard]] const observe::CoreInfo& info() const { return setup_.info; }

    // What is needed to find out whether it goes round in laps, and to pass over some of them.

    [[nodiscard]] Feed& feed() { return feed_; }
    /// Works out what it may by now, as every core does at other moments of its own.
    void look_ahead();
    /// Adds the times its future depends on, as seen from `now`.
    void add_times(StateHash& hash, Cycles now) const;
    /// Adds all its future depends on but what its program is still to do.
    void add_to(StateHash& hash, Cycles now) const;
    /// The transfers of GM still to be served that its pipes know of or that the block at hand
    /// holds.
    [[nodiscard]] GmSides gm_sides();
    /// Adds those of blocks that have been drawn from its program.
    void add_drawn(GmSides& sides) const;
    /// Goes on to the end of a lap whose blocks have been drawn.
    void pass_lap();
    /// Gives its pipes what they would have after the laps that were passed since `then`: `sides`
    /// and the flags of these turns. The laps took `cycles`.
    void catch_up(const GmSides& sides, const timing::FlagTurns& then, Cycles cycles);

    // What its pipes need of it.

    /// Consumes the flag that `wait` waits for and returns when it went up; nothing while that is
    /// not known.
    std::optional<Cycles> consume(const isa::Instruction& wait);
    PipeUnit::Timing begin(const isa::Instruction& instruction, Pipe pipe, Cycles start);
    /// `instruction` takes effect at `at`: on data, on flags.
    void apply(const isa::Instruction& instruction, Cycles at);
    /// `execution` but for its core.
    void executed(observe::Execution execution) {
        if (detailed_.empty()) { // before the rest of it is written down
            return;
        }
        execution.core = setup_.index;
        execution.consumed = std::exchange(consumed_, 0);
        for (observe::Observer* observer : detailed_) {
            observer->on_execute(execution);
        }
    }
    /// Not empty.
    void span(Pipe pipe,
              observe::State state,
              Cycles start,
              Cycles end,
              const isa::Instruction* instruction);

  private:
    void wake();
    void run();
    void settle();
    bool fetch();
    bool dispatch_next();
    bool run_scalar(const isa::Instruction& instruction);
    std::optional<Cycles> scalar_may_pass(const isa::Instruction& instruction);
    std::optional<Cycles> pipes_settled() const;
    void account();
    void tell(const observe::Raise& raise);
    std::uint64_t next_raise();
    [[nodiscard]] Moment moment(Cycles now) const;
    void
    add_sides(GmSides& sides, const isa::Instruction* begin, const isa::Instruction* end) const;
    /// Calls `see(unit)` for each pipe there is.
    template <class See> void each_unit(const See& see) const {
        for (const auto& unit : units_) {
            if (unit != nullptr) {
                see(*unit);
            }
        }
    }
    PipeUnit* unit(Pipe pipe) const { return units_[static_cast<std::size_t>(pipe)].get(); }

    const config::HardwareConfig& hardware_;
    CoreSetup setup_;
    CoreHost& host_;
    const observe::Observers& observers_;
    observe::Observers detailed_; ///< of those, the ones that want details
    timing::Scoreboard flags_;
    std::uint64_t raises_ = 0;   ///< of its flags
    std::uint64_t consumed_ = 0; ///< by the instruction that is being worked out
    std::optional<functional::CoreMemory> memory_;
    std::array<std::unique_ptr<PipeUnit>, kPipeCount> units_;

    Feed feed_;
    const isa::Instruction* next_ = nullptr; ///< to dispatch, in the block at hand
    const isa::Instruction* block_end_ = nullptr;
    bool checked_ = false; ///< the instruction at next_, which may have to wait, is legal
    bool fetched_all_ = false;
    Cycles horizon_;   ///< how far the dispatcher may run ahead of the kernel
    Cycles told_;      ///< the kernel's time that observers have heard of
    Cycles local_;     ///< the dispatcher's own time
    Cycles accounted_; ///< up to here the dispatcher's time is in spans
    Cycles reached_;
    Cycles passed_; ///< in laps
    std::optional<Pipe> waits_for_room_;
    const isa::Instruction* held_by_ = nullptr; ///< what the scalar unit waits at
    Cycles vector_warm_until_{-1};
    bool arrived_ = false; ///< at a SyncAll
    std::optional<Cycles> release_;
    std::uint32_t unsettled_ = 0; ///< a bit for each pipe that may be able to go on

    struct Crossing {
        Cycles at;
        std::int32_t id;
        std::uint64_t number;
    };
    std::deque<Crossing> crossings_; ///< in order of time
    sc_core::sc_event wake_;
};

} // namespace npusim::model
