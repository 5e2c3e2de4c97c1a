// SPDX-License-Identifier: Apache-2.0
#include "sim/model/gm_module.h"

#include "sim/model/clock.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace npusim::model {

GlobalMemoryModule::GlobalMemoryModule(const sc_core::sc_module_name& name,
                                       const config::GmConfig& config,
                                       timing::L2Cache l2)
    : sc_module(name), server_(config, std::move(l2)) {
    SC_HAS_PROCESS(GlobalMemoryModule);
    SC_METHOD(serve);
    sensitive << serve_;
    dont_initialize();
}

bool GlobalMemoryModule::Later::operator()(const Request& a, const Request& b) const {
    return std::tie(a.start, a.core_index, a.pipe) > std::tie(b.start, b.core_index, b.pipe);
}

void GlobalMemoryModule::transfer(const Request& request) {
    requests_.push_back(request);
    std::ranges::push_heap(requests_, Later{});
    schedule();
}

void GlobalMemoryModule::listen(OnServed served, std::function<void()> quiet) {
    on_served_ = std::move(served);
    on_quiet_ = std::move(quiet);
}

void GlobalMemoryModule::schedule() {
    serve_.notify(until_second_half(requests_.front().start));
}

void GlobalMemoryModule::serve() {
    while (!requests_.empty() && requests_.front().start <= now()) {
        std::ranges::pop_heap(requests_, Later{});
        const Request request = requests_.back();
        requests_.pop_back();
        const timing::L2Cache::Traffic past = past_l2(request.traffic);
        if (on_served_) {
            on_served_(request, past);
        }
        request.core->served(request.pipe,
                             request.traffic,
                             server_.transfer(request.start, request.alone, request.traffic, past));
    }
    if (on_quiet_) {
        on_quiet_();
    }
    if (!requests_.empty()) {
        schedule();
    }
}

timing::L2Cache::Traffic GlobalMemoryModule::past_l2(const timing::GmTraffic& traffic) {
    if (foreseen_.empty()) {
        return server_.past_l2(traffic);
    }
    const timing::L2Cache::Traffic past = foreseen_.front();
    foreseen_.pop_front();
    return past;
}

void GlobalMemoryModule::add_to(StateHash& hash, Cycles now) const {
    std::vector<Request> requests = requests_;
    std::ranges::sort(requests, [](const Request& a, const Request& b) { return Later{}(b, a); });
    for (const Request& request : requests) {
        hash.add((request.start - now).count());
        hash.add(request.core_index);
        hash.add(request.pipe); // whose transfer it is, which the core adds
    }
    server_.add_to(hash, now);
}

bool GlobalMemoryModule::see_again(const std::vector<Served>& lap, std::vector<GmSides>& sides) {
    if (!foreseen_.empty()) {
        return false;
    }
    std::vector<std::array<std::size_t, kPipeCount>> seen(sides.size());
    for (const Served& served : lap) {
        const auto pipe = static_cast<std::size_t>(served.pipe);
        timing::GmTraffic traffic = served.traffic;
        traffic.tile.address = sides[served.core][pipe].next[seen[served.core][pipe]++];
        const timing::L2Cache::Traffic& past = foreseen_.emplace_back(server_.past_l2(traffic));
        if (past != served.past) {
            return false;
        }
    }
    foreseen_.clear();
    for (std::size_t core = 0; core < sides.size(); ++core) {
        for (std::size_t pipe = 0; pipe < kPipeCount; ++pipe) {
            GmSide& side = sides[core][pipe];
            if (const std::size_t count = seen[core][pipe]; count > 0) {
                side.last = side.next[count - 1];
                side.next.erase(side.next.begin(),
                                side.next.begin() + static_cast<std::ptrdiff_t>(count));
            }
        }
    }
    return true;
}

void GlobalMemoryModule::put_gm_sides(std::size_t core, const GmSides& sides) {
    for (Request& request : requests_) {
        if (request.core_index == core) { // the first that its pipe has to be served
            request.traffic.tile.address =
                sides[static_cast<std::size_t>(request.pipe)].next.front();
        }
    }
}

} // namespace npusim::model
