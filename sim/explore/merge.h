// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/store.h"

#include <filesystem>

namespace npusim::explore {

// Each writes the records of `folder` (see for_each_record) as one file, which is replaced if it
// exists, and throws ConfigError if that cannot be written. A table has the columns id, hash,
// version, status, message and seconds, then the axes, the objectives and the metrics by name;
// results that are missing or not finite are empty. A result called like one of the first columns
// is "result.NAME".

/// RFC 4180, with a head line.
ReadSummary merge_to_csv(const std::filesystem::path& folder,
                         const ReadOptions& options,
                         const std::filesystem::path& file);

/// A record a line, as in the folder.
ReadSummary merge_to_jsonl(const std::filesystem::path& folder,
                           const ReadOptions& options,
                           const std::filesystem::path& file);

/// Table `points`. Throws ConfigError if the program was built without SQLite.
ReadSummary merge_to_sqlite(const std::filesystem::path& folder,
                            const ReadOptions& options,
                            const std::filesystem::path& file);

} // namespace npusim::explore
