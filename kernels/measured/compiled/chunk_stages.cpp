// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/compiled/chunk_stages.h"

#include "kernels/common/stream.h"

#include <algorithm>
#include <bit>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// Chunks a stage does before the next one's turn, where several are chained: the 64-row chunks of
/// the two blocks of the inverse's first kernel.
constexpr std::int64_t kBatch = 38;

/// solve_tril.py: LARGE_BLOCK_T tokens of a head are a program's, in two tasks, in squares of 16.
constexpr std::int64_t kBlockTokens = 1216;
constexpr std::int64_t kTasks = 2;
constexpr std::int64_t kSquare = 16;

/// cumsum.py: OPTIM_BLOCK_SIZE is 2^18 / (heads * chunk) tokens, up to a power of two.
constexpr std::int64_t kGateElements = std::int64_t{1} << 18;

/// Parts of an AI core's workspace, of 64 KiB.
constexpr std::int64_t kWorkParts = 8;
constexpr std::int64_t kWorkBytes = std::int64_t{64} * 1024;

/// Cross-core flags: products come by 0.. , operands go by 4.. . A product that nothing is handed
/// over for has two places in turn, whose release goes by 6 and 7.
constexpr std::int32_t kProduct = 0;
constexpr std::int32_t kOperand = 4;
constexpr std::int32_t kRelease = 6;

/// The two of them in turn.
std::int32_t in_turn(std::int32_t first, std::int64_t turn) {
    return first + static_cast<std::int32_t>(turn % 2);
}

} // namespace

CompiledStages::CompiledStages(const config::HardwareConfig& hardware,
                               const CompiledChunkShape& shape,
                               std::vector<CompiledStage> stages)
    : SteadyKernel(hardware), shape_(shape), stages_(std::move(stages)) {
    using Role = Tensor::Role;
    const std::int64_t tokens = shape.chunks() * shape.chunk;
    const std::int64_t keys = shape.key_heads * shape.head_size;
    const std::int64_t values = shape.heads * shape.head_size;
    q_ = add("q", Role::Input, DType::Fp16, tokens, keys);
    k_ = add("k", Role::Input, DType::Fp16, tokens, keys);
    v_ = add("v", Role::Input, DType::Fp16, tokens, values);
    w_ = add("w", Role::Output, DType::Fp16, tokens, values);
    u_ = add("u", Role::Output, DType::Fp16, tokens, values);
    o_ = add("o", Role::Output, DType::Fp16, tokens, values);
    a_ = add("a", Role::Output, DType::Fp32, tokens, shape.heads * shape.chunk);
    blocks_ = add("blocks", Role::Scratch, DType::Fp32, tokens, shape.heads * kSquare);
    inverse_ = add("inverse", Role::Output, DType::Fp16, tokens, shape.heads * shape.chunk);
    h_ = add("h", Role::Output, DType::Fp16, shape.items() * shape.head_size, shape.head_size);
    g_ = add("g", Role::Input, DType::Fp32, shape.heads, tokens);
    g_in_ = add("g_in", Role::Input, DType::Fp32, tokens, shape.heads);
    beta_ = add("beta", Role::Input, DType::Fp16, shape.heads, tokens);
    work_ =
        add("workspace", Role::Scratch, DType::Int8, hardware.ai_cores * kWorkParts, kWorkBytes);
}

// What belongs to an item.

bool CompiledStages::by_head(CompiledStage stage) const {
    return stage == CompiledStage::States || stage == CompiledStage::Outputs ||
           stage == CompiledStage::LinearOutputs || stage == CompiledStage::Inverse;
}

CompiledStages::Item
CompiledStages::item(CompiledStage stage, std::int64_t index, std::int64_t turn) const {
    index = std::min(index, shape_.items() - 1);
    Item item;
    item.turn = turn;
    if (by_head(stage)) {
        const std::int64_t own = ceil_div(shape_.tokens, shape_.chunk);
        const std::int64_t sequence = index / own / shape_.heads;
        item.head = index / own % shape_.heads;
        item.chunk = sequence * own + index % own;
    } else {
        item.head = index % shape_.heads;
        item.chunk = index / shape_.heads;
    }
    item.row = item.chunk * shape_.chunk;
    return item;
}

/// The rows of the chunk, the columns of the head of `tensor`.
Tile CompiledStages::rows_of(const Tile& tensor, const Item& item, bool key) const {
    const std::int64_t count = key ? shape_.key_heads : shape_.heads;
    const std::int64_t head = key ? item.head * shape_.key_heads / shape_.heads : item.head;
    const std::int64_t width = tensor.cols / count;
    return tensor.block(item.row, head * width, shape_.chunk, width);
}

Tile CompiledStages::gate(const Tile& tensor, const Item& item) const {
    return tensor.block(item.head, item.row, 1, shape_.chunk);
}

Tile CompiledStages::work(
    isa::CoreId core, std::int64_t part, DType dtype, std::int64_t rows, std::int64_t cols) const {
    const std::int64_t at = (core.ai_core * kWorkParts + part) * kWorkBytes;
    return isa::dense(Memory::Gm, dtype, work_.address + at, rows, cols);
}

// Stages.

std::int64_t CompiledStages::gate_blocks() const {
    const auto wanted = static_cast<std::uint64_t>(kGateElements / (shape_.heads * shape_.chunk));
    const auto tokens = std::max(static_cast<std::int64_t>(std::bit_ceil(wanted)), shape_.chunk);
    return shape_.sequences * ceil_div(shape_.tokens, tokens);
}

/// A block of some chunks, all heads: rows of [chunks * heads], one added to the next.
void CompiledStages::cumulative_gate(CompiledScript& c, std::int64_t block) const {
    Script& s = c.script();
    if (!s.vector()) {
        return;
    }
    const std::int64_t rows = shape_.chunks() * shape_.chunk / gate_blocks();
    const std::int64_t width = rows / shape_.chunk * shape_.heads;
    const Tile in = g_in_.block(std::min(block * rows, g_in_.rows - rows), 0, rows, shape_.heads);
    c.alone(true);
    c.start();
    c.load(in, true);
    c.rows(shape_.chunk, width); // the chunks side by side
    for (std::int64_t row = 1; row < shape_.chunk; ++row) {
        c.step<isa::Vadd>(1, width);
    }
    c.rows(shape_.chunk, width);
    c.store(in, true);
    c.alone(false);
}

void CompiledStages::key_products(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const std::int64_t n = shape_.chunk;
    const Tile k = rows_of(k_, item, true);
    const Tile product = work(core, item.turn % 2, DType::Fp32, n, n);
    if (item.turn >= 2) {
        c.await_free(in_turn(kRelease, item.turn));
    }
    c.start(shape_.heads);
    c.product(product, k, true, k, false, true);
    c.load(gate(beta_, item), true);
    c.load(gate(g_, item), true);
    c.binary<isa::Vsub>(n, n); // g_i - g_j
    c.unary<isa::Vmins>(n, n); // safe_exp: where the difference is at most 0
    c.unary<isa::Vexp>(n, n);
    c.to_vectors(in_turn(kProduct, item.turn));
    c.load(product, false);
    c.free(in_turn(kRelease, item.turn));
    c.binary<isa::Vmul>(n, n);
    c.binary<isa::Vmul>(n, n); // beta
    c.binary<isa::Vmul>(n, n); // where i > j
    c.store(rows_of(a_, item, false), true);
}

void CompiledStages::wy_products(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const std::int64_t n = shape_.chunk;
    const std::int64_t d = shape_.head_size;
    const Tile inverse = rows_of(inverse_, item, false);
    c.start(shape_.heads);
    c.load(gate(g_, item), true);
    c.unary<isa::Vexp>(1, n);
    c.load(gate(beta_, item), true);
    c.widen(1, n);
    c.binary<isa::Vmul>(1, n);
    const auto operand = [&](std::int64_t part) { return work(core, part, DType::Fp16, n, d); };
    const auto scale = [&](const Tile& in, std::int64_t part) {
        c.load(in, true);
        c.widen(n, d);
        c.binary<isa::Vmul>(n, d);
        c.store(operand(part), false);
    };
    const auto multiply = [&](std::int64_t part) {
        c.product(
            work(core, part + 2, DType::Fp32, n, d), inverse, part == 0, operand(part), false);
    };
    const auto result = [&](const Tile& out, std::int64_t part) {
        c.exchange();
        c.to_vectors(kProduct + static_cast<std::int32_t>(part));
        c.load(work(core, part + 2, DType::Fp32, n, d), false);
        c.store(out, true);
    };
    scale(rows_of(v_, item, false), 0);
    c.to_cube(kOperand);
    multiply(0);
    scale(rows_of(k_, item, true), 1); // does not depend on the product and comes before it
    result(rows_of(u_, item, false), 0);
    c.to_cube(kOperand + 1);
    multiply(1);
    result(rows_of(w_, item, false), 1);
}

/// Two halves of the columns of h; their products are handed over one behind the other.
void CompiledStages::states(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const std::int64_t n = shape_.chunk;
    const std::int64_t d = shape_.head_size;
    const std::int64_t half = d / 2;
    const Tile k = rows_of(k_, item, true);
    const Tile w = rows_of(w_, item, false);
    const Tile u = rows_of(u_, item, false);
    const Tile v_new = rows_of(v_, item, false);
    const std::int64_t index = item.chunk * shape_.heads + item.head;
    const Tile h = h_.block(index * d, 0, d, d);
    const auto column = [&](const Tile& tile, std::int64_t part) {
        return tile.block(0, part * half, tile.rows, half);
    };
    const auto place = [&](std::int64_t part, DType dtype, std::int64_t rows) {
        return work(core, part, dtype, rows, half);
    };
    for (std::int64_t part = 0; part < 2; ++part) {
        c.store(column(h, part), true);
    }
    c.load(gate(g_, item), true);
    c.binary<isa::Vsub>(1, n);
    c.unary<isa::Vmins>(1, n);
    c.unary<isa::Vexp>(1, n);
    for (std::int64_t part = 0; part < 2; ++part) {
        c.store(place(part, DType::Fp16, d), false); // h as an operand
    }
    c.to_cube(kOperand);
    for (std::int64_t part = 0; part < 2; ++part) {
        c.product(
            place(2 + part, DType::Fp32, n), w, part == 0, place(part, DType::Fp16, d), false);
    }
    c.exchange();
    c.to_vectors(kProduct);
    for (std::int64_t part = 0; part < 2; ++part) {
        c.load(column(u, part), true);
        c.widen(n, half);
        c.load(place(2 + part, DType::Fp32, n), false);
        c.binary<isa::Vsub>(n, half);
        c.store(column(v_new, part), true);
        c.binary<isa::Vmul>(n, half); // exp(g_last - g)
        c.unary<isa::Vmuls>(d, half); // exp(g_last) h
        c.store(place(4 + part, DType::Fp16, n), false);
    }
    c.to_cube(kOperand + 1);
    for (std::int64_t part = 0; part < 2; ++part) {
        // K^T: read as it lies, turned on the way to L0A; the same bytes and blocks.
        const Tile turned = isa::dense(Memory::Gm, k.dtype, k.address, d, n);
        c.product(place(6 + part, DType::Fp32, d),
                  turned,
                  part == 0,
                  place(4 + part, DType::Fp16, n),
                  false);
    }
    c.exchange();
    c.to_vectors(kProduct + 1);
    for (std::int64_t part = 0; part < 2; ++part) {
        c.load(place(6 + part, DType::Fp32, d), false);
        c.binary<isa::Vadd>(d, half);
    }
}

void CompiledStages::outputs(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const std::int64_t n = shape_.chunk;
    const std::int64_t d = shape_.head_size;
    const Tile q = rows_of(q_, item, true);
    const std::int64_t index = item.chunk * shape_.heads + item.head;
    const Tile scores = work(core, 0, DType::Fp32, n, n);
    const Tile masked = work(core, 1, DType::Fp16, n, n);
    const Tile inter = work(core, 2, DType::Fp32, n, d);
    const Tile intra = work(core, 3, DType::Fp32, n, d);
    c.product(inter, q, true, h_.block(index * d, 0, d, d), true);
    c.product(scores, q, false, rows_of(k_, item, true), true, true);
    c.load(gate(g_, item), true);
    c.to_vectors(kProduct);
    c.unary<isa::Vexp>(1, n);
    c.load(inter, false);
    c.binary<isa::Vmul>(n, d);
    c.binary<isa::Vsub>(n, n); // g_i - g_j
    c.unary<isa::Vmins>(n, n);
    c.unary<isa::Vexp>(n, n);
    c.load(scores, false);
    c.binary<isa::Vmul>(n, n);
    c.binary<isa::Vmul>(n, n); // where i >= j
    c.store(masked, false);
    c.to_cube(kOperand);
    c.product(intra, masked, false, rows_of(v_, item, false), true);
    c.exchange();
    c.to_vectors(kProduct + 1);
    c.load(intra, false);
    c.unary<isa::Vmuls>(n, d);
    c.unary<isa::Vmuls>(n, d);
    c.binary<isa::Vadd>(n, d);
    c.store(rows_of(o_, item, false), true);
}

/// Products over a part of the keys are added up by the vector cores; those over all of them come
/// as they are.
void CompiledStages::linear_outputs(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const std::int64_t half = shape_.head_size / 2;
    for (std::int64_t col = 0; col < shape_.head_size; col += half) {
        linear_half(c, core, item, col);
    }
}

void CompiledStages::linear_half(CompiledScript& c,
                                 isa::CoreId core,
                                 const Item& item,
                                 std::int64_t col) const {
    const std::int64_t n = shape_.chunk;
    const std::int64_t d = shape_.head_size;
    const std::int64_t half = d / 2;
    const std::int64_t block = shape_.key_block;
    const Tile q = rows_of(q_, item, true);
    const Tile k = rows_of(k_, item, true);
    const std::int64_t index = item.chunk * shape_.heads + item.head;
    const Tile h = h_.block(index * d, col, d, half);
    const Tile masked = work(core, 4, DType::Fp16, n, n);
    const Tile intra = work(core, 5, DType::Fp32, n, half);
    const auto inter = [&](std::int64_t part) { return work(core, part, DType::Fp32, n, half); };
    const auto scores = [&](std::int64_t part) { return work(core, part + 2, DType::Fp32, n, n); };
    for (std::int64_t at = 0; at < d; at += block) {
        const Tile queries = q.block(0, at, n, block);
        c.product(inter(at / block), queries, col == 0, h.block(at, 0, block, half), true);
        c.product(scores(at / block), queries, false, k.block(0, at, n, block), col == 0, true);
    }
    c.to_vectors(kProduct);
    for (std::int64_t at = 0; at < d; at += block) {
        c.load(inter(at / block), false);
        if (block < d) {
            c.binary<isa::Vadd>(n, half);
        }
        c.load(scores(at / block), false);
        if (block < d) {
            c.binary<isa::Vadd>(n, n);
        }
    }
    c.binary<isa::Vge>(n, n);  // i >= j
    c.binary<isa::Vmul>(n, n); // where
    c.store(masked, false);
    c.to_cube(kOperand);
    c.product(intra, masked, false, rows_of(v_, item, false).block(0, col, n, half), true);
    c.exchange();
    c.to_vectors(kProduct + 1);
    c.load(intra, false);
    c.unary<isa::Vmuls>(n, half);
    c.binary<isa::Vadd>(n, half);
    c.store(rows_of(o_, item, false).block(0, col, n, half), true);
}

// The inverse.

std::int64_t CompiledStages::inverse_blocks() const {
    return shape_.sequences * shape_.heads * ceil_div(shape_.tokens, kBlockTokens);
}

std::int64_t CompiledStages::merges_per_round() const {
    const std::int64_t blocks = ceil_div(inverse_blocks(), vector_workers(hardware()));
    return ceil_div(ceil_div(shape_.items(), hardware().ai_cores), blocks);
}

/// solve_tril_16x16_kernel: squares of 16 along the diagonal, all of a task side by side, row after
/// row. Its loops run over all of the block's rows; those that are there no more come as zeros.
void CompiledStages::invert_blocks(CompiledScript& c,
                                   std::int64_t block,
                                   std::int64_t chunks) const {
    Script& s = c.script();
    if (!s.vector()) {
        return;
    }
    const std::int64_t squares = chunks * shape_.chunk / kSquare / kTasks;
    const std::int64_t width = squares * kSquare;
    const std::int64_t blocks = ceil_div(shape_.tokens, kBlockTokens);
    const std::int64_t index = std::min(block, inverse_blocks() - 1);
    const std::int64_t head = index / blocks % shape_.heads;
    const std::int64_t first =
        index / blocks / shape_.heads * shape_.tokens + index % blocks * kBlockTokens;
    c.alone(true);
    c.start();
    for (std::int64_t task = 0; task < kTasks; ++task) {
        for (std::int64_t square = 0; square < squares; ++square) {
            const std::int64_t row =
                std::min(first + (task * squares + square) * kSquare, a_.rows - kSquare);
            const std::int64_t col = head * shape_.chunk + row % shape_.chunk;
            c.load(a_.block(row, col / kSquare * kSquare, kSquare, kSquare), true);
            c.step<isa::Vmul>(kSquare, kSquare); // insert_slice
        }
        c.unary<isa::Vmuls>(width, kSquare); // trans, reshape
        for (std::int64_t row = 1; row < kSquare; ++row) {
            c.unary<isa::Vmuls>(1, width);       // extract_slice
            c.binary<isa::Vmul>(width, kSquare); // b_a[:, :, None] * b_A
            c.rows(width, kSquare);              // trans: squares of rows to rows of squares
            for (std::int64_t left = kSquare / 2; left > 0; left /= 2) {
                c.binary<isa::Vadd>(left, width); // sum
            }
            c.binary<isa::Vadd>(1, width);
            c.rows(squares, kSquare); // insert_slice
        }
        c.binary<isa::Vadd>(width, kSquare); // the diagonal
        c.store(blocks_.block(std::min(first + task * width, blocks_.rows - width),
                              head * kSquare,
                              width,
                              kSquare),
                true);
    }
    c.alone(false);
}

/// merge_16x16_to_64x64_inverse_kernel.
void CompiledStages::merge_blocks(CompiledScript& c, isa::CoreId core, const Item& item) const {
    const Tile a = rows_of(a_, item, false);
    const Tile ad = rows_of(blocks_, item, false);
    const Tile out = rows_of(inverse_, item, false);
    const auto square =
        [&](const Tile& tile, std::int64_t row, std::int64_t col, std::int64_t side) {
            return tile.block(row, col, side, side);
        };
    constexpr std::int64_t kHalf = 2 * kSquare;
    c.start();
    // A pair of products for either half of the diagonal: the outer one reads what the inner wrote.
    for (std::int64_t half = 0; half < 2; ++half) {
        const std::int64_t row = half * kHalf;
        const Tile inner = work(core, 2 * half, DType::Fp32, kSquare, kSquare);
        const Tile outer = work(core, 2 * half + 1, DType::Fp32, kSquare, kSquare);
        c.product(inner,
                  square(ad, row + kSquare, 0, kSquare),
                  true,
                  square(a, row + kSquare, row, kSquare),
                  true);
        c.pass();
        c.product(outer, inner, false, square(ad, row, 0, kSquare), true);
    }
    c.to_vectors(kProduct);
    for (std::int64_t half = 0; half < 2; ++half) {
        c.step<isa::Vmul>(kHalf, kHalf); // zeros
        for (std::int64_t part = 0; part < 2; ++part) {
            c.load(square(ad, half * kHalf + part * kSquare, 0, kSquare), true);
            c.step<isa::Vmul>(kSquare, kSquare); // insert_slice
        }
        c.load(work(core, 2 * half + 1, DType::Fp32, kSquare, kSquare), false);
        c.unary<isa::Vmuls>(kSquare, kSquare); // minus
        c.step<isa::Vmul>(kSquare, kSquare);   // insert_slice
        c.store(work(core, 4 + half, DType::Fp32, kHalf, kHalf), false);
    }
    c.to_cube(kOperand);
    const Tile inner = work(core, 6, DType::Fp32, kHalf, kHalf);
    const Tile outer = work(core, 7, DType::Fp32, kHalf, kHalf);
    c.product(
        inner, work(core, 5, DType::Fp32, kHalf, kHalf), false, square(a, kHalf, 0, kHalf), true);
    c.pass();
    c.product(outer, inner, false, work(core, 4, DType::Fp32, kHalf, kHalf), false);
    c.exchange();
    for (std::int64_t half = 0; half < 2; ++half) {
        c.store(square(out, half * kHalf, half * kHalf, kHalf), true);
    }
    c.store(square(out, 0, kHalf, kHalf), true); // zeros
    c.to_vectors(kProduct + 1);
    c.load(outer, false);
    c.store(square(out, kHalf, 0, kHalf), true);
}

// Rounds.

std::int64_t CompiledStages::rounds() const {
    const std::int64_t items = ceil_div(shape_.items(), hardware().ai_cores);
    if (stages_.size() > 1) {
        return ceil_div(items, kBatch);
    }
    switch (stages_.front()) {
    case CompiledStage::CumulativeGate:
        return ceil_div(gate_blocks(), vector_workers(hardware()));
    case CompiledStage::Inverse:
        return ceil_div(inverse_blocks(), vector_workers(hardware()));
    default:
        return items;
    }
}

void CompiledStages::run(CompiledScript& c,
                         isa::CoreId core,
                         CompiledStage stage,
                         const Item& item) const {
    switch (stage) {
    case CompiledStage::CumulativeGate:
        break;
    case CompiledStage::KeyProducts:
        key_products(c, core, item);
        break;
    case CompiledStage::Inverse:
        merge_blocks(c, core, item);
        break;
    case CompiledStage::WyProducts:
        wy_products(c, core, item);
        break;
    case CompiledStage::States:
        states(c, core, item);
        break;
    case CompiledStage::Outputs:
        outputs(c, core, item);
        break;
    case CompiledStage::LinearOutputs:
        linear_outputs(c, core, item);
        break;
    }
}

/// Flags of the last key products.
void CompiledStages::drain(CompiledScript& c, CompiledStage stage, std::int64_t items) const {
    for (std::int64_t turn = items; stage == CompiledStage::KeyProducts && turn < items + 2;
         ++turn) {
        if (turn >= 2) {
            c.await_free(in_turn(kRelease, turn));
        }
    }
}

isa::Program CompiledStages::program(isa::CoreId core) const {
    CompiledScript c(hardware(), core);
    const auto worker = ai_core_worker(hardware(), core);
    const bool chained = stages_.size() > 1;
    const std::int64_t lanes = c.script().lanes();
    const std::int64_t lane =
        std::max<std::int64_t>(c.script().vector() ? c.script().lane() : 0, 0);
    const Range mine = worker.of(shape_.items());
    const std::int64_t own = rounds();
    for (std::int64_t round = 0; round < limited(own); ++round) {
        for (const CompiledStage stage : stages_) {
            if (stage == CompiledStage::CumulativeGate) {
                cumulative_gate(c, (round * worker.count + worker.index) * lanes + lane);
                continue;
            }
            std::int64_t items = chained ? kBatch : 1;
            if (stage == CompiledStage::Inverse) {
                items = chained ? kBatch : merges_per_round();
                const std::int64_t chunks = chained ? kBatch / lanes : kBlockTokens / shape_.chunk;
                invert_blocks(c, (round * worker.count + worker.index) * lanes + lane, chunks);
            }
            for (std::int64_t i = 0; i < items; ++i) {
                // A batch of a chain starts with no flag up.
                const std::int64_t turn = chained ? i : round;
                run(c, core, stage, item(stage, mine.begin + round * items + i, turn));
                co_yield c.block();
            }
            if (chained) {
                drain(c, stage, items);
            }
        }
        co_yield c.block();
    }
    if (!chained) {
        drain(c, stages_.front(), limited(own));
    }
    co_yield c.finish();
}

} // namespace npusim::kernels
