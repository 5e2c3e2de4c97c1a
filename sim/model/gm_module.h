// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/hash.h"
#include "sim/config/hardware.h"
#include "sim/model/core.h"
#include "sim/timing/gm_server.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <systemc>
#include <vector>

namespace npusim::model {

/// L2 and HBM behind every core's port. It works in the second half of a cycle: by then all who
/// start a transfer in that cycle have said so.
class GlobalMemoryModule : public sc_core::sc_module, public GmInterface {
  public:
    /// A transfer that has been served.
    struct Served {
        std::size_t core = 0;
        Pipe pipe = Pipe::Mte2;
        timing::GmTraffic traffic;
        timing::L2Cache::Traffic past; ///< L2
    };
    using OnServed = std::function<void(const Request&, const timing::L2Cache::Traffic& past)>;

    GlobalMemoryModule(const sc_core::sc_module_name& name,
                       const config::GmConfig& config,
                       timing::L2Cache l2);
    void transfer(const Request& request) override;

    /// `served` is told of each transfer, `quiet` at the end of each cycle with transfers, when all
    /// that follows from them has been worked out.
    void listen(OnServed served, std::function<void()> quiet);
    /// Adds what its future depends on but what L2 holds.
    void add_to(StateHash& hash, Cycles now) const;
    /// Lets L2 see the transfers of a lap again, as they are at its next turn: with the addresses
    /// in `sides`, by core, of which the lap's are taken off. True if the same comes of it;
    /// otherwise what has been seen stands for the transfers that come next, and `sides` is as it
    /// was.
    bool see_again(const std::vector<Served>& lap, std::vector<GmSides>& sides);
    /// Gives waiting requests of `core` the addresses that `sides` begin with.
    void put_gm_sides(std::size_t core, const GmSides& sides);

  private:
    struct Later {
        bool operator()(const Request& a, const Request& b) const;
    };
    void schedule();
    void serve();
    timing::L2Cache::Traffic past_l2(const timing::GmTraffic& traffic);

    timing::GmServer server_;
    std::vector<Request> requests_;                 ///< a heap, the next one first
    std::deque<timing::L2Cache::Traffic> foreseen_; ///< of the transfers that come next
    OnServed on_served_;
    std::function<void()> on_quiet_;
    sc_core::sc_event serve_;
};

} // namespace npusim::model
