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
        end_at(varint(varint(room(), field << 3U), value));
    }
    void fixed(std::uint32_t field, std::uint64_t value) {
        char* const at = varint(room(), field << 3U | 1U);
        std::memcpy(at, &value, sizeof value);
        end_at(at + sizeof value);
    }
    void real(std::uint32_t field, double value) {
        fixed(field, std::bit_cast<std::uint64_t>(value));
    }
    void text(std::uint32_t field, std::string_view value) {
        char* const at = varint(varint(room(value.size()), field << 3U | 2U), value.size());
        std::memcpy(at, value.data(), value.size());
        end_at(at + value.size());
    }
    /// A message, whose fields `fill` writes.
    template <class Fill> void message(std::uint32_t field, Fill fill) {
        end_at(varint(room(), field << 3U | 2U) + 1);
        const std::size_t length = size_ - 1; // where it stands
        fill();
        close(length);
    }
    /// The same of two numbers, which is what most messages of a trace are.
    void pair(std::uint32_t field,
              std::uint32_t field_a,
              std::uint64_t a,
              std::uint32_t field_b,
              std::uint64_t b) {
        char* const length = varint(room(), field << 3U | 2U);
        char* const end =
            varint(varint(varint(varint(length + 1, field_a << 3U), a), field_b << 3U), b);
        *length = static_cast<char>(end - length - 1);
        end_at(end);
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
        varint(begin - 1, filled);
        size_ += more;
    }
    /// The end of what is written, with room for `bytes` and a few numbers behind it.
    char* room(std::size_t bytes = 0) {
        constexpr std::size_t numbers = 64;
        if (size_ + bytes + numbers > bytes_.size()) {
            bytes_.resize(2 * (size_ + bytes + numbers));
        }
        return bytes_.data() + size_;
    }
    void end_at(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.data()); }
    /// Writes a number and returns the place behind it. On pointers of the caller's: a byte that is
    /// written might be any member, as far as the compiler knows.
    static char* varint(char* at, std::uint64_t value) {
        while (value >= 0x80U) {
            *at++ = static_cast<char>(value | 0x80U);
            value >>= 7U;
        }
        *at++ = static_cast<char>(value);
        return at;
    }

    std::vector<char> bytes_;
    std::size_t size_ = 0;
};

} // namespace npusim::traces
