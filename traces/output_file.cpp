// SPDX-License-Identifier: Apache-2.0
#include "traces/output_file.h"

#include "sim/base/error.h"

#include <cerrno>
#include <fmt/format.h>
#include <system_error>
#include <utility>
#include <zlib.h>

namespace npusim::traces {

void OutputFile::Close::operator()(gzFile_s* file) const {
    gzclose(file);
}

OutputFile::OutputFile(std::filesystem::path path, std::size_t buffer)
    : path_(std::move(path)), partial_(path_.string() + ".partial"),
      // T: as it is; 1: the level that keeps up with a simulation.
      file_(gzopen(partial_.c_str(), path_.extension() == ".gz" ? "wb1" : "wbT")), size_(buffer) {
    if (file_ == nullptr) {
        fail(std::generic_category().message(errno));
    }
    buffer_.reserve(2 * size_);
    written_.reserve(2 * size_);
}

OutputFile::~OutputFile() {
    if (file_ != nullptr) {
        if (writing_.valid()) {
            writing_.wait();
        }
        file_.reset();
        std::error_code ignored;
        std::filesystem::remove(partial_, ignored);
    }
}

void OutputFile::fail(std::string_view why) const {
    throw ConfigError(fmt::format("{}: cannot write: {}", path_.string(), why));
}

void OutputFile::write(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= size_) {
        flush();
    }
}

/// Hands the buffer to a thread once the one before is done.
void OutputFile::flush() {
    if (writing_.valid()) {
        writing_.get();
    }
    std::swap(buffer_, written_);
    buffer_.clear();
    writing_ = std::async(std::launch::async, [this] {
        if (gzwrite(file_.get(), written_.data(), static_cast<unsigned>(written_.size())) <= 0) {
            fail(std::generic_category().message(errno));
        }
    });
}

void OutputFile::finish() {
    flush();
    writing_.get();
    if (gzclose(file_.release()) != Z_OK) {
        std::error_code ignored;
        std::filesystem::remove(partial_, ignored);
        fail(std::generic_category().message(errno));
    }
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    if (error) {
        fail(error.message());
    }
}

} // namespace npusim::traces
