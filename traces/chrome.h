// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace npusim::traces {

/// Streams a run as Chrome trace JSON, which Perfetto's UI opens: a process per core, a thread per
/// pipe, a slice per busy or stalled span; exact cycles are in its arguments.
///
/// Times are real time, both ends of a slice rounded to whole nanoseconds: viewers keep no more,
/// and were they to round a start and a length each by itself, neighbours would overlap and be
/// dropped.
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
    [[nodiscard]] std::int64_t nanoseconds(Cycles time) const;

    std::filesystem::path path_;
    std::filesystem::path partial_;
    double clock_mhz_;
    std::unique_ptr<std::FILE, Close> file_;
    bool first_ = true;
};

} // namespace npusim::traces
