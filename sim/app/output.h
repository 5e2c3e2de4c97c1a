// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/app/job.h"

#include <filesystem>
#include <string>
#include <vector>

namespace npusim::app {

/// "2-inverse-neumann": result `index` as part of a file name.
std::string file_stem(const std::string& kernel, std::size_t index);

/// Makes the folder of `-o`. Throws ConfigError if it cannot be made or written to.
void prepare_folder(const std::filesystem::path& folder);

/// Writes `bytes` under a temporary name and renames: a file appears whole or not at all. Throws
/// ConfigError.
void write_file(const std::filesystem::path& path, const std::string& bytes);

/// Writes results.{json,csv,txt} and, of functional runs, each kernel's inverses as
/// `<stem>.npy` [count,n,n] fp32.
void write_outputs(const std::filesystem::path& folder, const std::vector<Result>& results);

} // namespace npusim::app
