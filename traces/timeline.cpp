// SPDX-License-Identifier: Apache-2.0
#include "traces/timeline.h"

#include "sim/isa/instruction.h"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace npusim::traces {

void Timeline::on_span(const observe::Span& span) {
    const std::string detail = span.instruction == nullptr ? "-" : isa::to_text(*span.instruction);
    lines_.push_back({span.start,
                      span.core,
                      span.pipe,
                      fmt::format("{:<14} {:<8} [{:>6},{:>6}) {:<10} {}\n",
                                  cores_[span.core].name,
                                  to_string(span.pipe),
                                  span.start.count(),
                                  span.end.count(),
                                  observe::to_string(span.state),
                                  detail)});
}

std::string Timeline::text() const {
    std::vector<Line> sorted = lines_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Line& a, const Line& b) {
        return std::tie(a.start, a.core, a.pipe) < std::tie(b.start, b.core, b.pipe);
    });
    std::string text;
    for (const Line& line : sorted) {
        text += line.text;
    }
    return text + fmt::format("total {} cycles\n", total_.count());
}

} // namespace npusim::traces
