// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace npusim::app {

/// How another program ended and what it wrote.
struct ProgramOutcome {
    int status = 0; ///< its exit code; 128 + n if signal n ended it
    std::string out;
    std::string err;
};

/// Runs `words[0]`, looked up on PATH, with the words as they are (no shell) and `input` on its
/// stdin, and waits for its end. Nothing if there is no such program. Throws ModelError if it
/// cannot be started for another reason.
std::optional<ProgramOutcome> run_program(const std::vector<std::string>& words,
                                          const std::string& input = "");

} // namespace npusim::app
