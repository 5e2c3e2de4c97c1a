// SPDX-License-Identifier: Apache-2.0
#include "traces/kanata.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace npusim::traces {

KanataTrace::KanataTrace(const std::filesystem::path& path, Selection selection)
    : file_(path), selection_(std::move(selection)) {}

void KanataTrace::on_begin(const std::vector<observe::CoreInfo>& cores) {
    cores_ = cores;
    held_.resize(cores.size() * kPipeCount);
}

void KanataTrace::on_execute(const observe::Execution& execution) {
    std::optional<Life>& held = held_[lane_of(execution.core, execution.pipe)];
    if (held) {
        lives_.add(lane_of(execution.core, execution.pipe), *held);
        held.reset();
    }
    if (selection_.shows_core(cores_[execution.core].name) &&
        selection_.shows(execution.issued, execution.settled)) {
        held = Life{.at = execution.issued,
                    .head = execution.head,
                    .start = execution.start,
                    .alone = execution.alone,
                    .end = execution.end,
                    .settled = execution.settled,
                    .awaits = execution.consumed,
                    .text = texts_.number(*execution.instruction),
                    .stall = execution.stall};
    }
}

void KanataTrace::on_raise(const observe::Raise& raise) {
    // The scalar unit's own sets are told before they are executed.
    if (std::optional<Life>& held = held_[lane_of(raise.source, raise.from)];
        held && raise.from != Pipe::Scalar) {
        held->raises = raise.number;
    }
}

void KanataTrace::on_end(Cycles /*total*/) {
    for (std::size_t lane = 0; lane < held_.size(); ++lane) {
        if (held_[lane]) {
            lives_.add(lane, *held_[lane]);
        }
    }
    file_.write("Kanata\t0004\n");
    file_.write(fmt::format("C=\t{}\n", now_.count()));
    lives_.drain([&](std::size_t lane, const Life& life) { begin(lane, life); });
    catch_up(Selection::kForever);
    file_.finish();
}

/// Writes that an instruction comes into its queue, and plans the rest of its life.
void KanataTrace::begin(std::size_t lane, const Life& life) {
    catch_up(life.at);
    turn(life.at);
    const std::uint64_t id = instructions_++;
    const observe::CoreInfo& core = cores_[lane / kPipeCount];
    const auto pipe = static_cast<Pipe>(lane % kPipeCount);
    file_.write(fmt::format("I\t{0}\t{0}\t{1}\nL\t{0}\t0\t{2} {3}: {4}\nS\t{0}\t0\tQ\n",
                            id,
                            lane / kPipeCount,
                            core.name,
                            to_string(pipe),
                            texts_.text(life.text)));
    if (life.raises != 0) {
        setters_.emplace(life.raises, id);
    }
    const auto stage = [&](Cycles from, Cycles to, std::string_view name) {
        if (to > from) {
            queue({.at = from, .instruction = id, .stage = name});
        }
    };
    if (life.start > life.head) {
        file_.write(fmt::format("L\t{}\t1\tstalled: {}\n", id, observe::to_string(life.stall)));
    }
    stage(life.head, life.start, "St");
    if (life.awaits != 0) {
        queue({.at = life.start,
               .instruction = id,
               .kind = Event::Kind::Depend,
               .flag = life.awaits});
    }
    stage(life.start, life.alone, "X");
    stage(life.alone, life.end, "G");
    stage(life.end, life.settled, "T");
    queue({.at = std::max(life.end, life.settled), .instruction = id, .kind = Event::Kind::Retire});
}

void KanataTrace::queue(Event event) {
    event.order = queued_++;
    events_.push(event);
}

/// Writes what happens before `time`, and at it.
void KanataTrace::catch_up(Cycles time) {
    while (!events_.empty() && events_.top().at <= time) {
        turn(events_.top().at);
        write(events_.top());
        events_.pop();
    }
}

void KanataTrace::write(const Event& event) {
    switch (event.kind) {
    case Event::Kind::Stage:
        file_.write(fmt::format("S\t{}\t0\t{}\n", event.instruction, event.stage));
        break;
    case Event::Kind::Retire:
        file_.write(fmt::format("R\t{}\t{}\t0\n", event.instruction, retired_++));
        break;
    case Event::Kind::Depend:
        if (const auto setter = setters_.find(event.flag); setter != setters_.end()) {
            file_.write(fmt::format("W\t{}\t{}\t0\n", event.instruction, setter->second));
            setters_.erase(setter);
        }
    }
}

void KanataTrace::turn(Cycles time) {
    if (time > now_) {
        file_.write(fmt::format("C\t{}\n", (time - now_).count()));
        now_ = time;
    }
}

} // namespace npusim::traces
