// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/recipe_plan.h"

#include "kernels/common/cube_products.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/inverse/cube_work.h"
#include "kernels/inverse/recipe_program.h"
#include "kernels/inverse/trip_server.h"
#include "sim/base/error.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace npusim::inverse {

namespace {

/// Values of the parameter `sum`.
constexpr std::int64_t kAccumulated = 0;
constexpr std::int64_t kStored = 1;

using isa::Tile;
using kernels::CubeProducts;
using kernels::Emitter;
using Kind = Recipe::Value::Kind;

/// Matrices of a wave, where phases of several waves hide each other's trips and where nothing else
/// does.
constexpr std::int64_t kWaveLimit = 4;
constexpr std::int64_t kLoneWaveLimit = 16;

/// Elements of a panel of rows that the vector unit works on at a time, in integer formats: enough
/// to outweigh the start-up of its transfers, few enough for two in flight.
constexpr std::int64_t kPanelElements = 2048;

RecipeLayout::Sums sums_of(const kernels::Problem& problem) {
    using enum RecipeLayout::Sums;
    return !is_integer(problem.dtype)                    ? Cube
           : problem.scaling == kernels::Scaling::Matrix ? AlwaysVector
                                                         : Vector;
}

} // namespace

RecipePlan::RecipePlan(const config::HardwareConfig& hardware,
                       const kernels::Problem& problem,
                       Recipe recipe)
    : hardware_(hardware), problem_(problem), recipe_(std::move(recipe)),
      split_(hardware.composition == config::Composition::Split), use_(recipe_, sums_of(problem)),
      layout_(hardware, problem) {
    const std::int64_t n = problem.chunk;
    for (std::size_t i = 0; i < use_.constants.size(); ++i) {
        constants_.push_back(layout_.gm.tile(problem.dtype, n, n));
    }
    for (const Mask& mask : use_.masks) {
        // Integers are cut while they are still sums in fp32.
        masks_.push_back(
            layout_.gm.tile(integer() ? DType::Fp32 : problem.dtype, mask.size, mask.size));
    }
    Emitter unused(hardware);
    const CubeProducts probe(hardware, problem.dtype, n, unused); // throws if L0 lacks the room
    size_waves();
    if (integer()) {
        set_scales();
    }
    if (use_.trips > 0) {
        if (integer()) {
            lay_out_integers();
        } else {
            lay_out_ub();
        }
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
    std::int64_t bytes = ring_.front().bytes();
    if (integer()) {
        const DType accumulator = hardware_.cube_format(problem_.dtype).accumulator;
        for (std::size_t i = 0; i < ring_.size(); ++i) {
            products_.push_back(layout_.gm.tile(accumulator, use_.largest_trip, use_.largest_trip));
        }
        bytes += products_.front().bytes();
    }
    spills_ = hardware_.ai_cores * ring_slots_ * bytes > hardware_.gm.l2_size_bytes;
}

/// One slot is enough to work; a second hides transfers.
void RecipePlan::lay_out_integers() {
    const std::int64_t side = use_.largest_trip;
    const DType accumulator = hardware_.cube_format(problem_.dtype).accumulator;
    const bool dynamic = problem_.scaling == kernels::Scaling::Matrix;
    std::size_t addends = 0;
    for (const auto& list : use_.addends) {
        addends = std::max(addends, list.size());
    }
    for (std::size_t v = 0; dynamic && v < recipe_.values().size(); ++v) {
        if (use_.takes_trip(v) && blocks_of(v) > kScaledBlocks) {
            throw ConfigError(
                fmt::format("--scale matrix: {} diagonal blocks would each have a scale "
                            "(allowed: up to {}, so larger blocks)",
                            blocks_of(v),
                            kScaledBlocks));
        }
    }
    kernels::Allocator ub(hardware_, Memory::Ub);
    IntegerBuffers& b = integers_;
    b.panel_rows = std::min(side, kPanelElements / side);
    const auto panel = [&](DType dtype) { return ub.tile(dtype, b.panel_rows, side); };
    b.sum = ub.tile(DType::Fp32, side, side);
    b.addend = panel(DType::Fp32);
    b.identity = ub.tile(problem_.dtype, side, side);
    if (dynamic) {
        const std::int64_t values = std::ssize(recipe_.values());
        b.peaks = ub.tile(DType::Fp32, 1, kernels::slice_floats(hardware_));
        b.peak = ub.tile(DType::Fp32, 1, kernels::kBlockFloats);
        b.inverse_scale = ub.tile(DType::Fp32, 1, kernels::kBlockFloats);
        b.scales = ub.tile(DType::Fp32, values * contexts() * kScaledBlocks, kernels::kBlockFloats);
        input_scales_ = layout_.gm.tile(DType::Fp32, problem_.count, kernels::kBlockFloats);
        output_scales_ = layout_.gm.tile(DType::Fp32, problem_.count, kernels::kBlockFloats);
    }
    identity_ = layout_.gm.tile(problem_.dtype, side, side);
    const std::int64_t before = ub.used();
    do {
        IntegerBuffers::Slot slot{panel(accumulator), {}, {}, panel(problem_.dtype)};
        for (std::size_t i = 0; i < addends; ++i) {
            slot.addends.push_back(panel(problem_.dtype));
        }
        if (!masks_.empty()) {
            slot.mask = panel(DType::Fp32);
        }
        b.slots.push_back(slot);
    } while (b.slots.size() < 2 &&
             2 * ub.used() - before <= hardware_.buffer(Memory::Ub).size_bytes);
}

void RecipePlan::set_scales() {
    scales_.assign(recipe_.values().size(), ScaleTable(problem_));
    if (problem_.calibration == nullptr) {
        return;
    }
    const auto elements = static_cast<std::size_t>(problem_.chunk * problem_.chunk);
    for (std::size_t m = 0; m < problem_.calibration->group_of.size(); ++m) {
        const auto a = problem_.calibration->matrices.subspan(m * elements, elements);
        if (problem_.scaling == kernels::Scaling::Matrix) {
            scales_[kInput.value].take(m, a); // the others are found on the way
            continue;
        }
        const std::vector<std::vector<double>> all = evaluate_all(recipe_, a);
        for (std::size_t v = 0; v < all.size(); ++v) {
            scales_[v].take(m, all[v]);
        }
    }
}

float RecipePlan::scale(std::size_t value, std::int64_t index) const {
    return value == kIdentity.value ? 1 : scales_[value](index);
}

double RecipePlan::output_scale(std::int64_t index, const functional::GlobalMemory& gm) const {
    if (!integer()) {
        return 1;
    }
    if (problem_.scaling != kernels::Scaling::Matrix) {
        return scale(recipe_.values().size() - 1, index);
    }
    const Tile block = output_scales_.block(index, 0, 1, 1);
    float scale = 0;
    functional::load_row(block, gm.data() + block.address, 0, &scale);
    return scale;
}

std::vector<std::string> RecipePlan::steps() const {
    std::vector<std::string> names;
    std::ranges::transform(recipe_.values(), std::back_inserter(names), &Recipe::Value::name);
    return names;
}

std::vector<Piece> RecipePlan::pieces(const Trip& trip,
                                      const Matrix& matrix,
                                      const std::function<Tile(BlockSpan)>& source) const {
    const std::int64_t n = problem_.chunk;
    if (trip.span.size < n) {
        return {{0, source(trip.span)}};
    }
    const auto [kind, size] = matrix.part;
    if (kind == Part::Kind::All) {
        return {{0, source({0, n})}};
    }
    std::vector<Piece> result;
    const std::int64_t step = kind == Part::Kind::Diagonal ? size : 2 * size;
    for (std::int64_t at = kind == Part::Kind::Odd ? size : 0; at < n; at += step) {
        result.push_back({at, source({at, size})});
    }
    return result;
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
    const auto write_diagonal = [&](const Tile& tile, double scale, const Part& part) {
        std::vector<float> values(static_cast<std::size_t>(tile.rows * tile.cols), 0.0F);
        for (std::int64_t i = 0; i < tile.rows; ++i) {
            values[static_cast<std::size_t>(i * tile.cols + i)] =
                part.keeps(i, i) ? static_cast<float>(scale) : 0.0F;
        }
        kernels::write_tile(gm, tile, values);
    };
    for (std::size_t c = 0; c < constants_.size(); ++c) {
        const std::size_t index = use_.constants[c];
        const bool zero = index == RecipeLayout::kZero;
        write_diagonal(
            constants_[c], zero ? 0 : value(index).scale, zero ? Part{} : value(index).part);
    }
    if (diagonal_) {
        diagonal_->write_constants(gm);
    }
    if (integer() && use_.trips > 0) {
        write_diagonal(identity_, 1, {});
        if (problem_.scaling == kernels::Scaling::Matrix) {
            std::vector<float> scales;
            for (std::int64_t i = 0; i < problem_.count; ++i) {
                scales.insert(scales.end(), kernels::kBlockFloats, scale(kInput.value, i));
            }
            kernels::write_tile(gm, input_scales_, scales);
        }
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

/// A vector core of a split chip: serves its share of the trips of its AI core, in the order in
/// which the cube core sends them.
isa::Program RecipePlan::vector_program(isa::CoreId core, kernels::Range matrices) const {
    if (use_.trips == 0) {
        co_return;
    }
    TripServer server(*this, core);
    const std::int64_t waves = count_waves(matrices);
    Trip trip;
    for (std::int64_t step = 0; step < count_steps(waves); ++step) {
        for (const Stage& stage : stages(step, waves)) {
            const kernels::Range range = wave_range(matrices, stage.wave);
            for (const std::size_t value : use_.phases[stage.phase]) {
                const std::int64_t blocks = use_.takes_trip(value) ? blocks_of(value) : 0;
                for (std::int64_t i = 0; i < range.size() * blocks; ++i, ++trip.number) {
                    trip.value = value;
                    trip.index = range.begin + i / blocks;
                    trip.context = context(stage.wave, i / blocks);
                    trip.span = span(value, i % blocks);
                    if (this->server(trip, matrices) == core.unit - 1) {
                        server.serve(trip);
                    }
                }
            }
        }
        co_yield server.emit.block();
    }
}

std::unique_ptr<kernels::Plan> plan_recipe(const config::HardwareConfig& hardware,
                                           const kernels::Problem& problem,
                                           Recipe recipe) {
    return std::make_unique<RecipePlan>(hardware, problem, std::move(recipe));
}

std::vector<kernels::Parameter> RecipeKernel::parameters() const {
    std::vector<kernels::Parameter> all = own_parameters();
    all.push_back({"sum",
                   kAccumulated,
                   kAccumulated,
                   kStored,
                   "terms are added up in the accumulator, or products are stored first",
                   {{"accumulator", kAccumulated}, {"stored", kStored}}});
    return all;
}

Recipe
RecipeKernel::recipe(std::int64_t size, DType dtype, const kernels::ParameterValues& values) const {
    Recipe r(size);
    if (values.at("sum") == kStored) {
        r.store_products();
    }
    state(r, dtype, values);
    return r;
}

} // namespace npusim::inverse
