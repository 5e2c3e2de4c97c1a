// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/hardware.h"
#include "sim/observe/observer.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace npusim::traces {

/// Finds what a run's length is made of: from its last cycle back to its first, at each instruction
/// what its start had to wait for. To speed up anything off this path does not shorten the run, by
/// itself.
///
/// Each instruction takes some 60 bytes until the end of the run.
class CriticalPath : public observe::Observer {
  public:
    enum class Reason : std::uint8_t {
        Work,     ///< an op executes
        Gm,       ///< GM serves others
        Settling, ///< a pipe waits for its own result, or a flag does
        Crossing, ///< a flag goes from core to core, or a barrier of the chip lets go
        Issue,    ///< the scalar unit dispatches
        Launch,
    };
    static constexpr std::array<std::string_view, 6> kReasonNames{
        "work", "gm", "settling", "crossing", "issue", "launch"};

    /// A stretch of the path, on a pipe.
    struct Stretch {
        std::size_t core = 0;
        Pipe pipe = Pipe::Scalar;
        Reason reason = Reason::Work;
        Cycles start;
        Cycles end;
    };

    explicit CriticalPath(const config::HardwareConfig& hardware, std::size_t most = kMost)
        : hardware_(hardware), most_(most) {}

    void on_begin(const std::vector<observe::CoreInfo>& cores) override;
    void on_span(const observe::Span& span) override;
    [[nodiscard]] bool detailed() const override { return true; }
    void on_execute(const observe::Execution& execution) override;
    void on_raise(const observe::Raise& raise) override;
    void on_end(Cycles total) override { total_ = total; }

    /// In order of time, from 0 to the end of the run without a gap; nothing if the run had more
    /// instructions than `most`.
    [[nodiscard]] std::optional<std::vector<Stretch>> path() const;

    static constexpr std::size_t kMost = 4'000'000;

  private:
    /// What something had to wait for.
    struct Cause {
        enum class Kind : std::uint8_t {
            Scalar, ///< the scalar unit of `core` at `at`
            Node,   ///< instruction `index` of a pipe
            Room,   ///< the instruction that left the full queue of a pipe at `at`
            Pipes,  ///< what settled last in `core`, at `at`
            All,    ///< the last core to come to barrier `index` of the chip
            Start,  ///< of the run
        };
        Kind kind = Kind::Start;
        Pipe pipe = Pipe::Scalar;
        std::uint32_t core = 0;
        std::uint32_t index = 0;
        Cycles at{}; ///< when a flag was sent, where that is earlier
    };
    /// An instruction of a pipe.
    struct Node {
        Cycles start;
        Cycles alone;
        Cycles end;
        Cycles settled;
        Cause cause; ///< of the start
    };
    /// The scalar unit goes on at `at`, held up by `cause` until then.
    struct Resume {
        Cycles at;
        Cause cause;
    };
    struct Core {
        std::array<std::vector<Node>, kPipeCount> nodes;
        std::vector<Resume> resumes;
        std::size_t barriers = 0;
    };
    struct Barrier {
        std::uint32_t core = 0; ///< the last to come
        Cycles at;
    };
    class Walk;

    Cause cause_of(const observe::Execution& execution);
    Cause flag_cause(const observe::Execution& execution);

    const config::HardwareConfig& hardware_;
    std::size_t most_;
    std::size_t count_ = 0;
    std::vector<Core> cores_;
    std::vector<Barrier> barriers_;
    std::unordered_map<std::uint64_t, Cause> raised_; ///< by number of the raise
    Cycles total_;
};

} // namespace npusim::traces
