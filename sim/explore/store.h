// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/record.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace npusim::explore {

/// A file descriptor, closed at the end.
class File {
  public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    File(File&&) = delete;
    File& operator=(File&&) = delete;
    ~File();

    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    int descriptor_;
};

/// Keeps other processes from writing to a folder, which is made if it is not there, or to a part
/// of it. Lasts until this object and the processes forked meanwhile are gone.
class FolderLock {
  public:
    /// `part`: of the files that begin so; different parts do not exclude each other. Throws
    /// ConfigError that names a process which has it, or, where
    /// that is a part, had the whole last.
    explicit FolderLock(const std::filesystem::path& folder, const std::string& part = "");

  private:
    File file_;
    File own_; ///< the part's
};

/// Whether a file of this path would be read as results of `folder`.
bool is_result_file(const std::filesystem::path& folder, const std::filesystem::path& file);

/// The result file of one writer, results-WRITER.jsonl, to which whole lines are added. A line that
/// an earlier process left unfinished is closed first.
class RecordFile {
  public:
    /// Throws ConfigError if the file cannot be written.
    RecordFile(const std::filesystem::path& folder, std::string_view writer);

    /// By one write(): of a process that is killed no line but the last can be torn. Throws
    /// ModelError if the disk does not take it.
    void add(const Record& record);

  private:
    std::filesystem::path path_;
    File file_;
};

/// What was found on the way through the results of a folder.
struct ReadSummary {
    std::size_t records = 0; ///< given
    std::size_t doubled = 0; ///< left out: another one of the same hash was given
    std::size_t torn = 0;    ///< lines that are no record: cut off
    std::size_t others = 0;  ///< left out: of other versions
};

/// Whose results of a folder count.
struct ReadOptions {
    std::optional<std::string> version{}; ///< that of the program which reads; none: any, but one
    bool ignore_other_versions = false;   ///< rather than refuse a folder that holds them
};

/// Gives each point's record once, file by file: of those with one hash the first that is done,
/// else the first. Keeps only hashes in memory. Throws ConfigError if records of another version
/// than the wanted one, or of two versions, are there and not to be ignored. A folder that does not
/// exist holds nothing. Others may be adding records: those count that are there at the beginning.
ReadSummary for_each_record(const std::filesystem::path& folder,
                            const ReadOptions& options,
                            const std::function<void(const Record&)>& use);

/// All of them at once. Each line is parsed once; for_each_record does it twice.
std::vector<Record> read_records(const std::filesystem::path& folder, const ReadOptions& options);

} // namespace npusim::explore
