// SPDX-License-Identifier: Apache-2.0
#include "sim/isa/instruction.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/isa/op_list.h"
#include "sim/isa/see_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <type_traits>
#include <utility>

namespace npusim::isa {

namespace {

std::string text(const Tile& tile) {
    return fmt::format("{}[{}] {} {}x{}{}",
                       to_string(tile.memory),
                       tile.address,
                       to_string(tile.dtype),
                       tile.rows,
                       tile.cols,
                       tile.contiguous() ? "" : fmt::format(" stride {}", tile.stride_bytes));
}

std::string operands(const Copy& op) {
    return text(op.to) + ", " + text(op.from) + (op.transpose ? " transposed" : "");
}
std::string step_text(std::int16_t step) {
    return step < 0 ? "" : fmt::format(" step {}", step);
}
std::string operands(const Fixpipe& op) {
    return text(op.to) + ", " + text(op.from) +
           (op.scale == 1 ? "" : fmt::format(" * {}", op.scale)) + step_text(op.step);
}
std::string operands(const Vbrcb& op) {
    return text(op.to) + ", " + text(op.from);
}
std::string operands(const Vcast& op) {
    return text(op.to) + ", " + text(op.from) + step_text(op.step);
}
std::string operands(const Vtranspose& op) {
    return text(op.to) + ", " + text(op.from);
}
/// The immediate of an op.
template <class Op> std::string immediate_text(const Op& op) {
    const std::string factor = op.scalar.rows > 0 ? " * " + text(op.scalar) : "";
    return fmt::format("{}{}", op.value, factor);
}
std::string operands(const VectorUnary& op) {
    return text(op.to) + ", " + text(op.from);
}
template <class Op>
requires std::is_base_of_v<VectorUnary, Op> && requires(Op op) {
    op.value;
}
std::string operands(const Op& op) {
    if constexpr (requires { op.scalar; }) {
        return fmt::format("{}, {}, {}", text(op.to), text(op.from), immediate_text(op));
    } else {
        return fmt::format("{}, {}, {}", text(op.to), text(op.from), op.value);
    }
}
std::string operands(const Vcmax& op) {
    return text(op.to) + ", " + text(op.from);
}
std::string operands(const Vcadd& op) {
    return text(op.to) + ", " + text(op.from);
}
std::string operands(const VectorBlocks& op) {
    return text(op.to) + ", " + text(op.from);
}
std::string operands(const Vdup& op) {
    return fmt::format("{}, {}", text(op.to), immediate_text(op));
}
std::string operands(const VectorBinary& op) {
    return text(op.to) + ", " + text(op.a) + ", " + text(op.b);
}
std::string operands(const Mmad& op) {
    return fmt::format(
        "{}{}, {}, {}", text(op.c), op.accumulate ? " +=" : "", text(op.a), text(op.b));
}
std::string operands(const SetFlag& op) {
    return fmt::format("{}->{} #{}", to_string(op.from), to_string(op.to), op.id);
}
std::string operands(const WaitFlag& op) {
    return fmt::format("{}->{} #{}", to_string(op.from), to_string(op.to), op.id);
}
std::string operands(const CrossSet& op) {
    return fmt::format("{} -> core {} #{}", to_string(op.pipe), op.target, op.id);
}
std::string operands(const CrossWait& op) {
    return fmt::format("{} #{}", to_string(op.pipe), op.id);
}
std::string operands(const PipeBarrier& op) {
    return std::string(to_string(op.pipe));
}
std::string operands(const BarrierAll& /*op*/) {
    return {};
}
std::string operands(const SyncAll& /*op*/) {
    return {};
}
std::string operands(const ScalarWork& op) {
    return fmt::format("{}", op.cycles);
}
std::string operands(const ScalarLoad& op) {
    return text(op.from);
}
std::string operands(const ScalarStore& op) {
    return fmt::format("{}, {}", text(op.to), op.value);
}

/// `instruction` breaks a rule that the hardware file sets under `key`.
[[noreturn]] void refuse(const Instruction& instruction,
                         const config::HardwareConfig& hardware,
                         std::string_view key,
                         const std::string& what) {
    throw ProgramError(
        fmt::format("{}: {}, in `{}`", hardware.at(key), what, to_text(instruction)));
}

/// Rules every operand obeys, collected behind one name so that a fault always names its op.
class Checker {
  public:
    Checker(const Instruction& instruction, const config::HardwareConfig& hardware)
        : instruction_(instruction), hardware_(hardware) {}

    [[noreturn]] void fail(const std::string& what) const {
        throw ProgramError(fmt::format("`{}`: {}", to_text(instruction_), what));
    }
    [[noreturn]] void fail(std::string_view key, const std::string& what) const {
        refuse(instruction_, hardware_, key, what);
    }
    void require(bool holds, const char* what) const {
        if (!holds) {
            fail(what);
        }
    }
    void tile(const char* operand, const Tile& tile) const {
        inside(operand, tile);
        if (tile.memory == Memory::Gm) {
            return;
        }
        // A block of a larger tile starts at a row of a fractal, wherever that tile is.
        const std::int64_t buffer_align = hardware_.buffer(tile.memory).align_bytes;
        aligned(operand,
                tile,
                tile.contiguous() ? buffer_align : std::min(buffer_align, kFractalRowBytes));
    }
    /// One element for the scalar unit, which addresses bytes.
    void element(const char* operand, const Tile& tile) const {
        inside(operand, tile);
        require(tile.rows == 1 && tile.cols == 1, "the scalar unit takes one element");
        require(tile.memory == Memory::Ub || tile.memory == Memory::Gm,
                "the scalar unit reaches UB and GM");
        if (tile.memory == Memory::Ub) {
            aligned(operand, tile, tile.row_bytes());
        }
    }
    void inside(const char* operand, const Tile& tile) const {
        if (tile.rows <= 0 || tile.cols <= 0 || tile.address < 0 || tile.stride_bytes < 0) {
            fail(fmt::format("{}: rows, cols must be positive, address and stride not negative",
                             operand));
        }
        if (tile.memory == Memory::Gm) {
            return;
        }
        const config::BufferConfig& buffer = hardware_.buffer(tile.memory);
        if (tile.end() > buffer.size_bytes) {
            fail(fmt::format("buffers.{}.size", to_string(tile.memory)),
                 fmt::format("`{}` ends at byte {} (allowed: up to {})",
                             operand,
                             tile.end(),
                             buffer.size_bytes));
        }
    }
    void aligned(const char* operand, const Tile& tile, std::int64_t align) const {
        if ((tile.address & (align - 1)) != 0) { // a power of two
            fail(fmt::format("buffers.{}.align", to_string(tile.memory)),
                 fmt::format("`{}` is at address {} (allowed: multiples of {})",
                             operand,
                             tile.address,
                             align));
        }
    }
    void tile_in(const char* operand, const Tile& view, Memory memory) const {
        tile(operand, view);
        if (view.memory != memory) {
            fail(fmt::format("{} must be in {}", operand, to_string(memory)));
        }
    }
    void flag(const char* key, std::int64_t id, std::int64_t count) const {
        if (id < 0 || id >= count) {
            fail(key, fmt::format("flag id {} (allowed: 0..{})", id, count - 1));
        }
    }
    void floats(const Tile& tile) const {
        require(!is_integer(tile.dtype), "vector arithmetic is for float formats");
    }
    /// What an immediate is multiplied by, if anything.
    void scalar(const Tile& tile) const {
        if (tile.rows > 0) {
            element("scalar", tile);
            require(tile.memory == Memory::Ub && tile.dtype == DType::Fp32,
                    "a scalar is fp32 and comes from UB");
        }
    }
    /// A row takes one repeat, unless all rows are contiguous.
    void repeats(bool dense, const Tile& widest) const {
        if (!dense && widest.row_bytes() > hardware_.vector.repeat_bytes) {
            fail("vector.repeat_bytes",
                 fmt::format("a strided row of {} bytes (allowed: up to {})",
                             widest.row_bytes(),
                             hardware_.vector.repeat_bytes));
        }
    }
    [[nodiscard]] const config::HardwareConfig& hardware() const { return hardware_; }

  private:
    const Instruction& instruction_;
    const config::HardwareConfig& hardware_;
};

bool same_shape(const Tile& a, const Tile& b) {
    return a.rows == b.rows && a.cols == b.cols;
}

void check_op(const Copy& op, const Checker& checker) {
    checker.tile("to", op.to);
    checker.tile("from", op.from);
    if (op.transpose) {
        checker.require(op.from.memory == Memory::L1 &&
                            (op.to.memory == Memory::L0a || op.to.memory == Memory::L0b),
                        "only what goes from L1 to L0A or L0B is transposed");
        checker.require(op.to.rows == op.from.cols && op.to.cols == op.from.rows,
                        "shapes must be [C,R] = [R,C]");
        checker.require(bits_of(op.to.dtype) >= 8, "elements of less than a byte stay in place");
    } else {
        checker.require(same_shape(op.to, op.from), "to and from differ in shape");
    }
    checker.require(op.to.dtype == op.from.dtype, "a copy does not convert");
}

void check_op(const Fixpipe& op, const Checker& checker) {
    checker.tile("to", op.to);
    checker.tile_in("from", op.from, Memory::L0c);
    checker.require(same_shape(op.to, op.from), "to and from differ in shape");
    checker.require(std::ranges::find(kAccumulators, op.from.dtype) != kAccumulators.end(),
                    "L0C holds fp32, int32 or int64");
    checker.require(std::isfinite(op.scale), "scale must be finite");
}

void check_op(const Mmad& op, const Checker& checker) {
    checker.tile_in("c", op.c, Memory::L0c);
    checker.tile_in("a", op.a, Memory::L0a);
    checker.tile_in("b", op.b, Memory::L0b);
    checker.require(op.c.rows == op.a.rows && op.c.cols == op.b.cols && op.a.cols == op.b.rows,
                    "shapes must be [M,N] = [M,K] * [K,N]");
    checker.require(op.a.dtype == op.b.dtype, "a and b differ in dtype");
    const config::CubeConfig& cube = checker.hardware().cube;
    const auto format = cube.formats.find(op.a.dtype);
    if (format == cube.formats.end()) {
        checker.fail(
            "cube.formats",
            fmt::format("no format {} (allowed: {})", to_string(op.a.dtype), cube.format_names()));
    }
    if (op.c.dtype != format->second.accumulator) {
        checker.fail(fmt::format("cube.formats.{}.accumulator", to_string(op.a.dtype)),
                     fmt::format("`c` is {} (allowed: {})",
                                 to_string(op.c.dtype),
                                 to_string(format->second.accumulator)));
    }
}

void check_operands(const VectorBinary& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("a", op.a, Memory::Ub);
    checker.tile_in("b", op.b, Memory::Ub);
    const bool block_column = op.b.rows == op.to.rows && op.b.row_bytes() == kVectorBlockBytes;
    checker.require(same_shape(op.to, op.a) && (same_shape(op.to, op.b) || block_column),
                    "shapes must agree (b may be a column of 32-byte blocks)");
    checker.require(op.to.dtype == op.a.dtype && op.to.dtype == op.b.dtype, "dtypes must agree");
    const bool dense =
        op.to.contiguous() && op.a.contiguous() && op.b.contiguous() && same_shape(op.to, op.b);
    checker.repeats(dense, op.to);
}

void check_op(const VectorBinary& op, const Checker& checker) {
    check_operands(op, checker);
    checker.floats(op.to);
}

void check_op(const Vand& op, const Checker& checker) {
    check_operands(op, checker);
    checker.require(same_shape(op.to, op.b), "a mask is never broadcast");
}

void check_op(const VectorUnary& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(same_shape(op.to, op.from), "to and from differ in shape");
    checker.require(op.to.dtype == op.from.dtype, "dtypes must agree");
    checker.floats(op.to);
    checker.repeats(op.to.contiguous() && op.from.contiguous(), op.to);
}

/// Vmuls and Vadds.
template <class Op>
requires std::is_base_of_v<VectorUnary, Op> && requires(Op op) {
    op.scalar;
}
void check_op(const Op& op, const Checker& checker) {
    check_op(static_cast<const VectorUnary&>(op), checker);
    checker.scalar(op.scalar);
}

/// Vcmax and Vcadd.
template <class Reduction>
requires std::is_same_v<Reduction, Vcmax> || std::is_same_v<Reduction, Vcadd>
void check_op(const Reduction& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(op.to.rows == 1 && op.to.cols == op.from.rows, "shapes must be [1,R] = [R,C]");
    checker.require(op.to.dtype == op.from.dtype, "dtypes must agree");
    checker.floats(op.to);
    checker.repeats(false, op.from);
}

void check_op(const VectorBlocks& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(op.from.row_bytes() == kVectorBlockBytes &&
                        op.to.rows * op.to.cols == op.from.rows,
                    "shapes must be B elements = [B, 32 bytes]");
    checker.require(op.to.dtype == op.from.dtype, "dtypes must agree");
    checker.floats(op.to);
    checker.repeats(true, op.from);
}

void check_op(const Vbrcb& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(op.from.rows == 1 && op.to.rows == op.from.cols &&
                        op.to.row_bytes() == kVectorBlockBytes && op.to.contiguous(),
                    "shapes must be [C, 32 bytes] = [1,C]");
    checker.require(op.to.dtype == op.from.dtype, "dtypes must agree");
}

void check_op(const Vcast& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(same_shape(op.to, op.from), "to and from differ in shape");
    checker.repeats(op.to.contiguous() && op.from.contiguous(),
                    bits_of(op.to.dtype) > bits_of(op.from.dtype) ? op.to : op.from);
}

void check_op(const Vtranspose& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.tile_in("from", op.from, Memory::Ub);
    checker.require(op.to.rows == op.from.cols && op.to.cols == op.from.rows,
                    "shapes must be [C,R] = [R,C]");
    checker.require(op.from.rows % kTransposeSide == 0 && op.from.cols % kTransposeSide == 0,
                    "rows and columns must be multiples of 16");
    checker.require(op.to.dtype == op.from.dtype, "a transposition does not convert");
}

void check_op(const Vdup& op, const Checker& checker) {
    checker.tile_in("to", op.to, Memory::Ub);
    checker.scalar(op.scalar);
    checker.repeats(op.to.contiguous(), op.to);
}

template <class Flag>
requires std::is_same_v<Flag, SetFlag> || std::is_same_v<Flag, WaitFlag>
void check_op(const Flag& op, const Checker& checker) {
    checker.flag("sync.flag_ids", op.id, checker.hardware().sync.flag_ids);
    checker.require(op.from != op.to, "a flag joins two different pipes");
}

void check_op(const CrossSet& op, const Checker& checker) {
    checker.flag("sync.cross_flag_ids", op.id, checker.hardware().sync.cross_flag_ids);
    const bool split = checker.hardware().composition == config::Composition::Split;
    const std::int64_t cores = split ? 1 + checker.hardware().vector_cores : 1;
    if (op.target < 0 || op.target >= cores) {
        checker.fail("vector_cores", fmt::format("core {} (allowed: 0..{})", op.target, cores - 1));
    }
}

void check_op(const CrossWait& op, const Checker& checker) {
    checker.flag("sync.cross_flag_ids", op.id, checker.hardware().sync.cross_flag_ids);
}

void check_op(const PipeBarrier& op, const Checker& checker) {
    checker.require(op.pipe != Pipe::Scalar, "the scalar unit has no barrier of its own");
}
void check_op(const BarrierAll& /*op*/, const Checker& /*checker*/) {}
void check_op(const SyncAll& /*op*/, const Checker& /*checker*/) {}
void check_op(const ScalarWork& op, const Checker& checker) {
    checker.require(op.cycles >= 0, "cycles must not be negative");
}

void check_op(const ScalarLoad& op, const Checker& checker) {
    checker.element("from", op.from);
}
void check_op(const ScalarStore& op, const Checker& checker) {
    checker.element("to", op.to);
}

void add_tile(StateHash& hash, const Tile& tile) {
    constexpr int half = 32; // of a number: no tile has as many rows or bytes in a row
    hash.add(tile.memory == Memory::Gm ? static_cast<std::int64_t>(tile.address < 0)
                                       : tile.address);
    hash.add(tile.rows << half | tile.cols);
    hash.add(tile.stride_bytes << half | static_cast<std::int64_t>(tile.memory) << 8 |
             static_cast<std::int64_t>(tile.dtype));
}

/// What an op has besides its tiles and what it works out with data.
template <class Op> void add_settings(StateHash& hash, const Op& op) {
    if constexpr (requires { op.bypass; }) {
        hash.add(op.cold * 4 + op.transpose * 2 + op.bypass);
    } else if constexpr (requires { op.cold; }) {
        hash.add(op.cold * 2 + static_cast<int>(std::isfinite(op.scale)));
    } else if constexpr (requires { op.accumulate; }) {
        hash.add(op.accumulate);
    } else if constexpr (std::is_same_v<Op, SetFlag> || std::is_same_v<Op, WaitFlag>) {
        hash.add(op.from);
        hash.add(op.to);
    } else if constexpr (requires { op.pipe; }) {
        hash.add(op.pipe);
        if constexpr (requires { op.id; }) {
            hash.add(op.id);
        }
        if constexpr (requires { op.target; }) {
            hash.add(op.target);
        }
    } else if constexpr (requires { op.cycles; }) {
        hash.add(op.cycles);
    }
}

template <std::size_t... I> std::vector<OpDoc> docs(std::index_sequence<I...> /*unused*/) {
    return {{std::variant_alternative_t<I, AnyOp>::kName,
             std::variant_alternative_t<I, AnyOp>::kDoc}...};
}

} // namespace

std::string_view name_of(const Instruction& instruction) {
    return std::visit([](const auto& op) { return std::decay_t<decltype(op)>::kName; },
                      instruction);
}

std::string to_text(const Instruction& instruction) {
    return std::visit(
        [](const auto& op) {
            return fmt::format("{} {}", std::decay_t<decltype(op)>::kName, operands(op));
        },
        instruction);
}

Accesses accesses(const Instruction& instruction) {
    return std::visit(
        [](const auto& op) {
            Accesses accesses;
            see_tiles(op, [&](const Tile& tile, bool write) {
                accesses.list[accesses.count++] = {&tile, write};
            });
            return accesses;
        },
        instruction);
}

bool depends(const Instruction& later, const Instruction& earlier) {
    const Accesses before = accesses(earlier);
    const Accesses after = accesses(later);
    for (const Access& write : before.all()) {
        if (!write.write) {
            continue;
        }
        for (const Access& access : after.all()) {
            if (access.tile->memory == write.tile->memory &&
                access.tile->address < write.tile->end() &&
                write.tile->address < access.tile->end()) {
                return true;
            }
        }
    }
    return false;
}

const config::LinkConfig& link_of(const Instruction& instruction,
                                  const Tile& to,
                                  const Tile& from,
                                  const config::HardwareConfig& hardware) {
    if (const config::LinkConfig* link = hardware.link(from.memory, to.memory)) {
        return *link;
    }
    std::vector<std::string> paths;
    for (const config::LinkConfig& link : hardware.links) {
        paths.push_back(fmt::format("{}->{}", to_string(link.from), to_string(link.to)));
    }
    refuse(instruction,
           hardware,
           "links",
           fmt::format("no path {}->{} (allowed: {})",
                       to_string(from.memory),
                       to_string(to.memory),
                       join(paths, ", ")));
}

Pipe pipe_of(const Instruction& instruction, const config::HardwareConfig& hardware) {
    const Overloaded of_others{
        [&](const Copy& op) { return link_of(instruction, op.to, op.from, hardware).pipe; },
        [&](const Fixpipe& op) { return link_of(instruction, op.to, op.from, hardware).pipe; },
        [](const Mmad&) { return Pipe::Cube; },
        [](const SetFlag& op) { return op.from; },
        [](const WaitFlag& op) { return op.to; },
        [](const CrossSet& op) { return op.pipe; },
        [](const CrossWait& op) { return op.pipe; },
        [](const PipeBarrier& op) { return op.pipe; },
        [](const BarrierAll&) { return Pipe::Scalar; },
        [](const SyncAll&) { return Pipe::Scalar; },
        [](const ScalarWork&) { return Pipe::Scalar; },
        [](const ScalarLoad&) { return Pipe::Scalar; },
        [](const ScalarStore&) { return Pipe::Scalar; },
    };
    return std::visit(
        [&](const auto& op) {
            if constexpr (is_vector<std::decay_t<decltype(op)>>) {
                return Pipe::Vector;
            } else {
                return of_others(op);
            }
        },
        instruction);
}

const Tile* gm_side(const Instruction& instruction) {
    const auto side = [](const auto* op) -> const Tile* {
        if (op == nullptr) {
            return nullptr;
        }
        return op->to.memory == Memory::Gm     ? &op->to
               : op->from.memory == Memory::Gm ? &op->from
                                               : nullptr;
    };
    const Tile* of_copy = side(std::get_if<Copy>(&instruction));
    return of_copy != nullptr ? of_copy : side(std::get_if<Fixpipe>(&instruction));
}

Tile* gm_side(Instruction& instruction) {
    return const_cast<Tile*>(gm_side(std::as_const(instruction))); // NOLINT(*-const-cast): ours
}

void add_to(StateHash& hash, const Instruction& instruction) {
    hash.add(instruction.index());
    std::visit(
        [&](const auto& op) {
            see_tiles(op, [&](const Tile& tile, bool /*write*/) { add_tile(hash, tile); });
            add_settings(hash, op);
        },
        instruction);
}

void check(const Instruction& instruction, const config::HardwareConfig& hardware) {
    const Checker checker(instruction, hardware);
    std::visit([&](const auto& op) { check_op(op, checker); }, instruction);
}

std::vector<OpDoc> op_reference() {
    return docs(std::make_index_sequence<std::variant_size_v<AnyOp>>{});
}

} // namespace npusim::isa
