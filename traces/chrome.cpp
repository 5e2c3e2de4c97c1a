// SPDX-License-Identifier: Apache-2.0
#include "traces/chrome.h"

#include "sim/isa/instruction.h"

#include <fmt/format.h>
#include <utility>

namespace npusim::traces {

namespace {

constexpr std::size_t kChip = 0; ///< process of what belongs to no core; core i is i + 1

} // namespace

ChromeTrace::ChromeTrace(const std::filesystem::path& path, double clock_mhz)
    : file_(path), nanoseconds_(clock_mhz) {
    file_.write(R"({"displayTimeUnit":"ns","traceEvents":[)");
}

void ChromeTrace::write(std::string_view event) {
    file_.write(std::exchange(first_, false) ? "\n" : ",\n");
    file_.write(event);
}

std::string ChromeTrace::stamp(Cycles time) const {
    return in_microseconds(nanoseconds_(time));
}

void ChromeTrace::process(std::size_t pid, std::string_view name) {
    if (named_.size() <= pid) {
        named_.resize(pid + 1);
    }
    if (!named_[pid]) {
        named_[pid] = true;
        write(fmt::format(
            R"({{"ph":"M","pid":{},"name":"process_name","args":{{"name":"{}"}}}})", pid, name));
    }
}

void ChromeTrace::lane(LaneId id, const Lane& lane) {
    const std::size_t pid = lane.core + 1;
    cores_.push_back(lane.core);
    process(pid, lane.core_name);
    write(
        fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})",
                    pid,
                    id,
                    name_of(lane)));
    write(fmt::format(
        R"({{"ph":"M","pid":{},"tid":{},"name":"thread_sort_index","args":{{"sort_index":{}}}}})",
        pid,
        id,
        rank_of(lane)));
}

void ChromeTrace::slice(const Slice& slice) {
    const std::int64_t start = nanoseconds_(slice.start);
    write(fmt::format(
        R"({{"ph":"X","pid":{},"tid":{},"ts":{},"dur":{},"name":"{}","cat":"{}","args":{{"cycle":{},"cycles":{},"op":"{}"}}}})",
        cores_[slice.lane] + 1,
        slice.lane,
        in_microseconds(start),
        in_microseconds(nanoseconds_(slice.end) - start),
        name_of(slice),
        slice.state == observe::State::Busy ? "busy" : "stall",
        slice.start.count(),
        (slice.end - slice.start).count(),
        slice.instruction == nullptr ? "" : isa::to_text(*slice.instruction)));
    for (const std::uint64_t number : slice.receives) {
        flow('f', number, slice.lane, slice.start);
    }
    for (const std::uint64_t number : slice.sends) {
        flow('s', number, slice.lane, slice.end);
    }
}

void ChromeTrace::flow(char phase, std::uint64_t number, LaneId lane, Cycles at) {
    write(fmt::format(
        R"({{"ph":"{}","id":{},"pid":{},"tid":{},"ts":{},"name":"flag","cat":"flag"{}}})",
        phase,
        number,
        cores_[lane] + 1,
        lane,
        stamp(at),
        phase == 'f' ? R"(,"bp":"e")" : ""));
}

void ChromeTrace::counter(const Counter& counter, const Series& series) {
    const std::size_t pid = counter.core ? *counter.core + 1 : kChip;
    process(pid, counter.core ? counter.core_name : "chip");
    for (const Sample& sample : changes(series)) {
        write(fmt::format(R"({{"ph":"C","pid":{},"ts":{},"name":"{}, {}","args":{{"{}":{:.6g}}}}})",
                          pid,
                          stamp(sample.at),
                          title_of(counter),
                          counter.unit,
                          counter.unit,
                          sample.value));
    }
}

void ChromeTrace::end(Cycles /*total*/) {
    file_.write("\n]}\n");
    file_.finish();
}

} // namespace npusim::traces
