// SPDX-License-Identifier: Apache-2.0
#include "sim/model/simulation.h"

#include "sim/base/error.h"
#include "sim/model/clock.h"
#include "sim/model/core.h"
#include "sim/model/gm_module.h"
#include "sim/model/laps.h"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

// The packaged library brings its own main and asks for this; npusim elaborates from its own main.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int sc_main(int /*argc*/, char** /*argv*/) {
    return 0;
}

namespace npusim::model {

namespace {

using Pipes = std::vector<Pipe>;

observe::CoreInfo core_info(const config::HardwareConfig& hardware, isa::CoreId id) {
    if (hardware.composition == config::Composition::Fused) {
        return {fmt::format("core{}", id.ai_core),
                Pipes{Pipe::Scalar,
                      Pipe::Mte2,
                      Pipe::Mte1,
                      Pipe::Cube,
                      Pipe::FixPipe,
                      Pipe::Vector,
                      Pipe::Mte3}};
    }
    if (id.unit == 0) {
        return {fmt::format("core{}.cube", id.ai_core),
                Pipes{Pipe::Scalar, Pipe::Mte2, Pipe::Mte1, Pipe::Cube, Pipe::FixPipe}};
    }
    return {fmt::format("core{}.vector{}", id.ai_core, id.unit - 1),
            Pipes{Pipe::Scalar, Pipe::Mte2, Pipe::Vector, Pipe::Mte3}};
}

/// The chip: AI cores around a shared global memory.
class Chip : public sc_core::sc_module, private CoreHost {
  public:
    Chip(const sc_core::sc_module_name& name,
         const config::HardwareConfig& hardware,
         const Job& job,
         const observe::Observers& observers)
        : sc_module(name), hardware_(hardware), ids_(isa::core_ids(hardware)),
          gm_("gm",
              hardware.gm,
              job.seen != nullptr ? *job.seen : timing::L2Cache(hardware.gm, job.l2)),
          effects_("effects", job.numerics, [this] { fail(); }) {
        CoreHost& self = *this;
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            const observe::CoreInfo info = core_info(hardware, ids_[i]);
            std::string module_name = info.name;
            std::replace(module_name.begin(), module_name.end(), '.', '_');
            cores_.push_back(std::make_unique<Core>(sc_core::sc_module_name(module_name.c_str()),
                                                    hardware,
                                                    CoreSetup{i, info, job.gm, &effects_},
                                                    job.program(ids_[i]),
                                                    self,
                                                    observers));
        }
        for (const auto& core : cores_) {
            core->gm.bind(gm_);
        }
        // Data have to be worked out every time, and some observers want to see all.
        if (!job.exact && job.gm == nullptr &&
            std::ranges::all_of(observers, &observe::Observer::takes_laps)) {
            laps_ = std::make_unique<Laps>(cores_, gm_, observers, [this] { fail(); });
        }
    }

    [[nodiscard]] std::vector<observe::CoreInfo> infos() const {
        std::vector<observe::CoreInfo> infos;
        for (const auto& core : cores_) {
            infos.push_back(core->info());
        }
        return infos;
    }
    void rethrow() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
    }
    /// Throws if the kernel ran out of events with work left.
    void check_finished() const {
        std::string stuck;
        for (const auto& core : cores_) {
            if (!core->finished()) {
                stuck += core->report();
            }
        }
        if (!stuck.empty()) {
            throw ModelError(fmt::format(
                "deadlock at cycle {}: no pipe can proceed\n{}", reached().count(), stuck));
        }
    }
    /// When the last core is done.
    [[nodiscard]] Cycles reached() const {
        Cycles last = hardware_.launch;
        for (const auto& core : cores_) {
            last = std::max(last, core->reached());
        }
        return last;
    }

  private:
    void cross_set(
        std::size_t source, Pipe from, std::int32_t target, std::int32_t id, Cycles at) override {
        const std::size_t first = source - static_cast<std::size_t>(ids_[source].unit);
        cores_[first + static_cast<std::size_t>(target)]->cross_raise(id, source, from, at);
    }
    void arrive(Cycles at) override {
        last_arrival_ = std::max(last_arrival_, at);
        if (++arrived_ == cores_.size()) {
            arrived_ = 0;
            for (const auto& core : cores_) {
                core->release(last_arrival_ + hardware_.sync.sync_all);
            }
        }
    }
    void fail() noexcept override {
        if (!error_) { // the first error is the one to show; later ones may follow from it
            error_ = std::current_exception();
            sc_core::sc_stop();
        }
    }

    const config::HardwareConfig& hardware_;
    std::vector<isa::CoreId> ids_;
    std::size_t arrived_ = 0; ///< cores that stand at a barrier of the chip
    Cycles last_arrival_;
    GlobalMemoryModule gm_;
    Effects effects_;
    std::vector<std::unique_ptr<Core>> cores_;
    std::unique_ptr<Laps> laps_; ///< where some may be passed over
    std::exception_ptr error_;
};

/// A fresh kernel for each simulation: the packaged SystemC keeps one global context, and resetting
/// it (modules destroyed first) is the one safe way to run again in a process.
class KernelSession {
  public:
    KernelSession() {
        sc_core::sc_get_curr_simcontext()->reset();
        sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
        sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_THROW);
    }
};

} // namespace

timing::L2Cache l2_after(const config::HardwareConfig& hardware,
                         const std::function<isa::Program(isa::CoreId)>& program) {
    timing::L2Cache l2(hardware.gm, {});
    std::vector<isa::Program> programs;
    for (const isa::CoreId id : isa::core_ids(hardware)) {
        programs.push_back(program(id));
    }
    for (bool more = hardware.gm.l2_tracked; more;) {
        more = false;
        for (isa::Program& each : programs) {
            const isa::Block* const block = each.next();
            more = more || block != nullptr;
            for (std::size_t i = 0; block != nullptr && i < block->size(); ++i) {
                const timing::GmTraffic traffic = timing::gm_traffic((*block)[i], hardware);
                if (traffic.bytes > 0 && !traffic.bypass) {
                    l2.access(traffic.tile, traffic.write, traffic.cold);
                }
            }
        }
    }
    return l2;
}

Cycles simulate(const config::HardwareConfig& hardware,
                const Job& job,
                const observe::Observers& observers) {
    const KernelSession session;
    Chip chip("chip", hardware, job, observers);
    const std::vector<observe::CoreInfo> infos = chip.infos();
    for (observe::Observer* observer : observers) {
        observer->on_begin(infos);
    }
    sc_core::sc_start();
    chip.rethrow();
    chip.check_finished();
    const Cycles total = chip.reached();
    for (observe::Observer* observer : observers) {
        observer->on_end(total);
    }
    return total;
}

} // namespace npusim::model
