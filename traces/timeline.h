// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/observe/observer.h"

#include <string>

namespace npusim::traces {

/// Collects a run as text, one line per span in the order of start, core and pipe:
///
///     core0.cube  mte1     [     12,     56) busy   copy l0a[0] fp16 16x16, l1[0] fp16 16x16
///
/// Meant for tiny programs: everything is kept until the end.
class Timeline : public observe::Observer {
  public:
    void on_begin(const std::vector<observe::CoreInfo>& cores) override { cores_ = cores; }
    void on_span(const observe::Span& span) override;
    void on_end(Cycles total) override { total_ = total; }

    [[nodiscard]] std::string text() const;

  private:
    struct Line {
        Cycles start;
        std::size_t core;
        Pipe pipe;
        std::string text;
    };
    std::vector<observe::CoreInfo> cores_;
    std::vector<Line> lines_;
    Cycles total_;
};

} // namespace npusim::traces
