// SPDX-License-Identifier: Apache-2.0
#include "traces/mindstudio.h"

#include "sim/base/error.h"
#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <optional>
#include <system_error>

namespace npusim::traces {

namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 16U; ///< of each of many files

std::string upper(std::string_view text) {
    std::string letters(text);
    std::ranges::transform(
        letters, letters.begin(), [](unsigned char c) { return std::toupper(c); });
    return letters;
}

/// "core3.cube" is "core3.cubecore0", "core3.vector1" is "core3.veccore1"; a fused core has both.
std::string core_name(const std::string& name) {
    const std::string ai_core(observe::ai_core_of(name));
    if (ai_core == name) {
        return name;
    }
    return ai_core +
           (name.ends_with("cube") ? ".cubecore0" : ".veccore" + name.substr(name.size() - 1));
}

/// What a set or wait is about: "PIPE:MTE2,TRIGGERPIPE:MTE1,FLAGID:0", by the pipe it runs on and
/// the one at the other end.
struct Flag {
    std::string_view name;
    std::string detail;
};
std::optional<Flag> flag_of(const isa::Instruction& instruction) {
    const auto detail = [](Pipe pipe, std::string_view other, std::int32_t id) {
        return fmt::format("PIPE:{},TRIGGERPIPE:{},FLAGID:{}", upper(to_string(pipe)), other, id);
    };
    if (const auto* set = std::get_if<isa::SetFlag>(&instruction)) {
        return Flag{"SET_FLAG", detail(set->from, upper(to_string(set->to)), set->id)};
    }
    if (const auto* wait = std::get_if<isa::WaitFlag>(&instruction)) {
        return Flag{"WAIT_FLAG", detail(wait->to, upper(to_string(wait->from)), wait->id)};
    }
    if (const auto* set = std::get_if<isa::CrossSet>(&instruction)) {
        return Flag{"SET_CROSS_CORE",
                    detail(set->pipe, fmt::format("CORE{}", set->target), set->id)};
    }
    if (const auto* wait = std::get_if<isa::CrossWait>(&instruction)) {
        return Flag{"WAIT_FLAG_DEV", detail(wait->pipe, "CORE", wait->id)};
    }
    return std::nullopt;
}

} // namespace

MindStudioTrace::Events::Events(const std::filesystem::path& path) : file_(path, kBuffer) {
    file_.write(
        R"({"displayTimeUnit":"ns","profilingType":"op","schemaVersion":1,"traceEvents":[)");
}

void MindStudioTrace::Events::add(std::string_view event) {
    file_.write(std::exchange(first_, false) ? "\n" : ",\n");
    file_.write(event);
}

void MindStudioTrace::Events::finish() {
    file_.write("\n]}\n");
    file_.finish();
}

MindStudioTrace::MindStudioTrace(std::filesystem::path folder, double clock_mhz)
    : folder_(std::move(folder)), partial_(folder_.string() + ".partial"), clock_mhz_(clock_mhz),
      nanoseconds_(clock_mhz) {
    std::error_code error;
    if (std::filesystem::exists(folder_, error)) {
        throw ConfigError(
            fmt::format("--trace {}: is there already (allowed: a new name)", folder_.string()));
    }
    std::filesystem::remove_all(partial_, error);
    if (!std::filesystem::create_directories(partial_ / "simulator", error)) {
        throw ConfigError(
            fmt::format("--trace {}: cannot write: {}", folder_.string(), error.message()));
    }
    all_ = std::make_unique<Events>(partial_ / "simulator" / "trace.json");
}

MindStudioTrace::~MindStudioTrace() {
    cores_.clear(); // closes their files
    all_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
}

void MindStudioTrace::lane(LaneId /*id*/, const Lane& lane) {
    lanes_.push_back(lane);
    Core& core = cores_[lane.core];
    if (!core.events) {
        core.name = core_name(lane.core_name);
        const std::filesystem::path folder = partial_ / "simulator" / core.name;
        std::filesystem::create_directories(folder);
        core.events = std::make_unique<Events>(folder / "trace.json");
    }
}

/// `rest`: further keys.
void MindStudioTrace::add(
    const Lane& lane, char phase, std::string_view name, Cycles at, std::string_view rest) {
    Core& core = cores_[lane.core];
    const std::string event =
        fmt::format(R"({{"ph":"{}","name":"{}","pid":"{}","tid":"{}","ts":{},{}}})",
                    phase,
                    name,
                    core.name,
                    upper(to_string(lane.pipe)),
                    in_microseconds(nanoseconds_(at)),
                    rest);
    core.events->add(event);
    all_->add(event);
}

void MindStudioTrace::slice(const Slice& slice) {
    const Lane& lane = lanes_[slice.lane];
    if (lane.in_flight || slice.instruction == nullptr) { // they have neither of them
        return;
    }
    if (const auto flag = flag_of(*slice.instruction)) { // a pair of a beginning and an end
        const std::string detail = fmt::format(R"("args":{{"detail":"{}"}})", flag->detail);
        add(lane, 'B', flag->name, slice.start, detail);
        add(lane, 'E', flag->name, slice.end, detail);
        return;
    }
    const bool busy = slice.state == observe::State::Busy;
    add(lane,
        'X',
        upper(name_of(slice)),
        slice.start,
        fmt::format(R"("dur":{},"args":{{"cycles":{},"detail":"{}"}})",
                    in_microseconds(nanoseconds_(slice.end) - nanoseconds_(slice.start)),
                    (slice.end - slice.start).count(),
                    isa::to_text(*slice.instruction)));
    if (busy) {
        count(cores_[lane.core], lane.pipe, slice);
    }
}

void MindStudioTrace::count(Core& core, Pipe pipe, const Slice& slice) {
    Share& share = core.instructions[{pipe, texts_.number(*slice.instruction)}];
    ++share.calls;
    share.cycles += (slice.end - slice.start).count();
}

void MindStudioTrace::write_tables(const Core& core) {
    const std::filesystem::path folder = partial_ / "simulator" / core.name;
    OutputFile lines(folder / (core.name + "_code_exe.csv"), kBuffer);
    const auto figures = [&](const Share& share) {
        return fmt::format("{},{},{:.4f}",
                           share.calls,
                           share.cycles,
                           static_cast<double>(share.cycles) / clock_mhz_);
    };
    lines.write("code,call_count,cycles,running_time(us)\n");
    std::map<std::string_view, Share> by_line;
    for (const auto& [key, share] : core.instructions) {
        Share& line = by_line[texts_.place(key.second)];
        line.calls += share.calls;
        line.cycles += share.cycles;
    }
    for (const auto& [line, share] : by_line) {
        lines.write(fmt::format("{},{}\n", line.empty() ? "?" : line, figures(share)));
    }
    lines.finish();
    OutputFile instructions(folder / (core.name + "_instr_exe.csv"), kBuffer);
    instructions.write("instr,pipe,call_count,cycles,running_time(us)\n");
    for (const auto& [key, share] : core.instructions) {
        instructions.write(fmt::format("\"{}\",{},{}\n",
                                       texts_.text(key.second),
                                       upper(to_string(key.first)),
                                       figures(share)));
    }
    instructions.finish();
}

void MindStudioTrace::end(Cycles /*total*/) {
    for (auto& [number, core] : cores_) {
        core.events->finish();
        write_tables(core);
    }
    all_->finish();
    std::error_code error;
    std::filesystem::rename(partial_, folder_, error);
    if (error) {
        throw ConfigError(
            fmt::format("--trace {}: cannot write: {}", folder_.string(), error.message()));
    }
}

} // namespace npusim::traces
