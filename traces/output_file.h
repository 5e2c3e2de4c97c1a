// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>

struct gzFile_s;

namespace npusim::traces {

/// A file that appears whole or not at all: it is written beside its name and renamed by `finish`.
/// A name that ends in ".gz" is compressed. Disk and compression do not hold up the one who writes.
class OutputFile {
  public:
    /// `buffer`: bytes that are written at a time. Throws ConfigError if `path` cannot be written.
    explicit OutputFile(std::filesystem::path path, std::size_t buffer = std::size_t{1} << 20U);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    OutputFile(OutputFile&&) = delete;
    OutputFile& operator=(OutputFile&&) = delete;

    /// Throws ConfigError if this or an earlier call fails, as on a full disk.
    void write(std::string_view bytes);
    /// As `write`.
    void finish();

  private:
    struct Close {
        void operator()(gzFile_s* file) const;
    };
    void flush();
    [[noreturn]] void fail(std::string_view why) const;

    std::filesystem::path path_;
    std::filesystem::path partial_;
    std::unique_ptr<gzFile_s, Close> file_;
    std::size_t size_; ///< of the buffer
    std::string buffer_;
    std::string written_;       ///< what came before
    std::future<void> writing_; ///< that, in a thread of its own
};

} // namespace npusim::traces
