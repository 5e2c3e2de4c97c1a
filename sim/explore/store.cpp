// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/store.h"

#include "sim/base/error.h"
#include "sim/base/hash.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <set>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace npusim::explore {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "results-";
constexpr std::string_view kSuffix = ".jsonl";

int open_file(const fs::path& path, int flags) {
    const int descriptor =
        ::open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0644); // NOLINT(*-vararg)
    if (descriptor < 0) {
        throw ConfigError(
            fmt::format("{}: cannot write to this file: {}", path.string(), std::strerror(errno)));
    }
    return descriptor;
}

fs::path made_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
        throw ConfigError(
            fmt::format("{}: cannot make this folder: {}", folder.string(), error.message()));
    }
    return folder;
}

/// "process 1234 on node7", as kept in the lock file.
std::string this_process() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return fmt::format("process {} on {}\n", ::getpid(), host.data());
}

std::string first_line(const fs::path& path) {
    std::ifstream stream(path);
    std::string line;
    std::getline(stream, line);
    return line.empty() ? "another process" : line;
}

bool write_at_once(int file, std::string_view text) {
    return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool ends_in_a_line(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    if (stream.tellg() <= 0) {
        return true;
    }
    stream.seekg(-1, std::ios::end);
    return stream.get() == '\n';
}

bool is_result_name(const std::string& name) {
    return name.starts_with(kPrefix) && name.ends_with(kSuffix);
}

/// A file of results with as much of it as is to be read: others may be adding lines.
struct ResultFile {
    fs::path path;
    std::uintmax_t size = 0;
};

/// The result files of a folder, by name.
std::vector<ResultFile> result_files(const fs::path& folder) {
    std::vector<ResultFile> files;
    if (fs::is_directory(folder)) {
        for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
            if (is_result_name(entry.path().filename().string())) {
                files.push_back({entry.path(), entry.file_size()});
            }
        }
    }
    std::ranges::sort(files, {}, &ResultFile::path);
    return files;
}

/// Gives every line of the files that is a record, with its place among all lines, and every other
/// line as nothing.
template <class Use> void each_line(const std::vector<ResultFile>& files, Use use) {
    std::size_t place = 0;
    for (const ResultFile& file : files) {
        std::ifstream stream(file.path, std::ios::binary);
        std::uintmax_t left = file.size;
        for (std::string line; left > 0 && std::getline(stream, line); ++place) {
            line.resize(std::min<std::uintmax_t>(line.size(), left));
            left -= std::min<std::uintmax_t>(line.size() + 1, left);
            if (!line.empty()) {
                use(place, parse_record(line));
            }
        }
    }
}

/// Finds out which line to take for each point.
class Index {
  public:
    Index(const fs::path& folder, const ReadOptions& options)
        : folder_(folder), options_(options) {}

    /// Whether it is a line to take, unless a later one takes its place.
    bool see(std::size_t place, const std::optional<Record>& record) {
        if (!record) {
            ++summary_.torn;
            return false;
        }
        versions_.insert(record->version);
        if (!counts(*record)) {
            ++summary_.others;
            return false;
        }
        const bool done = record->status == Status::Done;
        const auto [entry, is_new] = taken_.try_emplace(key_of(*record), Taken{place, done});
        if (!is_new) {
            ++summary_.doubled;
            if (done && !entry->second.done) {
                entry->second = {place, done};
            }
        }
        return entry->second.place == place;
    }
    [[nodiscard]] bool takes(std::size_t place, const Record& record) const {
        return counts(record) && taken_.at(key_of(record)).place == place;
    }
    /// Throws where versions were seen that are not wanted, or several.
    void refuse_mixture() const {
        std::set<std::string> foreign = versions_;
        foreign.erase(
            options_.version.value_or(versions_.empty() ? std::string() : *versions_.begin()));
        if (!foreign.empty() && !options_.ignore_other_versions) {
            throw ConfigError(fmt::format(
                "{}: holds results of version {} beside those of {}; use another folder, or ask "
                "for the results of other versions to be ignored",
                folder_.string(),
                *foreign.begin(),
                options_.version.value_or(*versions_.begin())));
        }
    }
    /// What was seen.
    [[nodiscard]] ReadSummary summary() const {
        ReadSummary summary = summary_;
        summary.records = taken_.size();
        return summary;
    }

  private:
    struct Taken {
        std::size_t place;
        bool done;
    };
    [[nodiscard]] bool counts(const Record& record) const {
        return !options_.version || record.version == *options_.version;
    }
    /// Without a wanted version the same point may be there of several.
    static std::uint64_t key_of(const Record& record) {
        return hash_text(record.version, record.hash);
    }

    const fs::path& folder_;
    const ReadOptions& options_;
    ReadSummary summary_;
    std::set<std::string> versions_;
    std::unordered_map<std::uint64_t, Taken> taken_;
};

} // namespace

File::~File() {
    ::close(descriptor_);
}

FolderLock::FolderLock(const fs::path& folder, const std::string& part)
    : file_(open_file(made_folder(folder) / "lock", O_RDWR)),
      own_(open_file(folder / (part + "lock"), O_RDWR)) {
    const auto take = [&](const File& file, int how, const std::string& name) {
        if (::flock(file.descriptor(), how | LOCK_NB) != 0) {
            throw ConfigError(fmt::format("{}: in use by {}; wait for it, or use another folder",
                                          folder.string(),
                                          first_line(folder / name)));
        }
    };
    if (!part.empty()) {
        take(file_, LOCK_SH, "lock");
    }
    take(part.empty() ? file_ : own_, LOCK_EX, part + "lock");
    if (::ftruncate(own_.descriptor(), 0) != 0 ||
        !write_at_once(own_.descriptor(), this_process())) {
        throw ConfigError(fmt::format("{}: cannot write to the lock of this folder: {}",
                                      folder.string(),
                                      std::strerror(errno)));
    }
}

bool is_result_file(const fs::path& folder, const fs::path& file) {
    std::error_code missing;
    return is_result_name(file.filename().string()) &&
           fs::equivalent(folder, fs::absolute(file).parent_path(), missing);
}

RecordFile::RecordFile(const fs::path& folder, std::string_view writer)
    : path_(folder / fmt::format("{}{}{}", kPrefix, writer, kSuffix)),
      file_(open_file(path_, O_WRONLY | O_APPEND)) {
    if (!ends_in_a_line(path_) && !write_at_once(file_.descriptor(), "\n")) {
        throw ConfigError(fmt::format("{}: cannot write to this file", path_.string()));
    }
}

void RecordFile::add(const Record& record) {
    if (!write_at_once(file_.descriptor(), to_line(record) + '\n')) {
        throw ModelError(fmt::format(
            "{}: a result could not be written: {}", path_.string(), std::strerror(errno)));
    }
}

ReadSummary for_each_record(const fs::path& folder,
                            const ReadOptions& options,
                            const std::function<void(const Record&)>& use) {
    const std::vector<ResultFile> files = result_files(folder);
    Index index(folder, options);
    each_line(files, [&](std::size_t place, const std::optional<Record>& record) {
        index.see(place, record);
    });
    index.refuse_mixture();
    each_line(files, [&](std::size_t place, const std::optional<Record>& record) {
        if (record && index.takes(place, *record)) {
            use(*record);
        }
    });
    return index.summary();
}

std::vector<Record> read_records(const fs::path& folder, const ReadOptions& options) {
    Index index(folder, options);
    std::vector<std::pair<std::size_t, Record>> seen;
    each_line(result_files(folder), [&](std::size_t place, std::optional<Record> record) {
        if (index.see(place, record)) {
            seen.emplace_back(place, *std::move(record));
        }
    });
    index.refuse_mixture();
    std::vector<Record> records;
    for (auto& [place, record] : seen) {
        if (index.takes(place, record)) {
            records.push_back(std::move(record));
        }
    }
    return records;
}

} // namespace npusim::explore
