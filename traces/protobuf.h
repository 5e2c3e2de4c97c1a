// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace npusim::traces {

/// Writes the fields of protobuf messages one behind the other. The caller sees to it that there is
/// room; so this is a pointer that a compiler keeps in a register, as quick as a trace of millions
/// of slices has to be.
class ProtobufFields {
  public:
    explicit ProtobufFields(char* at) : at_(at) {}

    void number(std::uint32_t field, std::uint64_t value) {
        varint(field << 3U);
        varint(value);
    }
    void fixed(std::uint32_t field, std::uint64_t value) {
        varint(field << 3U | 1U);
        std::memcpy(at_, &value, sizeof value);
        at_ += sizeof value;
    }
    void real(std::uint32_t field, double value) {
        fixed(field, std::bit_cast<std::uint64_t>(value));
    }
    void text(std::uint32_t field, std::string_view value) {
        varint(field << 3U | 2U);
        varint(value.size());
        std::memcpy(at_, value.data(), value.size());
        at_ += value.size();
    }
    /// A message, whose fields `fill` writes.
    template <class Fill> void message(std::uint32_t field, Fill fill) {
        varint(field << 3U | 2U);
        char* const begin = ++at_; // behind a length of one byte, which is enough as a rule
        fill();
        const auto length = static_cast<std::size_t>(at_ - begin);
        if (length < 0x80U) {
            begin[-1] = static_cast<char>(length);
        } else {
            at_ = with_length(begin, length);
        }
    }

    /// Where the next field goes.
    [[nodiscard]] const char* at() const { return at_; }

    /// Most bytes that a field takes, without those of a text.
    static constexpr std::size_t kMost = 16;

  private:
    static char* put(char* at, std::uint64_t value) {
        while (value >= 0x80U) {
            *at++ = static_cast<char>(value | 0x80U);
            value >>= 7U;
        }
        *at++ = static_cast<char>(value);
        return at;
    }
    void varint(std::uint64_t value) { at_ = put(at_, value); }
    /// Moves `length` bytes on, so that their length has room before them; returns their end.
    static char* with_length(char* begin, std::size_t length) {
        const auto more = static_cast<std::size_t>(std::bit_width(length) - 1) / 7;
        std::memmove(begin + more, begin, length);
        return put(begin - 1, length) + length;
    }

    char* at_;
};

/// Bytes of protobuf messages, in a buffer that is used again.
class ProtobufBuffer {
  public:
    /// Adds a message, whose fields `fill(ProtobufFields&)` writes: at most `fields` of them, also
    /// within one another, and texts of `text` bytes.
    template <class Fill>
    void message(std::uint32_t field, std::size_t fields, std::size_t text, Fill fill) {
        const std::size_t most = size_ + (fields + 1) * ProtobufFields::kMost + text;
        if (most > bytes_.size()) {
            bytes_.resize(2 * most);
        }
        ProtobufFields to(bytes_.data() + size_);
        to.message(field, [&] { fill(to); });
        size_ = static_cast<std::size_t>(to.at() - bytes_.data());
    }

    [[nodiscard]] std::string_view bytes() const { return {bytes_.data(), size_}; }
    void clear() { size_ = 0; }

  private:
    std::string bytes_;
    std::size_t size_ = 0;
};

} // namespace npusim::traces
