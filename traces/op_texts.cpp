// SPDX-License-Identifier: Apache-2.0
#include "traces/op_texts.h"

#include "sim/isa/instruction.h"
#include "sim/isa/op_list.h"

#include <bit>
#include <fmt/format.h>

namespace npusim::traces {

namespace {

std::string tile_text(const isa::Tile& tile) {
    return fmt::format("{} {} {}x{}{}",
                       to_string(tile.dtype),
                       to_string(tile.memory),
                       tile.rows,
                       tile.cols,
                       tile.contiguous() ? "" : fmt::format(" stride {}", tile.stride_bytes));
}

/// "kernels/gemm/gemm.cpp:40"; "" if it is not known.
std::string place_text(const isa::SourceLine& where) {
    if (where.line == 0) {
        return {};
    }
    const std::string_view file = where.file;
    const std::size_t folder = file.rfind("kernels/");
    return fmt::format(
        "{}:{}", folder == std::string_view::npos ? file : file.substr(folder), where.line);
}

/// ", 512 bytes": what a transfer moves, as it arrives.
std::string moved_text(const isa::Instruction& instruction) {
    const auto text = [](const isa::Tile& to) { return fmt::format(", {} bytes", to.bytes()); };
    if (const auto* copy = std::get_if<isa::Copy>(&instruction)) {
        return text(copy->to);
    }
    const auto* out = std::get_if<isa::Fixpipe>(&instruction);
    return out == nullptr ? "" : text(out->to);
}

std::string op_text(const isa::Instruction& instruction) {
    const isa::Accesses accesses = isa::accesses(instruction);
    if (accesses.count == 0) {
        return isa::to_text(instruction);
    }
    std::string to;
    std::string from;
    for (const isa::Access& access : accesses.all()) {
        std::string& side = access.write ? to : from;
        side += (side.empty() ? "" : ", ") + tile_text(*access.tile);
    }
    return fmt::format("{} {}{}{}{}",
                       isa::name_of(instruction),
                       to,
                       to.empty() || from.empty() ? "" : ", ",
                       from,
                       moved_text(instruction));
}

/// What the text of an op without tiles depends on.
std::uint64_t word_of(const isa::Instruction& instruction) {
    const auto flag = [](Pipe from, Pipe to, std::int32_t id) {
        return static_cast<std::uint64_t>(from) | static_cast<std::uint64_t>(to) << 8U |
               static_cast<std::uint64_t>(id) << 16U;
    };
    return std::visit(
        isa::Overloaded{
            [&](const isa::SetFlag& op) { return flag(op.from, op.to, op.id); },
            [&](const isa::WaitFlag& op) { return flag(op.from, op.to, op.id); },
            [&](const isa::CrossSet& op) {
                return flag(op.pipe, Pipe{}, op.id) | static_cast<std::uint64_t>(op.target) << 48U;
            },
            [&](const isa::CrossWait& op) { return flag(op.pipe, Pipe{}, op.id); },
            [&](const isa::PipeBarrier& op) { return flag(op.pipe, Pipe{}, 0); },
            [&](const isa::ScalarWork& op) { return static_cast<std::uint64_t>(op.cycles); },
            [](const auto& /*op*/) { return std::uint64_t{0}; }},
        instruction);
}

} // namespace

OpTexts::Key OpTexts::key_of(const isa::Instruction& instruction) {
    Key key{};
    const isa::Accesses accesses = isa::accesses(instruction);
    // A key of zeros is none.
    key[0] = (instruction.index() + 1) | static_cast<std::uint64_t>(instruction.where.line) << 32U;
    key.back() = reinterpret_cast<std::uintptr_t>(instruction.where.file);
    if (accesses.count == 0) {
        key[1] = word_of(instruction);
        return key;
    }
    std::size_t word = 1;
    for (const isa::Access& access : accesses.all()) {
        const isa::Tile& tile = *access.tile;
        key[word++] =
            static_cast<std::uint64_t>(tile.rows) << 32U | static_cast<std::uint64_t>(tile.cols);
        key[word++] = static_cast<std::uint64_t>(tile.memory) << 56U |
                      static_cast<std::uint64_t>(tile.dtype) << 48U |
                      static_cast<std::uint64_t>(tile.contiguous() ? 0 : tile.stride_bytes);
    }
    return key;
}

std::size_t OpTexts::Hash::operator()(const Key& key) const {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : key) {
        hash = std::rotl(hash, 7) ^ word;
    }
    hash *= 0x9E3779B97F4A7C15U;
    return hash ^ hash >> 32U;
}

std::uint32_t OpTexts::number(const isa::Instruction& instruction) {
    const Key key = key_of(instruction);
    Recent& recent = recent_[Hash{}(key) % kRecent];
    if (recent.key != key) {
        const auto [at, fresh] =
            numbers_.try_emplace(key, static_cast<std::uint32_t>(texts_.size()));
        if (fresh) {
            const std::string place = place_text(instruction.where);
            texts_.push_back(
                {op_text(instruction) + (place.empty() ? "" : " at ") + place, place.size()});
        }
        recent = {key, at->second};
    }
    return recent.number;
}

} // namespace npusim::traces
