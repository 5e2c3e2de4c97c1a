// SPDX-License-Identifier: Apache-2.0
#include "sim/app/output.h"

#include "sim/app/report.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

namespace npusim::app {

namespace {

namespace fs = std::filesystem;

/// The inverses in NumPy's format, version 1.
std::string npy_bytes(const Result& result) {
    std::string header =
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}, {}), }}",
                    result.problem.count,
                    result.problem.chunk,
                    result.problem.chunk);
    constexpr std::size_t kPreamble = 10;
    constexpr std::size_t kAlign = 64;
    header.append(kAlign - 1 - (kPreamble + header.size()) % kAlign, ' ');
    header += '\n';
    std::string bytes = "\x93NUMPY";
    bytes += '\x01';
    bytes += '\0';
    bytes += static_cast<char>(header.size() & 0xFFU);
    bytes += static_cast<char>(header.size() >> 8U);
    bytes += header;
    for (const double value : result.inverses) {
        const auto single = static_cast<float>(value);
        bytes.append(reinterpret_cast<const char*>(&single), sizeof single);
    }
    return bytes;
}

} // namespace

std::string file_stem(const std::string& kernel, std::size_t index) {
    std::string stem = fmt::format("{}-{}", index, kernel);
    std::replace(stem.begin(), stem.end(), '/', '-');
    return stem;
}

void prepare_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
        throw ConfigError(fmt::format("-o {}: {}", folder.string(), error.message()));
    }
    if (!fs::is_directory(folder) || access(folder.c_str(), W_OK) != 0) {
        throw ConfigError(fmt::format("-o {}: not a folder one can write to", folder.string()));
    }
}

void write_file(const fs::path& path, const std::string& bytes) {
    const fs::path partial = path.string() + ".partial";
    std::ofstream file(partial, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    std::error_code error;
    if (file) {
        fs::rename(partial, path, error);
    }
    if (!file || error) {
        std::error_code ignored;
        fs::remove(partial, ignored);
        throw ConfigError(fmt::format("{}: cannot write", path.string()));
    }
}

void write_outputs(const fs::path& folder, const std::vector<Result>& results) {
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (!results[i].inverses.empty()) {
            write_file(folder / (file_stem(results[i].kernel, i) + ".npy"), npy_bytes(results[i]));
        }
    }
    write_file(folder / "results.csv", csv_report(results));
    write_file(folder / "results.txt", text_report(results));
    write_file(folder / "results.json", json_report(results));
}

} // namespace npusim::app
