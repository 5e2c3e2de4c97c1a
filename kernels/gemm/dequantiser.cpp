// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/dequantiser.h"

#include <algorithm>
#include <utility>

namespace npusim::kernels {

using isa::Tile;

namespace {

/// The same elements under another name: 16 bits stay 16 bits.
Tile as(Tile tile, DType dtype) {
    tile.dtype = dtype;
    return tile;
}

bool narrow_result(const QuantFormat& format) {
    return bits_of(format.dtype) == bits_of(DType::Fp16);
}

/// Whether results pass a tile of fp32 of their own.
bool widens(const QuantFormat& format) {
    return format.arithmetic() != DType::Fp16 && narrow_result(format);
}

bool widens_scales(const QuantFormat& format) {
    return format.scale != format.arithmetic();
}

} // namespace

std::vector<Tile> Dequantiser::tiles(Stream& s, DType dtype, std::int64_t rows, std::int64_t cols) {
    std::vector<Tile> all;
    for (std::int64_t i = 0; i < kTurns; ++i) {
        all.push_back(s.tile(Memory::Ub, dtype, rows, cols));
    }
    return all;
}

Dequantiser::Dequantiser(Stream& stream,
                         HandOver& hand_over,
                         const config::HardwareConfig& hardware,
                         const QuantFormat& format,
                         const QuantPiece& piece)
    : s_(stream), hand_over_(hand_over), format_(format),
      repeat_bytes_(hardware.vector.repeat_bytes),
      integers_(tiles(s_, format.weight, piece.run * piece.rows, piece.cols)),
      results_(tiles(s_, format.dtype, piece.rows, piece.cols)),
      scales_(tiles(s_, format.scale, piece.scale_rows, piece.cols)) {
    if (widens_scales(format)) {
        wide_scales_ = tiles(s_, DType::Fp32, piece.scale_rows, piece.cols);
    }
    if (!narrow_result(format)) {
        halves_ = s_.tile(Memory::Ub, DType::Fp16, piece.rows, piece.cols);
    }
    if (widens(format)) {
        wides_ = s_.tile(Memory::Ub, DType::Fp32, piece.rows, piece.cols);
    }
}

std::int64_t Dequantiser::ub_bytes(const QuantFormat& format, const QuantPiece& piece) {
    const auto bytes = [&](DType dtype, std::int64_t rows, std::int64_t count) {
        return ceil_div(rows * bytes_of(dtype, piece.cols), isa::kVectorBlockBytes) *
               isa::kVectorBlockBytes * count;
    };
    return bytes(format.weight, piece.run * piece.rows, kTurns) +
           bytes(format.dtype, piece.rows, kTurns) + bytes(format.scale, piece.scale_rows, kTurns) +
           bytes(DType::Fp32, piece.scale_rows, widens_scales(format) ? kTurns : 0) +
           bytes(DType::Fp16, piece.rows, narrow_result(format) ? 0 : 1) +
           bytes(DType::Fp32, piece.rows, widens(format) ? 1 : 0);
}

double Dequantiser::cycles(const config::HardwareConfig& hardware,
                           const QuantFormat& format,
                           const QuantPiece& piece) {
    const config::VectorConfig& unit = hardware.vector;
    const auto op = [&](const char* name, std::int64_t repeats, std::int64_t count) {
        const config::VectorOpCost& cost = unit.ops.at(name);
        return cost.slope * static_cast<double>(repeats) + cost.base * static_cast<double>(count);
    };
    const auto dense = [&](DType dtype) {
        return ceil_div(piece.rows * bytes_of(dtype, piece.cols), unit.repeat_bytes);
    };
    const std::int64_t chunks =
        ceil_div(bytes_of(format.arithmetic(), piece.cols), unit.repeat_bytes);
    double sum = op("vcast", dense(DType::Fp16), 1) +
                 op("vmul", piece.rows * chunks, chunks * ceil_div(piece.rows, format.group));
    if (format.arithmetic() != DType::Fp16) {
        sum += op("vcast", dense(DType::Fp32), 1);
    }
    return widens(format) ? sum + op("vcast", dense(DType::Fp32), 1) : sum;
}

void Dequantiser::lane(std::int64_t lane) {
    lane_ = lane;
    s_.lane(lane);
}

void Dequantiser::load_scales(const Tile& from, std::int64_t first_group, bool cold) {
    Lane& lane = current();
    const std::size_t turn = ++lane.scale_turn % kTurns;
    const Tile stored = shaped(scales_[turn], from.rows, from.cols);
    const Tile used =
        widens_scales(format_) ? shaped(wide_scales_[turn], from.rows, from.cols) : stored;
    lane.scales[turn] = {stored, used, first_group, !widens_scales(format_)};
    s_(isa::Copy{stored, from, cold});
}

void Dequantiser::load(std::int64_t run, const Tile& from, std::int64_t first_row, bool cold) {
    Lane& lane = current();
    const Tile integers = shaped(integers_[place(run)], from.rows, from.cols);
    lane.runs[place(run)] = {integers, first_row, lane.scale_turn % kTurns};
    s_(isa::Copy{integers, from, cold});
}

void Dequantiser::operator()(const Tile& to, std::int64_t run, std::int64_t first_row) {
    Lane& lane = current();
    const Run& loaded = lane.runs[place(run)];
    Scales& scales = lane.scales[loaded.scales];
    if (!std::exchange(scales.converted, true)) {
        s_(isa::Vcast{scales.used, scales.stored});
    }
    const Tile integer = loaded.integers.block(first_row - loaded.first_row, 0, to.rows, to.cols);
    const Tile result = shaped(results_[lane.turn++ % kTurns], to.rows, to.cols);
    const Tile half =
        narrow_result(format_) ? as(result, DType::Fp16) : shaped(halves_, to.rows, to.cols);
    s_(isa::Vcast{half, integer});
    if (format_.arithmetic() == DType::Fp16) {
        scale(result, first_row, scales);
    } else {
        const Tile wide =
            widens(format_) ? shaped(wides_, to.rows, to.cols) : as(result, DType::Fp32);
        s_(isa::Vcast{wide, half});
        scale(wide, first_row, scales);
        if (widens(format_)) {
            s_(isa::Vcast{result, wide});
        }
    }
    hand_over_.to_cube(to, result);
}

void Dequantiser::scale(const Tile& piece, std::int64_t first_row, const Scales& scales) {
    // A row of factors is repeated down at most one repeat of columns at a time.
    const std::int64_t width = repeat_bytes_ / bytes_of(piece.dtype, 1);
    std::int64_t row = 0;
    while (row < piece.rows) {
        const std::int64_t group = (first_row + row) / format_.group;
        const std::int64_t rows =
            std::min(piece.rows - row, (group + 1) * format_.group - first_row - row);
        const Tile part = piece.block(row, 0, rows, piece.cols);
        const Tile factors = scales.used.block(group - scales.first_group, 0, 1, piece.cols);
        by_slices<isa::Vmul>(s_, width, part, part, repeated(factors, rows));
        row += rows;
    }
}

} // namespace npusim::kernels
