// SPDX-License-Identifier: Apache-2.0
#include "traces/vcd.h"

#include "sim/base/error.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <system_error>
#include <utility>

namespace npusim::traces {

namespace {

/// A short name of signal `number`: printable characters other than space.
std::string code_of(std::size_t number) {
    constexpr std::size_t first = '!';
    constexpr std::size_t count = '~' - first + 1;
    std::string code;
    do {
        code += static_cast<char>(first + number % count);
        number /= count;
    } while (number > 0);
    return code;
}

/// A string value or a name has no spaces.
std::string joined(std::string text) {
    std::ranges::replace(text, ' ', '_');
    return text;
}

// Signals of a lane, numbered from 3 times the lane.
enum Part : std::size_t { kBusy, kState, kOp, kParts };

} // namespace

VcdTrace::VcdTrace(const std::filesystem::path& path, double clock_mhz)
    : file_(path), clock_mhz_(clock_mhz) {}

void VcdTrace::lane(LaneId /*id*/, const Lane& lane) {
    lanes_.push_back(lane);
    ends_.emplace_back();
}

void VcdTrace::slice(const Slice& slice) {
    if (slice.start > ends_[slice.lane]) {
        changes_.add(slice.lane, {ends_[slice.lane], kIdle, 0, 0});
    }
    ends_[slice.lane] = slice.end;
    const std::uint32_t op =
        slice.instruction == nullptr ? 0 : texts_.number(*slice.instruction) + 1;
    changes_.add(slice.lane, {slice.start, static_cast<std::uint8_t>(slice.state), op, 0});
}

void VcdTrace::counter(const Counter& counter, const Series& series) {
    counters_.push_back(counter);
    for (const Sample& sample : changes(series)) {
        changes_.add(lanes_.size() + counters_.size() - 1, {sample.at, 0, 0, sample.value});
    }
}

void VcdTrace::variable(std::string_view type, std::size_t number, std::string_view name) {
    file_.write(fmt::format("$var {} {} {} $end\n", type, code_of(number), name));
}

void VcdTrace::define(std::size_t signal, const Lane& lane) {
    file_.write(fmt::format("$scope module {} $end\n", joined(name_of(lane))));
    variable("wire 1", kParts * signal + kBusy, "busy");
    variable("string 1", kParts * signal + kState, "state");
    variable("string 1", kParts * signal + kOp, "op");
    file_.write("$upscope $end\n");
}

void VcdTrace::declare() {
    file_.write(fmt::format("$comment a unit of time is a cycle of {} MHz $end\n"
                            "$timescale 1 ns $end\n",
                            clock_mhz_));
    std::map<std::string, std::vector<std::size_t>> cores; // signals, by core
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        cores[lanes_[i].core_name].push_back(i);
    }
    for (std::size_t i = 0; i < counters_.size(); ++i) {
        cores[counters_[i].core ? counters_[i].core_name : "chip"].push_back(lanes_.size() + i);
    }
    for (const auto& [core, signals] : cores) {
        file_.write(fmt::format("$scope module {} $end\n", core));
        for (const std::size_t signal : signals) {
            if (signal < lanes_.size()) {
                define(signal, lanes_[signal]);
            } else {
                const Counter& counter = counters_[signal - lanes_.size()];
                variable("real 64", kParts * signal, joined(title_of(counter)));
            }
        }
        file_.write("$upscope $end\n");
    }
    file_.write("$enddefinitions $end\n");
}

void VcdTrace::change(std::size_t signal, const Change& change) {
    const auto code = [&](std::size_t part) { return code_of(kParts * signal + part); };
    if (signal >= lanes_.size()) {
        file_.write(fmt::format("r{:.6g} {}\n", change.value, code(0)));
        return;
    }
    const bool idle = change.state == kIdle;
    file_.write(fmt::format("{}{}\ns{} {}\ns{} {}\n",
                            change.state == 0 ? 1 : 0,
                            code(kBusy),
                            idle ? "idle" : observe::kStateNames[change.state],
                            code(kState),
                            change.op == 0 ? "-" : joined(texts_.text(change.op - 1)),
                            code(kOp)));
}

void VcdTrace::end(Cycles total) {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        changes_.add(lane, {ends_[lane], kIdle, 0, 0});
    }
    declare();
    Cycles now{-1};
    changes_.drain([&](std::size_t signal, const Change& change) {
        if (change.at != now) {
            now = change.at;
            file_.write(fmt::format("#{}\n", now.count()));
        }
        this->change(signal, change);
    });
    if (total > now) {
        file_.write(fmt::format("#{}\n", total.count()));
    }
    file_.finish();
}

FstTrace::FstTrace(std::filesystem::path path, double clock_mhz)
    : path_(std::move(path)), dump_(path_.string() + ".vcd"), vcd_(dump_, clock_mhz) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (std::system("command -v vcd2fst >/dev/null") != 0) {
        throw ConfigError(fmt::format("--trace {}: there is no vcd2fst (allowed: install Debian's "
                                      "gtkwave, or .vcd)",
                                      path_.string()));
    }
}

FstTrace::~FstTrace() {
    std::error_code ignored;
    std::filesystem::remove(dump_, ignored);
}

void FstTrace::end(Cycles total) {
    vcd_.end(total);
    const std::string command =
        fmt::format("vcd2fst '{}' '{}' >/dev/null", dump_.string(), path_.string());
    if (std::system(command.c_str()) != 0) { // NOLINT(concurrency-mt-unsafe): one thread
        throw ConfigError(fmt::format("--trace {}: vcd2fst failed", path_.string()));
    }
}

} // namespace npusim::traces
