// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"
#include "traces/activity.h"
#include "traces/selection.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace npusim::traces {

/// A window of time cut into columns of equal length; the last may be shorter.
class TimeScale {
  public:
    /// [from, to) in at most `most` columns, of as few cycles each as that allows.
    TimeScale(Cycles from, Cycles to, std::size_t most);

    [[nodiscard]] Cycles from() const { return from_; }
    [[nodiscard]] Cycles to() const { return to_; }
    [[nodiscard]] Cycles step() const { return step_; }
    [[nodiscard]] std::size_t columns() const;
    [[nodiscard]] Cycles start(std::size_t column) const;
    [[nodiscard]] Cycles end(std::size_t column) const;
    /// The column of a time within the window.
    [[nodiscard]] std::size_t column(Cycles time) const;
    /// The same columns, up to `end` only; none if that is before the window.
    [[nodiscard]] TimeScale until(Cycles end) const;

  private:
    Cycles from_;
    Cycles to_;
    Cycles step_{1};
};

/// Cycles by activity.
class ActivityCycles {
  public:
    std::int64_t& operator[](Activity activity) {
        return cycles_[static_cast<std::size_t>(activity)];
    }
    std::int64_t operator[](Activity activity) const {
        return cycles_[static_cast<std::size_t>(activity)];
    }
    ActivityCycles& operator+=(const ActivityCycles& other);
    [[nodiscard]] std::int64_t total() const;
    [[nodiscard]] std::int64_t busy() const;
    /// Of the total, which is above 0.
    [[nodiscard]] double busy_share() const;
    /// What most of the cycles went to; of equals the first.
    [[nodiscard]] Activity most() const;

  private:
    std::array<std::int64_t, kActivityCount> cycles_{};
};

/// One pipe: what each column went to. Busy + stalls + idle = the column's length, always.
struct PipeRow {
    std::string core; ///< as in observe::CoreInfo
    Pipe pipe = Pipe::Scalar;
    std::vector<ActivityCycles> columns;

    [[nodiscard]] ActivityCycles sum() const;
};

/// Adds up a run's spans by pipe and column, cut where columns meet. Takes the same memory however
/// long the run is.
class PipeColumns : public observe::Observer {
  public:
    /// Of the cores `selection` shows; its window does not matter.
    PipeColumns(const TimeScale& scale, Selection selection);

    void on_begin(const std::vector<observe::CoreInfo>& cores) override;
    void on_span(const observe::Span& span) override;

    /// In the order of the chip's cores and their pipes; none if the scale has no column.
    [[nodiscard]] const std::vector<PipeRow>& rows() const { return rows_; }

  private:
    using Place = std::optional<std::size_t>;

    TimeScale scale_;
    Selection selection_;
    std::vector<PipeRow> rows_;
    std::vector<std::array<Place, kPipeCount>> row_of_; ///< by core and pipe; none: not shown
};

} // namespace npusim::traces
