// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/trip_server.h"

namespace npusim::inverse {

using isa::Tile;
using Kind = Recipe::Value::Kind;

TripServer::TripServer(const RecipePlan& plan, isa::CoreId core)
    : emit(plan.hardware_), plan_(plan), core_(core) {
    if (plan.integer()) {
        integers_.emplace(plan, emit);
    } else {
        masks_.emplace(plan, emit);
    }
}

void TripServer::serve(const Trip& trip) {
    if (integers_) {
        integers(trip);
    } else {
        mask(trip);
    }
    emit(isa::CrossSet{Pipe::Mte3, 0, kDone + static_cast<std::int32_t>(core_.unit) - 1});
}

void TripServer::mask(const Trip& trip) {
    const auto [start, size] = trip.span;
    const Tile shared = plan_.place(core_.ai_core, trip);
    const Tile room = masks_->begin(Pipe::Mte2);
    const bool product = plan_.value(trip.value).kind == Kind::Sum;
    emit(isa::CrossWait{Pipe::Mte2, product ? kProductInGm : kPlaceFree});
    const Tile from = product ? shared : plan_.input(trip.index).block(start, start, size, size);
    emit(isa::Copy{kernels::shaped(room, size, size), from, product && plan_.spills_});
    masks_->finish(trip.value, Pipe::Mte2, shared, plan_.spills_);
}

void TripServer::integers(const Trip& trip) {
    IntegerSources sources;
    const bool product = plan_.use_.products[trip.value].has_value();
    emit(isa::CrossWait{Pipe::Mte2, product ? kProductInGm : kPlaceFree});
    if (product) {
        sources.product = [&](const Tile& panel, std::int64_t row) {
            emit(isa::Copy{
                panel,
                plan_.product_place(core_.ai_core, trip).block(row, 0, panel.rows, panel.cols),
                plan_.spills_});
        };
    }
    sources.addend = [&](std::size_t which, const Tile& panel, std::int64_t row) {
        const Matrix& matrix = plan_.use_.addends[trip.value][which].matrix;
        for (const auto& [key, stored] : stored_) {
            if (std::get<0>(key) == matrix.value && std::get<1>(key) == trip.context) {
                emit.await(Pipe::Mte3, Pipe::Mte2, stored.there);
            }
        }
        integers_->bring(Pipe::Mte2, panel, row, plan_.pieces(trip, matrix, [&](BlockSpan span) {
            return source(trip, matrix.value, span);
        }));
        return Pipe::Mte2;
    };
    const bool last = plan_.is_last(trip.value);
    const auto [start, size] = trip.span;
    const Tile to = last ? plan_.output(trip.index).block(start, start, size, size)
                         : plan_.place(core_.ai_core, trip);
    integers_->run(trip, sources, to, (last && plan_.problem_.cold) || plan_.spills_);
    if (!last) {
        stored_[{trip.value, trip.context, start}] = {to, emit.signal(Pipe::Mte3, Pipe::Mte2)};
    }
}

/// Where the diagonal block `span` of a matrix stands.
Tile TripServer::source(const Trip& trip, std::size_t value, BlockSpan span) const {
    if (value == kInput.value) {
        return plan_.input(trip.index).block(span.start, span.start, span.size, span.size);
    }
    const BlockSpan formed = plan_.span(value, span.start / plan_.span(value, 0).size);
    const Tile place = stored_.at({value, trip.context, formed.start}).place;
    const std::int64_t at = span.start - formed.start;
    return place.block(at, at, span.size, span.size);
}

} // namespace npusim::inverse
