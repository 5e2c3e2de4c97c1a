// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace npusim::traces {

/// Protobuf messages, written field by field into a buffer that is used again. As quick as a trace
/// of millions of slices has to be: numbers of fields are constants, and a nested message's length
/// is filled in when it is known.
class ProtobufWriter {
  public:
    void number(std::uint32_t field, std::uint64_t value) {
        room(20);
        varint(field << 3U);
        varint(value);
    }
    void fixed(std::uint32_t field, std::uint64_t value) {
        room(20);
        varint(field << 3U | 1U);
        std::memcpy(bytes_.data() + size_, &value, sizeof value);
        size_ += sizeof value;
    }
    void real(std::uint32_t field, double value) {
        fixed(field, std::bit_cast<std::uint64_t>(value));
    }
    void text(std::uint32_t field, std::string_view value) {
        room(20 + value.size());
        varint(field << 3U | 2U);
        varint(value.size());
        std::memcpy(bytes_.data() + size_, value.data(), value.size());
        size_ += value.size();
    }
    /// A message, whose fields `fill` writes.
    template <class Fill> void message(std::uint32_t field, Fill fill) {
        room(20);
        varint(field << 3U | 2U);
        const std::size_t length = size_++;
        fill();
        close(length);
    }
    /// The same of two numbers, which is what most messages of a trace are.
    void pair(std::uint32_t field,
              std::uint32_t field_a,
              std::uint64_t a,
              std::uint32_t field_b,
              std::uint64_t b) {
        room(48);
        varint(field << 3U | 2U);
        const std::size_t length = size_++;
        varint(field_a << 3U);
        varint(a);
        varint(field_b << 3U);
        varint(b);
        bytes_[length] = static_cast<char>(size_ - length - 1);
    }

    [[nodiscard]] std::string_view bytes() const { return {bytes_.data(), size_}; }
    void clear() { size_ = 0; }

  private:
    /// Writes the length of what follows the byte at `length`, which is enough for it as a rule.
    void close(std::size_t length) {
        const std::size_t filled = size_ - length - 1;
        if (filled < 0x80U) {
            bytes_[length] = static_cast<char>(filled);
            return;
        }
        const auto more = static_cast<std::size_t>(std::bit_width(filled) - 1) / 7;
        room(more);
        char* const begin = bytes_.data() + length + 1;
        std::memmove(begin + more, begin, filled);
        size_ = length;
        varint(filled);
        size_ += filled;
    }
    void room(std::size_t bytes) {
        if (size_ + bytes > bytes_.size()) {
            bytes_.resize(2 * (size_ + bytes));
        }
    }
    void varint(std::uint64_t value) {
        while (value >= 0x80U) {
            bytes_[size_++] = static_cast<char>(value | 0x80U);
            value >>= 7U;
        }
        bytes_[size_++] = static_cast<char>(value);
    }

    std::vector<char> bytes_;
    std::size_t size_ = 0;
};

} // namespace npusim::traces
