// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/error.h"

#include <cstddef>
#include <cstdio>
#include <memory>
#include <queue>
#include <type_traits>
#include <utility>
#include <vector>

namespace npusim::traces {

/// Records that come lane by lane, in order of time within each, and are wanted in order of time
/// over all of them. They wait in a temporary file: memory holds a chunk of each lane.
///
/// `Record` is copied byte by byte and has its time in `at`.
template <class Record> class Spool {
    static_assert(std::is_trivially_copyable_v<Record>);

  public:
    /// Throws ConfigError if there is no temporary file to be had.
    Spool() : file_(std::tmpfile()) {
        if (file_ == nullptr) {
            throw ConfigError("no temporary file for a trace (allowed: a TMPDIR with room)");
        }
    }
    /// Throws ConfigError if the disk is full.
    void add(std::size_t lane, const Record& record) {
        if (lanes_.size() <= lane) {
            lanes_.resize(lane + 1);
        }
        std::vector<Record>& chunk = lanes_[lane].chunk;
        chunk.push_back(record);
        if (chunk.size() == kChunk) {
            lanes_[lane].places.push_back(std::ftell(file_.get()));
            if (std::fwrite(chunk.data(), sizeof(Record), kChunk, file_.get()) != kChunk) {
                throw ConfigError("a trace's temporary file is full (allowed: a TMPDIR with room)");
            }
            chunk.clear();
        }
    }
    /// Gives `take(lane, record)` all of them in order of time, those of one time by lane. Nothing
    /// may be added after that.
    template <class Take> void drain(Take take) {
        using Next = std::pair<decltype(Record::at), std::size_t>; // time, lane
        std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
        const auto queue = [&](std::size_t lane) {
            if (const Record* record = lanes_[lane].front(file_.get())) {
                next.emplace(record->at, lane);
            }
        };
        for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
            lanes_[lane].last.swap(lanes_[lane].chunk);
            queue(lane);
        }
        while (!next.empty()) {
            const std::size_t lane = next.top().second;
            next.pop();
            take(lane, *lanes_[lane].front(file_.get()));
            ++lanes_[lane].read;
            queue(lane);
        }
    }

  private:
    static constexpr std::size_t kChunk = 256;
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    struct Lane {
        std::vector<Record> chunk; ///< being filled, then being read
        std::vector<Record> last;  ///< what never went to the file
        std::vector<long> places;  ///< of chunks in the file
        std::size_t next_place = 0;
        std::size_t read = 0; ///< of `chunk`

        /// The next record to be read; null at the end.
        const Record* front(std::FILE* file) {
            if (read == chunk.size()) {
                refill(file);
            }
            return read < chunk.size() ? &chunk[read] : nullptr;
        }
        void refill(std::FILE* file) {
            read = 0;
            if (next_place == places.size()) {
                chunk = std::exchange(last, {});
                return;
            }
            chunk.resize(kChunk);
            std::fseek(file, places[next_place++], SEEK_SET);
            if (std::fread(chunk.data(), sizeof(Record), kChunk, file) != kChunk) {
                throw ConfigError("a trace's temporary file cannot be read back");
            }
        }
    };

    std::unique_ptr<std::FILE, Close> file_;
    std::vector<Lane> lanes_;
};

} // namespace npusim::traces
