// SPDX-License-Identifier: Apache-2.0
#include "sim/functional/program_order.h"

#include "sim/base/error.h"
#include "sim/functional/execute.h"
#include "sim/isa/instruction.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace npusim::functional {

namespace {

/// A core's place in its program, its buffers and its raised flags.
struct Stream {
    isa::CoreId id;
    isa::Program program;
    CoreMemory memory;
    isa::Block* block = nullptr;
    std::size_t next = 0;
    std::map<std::tuple<Pipe, Pipe, std::int32_t>, std::int64_t> flags;
    std::map<std::int32_t, std::int64_t> cross_flags;
    bool at_barrier = false; ///< of the chip

    /// The instruction to execute next, or nullptr at the end.
    const isa::Instruction* head() {
        while (block == nullptr || next == block->size()) {
            block = program.next();
            next = 0;
            if (block == nullptr) {
                return nullptr;
            }
        }
        return &(*block)[next];
    }
};

class Runner {
  public:
    Runner(const config::HardwareConfig& hardware,
           const std::function<isa::Program(isa::CoreId)>& program,
           GlobalMemory& gm)
        : hardware_(hardware) {
        for (const isa::CoreId id : isa::core_ids(hardware)) {
            streams_.push_back(std::make_unique<Stream>(
                Stream{id, program(id), CoreMemory(hardware, gm), nullptr, 0, {}, {}, false}));
        }
    }

    void run() {
        bool progress = true;
        while (progress) {
            progress = false;
            for (const auto& stream : streams_) {
                while (stream->head() != nullptr && step(*stream)) {
                    progress = true;
                }
            }
            if (std::ranges::all_of(streams_, [](const auto& s) { return s->at_barrier; })) {
                for (const auto& stream : streams_) {
                    stream->at_barrier = false;
                    ++stream->next;
                }
                progress = true;
            }
        }
        for (const auto& stream : streams_) {
            if (const isa::Instruction* held = stream->head(); held != nullptr) {
                throw ModelError(fmt::format("core {}.{} is held forever at `{}`",
                                             stream->id.ai_core,
                                             stream->id.unit,
                                             isa::to_text(*held)));
            }
        }
    }

  private:
    /// Executes the head of `stream`; false if it waits for another core.
    bool step(Stream& stream) {
        const isa::Instruction& instruction = *stream.head();
        isa::check(instruction, hardware_);
        if (const auto* wait = std::get_if<isa::CrossWait>(&instruction)) {
            std::int64_t& raised = stream.cross_flags[wait->id];
            if (raised == 0) {
                return false;
            }
            --raised;
        } else if (std::holds_alternative<isa::SyncAll>(instruction)) {
            stream.at_barrier = true;
            return false;
        } else if (const auto* set = std::get_if<isa::CrossSet>(&instruction)) {
            target(stream, set->target).cross_flags[set->id] += 1;
        } else if (const auto* raise = std::get_if<isa::SetFlag>(&instruction)) {
            stream.flags[{raise->from, raise->to, raise->id}] += 1;
        } else if (const auto* flag = std::get_if<isa::WaitFlag>(&instruction)) {
            if (stream.flags[{flag->from, flag->to, flag->id}]-- == 0) {
                throw ModelError(fmt::format("`{}` comes before the set it waits for",
                                             isa::to_text(instruction)));
            }
        } else {
            execute(instruction, stream.memory);
        }
        ++stream.next;
        return true;
    }

    Stream& target(const Stream& source, std::int32_t unit) {
        return **std::find_if(streams_.begin(), streams_.end(), [&](const auto& stream) {
            return stream->id == isa::CoreId{source.id.ai_core, unit};
        });
    }

    const config::HardwareConfig& hardware_;
    std::vector<std::unique_ptr<Stream>> streams_;
};

} // namespace

void run_in_program_order(const config::HardwareConfig& hardware,
                          const std::function<isa::Program(isa::CoreId)>& program,
                          GlobalMemory& gm) {
    Runner(hardware, program, gm).run();
}

} // namespace npusim::functional
