// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <exception>
#include <utility>
#include <vector>

namespace npusim::isa {

struct Instruction;

/// A stretch of a program: what a generator makes at a time.
using Block = std::vector<Instruction>;

/// A lazily generated instruction stream: a coroutine that yields blocks. Only the block being
/// dispatched is in memory, so a program's length costs no space.
class Program {
  public:
    struct promise_type {
        Block* current = nullptr;
        std::exception_ptr error;

        Program get_return_object() {
            return Program{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(Block& block) noexcept {
            current = &block;
            return {};
        }
        void return_void() noexcept { current = nullptr; }
        void unhandled_exception() { error = std::current_exception(); }
    };

    Program() = default;
    Program(Program&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Program& operator=(Program&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (handle_) {
            handle_.destroy();
        }
    }

    /// The next non-empty block, owned by the generator and valid until the next call; nullptr at
    /// the end. The previous block is emptied for reuse.
    Block* next();

  private:
    explicit Program(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

/// A program from a list, for tests and tiny examples.
Program from_list(Block instructions);

} // namespace npusim::isa
