// SPDX-License-Identifier: Apache-2.0
#include "traces/trace_lint.h"

#include "sim/observe/observer.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <tuple>

namespace npusim::traces {

namespace {

constexpr std::string_view kKnownPhases = "XBEsfntbeiICMPNODRcv";

class Linter {
  public:
    void take(const TraceEvent& event) {
        if (!event.problem.empty()) {
            find(event, event.problem);
        }
        if (event.phase.empty()) {
            find(event, "no ph");
        } else if (event.phase.size() > 1 || kKnownPhases.find(event.phase) == std::string::npos) {
            find(event, fmt::format("unknown ph \"{}\"", event.phase));
        } else if (event.phase == "M") {
            name_track(event);
        } else if (!event.time) {
            if (event.problem.empty()) {
                find(event, "no ts");
            }
        } else {
            timed(event);
        }
    }
    TraceFile finish() {
        for (auto& [key, open] : open_) {
            for (const TrackSlice& slice : open) {
                find(slice.event, title(key), fmt::format("{} never ends", name(slice)));
            }
        }
        for (const auto& [id, end] : ends_) {
            if (!begun_.contains(id)) {
                find(end.first, title(end.second), fmt::format("flow {} ends and never began", id));
            }
        }
        for (auto& [key, slices] : slices_) {
            std::ranges::sort(slices, {}, [](const TrackSlice& slice) {
                return std::tuple(slice.start, -slice.end, slice.event);
            });
            check_nesting(key, slices);
            std::string track = title(key);
            if (file_.tracks.contains(track)) { // threads of one name
                track += " " + key.second;
            }
            file_.tracks[track] = std::move(slices);
        }
        std::ranges::stable_sort(file_.findings, {}, &TraceFile::Finding::event);
        return std::move(file_);
    }

  private:
    using Key =
        std::pair<std::string, std::string>; ///< process and thread, as the events have them

    static Key key_of(const TraceEvent& event) { return {event.process, event.thread}; }
    const std::string& name(const TrackSlice& slice) const { return file_.names[slice.name]; }

    void find(std::size_t event, std::string track, std::string what) {
        file_.findings.push_back({event, std::move(track), std::move(what)});
    }
    void find(const TraceEvent& event, std::string what) {
        find(event.number, title(key_of(event)), std::move(what));
    }
    /// What a track is called, or its numbers.
    [[nodiscard]] std::string title(const Key& key) const {
        const auto process = processes_.find(key.first);
        const auto thread = threads_.find(key);
        return fmt::format("{} {}",
                           process == processes_.end() ? key.first : process->second,
                           thread == threads_.end() ? key.second : thread->second);
    }
    void name_track(const TraceEvent& event) {
        if (event.name == "process_name") {
            processes_[event.process] = event.label;
        } else if (event.name == "thread_name") {
            threads_[key_of(event)] = event.label;
        }
    }
    std::uint32_t number_of(const std::string& name) {
        const auto [at, fresh] =
            numbers_.try_emplace(name, static_cast<std::uint32_t>(file_.names.size()));
        if (fresh) {
            file_.names.push_back(name);
        }
        return at->second;
    }
    TrackSlice slice_of(const TraceEvent& event) {
        const bool state = std::ranges::count(observe::kStateNames, event.name) > 0;
        return {.start = *event.time,
                .end = *event.time,
                .cycles = event.cycles.value_or(0),
                .name = number_of(event.name),
                .stall = event.category == "stall" || (state && event.name != "busy"),
                .event = event.number};
    }
    void timed(const TraceEvent& event) {
        if (event.phase == "X") {
            whole(event);
        } else if (event.phase == "B") {
            begin(event);
        } else if (event.phase == "E") {
            end(event);
        } else if (event.phase == "s") {
            begun_.insert(event.id);
        } else if (event.phase == "f") {
            ends_.try_emplace(event.id, event.number, key_of(event));
        }
    }
    void whole(const TraceEvent& event) {
        if (!event.duration) {
            if (event.problem.empty()) {
                find(event, "no dur");
            }
            return;
        }
        if (*event.duration < 0) {
            find(event, fmt::format("{} lasts {} ns", event.name, *event.duration));
            return;
        }
        TrackSlice slice = slice_of(event);
        slice.end += *event.duration;
        slices_[key_of(event)].push_back(slice);
    }
    void begin(const TraceEvent& event) {
        check_order(event);
        open_[key_of(event)].push_back(slice_of(event));
    }
    void end(const TraceEvent& event) {
        check_order(event);
        std::vector<TrackSlice>& open = open_[key_of(event)];
        if (open.empty()) {
            find(event, "an end without a beginning");
            return;
        }
        TrackSlice slice = open.back();
        open.pop_back();
        if (!event.name.empty() && event.name != name(slice)) {
            find(event, fmt::format("the end of {} comes within {}", event.name, name(slice)));
        }
        slice.end = std::max(slice.start, *event.time);
        slices_[key_of(event)].push_back(slice);
    }
    /// Beginnings and ends of a track must come in order of time.
    void check_order(const TraceEvent& event) {
        std::int64_t& last = last_.try_emplace(key_of(event), *event.time).first->second;
        if (*event.time < last) {
            find(event, fmt::format("time goes back from {} to {} ns", last, *event.time));
        }
        last = std::max(last, *event.time);
    }
    void check_nesting(const Key& key, const std::vector<TrackSlice>& slices) {
        std::vector<const TrackSlice*> around;
        for (const TrackSlice& slice : slices) {
            while (!around.empty() && around.back()->end <= slice.start) {
                around.pop_back();
            }
            if (!around.empty() && slice.end > around.back()->end) {
                find(slice.event,
                     title(key),
                     fmt::format("{} [{}, {}) ns and {} [{}, {}) ns overlap in part",
                                 name(*around.back()),
                                 around.back()->start,
                                 around.back()->end,
                                 name(slice),
                                 slice.start,
                                 slice.end));
            }
            around.push_back(&slice);
        }
    }

    TraceFile file_;
    std::map<std::string, std::string> processes_;
    std::map<Key, std::string> threads_;
    std::map<std::string, std::uint32_t> numbers_; ///< of names
    std::map<Key, std::vector<TrackSlice>> slices_;
    std::map<Key, std::vector<TrackSlice>> open_;
    std::map<Key, std::int64_t> last_; ///< time of a beginning or an end
    std::set<std::string> begun_;      ///< flows
    std::map<std::string, std::pair<std::size_t, Key>> ends_;
};

} // namespace

std::size_t TraceFile::slices() const {
    std::size_t count = 0;
    for (const auto& [track, list] : tracks) {
        count += list.size();
    }
    return count;
}

TraceFile lint_trace(const std::filesystem::path& path) {
    Linter linter;
    read_trace(path, [&](const TraceEvent& event) { linter.take(event); });
    return linter.finish();
}

} // namespace npusim::traces
