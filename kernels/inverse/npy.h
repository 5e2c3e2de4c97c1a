// SPDX-License-Identifier: Apache-2.0
#pragma once

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

} // namespace npusim::inverse
