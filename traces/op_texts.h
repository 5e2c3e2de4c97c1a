// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace npusim::isa {
struct Instruction;
}

namespace npusim::traces {

/// Texts of instructions without their addresses, with the line that wrote them, each made once:
/// "mmad fp32 l0c 64x64, fp16 l0a 64x16, fp16 l0b 16x64", and the bytes of a copy. A run has few of
/// them, however long it is.
class OpTexts {
  public:
    /// The number of the text of `instruction`, counted from 0 in order of first use.
    std::uint32_t number(const isa::Instruction& instruction);
    [[nodiscard]] const std::string& text(std::uint32_t number) const {
        return texts_[number].text;
    }
    /// The line in that text, "kernels/gemm/gemm.cpp:40"; "" if it has none.
    [[nodiscard]] std::string_view place(std::uint32_t number) const {
        const Text& text = texts_[number];
        return std::string_view(text.text).substr(text.text.size() - text.place);
    }
    [[nodiscard]] std::size_t size() const { return texts_.size(); }

  private:
    /// All that the text depends on.
    struct Key : std::array<std::uint64_t, 8> {
        /// Word by word: a comparison in one go waits for the words' way to memory.
        friend bool operator==(const Key& a, const Key& b) {
            for (std::size_t i = 0; i < a.size(); ++i) {
                if (a[i] != b[i]) {
                    return false;
                }
            }
            return true;
        }
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    static Key key_of(const isa::Instruction& instruction);

    struct Recent {
        Key key{};
        std::uint32_t number = 0;
    };
    /// By hash: a run does the same few over and over. Many places for few keys, that they hardly
    /// ever share one.
    static constexpr std::size_t kRecent = 16384;
    std::vector<Recent> recent_ = std::vector<Recent>(kRecent);
    std::unordered_map<Key, std::uint32_t, Hash> numbers_;
    struct Text {
        std::string text;
        std::size_t place; ///< length of the line at its end
    };
    std::deque<Text> texts_;
};

} // namespace npusim::traces
