// SPDX-License-Identifier: Apache-2.0
#include "kernels/delta_rule/chunk_states.h"

#include "kernels/common/hand_over.h"
#include "kernels/delta_rule/stage.h"
#include "sim/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace npusim::kernels {

using isa::Tile;

ChunkStates::ChunkStates(const config::HardwareConfig& hardware, const DeltaShape& shape)
    : DeltaOperator(hardware, shape),
      w_(add_by_token("w", Tensor::Role::Input, shape.value_heads, shape.key_size)),
      u_(add_by_token("u", Tensor::Role::Input, shape.value_heads, shape.value_size)),
      k_(add_by_token("k", Tensor::Role::Input, shape.key_heads, shape.key_size)),
      gates_(add_gates("G", Tensor::Role::Input)),
      state_(add("state",
                 Tensor::Role::State,
                 DType::Fp32,
                 std::ssize(shape.lengths) * shape.value_heads * shape.key_size,
                 shape.value_size)),
      v_(add_by_token("v_new", Tensor::Role::Output, shape.value_heads, shape.value_size)),
      states_(add_by_chunk("states", Tensor::Role::Output, shape.key_size, shape.value_size)),
      columns_(choose_columns()),
      scratch_(add("scratch",
                   Tensor::Role::Scratch,
                   DType::Fp32,
                   hardware.vector_cores *
                       HandOver::scratch_rows(hardware, std::max(shape.chunk, shape.key_size)),
                   columns_)) {}

std::int64_t ChunkStates::choose_columns() const {
    const std::int64_t chunk = shape().chunk;
    const std::int64_t depth = shape().key_size;
    const std::int64_t element = bytes_of(shape().dtype, 1);
    const std::int64_t room = hardware().buffer(Memory::Ub).size_bytes;
    const std::int64_t fixed =
        depth * shape().value_size * 4 +
        (shape().per_channel ? DecayedRows::bytes(shape().dtype, depth) : HeadRows::bytes(chunk)) +
        ((factor_rows() + 1) * kBlockFloats + chunk) * 4;
    // A strided row of S then takes one repeat.
    for (std::int64_t columns = std::min(slice_floats(hardware()), shape().value_size);
         columns >= isa::kTransposeSide;
         columns /= 2) {
        const std::int64_t a_column = (depth + 2 * chunk) * 4 + (3 * chunk + depth) * element;
        if (shape().value_size % columns == 0 && fixed + columns * a_column <= room) {
            return columns;
        }
    }
    throw ConfigError(fmt::format("{}: too small for a state of {}x{}",
                                  hardware().at("buffers.ub.size"),
                                  depth,
                                  shape().value_size));
}

/// Both units of an AI core at work on as many heads as it has vector cores.
class ChunkStates::Scan {
  public:
    Scan(const ChunkStates& op, isa::CoreId core);
    /// Takes every head in hand a chunk further; false if there is none.
    bool step();
    /// Goes on as if it had made that many steps, which are not emitted.
    void skip(std::int64_t steps);
    Stream& stream() { return s_; }

  private:
    /// Columns of a head's state.
    struct Strand {
        Tile state{};  ///< in UB
        Tile copy{};   ///< in L1, in dtype
        Tile values{}; ///< in L1: decayed v_new
    };
    /// The head that a vector core has in hand.
    struct Thread {
        std::vector<Strand> strands{};
        Ring ws;
        Ring keys;
        HandOver hand_over;
        std::int64_t head = 0;
        std::int64_t index = 0; ///< of the chunk
        std::int64_t end = 0;   ///< of its sequence's chunks
        bool begun = false;     ///< its state is there
        Tile w{};               ///< of this chunk, in L1
        Tile key{};
        Tile next_w{}; ///< of the one after
        Tile next_key{};
    };

    [[nodiscard]] const DeltaShape& shape() const { return op_.shape(); }
    [[nodiscard]] const Chunk& chunk(std::int64_t index) const {
        return op_.chunks()[static_cast<std::size_t>(index)];
    }
    [[nodiscard]] std::int64_t col(const Thread& thread, const Strand& strand) const {
        return (&strand - thread.strands.data()) * op_.columns_;
    }
    [[nodiscard]] Tile of_state(const Thread& thread, const Strand& strand) const;
    Tile narrow(Ring& ring, std::int64_t rows) const {
        return shaped(ring.next(), rows, op_.columns_);
    }
    bool take(Thread& thread);
    void begin(Thread& thread, std::int64_t lane);
    void load(Thread& thread, std::int64_t index);
    void decays(Thread& thread, std::int64_t lane);
    void values(Thread& thread, Strand& strand);
    void update(Thread& thread, Strand& strand);
    void publish(Thread& thread, const Strand& strand, std::int64_t index);

    const ChunkStates& op_;
    Stream s_;
    Products multiply_;
    std::optional<HeadRows> gates_;
    std::optional<DecayedRows> decayed_keys_; ///< by channel
    std::int64_t slots_ = 2;                  ///< of w and k in L1, per head in hand
    std::vector<Thread> threads_;
    Range mine_;
    Tile recalled_; ///< w S
    Tile update_;   ///< k^T v
    Tile work_;
    Ring us_;
    Ring vs_;
    Ring decayed_;
    Ring copies_;
    Tile row_;
    Tile column_; ///< [chunk,8] G, then exp(G_last - G) of the lane's head
    Tile last_;   ///< [1,8] exp(G_last)
};

ChunkStates::Scan::Scan(const ChunkStates& op, isa::CoreId core)
    : op_(op), s_(op.hardware(), core), multiply_(s_, op.hardware()), mine_(op.items(core)),
      recalled_(s_.tile(Memory::Ub, DType::Fp32, shape().chunk, op.columns_)),
      update_(s_.tile(Memory::Ub, DType::Fp32, shape().key_size, op.columns_)),
      work_(s_.tile(Memory::Ub, DType::Fp32, shape().chunk, op.columns_)),
      us_(s_.ring(Memory::Ub, shape().dtype, shape().chunk, op.columns_, 1)),
      vs_(s_.ring(Memory::Ub, shape().dtype, shape().chunk, op.columns_, 1)),
      decayed_(s_.ring(Memory::Ub, shape().dtype, shape().chunk, op.columns_, 1)),
      copies_(s_.ring(Memory::Ub, shape().dtype, shape().key_size, op.columns_, 1)),
      row_(s_.tile(Memory::Ub, DType::Fp32, 1, shape().chunk)),
      column_(s_.tile(Memory::Ub, DType::Fp32, op.factor_rows(), kBlockFloats)),
      last_(s_.tile(Memory::Ub, DType::Fp32, 1, kBlockFloats)) {
    const DType dtype = shape().dtype;
    if (shape().per_channel) {
        decayed_keys_.emplace(s_, dtype, shape().key_size);
    } else {
        gates_.emplace(s_, op.gates_, shape().chunk);
    }
    const std::int64_t strands = shape().value_size / op.columns_;
    const std::int64_t heads = s_.lanes();
    const std::int64_t operand = shape().chunk * bytes_of(dtype, shape().key_size);
    const std::int64_t kept =
        (shape().chunk + shape().key_size) * bytes_of(dtype, shape().value_size);
    constexpr std::int64_t kOperands = 4; // w and k, each of this chunk and the next
    if (heads * (kOperands * operand + kept) > s_.room(Memory::L1)) {
        slots_ = 1;
    }
    std::vector<Tile> states;
    for (std::int64_t i = 0; i < strands; ++i) {
        states.push_back(s_.tile(Memory::Ub, DType::Fp32, shape().key_size, op.columns_));
    }
    const std::int64_t rows = op.scratch_.rows / op.hardware().vector_cores;
    for (std::int64_t lane = 0; lane < heads; ++lane) {
        Thread thread{{},
                      s_.ring(Memory::L1, dtype, shape().chunk, shape().key_size, slots_),
                      s_.ring(Memory::L1, dtype, shape().chunk, shape().key_size, slots_),
                      HandOver(s_,
                               op.hardware(),
                               core,
                               op.scratch_.block(lane * rows, 0, rows, op.scratch_.cols))};
        for (const Tile& state : states) {
            thread.strands.push_back({state,
                                      s_.tile(Memory::L1, dtype, shape().key_size, op.columns_),
                                      s_.tile(Memory::L1, dtype, shape().chunk, op.columns_)});
        }
        threads_.push_back(std::move(thread));
    }
}

Tile ChunkStates::Scan::of_state(const Thread& thread, const Strand& strand) const {
    const std::int64_t row =
        (chunk(thread.index).sequence * shape().value_heads + thread.head) * shape().key_size;
    return op_.state_.block(row, col(thread, strand), shape().key_size, op_.columns_);
}

/// Gives a thread without a head the next one; false if none is left.
bool ChunkStates::Scan::take(Thread& thread) {
    if (thread.index < thread.end) {
        return true;
    }
    if (mine_.size() == 0) {
        return false;
    }
    const std::int64_t item = mine_.begin++;
    thread.head = item % shape().value_heads;
    const Range chunks = op_.sequence_chunks(item / shape().value_heads);
    thread.index = chunks.begin;
    thread.end = chunks.end;
    thread.begun = false;
    return true;
}

/// Loads the state of a head.
void ChunkStates::Scan::begin(Thread& thread, std::int64_t lane) {
    s_.lane(lane);
    for (const Strand& strand : thread.strands) {
        s_(isa::Copy{strand.state, of_state(thread, strand), true});
        publish(thread, strand, thread.index);
    }
    if (slots_ == 2) {
        load(thread, thread.index);
    }
    thread.begun = true;
}

/// w and k of a chunk.
void ChunkStates::Scan::load(Thread& thread, std::int64_t index) {
    const Chunk& now = chunk(index);
    const std::int64_t depth = shape().key_size;
    thread.next_w = thread.ws.next().block(0, 0, now.tokens, depth);
    thread.next_key = thread.keys.next().block(0, 0, now.tokens, depth);
    if (!shape().per_channel) { // else it passes the vector unit
        s_(isa::Copy{thread.next_key,
                     of_tokens(op_.k_, now, op_.key_head(thread.head), depth),
                     op_.spills(op_.k_.bytes())});
    }
    s_(isa::Copy{
        thread.next_w, of_tokens(op_.w_, now, thread.head, depth), op_.spills(op_.w_.bytes())});
}

/// S in dtype, for the cube and for the outputs of chunk `index`.
void ChunkStates::Scan::publish(Thread& thread, const Strand& strand, std::int64_t index) {
    const Tile& copy = copies_.next();
    s_(isa::Vcast{copy, strand.state});
    thread.hand_over.to_cube(strand.copy, copy);
    s_(isa::Copy{op_.of_chunk(op_.states_, index, thread.head, shape().key_size)
                     .block(0, col(thread, strand), copy.rows, copy.cols),
                 copy,
                 op_.spills(op_.states_.bytes())});
}

/// exp(G_last) and exp(G_last - G) as columns of blocks; by channel, the latter times k.
void ChunkStates::Scan::decays(Thread& thread, std::int64_t lane) {
    const Chunk& now = chunk(thread.index);
    if (shape().per_channel) {
        const std::int64_t depth = shape().key_size;
        const Tile last =
            decayed_keys_->until_last(thread.hand_over,
                                      thread.key,
                                      of_tokens(op_.k_, now, op_.key_head(thread.head), depth),
                                      of_tokens(op_.gates_, now, thread.head, depth));
        s_(isa::Vexp{{last, last}});
        s_(isa::Vbrcb{column_.block(0, 0, depth, kBlockFloats), last});
        return;
    }
    const Tile gates = gates_->row(now, thread.head, lane);
    const Tile column = shaped(column_, shape().chunk, kBlockFloats);
    s_(isa::Vbrcb{column, gates});
    const Tile last = column_.block(now.tokens - 1, 0, 1, kBlockFloats);
    by_slices<isa::Vsub>(s_, row_, gates, last);
    s_(isa::Vmuls{{row_, row_}, -1});
    s_(isa::Vexp{{row_, row_}});
    s_(isa::Vexp{{last_, last}});
    s_(isa::Vbrcb{column, row_});
}

/// v_new = u - w S, and what of it is left at the end of the chunk.
void ChunkStates::Scan::values(Thread& thread, Strand& strand) {
    const Chunk& now = chunk(thread.index);
    const std::int64_t n = now.tokens;
    const std::int64_t at = thread.head * shape().value_size + col(thread, strand);
    const Tile u = narrow(us_, n);
    const Tile v = narrow(vs_, n);
    const Tile decayed = narrow(decayed_, n);
    const Tile wide = shaped(work_, n, op_.columns_);
    const Tile sum = shaped(recalled_, n, op_.columns_);
    s_(isa::Copy{u, op_.u_.block(now.first, at, n, op_.columns_), op_.spills(op_.u_.bytes())});
    s_(isa::Vcast{wide, u});
    multiply_({{{thread.w}, {strand.copy}}}, [&](const Tile& product, std::int64_t first) {
        thread.hand_over.to_vector(sum.block(0, first, n, product.cols), product);
    });
    s_(isa::Vsub{{wide, wide, sum}});
    s_(isa::Vcast{v, wide});
    if (!shape().per_channel) { // else k has decayed
        by_slices<isa::Vmul>(s_, wide, wide, column_.block(0, 0, n, kBlockFloats));
    }
    s_(isa::Vcast{decayed, wide});
    strand.values.rows = n;
    thread.hand_over.to_cube(strand.values, decayed);
    s_(isa::Copy{op_.v_.block(now.first, at, n, op_.columns_), v, op_.spills(op_.v_.bytes())});
}

/// S of the next chunk.
void ChunkStates::Scan::update(Thread& thread, Strand& strand) {
    const Tile& state = strand.state;
    const Tile factors = shape().per_channel ? column_.block(0, 0, state.rows, kBlockFloats)
                                             : repeated(last_, state.rows);
    by_slices<isa::Vmul>(s_, state, state, factors);
    multiply_(
        {{{thread.key, true}, {strand.values}}}, [&](const Tile& product, std::int64_t first) {
            thread.hand_over.to_vector(update_.block(0, first, state.rows, product.cols), product);
        });
    s_(isa::Vadd{{state, state, update_}});
    if (thread.index + 1 < thread.end) {
        publish(thread, strand, thread.index + 1);
    } else {
        s_(isa::Copy{of_state(thread, strand), state, true});
    }
}

bool ChunkStates::Scan::step() {
    std::vector<Thread*> busy;
    for (Thread& thread : threads_) {
        const std::int64_t lane = &thread - threads_.data();
        if (!take(thread)) {
            continue;
        }
        if (!thread.begun) {
            begin(thread, lane);
        }
        busy.push_back(&thread);
        if (slots_ == 1) {
            load(thread, thread.index);
        }
        thread.w = thread.next_w;
        thread.key = thread.next_key;
        if (slots_ == 2 && thread.index + 1 < thread.end) {
            load(thread, thread.index + 1);
        }
        s_.lane(lane);
        decays(thread, lane);
    }
    const std::size_t strands = threads_.front().strands.size();
    for (const auto stage : {&Scan::values, &Scan::update}) {
        for (std::size_t i = 0; i < strands; ++i) {
            for (Thread* thread : busy) {
                s_.lane(thread - threads_.data());
                (this->*stage)(*thread, thread->strands[i]);
            }
        }
    }
    for (Thread* thread : busy) {
        ++thread->index;
    }
    return !busy.empty();
}

void ChunkStates::Scan::skip(std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) {
        for (Thread& thread : threads_) {
            if (take(thread)) {
                ++thread.index;
            }
        }
    }
}

Range ChunkStates::items(isa::CoreId core) const {
    return ai_core_worker(hardware(), core).of(std::ssize(shape().lengths) * shape().value_heads);
}

Range ChunkStates::sequence_chunks(std::int64_t sequence) const {
    const auto first_of = [&](std::int64_t number) {
        return std::ranges::lower_bound(chunks(), number, {}, &Chunk::sequence) - chunks().begin();
    };
    return {first_of(sequence), first_of(sequence + 1)};
}

std::int64_t ChunkStates::steps_of(Range items) const {
    std::vector<std::int64_t> lanes(
        static_cast<std::size_t>(vector_workers(hardware()) / hardware().ai_cores));
    for (std::int64_t item = items.begin; item < items.end; ++item) {
        *std::ranges::min_element(lanes) += sequence_chunks(item / shape().value_heads).size();
    }
    return std::ranges::max(lanes);
}

std::int64_t ChunkStates::rounds() const {
    std::int64_t most = 0;
    for (const isa::CoreId core : isa::core_ids(hardware())) {
        most = std::max(most, steps_of(items(core)));
    }
    return most;
}

isa::Program ChunkStates::program(isa::CoreId core) const {
    Scan scan(*this, core);
    const Range steps = limited({0, steps_of(items(core))});
    scan.skip(steps.begin);
    for (std::int64_t i = steps.begin; i < steps.end && scan.step(); ++i) {
        co_yield scan.stream().take();
    }
    co_yield scan.stream().finish();
}

} // namespace npusim::kernels
