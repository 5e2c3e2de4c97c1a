// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/integer_work.h"

#include "kernels/common/vector_tiles.h"

#include <algorithm>

namespace npusim::inverse {

using isa::Tile;
using kernels::by_slices;
using kernels::kBlockFloats;
using kernels::repeated;
using kernels::shaped;
using kernels::slice_floats;

namespace {

/// Keeps the scale of an all-zero matrix from being zero.
constexpr float kLeastPeak = 1e-30F;

} // namespace

IntegerWork::IntegerWork(const RecipePlan& plan, kernels::Emitter& emit)
    : plan_(plan), emit_(emit), ub_(plan.integers_),
      dynamic_(plan.problem_.scaling == kernels::Scaling::Matrix),
      scale_of_(static_cast<std::size_t>(plan.contexts()), -1) {
    loaders_ =
        plan.split_ ? std::vector{Pipe::Mte2} : std::vector{Pipe::Mte1, Pipe::Mte2, Pipe::FixPipe};
    for (const IntegerBuffers::Slot& slot : ub_.slots) {
        slots_.push_back({slot, {}, {}});
    }
    emit(isa::Copy{ub_.identity, plan.identity_});
    emit.await(Pipe::Mte2, Pipe::Vector, emit.signal(Pipe::Mte2, Pipe::Vector));
}

void IntegerWork::run(const Trip& trip, const IntegerSources& sources, const Tile& to, bool cold) {
    if (dynamic_) {
        load_input_scale(trip);
    }
    const std::int64_t size = trip.span.size;
    const std::int64_t rows = std::min(size, ub_.panel_rows);
    const Tile sum = shaped(ub_.sum, size, size);
    for (std::int64_t row = 0; row < size; row += rows) {
        Slot& slot = slots_[turn_++ % slots_.size()];
        const Tile panel = sum.block(row, 0, rows, size);
        add_up(trip, sources, slot, panel, row);
        if (!dynamic_) {
            emit_(isa::Vmuls{{panel, panel}, 1 / plan_.scale(trip.value, trip.index)});
            store(trip, panel, to.block(row, 0, rows, size), cold);
        }
    }
    if (dynamic_) {
        find_scale(trip);
        for (std::int64_t row = 0; row < size; row += rows) {
            const Tile panel = sum.block(row, 0, rows, size);
            scale_by(panel, ub_.inverse_scale);
            store(trip, panel, to.block(row, 0, rows, size), cold);
        }
        scales_read_ = emit_.signal(Pipe::Vector, Pipe::Mte2);
    }
}

void IntegerWork::bring(Pipe pipe,
                        const Tile& to,
                        std::int64_t row,
                        const std::vector<Piece>& pieces) {
    const bool whole = pieces.size() == 1 && pieces.front().from.rows == to.cols;
    if (!whole) {
        emit_(isa::Vdup{to, 0.0F});
        emit_.await(Pipe::Vector, pipe, emit_.signal(Pipe::Vector, pipe));
    }
    for (const auto& [start, from] : pieces) {
        const std::int64_t top = std::max(start, row);
        const std::int64_t rows = std::min(start + from.rows, row + to.rows) - top;
        if (rows > 0) {
            emit_(isa::Copy{to.block(top - row, start, rows, from.cols),
                            from.block(top - start, 0, rows, from.cols)});
        }
    }
}

/// sum = rows [row, row + rows) of the step's value in fp32.
void IntegerWork::add_up(const Trip& trip,
                         const IntegerSources& sources,
                         Slot& slot,
                         const Tile& sum,
                         std::int64_t row) {
    const std::vector<RecipeLayout::Addend>& addends = plan_.use_.addends[trip.value];
    const Recipe::Value& value = plan_.value(trip.value);
    std::array<bool, kPipeCount> used{};
    const auto loads = [&](Pipe pipe) { used[static_cast<std::size_t>(pipe)] = true; };
    for (const Pipe pipe : loaders_) {
        emit_.await(Pipe::Vector, pipe, slot.read[static_cast<std::size_t>(pipe)]);
    }
    if (sources.product) {
        sources.product(shaped(slot.room.product, sum.rows, sum.cols), row);
        loads(sources.product_loader);
    }
    for (std::size_t a = 0; a < addends.size(); ++a) {
        if (addends[a].matrix.value != kIdentity.value) {
            loads(sources.addend(a, shaped(slot.room.addends[a], sum.rows, sum.cols), row));
        }
    }
    if (value.part.kind != Part::Kind::All) {
        emit_(isa::Copy{
            shaped(slot.room.mask, sum.rows, sum.cols),
            plan_.masks_[plan_.use_.mask_of[trip.value]].block(row, 0, sum.rows, sum.cols)});
        loads(Pipe::Mte2);
    }
    for (const Pipe pipe : loaders_) {
        if (used[static_cast<std::size_t>(pipe)]) {
            emit_.await(pipe, Pipe::Vector, emit_.signal(pipe, Pipe::Vector));
        }
    }

    if (sources.product) {
        const Product& product = *plan_.use_.products[trip.value];
        emit_(isa::Vcast{sum, shaped(slot.room.product, sum.rows, sum.cols)});
        scale_by(sum, trip, product.left);
        scale_by(sum, trip, product.right);
    } else {
        emit_(isa::Vdup{sum, 0.0F});
    }
    const Tile addend = shaped(ub_.addend, sum.rows, sum.cols);
    for (std::size_t a = 0; a < addends.size(); ++a) {
        const bool identity = addends[a].matrix.value == kIdentity.value;
        const Tile integers = identity ? ub_.identity.block(row, 0, sum.rows, sum.cols)
                                       : shaped(slot.room.addends[a], sum.rows, sum.cols);
        emit_(isa::Vcast{addend, integers});
        if (!identity) {
            scale_by(addend, trip, addends[a].matrix);
        }
        if (addends[a].factor != 1) {
            emit_(isa::Vmuls{{addend, addend}, static_cast<float>(addends[a].factor)});
        }
        emit_(isa::Vadd{{sum, sum, addend}});
    }
    if (value.part.kind != Part::Kind::All) {
        emit_(isa::Vand{{sum, sum, shaped(slot.room.mask, sum.rows, sum.cols)}});
    }
    // Whichever pipe fills the slot next, the vector unit has done with it.
    for (const Pipe pipe : loaders_) {
        slot.read[static_cast<std::size_t>(pipe)] = emit_.signal(Pipe::Vector, pipe);
    }
}

/// Rounds the panel to integers and sends it off.
void IntegerWork::store(const Trip& trip, const Tile& sum, const Tile& to, bool cold) {
    Slot& slot = slots_[turn_++ % slots_.size()];
    const Tile result = shaped(slot.room.result, sum.rows, sum.cols);
    emit_.await(Pipe::Mte3, Pipe::Vector, slot.sent);
    const float unit = dynamic_ ? 0 : plan_.scale(trip.value, trip.index);
    emit_(isa::Vcast{result, sum, static_cast<std::int16_t>(trip.value), unit});
    emit_.await(Pipe::Vector, Pipe::Mte3, emit_.signal(Pipe::Vector, Pipe::Mte3));
    emit_(isa::Copy{to, result, cold});
    slot.sent = emit_.signal(Pipe::Mte3, Pipe::Vector);
}

/// The scale of the matrix in `sum` from its largest entry: into the table, and its inverse for use
/// at once.
void IntegerWork::find_scale(const Trip& trip) {
    const std::int64_t size = trip.span.size;
    const std::int64_t width = std::min(size, slice_floats(plan_.hardware_));
    const Tile peaks = shaped(ub_.peaks, 1, width);
    emit_(isa::Vdup{peaks, kLeastPeak});
    const std::int64_t rows = std::min(size, ub_.panel_rows);
    for (std::int64_t row = 0; row < size; row += rows) {
        // A panel as one column of rows a repeat wide, folded until one row is left.
        std::int64_t count = rows * size / width;
        const Tile panel = shaped(ub_.addend, count, width);
        const Tile from = shaped(ub_.sum, size, size).block(row, 0, rows, size);
        emit_(isa::Vabs{{panel, shaped(from, count, width)}});
        while (count > 1) {
            const std::int64_t half = count / 2;
            emit_(isa::Vmax{{panel.block(0, 0, half, width),
                             panel.block(0, 0, half, width),
                             panel.block(count - half, 0, half, width)}});
            count -= half;
        }
        emit_(isa::Vmax{{peaks, peaks, panel.block(0, 0, 1, width)}});
    }
    const auto largest = static_cast<float>(largest_integer(plan_.problem_.dtype));
    const Tile peak = shaped(ub_.peak, 1, 1);
    const Tile block = shaped(ub_.peak, 1, kBlockFloats);
    const Tile scale = scale_tile(trip.value, trip, trip.span.start / size);
    emit_(isa::Vcmax{peak, peaks, static_cast<std::int16_t>(trip.value)});
    emit_(isa::Vbrcb{block, peak});
    emit_(isa::Vmuls{{scale, block}, 1 / largest});
    emit_(isa::Vdup{ub_.inverse_scale, 1.0F});
    emit_(isa::Vdiv{{ub_.inverse_scale, ub_.inverse_scale, scale}});
    if (trip.value + 1 == plan_.recipe_.values().size()) {
        emit_.await(Pipe::Vector, Pipe::Mte3, emit_.signal(Pipe::Vector, Pipe::Mte3));
        emit_(isa::Copy{plan_.output_scales_.block(trip.index, 0, 1, kBlockFloats), scale});
    }
}

/// A arrives with the scale that whoever stored it has found.
void IntegerWork::load_input_scale(const Trip& trip) {
    std::int64_t& loaded = scale_of_[trip.context];
    if (loaded == trip.index) {
        return;
    }
    loaded = trip.index;
    emit_.await(Pipe::Vector, Pipe::Mte2, scales_read_);
    for (std::int64_t block = 0; block < kScaledBlocks; ++block) {
        emit_(isa::Copy{scale_tile(kInput.value, trip, block),
                        plan_.input_scales_.block(trip.index, 0, 1, kBlockFloats)});
    }
    emit_.await(Pipe::Mte2, Pipe::Vector, emit_.signal(Pipe::Mte2, Pipe::Vector));
}

/// tile *= the number in the 32-byte block `factor`, a repeat's width of columns at a time.
void IntegerWork::scale_by(const Tile& tile, const Tile& factor) {
    by_slices<isa::Vmul>(
        emit_, slice_floats(plan_.hardware_), tile, tile, repeated(factor, tile.rows));
}

/// tile *= the scale of `matrix`.
void IntegerWork::scale_by(const Tile& tile, const Trip& trip, const Matrix& matrix) {
    if (!dynamic_) {
        emit_(isa::Vmuls{{tile, tile}, plan_.scale(matrix.value, trip.index)});
        return;
    }
    // A matrix formed in blocks has a scale for each; a step that takes a part takes one of them.
    const bool blocks = plan_.blocks_of(matrix.value) > 1;
    const std::int64_t block = !blocks                           ? 0
                               : plan_.blocks_of(trip.value) > 1 ? trip.span.start / trip.span.size
                               : matrix.part.kind == Part::Kind::Odd ? 1
                                                                     : 0;
    scale_by(tile, scale_tile(matrix.value, trip, block));
}

Tile IntegerWork::scale_tile(std::size_t value, const Trip& trip, std::int64_t block) const {
    const auto row = static_cast<std::int64_t>(
        (value * static_cast<std::size_t>(plan_.contexts()) + trip.context) * kScaledBlocks);
    return ub_.scales.block(row + block, 0, 1, kBlockFloats);
}

} // namespace npusim::inverse
