// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <cstdio>
#include <filesystem>
#include <memory>

namespace npusim::traces {

/// Streams a run as Chrome trace JSON, which Perfetto's UI opens: a process per core, a thread per
/// pipe, a slice per busy or stalled span. One cycle is written as one nanosecond's worth of
/// `ts`/`dur` scaled by the clock, so times read as real time. Slices of a thread never overlap.
///
/// The file is written beside its name and renamed at the end: a failed run leaves none.
class ChromeTrace : public observe::Observer {
  public:
    /// Throws ConfigError if `path` cannot be written.
    ChromeTrace(std::filesystem::path path, double clock_mhz);
    ~ChromeTrace() override;
    ChromeTrace(const ChromeTrace&) = delete;
    ChromeTrace& operator=(const ChromeTrace&) = delete;
    ChromeTrace(ChromeTrace&&) = delete;
    ChromeTrace& operator=(ChromeTrace&&) = delete;

    void on_begin(const std::vector<observe::CoreInfo>& cores) override;
    void on_span(const observe::Span& span) override;
    void on_end(Cycles total) override;

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    void write(const std::string& event);

    std::filesystem::path path_;
    std::filesystem::path partial_;
    double clock_mhz_;
    std::unique_ptr<std::FILE, Close> file_;
    bool first_ = true;
};

} // namespace npusim::traces
