// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

/// Whole messages over pipes, and how a process ended.
namespace npusim::explore {

/// All of `size` bytes by `transfer`, which is read() or write(); whether it went well.
template <class Transfer, class Byte>
bool transfer_all(Transfer transfer, int file, Byte* at, std::size_t size) {
    while (size > 0) {
        const ssize_t count = transfer(file, at, size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        at += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}
inline bool write_all(int file, const void* data, std::size_t size) {
    return transfer_all(::write, file, static_cast<const char*>(data), size);
}
inline bool read_all(int file, void* data, std::size_t size) {
    return transfer_all(::read, file, static_cast<char*>(data), size);
}

/// "its process was ended by signal 11 (Segmentation fault)", by the status that waitpid gives.
inline std::string describe_end(int status) {
    return WIFSIGNALED(status)
               ? fmt::format("its process was ended by signal {} ({})",
                             WTERMSIG(status),
                             ::strsignal(WTERMSIG(status))) // NOLINT(concurrency-mt-unsafe)
               : fmt::format("its process ended with status {}", WEXITSTATUS(status));
}

} // namespace npusim::explore
