// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/sweep.h"

#include <atomic>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace npusim::explore::test {

/// A folder of its own, removed at the end.
class Folder {
  public:
    Folder() {
        static std::atomic<int> count = 0;
        path_ = std::filesystem::temp_directory_path() /
                fmt::format("npusim-explore-{}-{}", ::getpid(), count++);
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
        return path_ / name;
    }
    /// Writes a file; its path.
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }

  private:
    std::filesystem::path path_;
};

inline std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

inline constexpr const char* kHardware = NPUSIM_SOURCE_DIR "/configs/hardware/ascend-910b.yaml";

/// An evaluator of results "cycles", "error", "area" that takes every key of a job.
inline Evaluator any_job() {
    return {{"cycles", "error", "area"}, {}};
}

/// A sweep of a file with this text behind its name and hardware.
inline Sweep sweep_of(const Folder& folder,
                      const std::string& text,
                      const std::vector<config::Override>& overrides = {}) {
    const std::string head = fmt::format("name: test\nhardware: {}\n", kHardware);
    return load_sweep(folder.write("sweep.yaml", head + text), any_job(), overrides);
}

/// The message of the ConfigError (or other) that `body` throws; empty if it throws none.
template <class Body> std::string message_of(Body body) {
    try {
        body();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}

} // namespace npusim::explore::test
