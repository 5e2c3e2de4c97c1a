// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <unordered_map>

namespace npusim::app {

/// Hash of the program that is running: results of another build are not its own.
std::uint64_t program_hash();

/// Results of runs by the hash of what they depend on. With a file they outlive the process: each
/// is a line (JSON) that is written when the run ends, so an interrupted job goes on where it was.
class RunStore {
  public:
    RunStore() = default;
    /// Reads what this program has written to `file`, if it exists; the lines of another build and
    /// one that was cut off count as not there. Throws ConfigError if the file cannot be written
    /// to.
    explicit RunStore(const std::filesystem::path& file);

    [[nodiscard]] std::optional<std::string> find(std::uint64_t key) const;
    void add(std::uint64_t key, const std::string& result);

  private:
    std::unordered_map<std::uint64_t, std::string> results_;
    std::uint64_t program_ = 0;
    std::ofstream file_; ///< not open: in memory alone
};

} // namespace npusim::app
