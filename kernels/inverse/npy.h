// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace npusim::inverse {

/// An array read from a NumPy file, row-major, every element widened to double.
struct NpyArray {
    std::vector<std::int64_t> shape;
    std::vector<double> values;
};

/// Reads a `.npy` file: format 1.0 or 2.0, C order, little-endian float16, float32 or float64.
/// Throws ConfigError, naming the file and what is allowed, for anything else, and for a file whose
/// length is not what its header says.
NpyArray read_npy(const std::filesystem::path& path);

/// The same of an array that must have so many dimensions; `shape` says what they are.
NpyArray read_array(const std::filesystem::path& path, std::size_t dimensions, const char* shape);

} // namespace npusim::inverse
