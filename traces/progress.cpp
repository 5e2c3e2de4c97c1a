// SPDX-License-Identifier: Apache-2.0
#include "traces/progress.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace npusim::traces {

Progress::Progress(std::string label, std::int64_t output_bytes)
    : label_(std::move(label)), output_bytes_(std::max<std::int64_t>(output_bytes, 1)) {}

void Progress::on_gm(const observe::GmAccess& access) {
    if (!access.write || !access.cold) {
        return;
    }
    written_ += access.bytes;
    if (!line_.due()) {
        return;
    }
    const double done =
        std::min(1.0, static_cast<double>(written_) / static_cast<double>(output_bytes_));
    const double elapsed = line_.seconds();
    const double left = done > 0 ? elapsed * (1 - done) / done : 0;
    line_.say(fmt::format(
        "{}: {:.0f} %, {:.0f} s, about {:.0f} s to go", label_, 100 * done, elapsed, left));
}

void Progress::on_laps(std::int64_t laps, Cycles /*cycles*/) {
    written_ += laps * (written_ - at_lap_);
}

void Progress::on_end(Cycles /*total*/) {
    line_.clear();
}

} // namespace npusim::traces
