// SPDX-License-Identifier: Apache-2.0
#include "traces/gantt.h"

#include "traces/svg.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace npusim::traces {

namespace {

using svg::coordinate;

constexpr double kNames = 150;   ///< width of the names of cores and pipes
constexpr double kShares = 60;   ///< width of the figures at the right
constexpr double kRow = 16;      ///< height of a pipe's row, and
constexpr double kBar = 12;      ///< of what is drawn in it
constexpr double kRunTitle = 26; ///< height above a run's rows
constexpr double kCoreGap = 6;   ///< between two cores
constexpr double kAxis = 50;     ///< height of the time axis

/// Shares of a column's height that activities take, from below upwards: edges by activity.
struct Stack {
    std::array<double, kActivityCount + 1> edges{};

    explicit Stack(const ActivityCycles& cycles) {
        const auto total = static_cast<double>(cycles.total());
        for (std::size_t i = 0; i < kActivityCount; ++i) {
            edges[i + 1] = edges[i] + static_cast<double>(cycles[static_cast<Activity>(i)]) / total;
        }
    }
    bool operator==(const Stack& other) const = default;
};

/// One path per activity: rectangles of neighbouring columns that are alike are one.
class RowPaths {
  public:
    RowPaths(const TimeScale& scale, double pixels_per_cycle, double top)
        : scale_(scale), pixels_(pixels_per_cycle), top_(top) {}

    void add(std::size_t first, std::size_t last, const Stack& stack) {
        const double left = kNames + pixels_ * offset(scale_.start(first));
        const double right = kNames + pixels_ * offset(scale_.end(last));
        for (std::size_t i = 0; i < kActivityCount; ++i) {
            const double height = kBar * (stack.edges[i + 1] - stack.edges[i]);
            if (height > 0) {
                paths_[i] += fmt::format("M{} {}H{}v-{}H{}z",
                                         coordinate(left),
                                         coordinate(top_ + kBar * (1 - stack.edges[i])),
                                         coordinate(right),
                                         coordinate(height),
                                         coordinate(left));
            }
        }
    }
    void draw(svg::Picture& picture) const {
        for (std::size_t i = 0; i < kActivityCount; ++i) {
            if (!paths_[i].empty() && static_cast<Activity>(i) != Activity::Idle) {
                picture.path(paths_[i], {.fill = kActivities[i].colour});
            }
        }
    }

  private:
    [[nodiscard]] double offset(Cycles time) const {
        return static_cast<double>((time - scale_.from()).count());
    }

    const TimeScale& scale_;
    double pixels_;
    double top_;
    std::array<std::string, kActivityCount> paths_;
};

/// The picture as it grows from above to below.
class Gantt {
  public:
    Gantt(svg::Picture& picture, const TimeScale& scale, double top)
        : picture_(picture), scale_(scale), at_(top),
          pixels_(static_cast<double>(kGanttColumns) /
                  static_cast<double>((scale.to() - scale.from()).count())) {}

    void run(const TimelineRun& run) {
        picture_.text({14, at_ + 16},
                      run.rows.empty() ? run.title + ", before what is shown" : run.title,
                      {.bold = true});
        at_ += kRunTitle;
        std::string core;
        for (const PipeRow& row : run.rows) {
            if (row.core != core) {
                at_ += core.empty() ? 0 : kCoreGap;
                core = row.core;
                picture_.text({14, at_ + 10}, core, {.size = 11});
            }
            pipe(run, row);
        }
    }

    void axis(double clock_mhz) {
        const svg::Box plot{kNames, svg::kHeading, kGanttColumns, at_ + 4 - svg::kHeading};
        for (const svg::Tick& tick : svg::round_ticks(static_cast<double>(scale_.from().count()),
                                                      static_cast<double>(scale_.to().count()),
                                                      10)) {
            const double x = place(tick.value);
            picture_.line({x, plot.bottom()}, {x, plot.bottom() + 5}, {.stroke = "#444444"});
            picture_.text(
                {x, plot.bottom() + 18}, tick.label, {.anchor = svg::Anchor::Middle, .size = 11});
        }
        picture_.line(
            {plot.left, plot.bottom()}, {plot.right(), plot.bottom()}, {.stroke = "#444444"});
        picture_.text({plot.left + plot.width / 2, plot.bottom() + 36},
                      fmt::format("cycles ({:g} cycles a microsecond)", clock_mhz),
                      {.anchor = svg::Anchor::Middle});
        at_ = plot.bottom() + kAxis;
    }

    [[nodiscard]] double at() const { return at_; }

  private:
    [[nodiscard]] double place(double cycle) const {
        return kNames + pixels_ * (cycle - static_cast<double>(scale_.from().count()));
    }

    void pipe(const TimelineRun& run, const PipeRow& row) {
        const double end = place(static_cast<double>(run.scale.to().count()));
        picture_.text(
            {kNames - 8, at_ + 10}, to_string(row.pipe), {.anchor = svg::Anchor::End, .size = 11});
        picture_.rect({kNames, at_, end - kNames, kBar}, {.stroke = "#bbbbbb", .width = 0.5});
        RowPaths paths(run.scale, pixels_, at_);
        for (std::size_t first = 0; first < row.columns.size();) {
            const Stack stack(row.columns[first]);
            std::size_t next = first + 1;
            while (next < row.columns.size() && Stack(row.columns[next]) == stack) {
                ++next;
            }
            paths.add(first, next - 1, stack);
            first = next;
        }
        paths.draw(picture_);
        picture_.text({end + 6, at_ + 10},
                      fmt::format("{:.1f} %", 100 * row.sum().busy_share()),
                      {.size = 11});
        at_ += kRow;
    }

    svg::Picture& picture_;
    const TimeScale& scale_;
    double at_;
    double pixels_; ///< per cycle
};

double rows_height(const TimelineRun& run) {
    std::size_t changes = 0;
    for (std::size_t i = 1; i < run.rows.size(); ++i) {
        changes += run.rows[i].core != run.rows[i - 1].core ? 1U : 0U;
    }
    return kRunTitle + kRow * static_cast<double>(run.rows.size()) +
           kCoreGap * static_cast<double>(changes);
}

svg::Legend legend_of(const std::vector<TimelineRun>& runs) {
    std::vector<svg::Key> keys;
    for (const Activity activity : activities_of(runs)) {
        const ActivityLook& entry = look(activity);
        keys.push_back(
            {svg::Mark::Square,
             entry.colour,
             fmt::format("{}{}",
                         is_busy(activity) || activity == Activity::Idle ? "" : "stall: ",
                         entry.words)});
    }
    return svg::Legend(keys, kGanttColumns);
}

} // namespace

std::string gantt_svg(const std::string& subtitle,
                      const std::vector<TimelineRun>& runs,
                      const TimeScale& scale,
                      double clock_mhz) {
    const svg::Legend legend = legend_of(runs);
    double height = svg::kHeading + 4 + kAxis + legend.height() + 8;
    for (const TimelineRun& run : runs) {
        height += rows_height(run);
    }
    const std::string title = "What the pipes do";
    svg::Picture picture(
        kNames + kGanttColumns + kShares,
        height,
        title,
        fmt::format("{}. A row per pipe; the figure at its end is how much of the time it is busy. "
                    "Where a column of {} cycles holds several activities, each takes its share of "
                    "the height.",
                    subtitle,
                    scale.step().count()));
    svg::draw_heading(picture, title, subtitle);
    Gantt gantt(picture, scale, svg::kHeading);
    for (const TimelineRun& run : runs) {
        gantt.run(run);
    }
    gantt.axis(clock_mhz);
    legend.draw(picture, {kNames, gantt.at()});
    return picture.document();
}

} // namespace npusim::traces
