// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/recipe_plan.h"

#include "kernels/common/batch_layout.h"
#include "kernels/common/cube_products.h"
#include "kernels/inverse/block_diagonal.h"
#include "kernels/inverse/recipe_layout.h"
#include "sim/base/error.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::CubeProducts;
using kernels::Emitter;
using kernels::Operand;
using kernels::Term;
using kernels::Ticket;
using Kind = Recipe::Value::Kind;

/// Cross-core events. To a vector core: the cube core has put a product into GM; it has done with
/// the place where the next result for it goes. To the cube core: vector core v has put a result
/// into GM.
constexpr std::int32_t kProductInGm = 0;
constexpr std::int32_t kPlaceFree = 1;
constexpr std::int32_t kDone = 0;

/// Matrices of a wave, where phases of several waves hide each other's trips and where nothing else
/// does.
constexpr std::int64_t kWaveLimit = 4;
constexpr std::int64_t kLoneWaveLimit = 16;

/// Diagonal block `index` of a step's result: `size` wide, at (`start`, `start`).
struct BlockSpan {
    std::int64_t start = 0;
    std::int64_t size = 0;
};

/// L1 of the cube core.
struct CubeBuffers {
    std::vector<Tile> constants;
    std::vector<std::vector<Tile>> scratch;               ///< [matrix of a wave][slot]
    std::vector<std::vector<std::vector<Tile>>> contexts; ///< [wave in flight][matrix][slot]
};

/// UB of the unit that serves trips.
struct VectorBuffers {
    std::vector<Tile> slots; ///< a trip's data comes in and is worked on in place
    std::vector<Tile> masks; ///< fewer than the recipe has if they do not all fit
};

/// A phase of a wave, as the cube core gets to it.
struct Stage {
    std::int64_t wave = 0;
    std::size_t phase = 0;
};

class RecipePlan : public kernels::Plan {
  public:
    RecipePlan(const config::HardwareConfig& hardware,
               const kernels::Problem& problem,
               Recipe recipe);

    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        const kernels::Range matrices =
            kernels::share(problem_.count, hardware_.ai_cores, core.ai_core);
        if (matrices.size() == 0) {
            return {};
        }
        return split_ && core.unit > 0 ? vector_program(core, matrices)
                                       : cube_program(core, matrices);
    }
    [[nodiscard]] std::int64_t gm_bytes() const override { return layout_.gm.used(); }
    [[nodiscard]] Tile input(std::int64_t index) const override { return layout_.input(index); }
    [[nodiscard]] Tile output(std::int64_t index) const override { return layout_.output(index); }
    void write_constants(functional::GlobalMemory& gm) const override;

  private:
    friend class VectorWork;
    friend class CubeWork;

    void size_waves();
    [[nodiscard]] std::optional<CubeBuffers> cube_buffers(std::int64_t waves,
                                                          std::int64_t wave) const;
    void lay_out_ub();
    void lay_out_ring();

    [[nodiscard]] const Recipe::Value& value(std::size_t index) const {
        return recipe_.values()[index];
    }
    [[nodiscard]] std::int64_t blocks_of(std::size_t index) const {
        return value(index).block == 0 ? 1 : problem_.chunk / value(index).block;
    }
    [[nodiscard]] BlockSpan span(std::size_t index, std::int64_t block) const {
        const std::int64_t size = value(index).block == 0 ? problem_.chunk : value(index).block;
        return {block * size, size};
    }
    /// Matrices of `wave` out of those of a core.
    [[nodiscard]] kernels::Range wave_range(kernels::Range matrices, std::int64_t wave) const {
        const std::int64_t begin = matrices.begin + wave * wave_;
        return {begin, std::min(begin + wave_, matrices.end)};
    }
    [[nodiscard]] std::int64_t count_waves(kernels::Range matrices) const {
        return ceil_div(matrices.size(), wave_);
    }
    /// Step s of a core runs phase p of wave s - p, so that a wave is on its trip while others use
    /// the cube; one wave at a time, it runs all phases of wave s.
    [[nodiscard]] std::int64_t count_steps(std::int64_t waves) const {
        return skewed() ? waves + std::ssize(use_.phases) - 1 : waves;
    }
    [[nodiscard]] std::vector<Stage> stages(std::int64_t step, std::int64_t waves) const;
    [[nodiscard]] bool skewed() const { return in_flight_ > 1; }
    /// Where the result of trip number `trip` of an AI core stands in GM.
    [[nodiscard]] Tile place(std::int64_t ai_core, std::int64_t trip, std::int64_t size) const {
        const Tile& room =
            ring_[static_cast<std::size_t>(ai_core * ring_slots_ + trip % ring_slots_)];
        return isa::dense(room.memory, room.dtype, room.address, size, size);
    }

    isa::Program cube_program(isa::CoreId core, kernels::Range matrices) const;
    isa::Program vector_program(isa::CoreId core, kernels::Range matrices) const;

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    Recipe recipe_;
    bool split_;
    RecipeLayout use_;
    kernels::BatchLayout layout_;
    std::vector<Tile> constants_; ///< in GM, as use_.constants
    std::vector<Tile> masks_;     ///< in GM, as use_.masks
    std::int64_t wave_ = 1;       ///< matrices per wave
    std::int64_t in_flight_ = 1;  ///< waves in L1 at a time
    CubeBuffers l1_;
    VectorBuffers ub_;
    std::optional<BlockDiagonalInverse> diagonal_; ///< if the recipe has a use for it
    std::int64_t ring_slots_ = 0;                  ///< places in GM per AI core
    std::vector<Tile> ring_;
    bool spills_ = false; ///< the ring is larger than L2
};

RecipePlan::RecipePlan(const config::HardwareConfig& hardware,
                       const kernels::Problem& problem,
                       Recipe recipe)
    : hardware_(hardware), problem_(problem), recipe_(std::move(recipe)),
      split_(hardware.composition == config::Composition::Split), use_(recipe_),
      layout_(hardware, problem) {
    const std::int64_t n = problem.chunk;
    for (std::size_t i = 0; i < use_.constants.size(); ++i) {
        constants_.push_back(layout_.gm.tile(problem.dtype, n, n));
    }
    for (const Mask& mask : use_.masks) {
        masks_.push_back(layout_.gm.tile(problem.dtype, mask.size, mask.size));
    }
    Emitter unused(hardware);
    const CubeProducts probe(hardware, problem.dtype, n, unused); // throws if L0 lacks the room
    size_waves();
    if (use_.trips > 0) {
        lay_out_ub();
        if (split_) {
            lay_out_ring();
        }
    }
}

/// Masks first: reloading one costs a transfer, a second slot only hides one.
void RecipePlan::lay_out_ub() {
    kernels::Allocator ub(hardware_, Memory::Ub);
    if (use_.inverts_blocks) {
        diagonal_.emplace(problem_.chunk, layout_.gm, ub);
    }
    const auto tile = [&] { return ub.tile(problem_.dtype, use_.largest_trip, use_.largest_trip); };
    ub_.slots.push_back(tile());
    const std::int64_t size = hardware_.buffer(Memory::Ub).size_bytes;
    for (std::size_t m = 0; m < masks_.size(); ++m) {
        if (m == 0 || ub.used() + ub_.slots[0].bytes() <= size) {
            ub_.masks.push_back(tile());
        }
    }
    if (ub.used() + ub_.slots[0].bytes() <= size) {
        ub_.slots.push_back(tile());
    }
}

void RecipePlan::lay_out_ring() {
    ring_slots_ = in_flight_ * wave_ * use_.trips;
    for (std::int64_t i = 0; i < hardware_.ai_cores * ring_slots_; ++i) {
        ring_.push_back(layout_.gm.tile(problem_.dtype, use_.largest_trip, use_.largest_trip));
    }
    spills_ = hardware_.ai_cores * ring_slots_ * ring_.front().bytes() > hardware_.gm.l2_size_bytes;
}

/// As many waves in flight as there are phases, and one more to prefetch into, if L1 has the room;
/// otherwise one wave at a time, as large as fits.
void RecipePlan::size_waves() {
    const std::int64_t per_core = ceil_div(problem_.count, hardware_.ai_cores);
    for (const std::int64_t in_flight : {std::ssize(use_.phases) + 1, std::ptrdiff_t{1}}) {
        const std::int64_t limit = in_flight > 1 ? kWaveLimit : kLoneWaveLimit;
        std::int64_t wave = std::clamp<std::int64_t>(ceil_div(per_core, in_flight), 1, limit);
        for (; wave >= 1; --wave) {
            if (auto buffers = cube_buffers(in_flight, wave)) {
                in_flight_ = in_flight;
                wave_ = wave;
                l1_ = std::move(*buffers);
                return;
            }
        }
    }
    throw ConfigError(
        fmt::format("{}: {} bytes do not hold what the kernel keeps of one chunk of {} in {} "
                    "(allowed: a smaller chunk, a narrower dtype, fewer steps, a larger l1)",
                    hardware_.at("buffers.l1.size"),
                    hardware_.buffer(Memory::L1).size_bytes,
                    problem_.chunk,
                    to_string(problem_.dtype)));
}

std::optional<CubeBuffers> RecipePlan::cube_buffers(std::int64_t waves, std::int64_t wave) const {
    const std::int64_t n = problem_.chunk;
    const std::int64_t tiles = std::ssize(use_.constants) +
                               wave * static_cast<std::int64_t>(use_.scratch_slots) +
                               waves * wave * static_cast<std::int64_t>(use_.context_slots);
    const std::int64_t bytes = isa::dense(Memory::L1, problem_.dtype, 0, n, n).bytes();
    if (tiles * bytes > hardware_.buffer(Memory::L1).size_bytes) {
        return std::nullopt;
    }
    kernels::Allocator l1(hardware_, Memory::L1);
    const auto allocate = [&](std::size_t count) {
        std::vector<Tile> room;
        for (std::size_t i = 0; i < count; ++i) {
            room.push_back(l1.tile(problem_.dtype, n, n));
        }
        return room;
    };
    CubeBuffers buffers{allocate(use_.constants.size()), {}, {}};
    for (std::int64_t m = 0; m < wave; ++m) {
        buffers.scratch.push_back(allocate(use_.scratch_slots));
    }
    for (std::int64_t w = 0; w < waves; ++w) {
        auto& matrices = buffers.contexts.emplace_back();
        for (std::int64_t m = 0; m < wave; ++m) {
            matrices.push_back(allocate(use_.context_slots));
        }
    }
    return buffers;
}

std::vector<Stage> RecipePlan::stages(std::int64_t step, std::int64_t waves) const {
    std::vector<Stage> result;
    for (std::size_t phase = 0; phase < use_.phases.size(); ++phase) {
        const std::int64_t wave = skewed() ? step - static_cast<std::int64_t>(phase) : step;
        if (wave >= 0 && wave < waves) {
            result.push_back({wave, phase});
        }
    }
    return result;
}

void RecipePlan::write_constants(functional::GlobalMemory& gm) const {
    const std::int64_t n = problem_.chunk;
    for (std::size_t c = 0; c < constants_.size(); ++c) {
        std::vector<float> values(static_cast<std::size_t>(n * n), 0.0F);
        if (const std::size_t index = use_.constants[c]; index != RecipeLayout::kZero) {
            for (std::int64_t i = 0; i < n; ++i) {
                if (value(index).part.keeps(i, i)) {
                    values[static_cast<std::size_t>(i * n + i)] =
                        static_cast<float>(value(index).scale);
                }
            }
        }
        kernels::write_tile(gm, constants_[c], values);
    }
    if (diagonal_) {
        diagonal_->write_constants(gm);
    }
    // All ones where the mask keeps, all zeros elsewhere: for a bitwise and.
    for (std::size_t m = 0; m < masks_.size(); ++m) {
        const Mask& mask = use_.masks[m];
        for (std::int64_t i = 0; i < mask.size; ++i) {
            for (std::int64_t j = 0; j < mask.size; ++j) {
                const Tile element = masks_[m].block(i, j, 1, 1);
                std::memset(gm.data() + element.address,
                            mask.part.keeps(i, j) ? 0xFF : 0x00,
                            static_cast<std::size_t>(element.bytes()));
            }
        }
    }
}

/// The vector unit's part in a recipe: one trip at a time through one of its slots in UB.
class VectorWork {
  public:
    VectorWork(const RecipePlan& plan, Emitter& emit);

    /// Where the next trip's data goes: filled by `loader`, once that has been made safe.
    const Tile& begin(Pipe loader);
    /// Does what `value` asks with the [size,size] matrix that `loader` has just put there, and
    /// sends the result to `to`.
    void finish(std::size_t value, Pipe loader, const Tile& to, bool cold);

  private:
    struct Slot {
        Tile room;
        Ticket free_for_mte2; ///< the result has left by MTE3
        Ticket free_for_fixpipe;
    };
    struct MaskTile {
        Tile room;
        std::size_t mask = SIZE_MAX; ///< which of the layout's is in it
    };
    Slot& slot() { return slots_[turn_ % slots_.size()]; }
    const Tile& mask(std::size_t which);

    const RecipePlan& plan_;
    Emitter& emit_;
    std::vector<Slot> slots_;
    std::vector<MaskTile> masks_;
    std::size_t turn_ = 0;
    Ticket masked_; ///< the vector unit has read a mask for the last time
};

VectorWork::VectorWork(const RecipePlan& plan, Emitter& emit) : plan_(plan), emit_(emit) {
    for (const Tile& slot : plan.ub_.slots) {
        slots_.push_back({slot, {}, {}});
    }
    for (const Tile& mask : plan.ub_.masks) {
        masks_.push_back({mask});
    }
    if (plan.diagonal_) {
        plan.diagonal_->set_up(emit, {}); // what is not in the blocks is never read
    }
}

const Tile& VectorWork::begin(Pipe loader) {
    ++turn_;
    emit_.await(
        Pipe::Mte3, loader, loader == Pipe::Mte2 ? slot().free_for_mte2 : slot().free_for_fixpipe);
    return slot().room;
}

const Tile& VectorWork::mask(std::size_t which) {
    MaskTile& tile = masks_[which % masks_.size()];
    if (tile.mask != which) {
        tile.mask = which;
        const Tile& from = plan_.masks_[which];
        const Tile to = isa::dense(Memory::Ub, from.dtype, tile.room.address, from.rows, from.cols);
        emit_.await(Pipe::Vector, Pipe::Mte2, masked_);
        emit_(isa::Copy{to, from});
        emit_.await(Pipe::Mte2, Pipe::Vector, emit_.signal(Pipe::Mte2, Pipe::Vector));
        tile.room = to;
    }
    return tile.room;
}

void VectorWork::finish(std::size_t value, Pipe loader, const Tile& to, bool cold) {
    Slot& slot = this->slot();
    const Tile data = isa::dense(Memory::Ub, slot.room.dtype, slot.room.address, to.rows, to.cols);
    const bool inverts = plan_.value(value).kind == Kind::BlockInverse;
    const Tile keep = inverts ? Tile{} : mask(plan_.use_.mask_of[value]);
    emit_.await(loader, Pipe::Vector, emit_.signal(loader, Pipe::Vector));
    if (inverts) {
        plan_.diagonal_->invert(emit_, data, data);
    } else {
        emit_(isa::Vand{{data, data, keep}});
    }
    if (masks_.size() < plan_.use_.masks.size()) {
        masked_ = emit_.signal(Pipe::Vector, Pipe::Mte2);
    }
    emit_.await(Pipe::Vector, Pipe::Mte3, emit_.signal(Pipe::Vector, Pipe::Mte3));
    emit_(isa::Copy{to, data, cold});
    slot.free_for_mte2 = emit_.signal(Pipe::Mte3, Pipe::Mte2);
    if (!plan_.split_) {
        slot.free_for_fixpipe = emit_.signal(Pipe::Mte3, Pipe::FixPipe);
    }
}

/// The cube core's side of the matrices, and the vector unit's too where one stream drives both.
class CubeWork {
  public:
    CubeWork(const RecipePlan& plan, isa::CoreId core, kernels::Range matrices);

    void load_wave(std::int64_t wave);
    void run(const Stage& stage);

    Emitter emit;

  private:
    /// What is known of the matrix in a context.
    struct State {
        std::vector<Operand> operands; ///< by value of the recipe
        Ticket released;               ///< MTE1 has read the context's tiles for the last time
    };

    void form(std::size_t value, State& state, const Tile& tile, std::int64_t index);
    std::vector<Term> terms(const Recipe::Value& value, const State& state, BlockSpan span) const;
    [[nodiscard]] Operand operand(const Matrix& matrix, const State& state, BlockSpan span) const;
    void trip(std::size_t value, State& state, const Tile& to, std::int64_t index);
    void trip_over_gm(
        std::size_t value, const State& state, const Tile& to, std::int64_t index, BlockSpan span);
    void trip_in_core(
        std::size_t value, const State& state, const Tile& to, std::int64_t index, BlockSpan span);
    [[nodiscard]] const Tile&
    tile_of(std::size_t value, std::size_t wave, std::size_t matrix) const;

    const RecipePlan& plan_;
    isa::CoreId core_;
    kernels::Range matrices_;
    CubeProducts cube_;
    std::optional<VectorWork> vector_; ///< where this core has the vector unit
    std::vector<Operand> constants_;   ///< by value of the recipe
    std::vector<std::vector<State>> states_;
    std::int64_t trip_ = 0; ///< of this AI core, so far
};

CubeWork::CubeWork(const RecipePlan& plan, isa::CoreId core, kernels::Range matrices)
    : emit(plan.hardware_), plan_(plan), core_(core), matrices_(matrices),
      cube_(plan.hardware_, plan.problem_.dtype, plan.problem_.chunk, emit),
      constants_(plan.recipe_.values().size()),
      states_(plan.l1_.contexts.size(),
              std::vector<State>(plan.l1_.scratch.size(), {constants_, {}})) {
    if (!plan.split_) {
        vector_.emplace(plan, emit);
    }
    for (std::size_t c = 0; c < plan.constants_.size(); ++c) {
        emit(isa::Copy{plan.l1_.constants[c], plan.constants_[c]});
        const Operand constant = cube_.operand(plan.l1_.constants[c], Pipe::Mte2);
        if (const std::size_t value = plan.use_.constants[c]; value == RecipeLayout::kZero) {
            cube_.set_zero(constant);
        } else {
            constants_[value] = constant;
        }
    }
}

const Tile& CubeWork::tile_of(std::size_t value, std::size_t wave, std::size_t matrix) const {
    const RecipeLayout::Home& home = plan_.use_.homes[value];
    return home.context ? plan_.l1_.contexts[wave][matrix][home.slot]
                        : plan_.l1_.scratch[matrix][home.slot];
}

void CubeWork::load_wave(std::int64_t wave) {
    if (!plan_.use_.cube_reads_input) {
        return;
    }
    const kernels::Range range = plan_.wave_range(matrices_, wave);
    const std::size_t w = static_cast<std::size_t>(wave) % states_.size();
    for (std::int64_t i = range.begin; i < range.end; ++i) {
        const auto m = static_cast<std::size_t>(i - range.begin);
        State& state = states_[w][m];
        const Tile& to = tile_of(kInput.value, w, m);
        emit.await(Pipe::Mte1, Pipe::Mte2, state.released);
        emit(isa::Copy{to, plan_.input(i), true});
        state.operands[kInput.value] = cube_.operand(to, Pipe::Mte2);
    }
}

void CubeWork::run(const Stage& stage) {
    const kernels::Range range = plan_.wave_range(matrices_, stage.wave);
    const std::size_t w = static_cast<std::size_t>(stage.wave) % states_.size();
    const auto for_each_matrix = [&](auto&& visit) {
        for (std::int64_t i = range.begin; i < range.end; ++i) {
            visit(static_cast<std::size_t>(i - range.begin), i);
        }
    };
    for (const std::size_t value : plan_.use_.phases[stage.phase]) {
        for_each_matrix([&](std::size_t m, std::int64_t index) {
            const bool last = value + 1 == plan_.recipe_.values().size();
            form(value, states_[w][m], last ? plan_.output(index) : tile_of(value, w, m), index);
        });
    }
    if (stage.phase + 1 == plan_.use_.phases.size()) {
        for_each_matrix([&](std::size_t m, std::int64_t /*index*/) {
            states_[w][m].released = emit.signal(Pipe::Mte1, Pipe::Mte2);
        });
    }
}

/// Emits the step `value` of matrix `index`, whose result goes to `tile`.
void CubeWork::form(std::size_t value, State& state, const Tile& tile, std::int64_t index) {
    if (plan_.use_.takes_trip(value)) {
        trip(value, state, tile, index);
        return;
    }
    for (std::int64_t b = 0; b < plan_.blocks_of(value); ++b) {
        const auto [start, size] = plan_.span(value, b);
        cube_.sum(tile.block(start, start, size, size),
                  terms(plan_.value(value), state, {start, size}),
                  tile.memory == Memory::Gm);
    }
    if (tile.memory != Memory::Gm) {
        state.operands[value] = cube_.operand(tile, Pipe::FixPipe);
    }
}

std::vector<Term>
CubeWork::terms(const Recipe::Value& value, const State& state, BlockSpan span) const {
    std::vector<Term> result;
    for (const Product& term : value.terms) {
        result.push_back({operand(term.left, state, span), operand(term.right, state, span)});
    }
    return result;
}

Operand CubeWork::operand(const Matrix& matrix, const State& state, BlockSpan span) const {
    const bool constant = plan_.value(matrix.value).kind == Kind::Constant;
    Operand operand = constant ? constants_[matrix.value] : state.operands[matrix.value];
    const auto [kind, size] = matrix.part;
    if (kind != Part::Kind::All) {
        operand.blocks = {
            size, kind == Part::Kind::Odd ? 1 : 0, kind == Part::Kind::Diagonal ? 1 : 2};
    }
    return span.size < plan_.problem_.chunk ? operand.diagonal(span.start, span.size) : operand;
}

void CubeWork::trip(std::size_t value, State& state, const Tile& to, std::int64_t index) {
    for (std::int64_t b = 0; b < plan_.blocks_of(value); ++b) {
        if (plan_.split_) {
            trip_over_gm(value, state, to, index, plan_.span(value, b));
        } else {
            trip_in_core(value, state, to, index, plan_.span(value, b));
        }
    }
    state.operands[value] = cube_.operand(to, plan_.split_ ? Pipe::Mte2 : Pipe::Mte3);
}

/// The vector core is told that its data or its place in GM is ready, and its result is loaded as
/// soon as it says so. The load waits on MTE2, behind nothing but earlier loads.
void CubeWork::trip_over_gm(
    std::size_t value, const State& state, const Tile& to, std::int64_t /*index*/, BlockSpan span) {
    const Tile place = plan_.place(core_.ai_core, trip_, span.size);
    const auto vector_core = static_cast<std::int32_t>(trip_ % plan_.hardware_.vector_cores);
    ++trip_;
    if (plan_.value(value).kind == Kind::Sum) {
        cube_.sum(place, terms(plan_.value(value), state, span), plan_.spills_);
        emit(isa::CrossSet{Pipe::FixPipe, 1 + vector_core, kProductInGm});
    } else {
        // MTE1 has read what was loaded from this place before it gets here.
        emit(isa::CrossSet{Pipe::Mte1, 1 + vector_core, kPlaceFree});
    }
    emit(isa::CrossWait{Pipe::Mte2, kDone + vector_core});
    emit(isa::Copy{to.block(span.start, span.start, span.size, span.size), place, plan_.spills_});
}

void CubeWork::trip_in_core(
    std::size_t value, const State& state, const Tile& to, std::int64_t index, BlockSpan span) {
    const bool product = plan_.value(value).kind == Kind::Sum;
    const Pipe loader = product ? Pipe::FixPipe : Pipe::Mte2;
    const Tile room = vector_->begin(loader);
    const Tile data = isa::dense(room.memory, room.dtype, room.address, span.size, span.size);
    if (product) {
        cube_.sum(data, terms(plan_.value(value), state, span));
    } else {
        emit(isa::Copy{data,
                       plan_.input(index).block(span.start, span.start, span.size, span.size)});
    }
    vector_->finish(value, loader, to.block(span.start, span.start, span.size, span.size), false);
}

isa::Program RecipePlan::cube_program(isa::CoreId core, kernels::Range matrices) const {
    CubeWork work(*this, core, matrices);
    const std::int64_t waves = count_waves(matrices);
    work.load_wave(0);
    for (std::int64_t step = 0; step < count_steps(waves); ++step) {
        if (skewed() && step + 1 < waves) {
            work.load_wave(step + 1);
        }
        for (const Stage& stage : stages(step, waves)) {
            work.run(stage);
        }
        if (!skewed() && step + 1 < waves) {
            work.load_wave(step + 1);
        }
        co_yield work.emit.block();
    }
}

/// A vector core of a split chip: takes every `vector_cores`-th trip of its AI core, in the order
/// in which the cube core sends them.
isa::Program RecipePlan::vector_program(isa::CoreId core, kernels::Range matrices) const {
    if (use_.trips == 0) {
        co_return;
    }
    Emitter emit(hardware_);
    VectorWork work(*this, emit);
    const std::int64_t waves = count_waves(matrices);
    std::int64_t trip = 0;
    for (std::int64_t step = 0; step < count_steps(waves); ++step) {
        for (const Stage& stage : stages(step, waves)) {
            const kernels::Range range = wave_range(matrices, stage.wave);
            for (const std::size_t index : use_.phases[stage.phase]) {
                const std::int64_t blocks = use_.takes_trip(index) ? blocks_of(index) : 0;
                for (std::int64_t i = 0; i < range.size() * blocks; ++i, ++trip) {
                    if (trip % hardware_.vector_cores != core.unit - 1) {
                        continue;
                    }
                    const auto [start, size] = span(index, i % blocks);
                    const Tile shared = place(core.ai_core, trip, size);
                    const Tile room = work.begin(Pipe::Mte2);
                    const bool product = value(index).kind == Kind::Sum;
                    emit(isa::CrossWait{Pipe::Mte2, product ? kProductInGm : kPlaceFree});
                    const Tile from =
                        product ? shared
                                : input(range.begin + i / blocks).block(start, start, size, size);
                    emit(isa::Copy{isa::dense(room.memory, room.dtype, room.address, size, size),
                                   from,
                                   product && spills_});
                    work.finish(index, Pipe::Mte2, shared, spills_);
                    emit(isa::CrossSet{
                        Pipe::Mte3, 0, kDone + static_cast<std::int32_t>(core.unit) - 1});
                }
            }
        }
        co_yield emit.block();
    }
}

} // namespace

std::unique_ptr<kernels::Plan> plan_recipe(const config::HardwareConfig& hardware,
                                           const kernels::Problem& problem,
                                           Recipe recipe) {
    return std::make_unique<RecipePlan>(hardware, problem, std::move(recipe));
}

} // namespace npusim::inverse
