// SPDX-License-Identifier: Apache-2.0
#include "sim/app/run_program.h"

#include "sim/base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace npusim::app {

namespace {

[[noreturn]] void fail(const std::string& what, int error) {
    throw ModelError(fmt::format("{}: {}", what, std::strerror(error)));
}

/// A file in memory. Unlike a pipe it never fills up, nor minds when nobody reads.
class MemoryFile {
  public:
    MemoryFile() : descriptor_(::memfd_create("npusim", MFD_CLOEXEC)) {
        if (descriptor_ < 0) {
            fail("cannot make a file in memory", errno);
        }
    }
    explicit MemoryFile(const std::string& text) : MemoryFile() {
        if (::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
            ::lseek(descriptor_, 0, SEEK_SET) != 0) {
            fail("cannot write to a file in memory", errno);
        }
    }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    MemoryFile(MemoryFile&&) = delete;
    MemoryFile& operator=(MemoryFile&&) = delete;
    ~MemoryFile() { ::close(descriptor_); }

    [[nodiscard]] int descriptor() const { return descriptor_; }
    /// All that was written to it.
    [[nodiscard]] std::string text() const {
        std::string text;
        std::array<char, 4096> part{};
        for (ssize_t count = 1; count > 0;) {
            count = ::pread(descriptor_, part.data(), part.size(), static_cast<off_t>(text.size()));
            text.append(part.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        return text;
    }

  private:
    int descriptor_;
};

/// Which files are stdin, stdout and stderr of a program.
class Redirections {
  public:
    Redirections(const MemoryFile& in, const MemoryFile& out, const MemoryFile& err) {
        ::posix_spawn_file_actions_init(&actions_);
        add(in, STDIN_FILENO);
        add(out, STDOUT_FILENO);
        add(err, STDERR_FILENO);
    }
    Redirections(const Redirections&) = delete;
    Redirections& operator=(const Redirections&) = delete;
    Redirections(Redirections&&) = delete;
    Redirections& operator=(Redirections&&) = delete;
    ~Redirections() { ::posix_spawn_file_actions_destroy(&actions_); }

    [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    void add(const MemoryFile& file, int descriptor) {
        ::posix_spawn_file_actions_adddup2(&actions_, file.descriptor(), descriptor);
    }

    posix_spawn_file_actions_t actions_{};
};

int wait_for(pid_t process) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            fail("cannot wait for a process", errno);
        }
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

std::optional<ProgramOutcome> run_program(const std::vector<std::string>& words,
                                          const std::string& input) {
    std::vector<std::string> own = words;         // which posix_spawnp may, by its type, write to
    std::vector<char*> arguments(own.size() + 1); // ends with a null
    std::ranges::transform(own, arguments.begin(), [](std::string& word) { return word.data(); });
    const MemoryFile in(input);
    const MemoryFile out;
    const MemoryFile err;
    const Redirections files(in, out, err);
    pid_t process = 0;
    const int error = ::posix_spawnp(
        &process, arguments.front(), files.get(), nullptr, arguments.data(), environ);
    if (error == ENOENT) {
        return std::nullopt;
    }
    if (error != 0) {
        fail("cannot start " + words.front(), error);
    }
    const int status = wait_for(process);
    return ProgramOutcome{status, out.text(), err.text()};
}

} // namespace npusim::app
