// SPDX-License-Identifier: Apache-2.0
#include "kernels/measured/vector/single_op.h"
#include "sim/app/pattern.h"
#include "sim/app/validate/call_overhead.h"
#include "sim/app/validate/reading.h"
#include "sim/app/validate/vector_family.h"
#include "sim/isa/op_list.h"

#include <charconv>

namespace npusim::app {

namespace instruction_rows {
namespace {

using isa::Instruction;
using isa::Tile;
using kernels::SingleOp;

constexpr std::int64_t kCubeUnit = 0;
constexpr std::int64_t kVectorUnit = 1;
/// The lines are given at that many repeats.
constexpr std::int64_t kLineRepeats = 64;
/// Places of operands in UB.
constexpr std::int64_t kSecond = std::int64_t{32} * 1024;
constexpr std::int64_t kThird = std::int64_t{64} * 1024;

/// What `algorithm` says an instruction works on: "half_16x256", "float_120x110x50".
struct Operand {
    std::string element;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::int64_t third = 0; ///< of a product: its K dimension is `cols`, this is N
};

std::int64_t number(const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Operand operand_of(const Measurement& row) {
    const std::vector<std::string> parts =
        match(row.algorithm, R"((float|half|u?int\d+)_(\d+)x(\d+)(?:x(\d+))?(?![\d]))");
    if (parts.empty()) {
        throw NotModelled("shape not clear");
    }
    return {parts[1], number(parts[2]), number(parts[3]), number(parts[4])};
}

bool integer(const Operand& operand) {
    return operand.element != "float" && operand.element != "half";
}

/// Vector arithmetic is on floats here: integers are stood for by floats of their size.
DType dtype_of(const Operand& operand) {
    if (operand.element == "float" || operand.element == "int32" || operand.element == "uint32") {
        return DType::Fp32;
    }
    if (operand.element == "half" || operand.element == "int16" || operand.element == "uint16") {
        return DType::Fp16;
    }
    throw NotModelled("no vector arithmetic on bytes");
}

Tile in_ub(const Operand& operand, std::int64_t address) {
    return isa::dense(Memory::Ub, dtype_of(operand), address, operand.rows, operand.cols);
}

/// Ops of two operands go row by row (a repeat each) where a row is less than a repeat: int16
/// 64x64 takes as long as float 64x64.
Tile by_rows(Tile tile, const config::HardwareConfig& hardware) {
    if (tile.row_bytes() < hardware.vector.repeat_bytes) {
        tile.stride_bytes = hardware.vector.repeat_bytes;
    }
    return tile;
}

template <class Op>
std::vector<Instruction> binary(const Operand& operand, const config::HardwareConfig& hardware) {
    return {Op{{by_rows(in_ub(operand, 0), hardware),
                by_rows(in_ub(operand, kSecond), hardware),
                by_rows(in_ub(operand, kThird), hardware)}}};
}

template <class Op> std::vector<Instruction> unary(const Operand& operand) {
    return {Op{{in_ub(operand, 0), in_ub(operand, kSecond)}}};
}

/// Division by a scalar: spread it, divide.
std::vector<Instruction> divide_by_scalar(const Operand& operand) {
    if (integer(operand)) {
        throw NotModelled("no integer division");
    }
    const Tile divisor = in_ub(operand, kThird);
    return {isa::Vdup{divisor, 1},
            isa::Vdiv{{in_ub(operand, 0), in_ub(operand, kSecond), divisor}}};
}

void one_repeat(const Operand& operand, const config::HardwareConfig& hardware) {
    if (in_ub(operand, 0).row_bytes() > hardware.vector.repeat_bytes) {
        throw NotModelled("rows of several repeats: the reference is less than one op a row takes");
    }
    if (integer(operand)) {
        throw NotModelled("integer reduction: the reference is less than one op a row takes");
    }
}

std::vector<Instruction> row_peak(const Operand& operand, const config::HardwareConfig& hardware) {
    one_repeat(operand, hardware);
    const Tile to = isa::dense(Memory::Ub, dtype_of(operand), kSecond, 1, operand.rows);
    return {isa::Vcmax{to, in_ub(operand, 0)}};
}

/// The first row against each of the others, one op and one barrier a row.
std::vector<Instruction> col_peak(const Operand& operand, const config::HardwareConfig& hardware) {
    one_repeat(operand, hardware);
    const Tile from = in_ub(operand, 0);
    const Tile to = from.block(0, 0, 1, operand.cols);
    std::vector<Instruction> result;
    for (std::int64_t r = 1; r < operand.rows; ++r) {
        result.emplace_back(isa::Vmax{{to, to, from.block(r, 0, 1, operand.cols)}});
        result.emplace_back(isa::PipeBarrier{Pipe::Vector});
    }
    return result;
}

/// Pairs of rows, one op a pair, a barrier behind each level of the tree.
std::vector<Instruction> col_sum(const Operand& operand, const config::HardwareConfig& hardware) {
    if (operand.rows < 2) {
        throw NotModelled("one row: nothing to sum");
    }
    one_repeat(operand, hardware);
    const Tile from = in_ub(operand, 0);
    std::vector<Instruction> result;
    for (std::int64_t rows = operand.rows; rows > 1; rows = (rows + 1) / 2) {
        for (std::int64_t r = 0; r + 1 < rows; r += 2) {
            result.emplace_back(isa::Vadd{{from.block(r / 2, 0, 1, operand.cols),
                                           from.block(r, 0, 1, operand.cols),
                                           from.block(r + 1, 0, 1, operand.cols)}});
        }
        result.emplace_back(isa::PipeBarrier{Pipe::Vector});
    }
    return result;
}

/// A row at a time is filled with its first element.
std::vector<Instruction> row_expand(const Operand& operand,
                                    const config::HardwareConfig& hardware) {
    one_repeat(operand, hardware);
    const Tile to = in_ub(operand, 0);
    std::vector<Instruction> result;
    for (std::int64_t r = 0; r < operand.rows; ++r) {
        result.emplace_back(isa::Vdup{to.block(r, 0, 1, operand.cols), 1});
    }
    return result;
}

std::vector<Instruction>
vector_ops(std::string_view op, const Operand& operand, const config::HardwareConfig& hardware) {
    if (op == "TAdd") {
        return binary<isa::Vadd>(operand, hardware);
    }
    if (op == "TSub") {
        return binary<isa::Vsub>(operand, hardware);
    }
    if (op == "TMul") {
        return binary<isa::Vmul>(operand, hardware);
    }
    if (op == "TDiv") {
        return binary<isa::Vdiv>(operand, hardware);
    }
    if (op == "TMax" || op == "TMin") {
        return binary<isa::Vmax>(operand, hardware);
    }
    if (op == "TAddS" || op == "TSubS") {
        return unary<isa::Vadds>(operand);
    }
    if (op == "TMulS" || op == "TMuls") {
        return unary<isa::Vmuls>(operand);
    }
    if (op == "TDivS") {
        return divide_by_scalar(operand);
    }
    if (op == "TMaxs") {
        return unary<isa::Vmaxs>(operand);
    }
    if (op == "TMins") {
        return unary<isa::Vmins>(operand);
    }
    if (op == "TAbs") {
        return unary<isa::Vabs>(operand);
    }
    if (op == "TExp") {
        return unary<isa::Vexp>(operand);
    }
    if (op == "TLog") {
        return unary<isa::Vln>(operand);
    }
    if (op == "TSqrt") {
        return unary<isa::Vsqrt>(operand);
    }
    if (op == "TRowMax") {
        return row_peak(operand, hardware);
    }
    if (op == "TColMax" || op == "TColMin") {
        return col_peak(operand, hardware);
    }
    if (op == "TColSum") {
        return col_sum(operand, hardware);
    }
    if (op == "TRowExpand") {
        return row_expand(operand, hardware);
    }
    if (op == "TRowMin") {
        throw NotModelled("the reference of 5 to 32 cycles is less than one op a row takes");
    }
    throw NotModelled("no such instruction here: " + std::string(op));
}

/// "float_120x110x50": M, K, N of one mmad.
std::vector<Instruction> product(const Operand& operand, const config::HardwareConfig& hardware) {
    if (operand.third == 0) {
        throw NotModelled("shape not clear");
    }
    const DType dtype = operand.element == "float"  ? DType::Fp32
                        : operand.element == "int8" ? DType::Int8
                                                    : DType::Fp16;
    const DType sum = hardware.cube_format(dtype).accumulator;
    return {isa::Mmad{
        isa::dense(Memory::L0c, sum, 0, operand.rows, operand.third),
        isa::dense(Memory::L0a, dtype, 0, operand.rows, operand.cols),
        isa::dense(Memory::L0b, dtype, 0, operand.cols, operand.third),
    }};
}

std::vector<Instruction> loads(std::int64_t pieces, std::int64_t bytes) {
    const std::int64_t elements = bytes / bytes_of(DType::Fp16, 1);
    std::vector<Instruction> result;
    for (std::int64_t i = 0; i < pieces; ++i) {
        result.emplace_back(isa::Copy{isa::dense(Memory::Ub, DType::Fp16, 0, 1, elements),
                                      isa::dense(Memory::Gm, DType::Fp16, i * bytes, 1, elements)});
    }
    return result;
}

/// Loads of a tensor of up to five dimensions into one tile. "template args: TYPE g0 g1 g2 rows
/// cols ...": a transfer for every one of the outer g0 * g1 * g2.
std::vector<Instruction> load(const Measurement& row) {
    const std::vector<std::string> parts =
        match(row.shape_note,
              R"(template args: (float|u?int\d+|half)(?:_t)? (\d+) (\d+) (\d+) (\d+) (\d+) )");
    if (parts.empty()) {
        throw NotModelled("shape not clear");
    }
    if (contains(row.algorithm, "_dn_")) {
        throw NotModelled("pieces of a column-major load not clear");
    }
    const std::string& element = parts[1];
    const std::int64_t bytes = element == "float"          ? 4
                               : contains(element, "int8") ? 1
                               : contains(element, "32")   ? 4
                                                           : 2;
    const std::int64_t pieces = number(parts[2]) * number(parts[3]) * number(parts[4]);
    const std::int64_t piece = number(parts[5]) * number(parts[6]) * bytes / pieces;
    return loads(pieces, piece / 2 * 2);
}

/// instr_line_*: one op of 64 repeats of fp32, or of int16 for the bitwise ones.
std::vector<Instruction> line(std::string_view op, const config::HardwareConfig& hardware) {
    const Operand fp32{
        "float", kLineRepeats, hardware.vector.repeat_bytes / bytes_of(DType::Fp32, 1)};
    if (op == "TADD") {
        return binary<isa::Vadd>(fp32, hardware);
    }
    if (op == "TSUB") {
        return binary<isa::Vsub>(fp32, hardware);
    }
    if (op == "TMUL") {
        return binary<isa::Vmul>(fp32, hardware);
    }
    if (op == "TDIV") {
        return binary<isa::Vdiv>(fp32, hardware);
    }
    if (op == "TMAX" || op == "TMIN") {
        return binary<isa::Vmax>(fp32, hardware);
    }
    if (op == "TAND" || op == "TOR") {
        return binary<isa::Vand>(fp32, hardware);
    }
    if (op == "TMULS") {
        return unary<isa::Vmuls>(fp32);
    }
    if (op == "TADDS") {
        return unary<isa::Vadds>(fp32);
    }
    if (op == "TMAXS" || op == "TRELU") {
        return unary<isa::Vmaxs>(fp32);
    }
    if (op == "TMINS") {
        return unary<isa::Vmins>(fp32);
    }
    if (op == "TEXP") {
        return unary<isa::Vexp>(fp32);
    }
    if (op == "TLOG") {
        return unary<isa::Vln>(fp32);
    }
    throw NotModelled("no such instruction here: " + std::string(op));
}

bool matches(const Measurement& row) {
    return row.kernel.starts_with("instr_");
}

MeasuredCase model(const Measurement& row, const config::HardwareConfig& hardware) {
    constexpr std::string_view kLine = "instr_line_";
    constexpr std::string_view kSingle = "instr_";
    MeasuredCase result;
    result.launch = false;
    if (contains(row.platform, "950")) {
        throw NotModelled("vector functions on registers: no such instructions here");
    }
    if (row.kernel.starts_with(kLine)) {
        result.kernel = std::make_unique<SingleOp>(
            hardware, kVectorUnit, line(row.kernel.substr(kLine.size()), hardware));
        return result;
    }
    const std::string op = row.kernel.substr(kSingle.size());
    if (op == "TLoad") {
        result.kernel = std::make_unique<SingleOp>(hardware, kVectorUnit, load(row));
        result.warm = true; // the references have no miss in them
    } else if (op == "TMatmul") {
        result.kernel =
            std::make_unique<SingleOp>(hardware, kCubeUnit, product(operand_of(row), hardware));
    } else {
        result.kernel = std::make_unique<SingleOp>(
            hardware, kVectorUnit, vector_ops(op, operand_of(row), hardware));
    }
    return result;
}

} // namespace
} // namespace instruction_rows

const Family kInstructionFamily{"instruction", instruction_rows::matches, instruction_rows::model};

} // namespace npusim::app
