// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/functional/numerics.h"
#include "sim/isa/program.h"
#include "sim/model/pipe_unit.h"
#include "sim/observe/observer.h"
#include "sim/timing/cost.h"
#include "sim/timing/gm_server.h"
#include "sim/timing/scoreboard.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <systemc>
#include <vector>

namespace npusim::model {

class Core;

/// The global-memory port of a core.
class GmInterface : public virtual sc_core::sc_interface {
  public:
    /// A transfer that starts now.
    struct Request {
        Core* core = nullptr;
        std::size_t core_index = 0;
        Pipe pipe = Pipe::Mte2;
        Cycles start;
        Cycles alone; ///< its end on an idle chip
        timing::GmTraffic traffic;
    };
    /// Serves `request` in this cycle and tells its core. Those of a cycle are served in the order
    /// of cores and their pipes.
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
    /// Raises cross-core event `id` of core `target` in the AI core of core `source`.
    virtual void cross_set(std::size_t source, std::int32_t target, std::int32_t id) = 0;
    /// A core has come to a barrier of the chip; all are released once the last one has.
    virtual void arrive() = 0;
    virtual void fail() noexcept = 0;
};

/// What one core runs and reports to.
struct CoreSetup {
    std::size_t index = 0;
    observe::CoreInfo info;
    isa::Program program;
    functional::GlobalMemory* gm = nullptr;   ///< null: timing only
    functional::Numerics* numerics = nullptr; ///< may be null
};

/// One instruction stream: a dispatcher (the scalar unit), its pipes, flags and local buffers.
class Core : public sc_core::sc_module, private PipeHost {
  public:
    Core(const sc_core::sc_module_name& name,
         const config::HardwareConfig& hardware,
         CoreSetup setup,
         CoreHost& host,
         const observe::Observers& observers);

    sc_core::sc_port<GmInterface> gm{"gm"};

    /// Raises cross-core event `id` once the signal has crossed.
    void cross_raise(std::int32_t id);
    /// The transfer under way in `pipe` has been served.
    void served(Pipe pipe, const timing::GmTraffic& traffic, timing::GmServer::Outcome outcome);
    /// Lets the core go on behind its SyncAll at `at`.
    void release(Cycles at);
    [[nodiscard]] bool finished() const;
    /// One line per pipe: what it waits for and who should set it.
    [[nodiscard]] std::string report() const;
    [[nodiscard]] const observe::CoreInfo& info() const { return setup_.info; }

  private:
    void dispatch();
    bool fetch();
    /// Done with the instruction in hand.
    void advance() {
        ++next_;
        checked_ = false;
    }
    bool run_scalar(const isa::Instruction& instruction);
    bool scalar_may_pass(const isa::Instruction& instruction);
    bool pipes_settled();
    void account();
    void wake_scalar();
    void deliver_cross();
    PipeUnit* unit(Pipe pipe) const { return units_[static_cast<std::size_t>(pipe)].get(); }

    bool pass(const isa::Instruction& instruction) override;
    Timing begin(const isa::Instruction& instruction, Cycles start) override;
    void complete(const isa::Instruction& instruction) override;
    void span(Pipe pipe,
              observe::State state,
              Cycles start,
              Cycles end,
              const isa::Instruction* instruction) override;
    void drained() override { wake_scalar(); }
    void fail() noexcept override { host_.fail(); }

    const config::HardwareConfig& hardware_;
    CoreSetup setup_;
    CoreHost& host_;
    const observe::Observers& observers_;
    timing::Scoreboard flags_;
    std::optional<functional::CoreMemory> memory_;
    std::array<std::unique_ptr<PipeUnit>, kPipeCount> units_;

    isa::Block* block_ = nullptr; ///< being dispatched
    std::size_t next_ = 0;        ///< index in block_
    bool checked_ = false;        ///< the instruction at next_, which may have to wait, is legal
    bool fetched_all_ = false;
    Cycles local_; ///< the dispatcher's own time; runs ahead of the kernel while queues have room
    Cycles accounted_; ///< up to here the dispatcher's time is in spans
    std::optional<Pipe> waits_for_room_;
    const isa::Instruction* held_by_ = nullptr; ///< what the scalar unit waits at
    sc_core::sc_event scalar_wake_;
    Cycles vector_warm_until_{-1};
    bool arrived_ = false; ///< at a SyncAll
    std::optional<Cycles> release_;

    struct Crossing {
        Cycles at;
        std::int32_t id;
    };
    std::deque<Crossing> crossings_;
    sc_core::sc_event crossing_;
    sc_core::sc_event start_;
};

} // namespace npusim::model
