// SPDX-License-Identifier: Apache-2.0
#include "sim/app/run_store.h"

#include "sim/app/report_parts.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <istream>
#include <vector>

namespace npusim::app {

namespace {

/// Hash of all that a stream holds, 8 bytes at a time: several megabytes at every start.
std::uint64_t hash_words(std::istream& stream) {
    constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15; // odd: no step loses a bit
    std::vector<std::uint64_t> words(std::size_t{1} << 15);
    std::uint64_t hash = 0;
    std::uint64_t size = 0;
    while (stream) {
        std::ranges::fill(words, 0);                       // what follows the end of the stream
        stream.read(reinterpret_cast<char*>(words.data()), // NOLINT(*-reinterpret-cast)
                    static_cast<std::streamsize>(words.size() * sizeof(std::uint64_t)));
        const auto count = static_cast<std::uint64_t>(stream.gcount());
        size += count;
        for (std::size_t i = 0; i * sizeof(std::uint64_t) < count; ++i) {
            hash = (hash ^ words[i]) * kMultiplier;
            hash ^= hash >> 32; // or the high bytes of words would stay among themselves
        }
    }
    return hash ^ size;
}

} // namespace

std::uint64_t program_hash() {
    static const std::uint64_t hash = [] {
        std::ifstream program("/proc/self/exe", std::ios::binary);
        if (!program) {
            throw ModelError("/proc/self/exe: cannot read this program");
        }
        return hash_words(program);
    }();
    return hash;
}

RunStore::RunStore(const std::filesystem::path& file) : program_(program_hash()) {
    bool cut_off = false;
    {
        std::ifstream before(file, std::ios::binary);
        for (std::string line; std::getline(before, line);) {
            cut_off = before.eof(); // no newline at its end
            const json entry = json::parse(line, nullptr, false);
            if (entry.is_object() && entry.contains("key") && entry.contains("result") &&
                entry.value("program", std::uint64_t{0}) == program_) {
                results_[entry["key"].get<std::uint64_t>()] = entry["result"].get<std::string>();
            }
        }
    }
    file_.open(file, std::ios::binary | std::ios::app);
    if (!file_) {
        throw ConfigError(fmt::format("{}: cannot write to this file", file.string()));
    }
    if (cut_off) {
        file_ << '\n';
    }
}

std::optional<std::string> RunStore::find(std::uint64_t key) const {
    const auto found = results_.find(key);
    return found == results_.end() ? std::nullopt : std::optional(found->second);
}

void RunStore::add(std::uint64_t key, const std::string& result) {
    results_[key] = result;
    if (file_.is_open()) {
        const json entry{{"program", program_}, {"key", key}, {"result", result}};
        file_ << entry.dump() << std::endl; // whole lines at once
    }
}

} // namespace npusim::app
