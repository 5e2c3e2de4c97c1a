// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"
#include "traces/op_texts.h"
#include "traces/output_file.h"
#include "traces/selection.h"
#include "traces/spool.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace npusim::traces {

/// Kanata 0004 for Konata: every instruction's life, a row each in the order of issue. Stages: Q
/// queued, St stalled, X executing, G held up by GM, T settling while its pipe goes on. A thread is
/// a core. Dependencies lead from a flag's set to its wait.
class KanataTrace : public observe::Observer {
  public:
    /// Throws ConfigError if `path` cannot be written.
    KanataTrace(const std::filesystem::path& path, Selection selection);

    void on_begin(const std::vector<observe::CoreInfo>& cores) override;
    [[nodiscard]] bool detailed() const override { return true; }
    void on_execute(const observe::Execution& execution) override;
    void on_raise(const observe::Raise& raise) override;
    void on_end(Cycles total) override;

  private:
    /// An instruction of a pipe.
    struct Life {
        Cycles at; ///< it comes into its queue
        Cycles head;
        Cycles start;
        Cycles alone;
        Cycles end;
        Cycles settled;
        std::uint64_t raises = 0; ///< number of the flag it sets; 0: none
        std::uint64_t awaits = 0; ///< of the flag it waits for
        std::uint32_t text = 0;
        observe::State stall = observe::State::Busy;
    };
    /// Something to be written when its time has come.
    struct Event {
        enum class Kind : std::uint8_t { Stage, Depend, Retire };
        Cycles at;
        std::uint64_t order = 0; ///< among those of one time
        std::uint64_t instruction = 0;
        Kind kind = Kind::Stage;
        std::string_view stage = {};
        std::uint64_t flag = 0;
        bool operator>(const Event& other) const {
            return std::tie(at, order) > std::tie(other.at, other.order);
        }
    };

    [[nodiscard]] std::size_t lane_of(std::size_t core, Pipe pipe) const {
        return core * kPipeCount + static_cast<std::size_t>(pipe);
    }
    void begin(std::size_t lane, const Life& life);
    void queue(Event event);
    void catch_up(Cycles time);
    void write(const Event& event);
    void turn(Cycles time);

    OutputFile file_;
    Selection selection_;
    std::vector<observe::CoreInfo> cores_;
    std::vector<std::optional<Life>> held_; ///< the last of each pipe, until its flag is known
    OpTexts texts_;
    Spool<Life> lives_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::unordered_map<std::uint64_t, std::uint64_t> setters_; ///< instruction, by flag
    Cycles now_;
    std::uint64_t instructions_ = 0;
    std::uint64_t retired_ = 0;
    std::uint64_t queued_ = 0;
};

} // namespace npusim::traces
