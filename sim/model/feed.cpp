// SPDX-License-Identifier: Apache-2.0
#include "sim/model/feed.h"

#include "sim/isa/instruction.h"

#include <utility>
#include <variant>

namespace npusim::model {

namespace {

bool writes_gm(const isa::Instruction& instruction) {
    if (const auto* copy = std::get_if<isa::Copy>(&instruction)) {
        return copy->to.memory == Memory::Gm;
    }
    const auto* fixpipe = std::get_if<isa::Fixpipe>(&instruction);
    return fixpipe != nullptr && fixpipe->to.memory == Memory::Gm;
}

} // namespace

bool Feed::fetch(isa::Block& block) {
    isa::Block* made = program_.next();
    if (made == nullptr) {
        return false;
    }
    block.swap(*made); // what the generator gets back is emptied before it goes on
    return true;
}

/// Goes through a block that follows; its hash if the program is watched, else 0.
std::uint64_t Feed::see(const isa::Block& block) {
    StateHash hash;
    for (const isa::Instruction& instruction : block) {
        if (watching_) {
            turns_ahead_.add_to(hash, instruction);
        }
        turns_ahead_.see(instruction);
        if (writes_gm(instruction)) {
            isa::Instruction& before =
                writes_[std::holds_alternative<isa::Copy>(instruction) ? 0 : 1];
            hash.add(isa::depends(instruction, before));
            before = instruction;
        }
    }
    return watching_ ? hash.value() : 0;
}

/// Makes what was drawn the block at hand.
const isa::Block* Feed::give(Drawn& drawn) {
    block_ = std::move(drawn.block);
    turns_ = drawn.turns;
    return &block_;
}

const isa::Block* Feed::next() {
    std::uint64_t hash_of_block = 0;
    if (!drawn_.empty()) {
        give(drawn_.front());
        hash_of_block = drawn_.front().hash;
        drawn_.pop_front();
    } else if (fetch(block_)) {
        hash_of_block = see(block_);
        turns_ = turns_ahead_;
    } else {
        return nullptr;
    }
    if (watching_) {
        lap_.push_back(hash_of_block);
        lap_size_ += block_.size();
    }
    return &block_;
}

void Feed::watch() {
    // The block at hand ends the lap before, and so it will this one.
    lap_.assign(1, watching_ ? lap_.back() : 0);
    lap_size_ = 0;
    watching_ = true;
}

bool Feed::draw() {
    if (!drawn_.empty()) {
        return false;
    }
    for (std::size_t i = 1; i < lap_.size(); ++i) {
        isa::Block block;
        if (!spare_.empty()) {
            block.swap(spare_.back());
            spare_.pop_back();
        }
        if (!fetch(block)) {
            return false;
        }
        const std::uint64_t hash_of_block = see(block);
        drawn_.push_back({std::move(block), hash_of_block, turns_ahead_});
        if (hash_of_block != lap_[i]) {
            return false;
        }
    }
    return true;
}

const isa::Block* Feed::pass() {
    if (drawn_.empty()) {
        return nullptr;
    }
    for (Drawn& drawn : drawn_) {
        block_.clear();
        spare_.push_back(std::move(block_));
        give(drawn);
    }
    drawn_.clear();
    return &block_;
}

} // namespace npusim::model
