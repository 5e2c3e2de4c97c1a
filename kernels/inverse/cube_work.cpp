// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/cube_work.h"

namespace npusim::inverse {

using isa::Tile;
using kernels::Operand;
using kernels::Term;
using Kind = Recipe::Value::Kind;

CubeWork::CubeWork(const RecipePlan& plan, isa::CoreId core, kernels::Range matrices)
    : emit(plan.hardware_), plan_(plan), core_(core), matrices_(matrices),
      cube_(plan.hardware_, plan.problem_.dtype, plan.problem_.chunk, emit),
      constants_(plan.recipe_.values().size()),
      states_(plan.l1_.contexts.size(),
              std::vector<State>(plan.l1_.scratch.size(), {constants_, {}})) {
    if (!plan.split_ && plan.use_.trips > 0) {
        if (plan.integer()) {
            integers_.emplace(plan, emit);
        } else {
            vector_.emplace(plan, emit);
        }
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
        emit(isa::Copy{to, plan_.input(i), plan_.problem_.cold});
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
            const Trip step{
                value, 0, index, plan_.context(stage.wave, static_cast<std::int64_t>(m)), {}};
            form(step,
                 states_[w][m],
                 plan_.is_last(value) ? plan_.output(index) : tile_of(value, w, m));
        });
    }
    if (stage.phase + 1 == plan_.use_.phases.size()) {
        for_each_matrix([&](std::size_t m, std::int64_t /*index*/) {
            states_[w][m].released = emit.signal(Pipe::Mte1, Pipe::Mte2);
        });
    }
}

/// Emits a step, whose result goes to `to`.
void CubeWork::form(const Trip& step, State& state, const Tile& to) {
    const bool trip = plan_.use_.takes_trip(step.value);
    for (std::int64_t b = 0; b < plan_.blocks_of(step.value); ++b) {
        Trip part = step;
        part.span = plan_.span(step.value, b);
        const auto [start, size] = part.span;
        const Tile block = to.block(start, start, size, size);
        if (trip) {
            part.number = trip_++;
            if (plan_.split_) {
                trip_over_gm(part, state, block);
            } else if (plan_.integer()) {
                integers_in_core(part, state, block);
            } else {
                trip_in_core(part, state, block);
            }
            continue;
        }
        kernels::Way way{to.memory == Memory::Gm && plan_.problem_.cold,
                         static_cast<std::int16_t>(step.value)};
        if (plan_.integer()) {
            way.scale = plan_.rescaling(*plan_.use_.products[step.value], step);
            way.unit = plan_.scale(step.value, step.index);
        }
        cube_.sum(block, terms(step.value, state, part.span), way);
    }
    if (!plan_.is_last(step.value) && (plan_.use_.multiplied[step.value] || !plan_.split_)) {
        const Pipe writer = !trip ? Pipe::FixPipe : plan_.split_ ? Pipe::Mte2 : Pipe::Mte3;
        state.operands[step.value] = cube_.operand(to, writer);
    }
}

std::vector<Term> CubeWork::terms(std::size_t value, const State& state, BlockSpan span) const {
    std::vector<Term> result;
    const auto add = [&](const Product& term) {
        result.push_back({operand(term.left, state, span), operand(term.right, state, span)});
    };
    if (!plan_.integer()) {
        std::ranges::for_each(plan_.value(value).terms, add);
    } else if (plan_.use_.products[value]) {
        add(*plan_.use_.products[value]);
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

/// The vector core is told that its data or its place in GM is ready, and its result is loaded as
/// soon as it says so. The wait is on MTE2, behind nothing but earlier loads; it also keeps this
/// core from running ahead of the vector cores by more than the places there are.
void CubeWork::trip_over_gm(const Trip& trip, const State& state, const Tile& to) {
    const auto server = static_cast<std::int32_t>(plan_.server(trip, matrices_));
    if (const std::vector<Term> sum = terms(trip.value, state, trip.span); !sum.empty()) {
        const Tile place = plan_.integer() ? plan_.product_place(core_.ai_core, trip)
                                           : plan_.place(core_.ai_core, trip);
        const auto step =
            static_cast<std::int16_t>(plan_.integer() ? -1 : std::int64_t(trip.value));
        cube_.sum(place, sum, {plan_.spills_, step, 1});
        emit(isa::CrossSet{Pipe::FixPipe, 1 + server, kProductInGm});
    } else {
        // MTE1 has read what was loaded from this place before it gets here.
        emit(isa::CrossSet{Pipe::Mte1, 1 + server, kPlaceFree});
    }
    emit(isa::CrossWait{Pipe::Mte2, kDone + server});
    if (plan_.use_.multiplied[trip.value]) {
        emit(isa::Copy{to, plan_.place(core_.ai_core, trip), plan_.spills_});
    }
}

/// MTE3 may write over what MTE1 has been told to read so far. Where a result comes by way of the
/// cube, its own loads see to that.
void CubeWork::wait_for_reads() {
    emit.await(Pipe::Mte1, Pipe::Mte3, emit.signal(Pipe::Mte1, Pipe::Mte3));
}

void CubeWork::trip_in_core(const Trip& trip, const State& state, const Tile& to) {
    const std::vector<Term> sum = terms(trip.value, state, trip.span);
    const Pipe loader = sum.empty() ? Pipe::Mte2 : Pipe::FixPipe;
    const Tile room = vector_->begin(loader);
    const auto [start, size] = trip.span;
    const Tile data = kernels::shaped(room, size, size);
    if (sum.empty()) {
        wait_for_reads();
        emit(isa::Copy{data, plan_.input(trip.index).block(start, start, size, size)});
    } else {
        cube_.sum(data, sum, {false, static_cast<std::int16_t>(trip.value), 1});
    }
    vector_->finish(trip.value, loader, to, false);
}

/// Sums leave L0C by FixPipe as they are, addends come out of L1 by MTE1, and results go back
/// there.
void CubeWork::integers_in_core(const Trip& trip, const State& state, const Tile& to) {
    IntegerSources sources;
    const std::vector<Term> sum = terms(trip.value, state, trip.span);
    Tile product;
    if (!sum.empty()) {
        product = cube_.form(trip.span.size, sum);
        sources.product_loader = Pipe::FixPipe;
        sources.product = [&](const Tile& panel, std::int64_t row) {
            emit(isa::Fixpipe{panel, product.block(row, 0, panel.rows, panel.cols)});
        };
    }
    sources.addend = [&](std::size_t which, const Tile& panel, std::int64_t row) {
        const Matrix& matrix = plan_.use_.addends[trip.value][which].matrix;
        const bool input = matrix.value == kInput.value;
        const Pipe pipe = input ? Pipe::Mte2 : Pipe::Mte1;
        const Operand& operand = state.operands[matrix.value];
        if (!input) {
            emit.await(operand.writer, Pipe::Mte1, operand.ready);
        }
        const Tile from = input ? plan_.input(trip.index) : operand.tile;
        integers_->bring(pipe, panel, row, plan_.pieces(trip, matrix, [&](BlockSpan span) {
            return from.block(span.start, span.start, span.size, span.size);
        }));
        return pipe;
    };
    if (sum.empty()) {
        wait_for_reads();
    }
    integers_->run(trip, sources, to, to.memory == Memory::Gm);
    if (!sum.empty()) {
        cube_.release();
    }
}

} // namespace npusim::inverse
