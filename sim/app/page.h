// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"
#include "sim/app/select.h"
#include "sim/config/hardware.h"
#include "sim/observe/observer.h"
#include "traces/columns.h"
#include "traces/critical_path.h"
#include "traces/recorder.h"
#include "traces/selection.h"

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

/// The report page: one HTML file that needs no network. The page itself is traces/report; this
/// puts a run's data into it.
namespace npusim::app {

/// Watches one run for the page.
class PageRecorder {
  public:
    PageRecorder(const config::HardwareConfig& hardware, const traces::Selection& shown);

    /// To be told of the run.
    [[nodiscard]] observe::Observers observers();
    [[nodiscard]] const traces::Columns& columns() const { return *columns_; }
    [[nodiscard]] const traces::CriticalPath& critical_path() const { return *path_; }
    [[nodiscard]] const traces::Selection& shown() const { return shown_; }

  private:
    traces::Selection shown_;
    std::unique_ptr<traces::Columns> columns_;
    std::unique_ptr<traces::Recorder> recorder_;
    std::unique_ptr<traces::CriticalPath> path_;
};

/// A page of `results`, with what was seen of each run. `command` made them.
std::string run_page(const config::HardwareConfig& hardware,
                     const std::string& command,
                     const std::vector<Result>& results,
                     const std::vector<PageRecorder>& runs);

/// A page of a sweep: `sweep` as traces/report/README.md describes it.
std::string page_of_sweep(const std::string& title,
                          const std::string& command,
                          const nlohmann::ordered_json& sweep);

/// A page of all candidates, as points of a sweep.
std::string selection_page(const std::string& command, const Selection& selection);

} // namespace npusim::app
