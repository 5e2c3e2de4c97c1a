// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"
#include "sim/base/dtype.h"
#include "sim/base/units.h"
#include "sim/config/technology.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::config {

/// How the cube and vector units of one AI core are controlled.
enum class Composition : std::uint8_t {
    Split, ///< one cube core and `vector_cores` vector cores, each with its own instruction stream
    Fused, ///< one instruction stream drives all pipes
};

/// One number format of the cube: the block done by the array in one step, the steps' length, and
/// what the products are summed in.
struct CubeFormat {
    std::int64_t m = 0;                ///< rows of a block
    std::int64_t k = 0;                ///< reduction length of a block
    std::int64_t n = 0;                ///< columns of a block
    std::int64_t cycles_per_block = 0; ///< so that MACs per cycle = m * k * n / cycles_per_block
    DType accumulator = DType::Fp32;   ///< of L0C; an integer one for integers, else fp32
};

/// Matrix unit. One mmad takes startup + blocks * cycles_per_block.
struct CubeConfig {
    Cycles startup;
    std::map<DType, CubeFormat> formats; ///< those the chip has, by operand; at least one

    /// Their names, as a message lists them.
    [[nodiscard]] std::string format_names() const;
};

/// Cost line of a vector op: round_up(slope * repeats + base).
struct VectorLine {
    double slope = 0; ///< cycles per repeat, as measured with operands that begin in one bank group
    double base = 0;  ///< cycles per instruction

    [[nodiscard]] double cycles(std::int64_t repeats) const {
        return slope * static_cast<double>(repeats) + base;
    }
};

/// That of most dtypes, and of those that differ. The dtype of a conversion is its source's.
struct VectorOpCost : VectorLine {
    std::map<DType, VectorLine> by_dtype;

    [[nodiscard]] const VectorLine& of(DType dtype) const {
        const auto found = by_dtype.find(dtype);
        return found == by_dtype.end() ? *this : found->second;
    }
};

/// Mnemonics of the vector ops, in the order of the hardware files.
inline constexpr std::array<std::string_view, 23> kVectorOps{
    "vadd",   "vsub",   "vmul", "vdiv",  "vmax",  "vge",        "vmuls", "vadds",
    "vmaxs",  "vmins",  "vabs", "vexp",  "vln",   "vsqrt",      "vcmax", "vcadd",
    "vcgmax", "vcgadd", "vand", "vbrcb", "vcast", "vtranspose", "vdup"};

/// What each of kVectorOps costs.
class VectorOpCosts {
  public:
    /// Place of a mnemonic, found while compiling where the mnemonic is known then. Throws
    /// std::out_of_range for others.
    static constexpr std::size_t place(std::string_view name) {
        for (std::size_t i = 0; i < kVectorOps.size(); ++i) {
            if (kVectorOps[i] == name) {
                return i;
            }
        }
        throw std::out_of_range("no such vector op");
    }
    [[nodiscard]] const VectorOpCost& operator[](std::size_t place) const { return costs_[place]; }
    [[nodiscard]] const VectorOpCost& at(std::string_view name) const {
        return costs_[place(name)];
    }
    VectorOpCost& at(std::string_view name) { return costs_[place(name)]; }

  private:
    std::array<VectorOpCost, kVectorOps.size()> costs_;
};

/// Vector unit. A repeat covers `repeat_bytes` of one operand.
///
/// The lines of single ops are those of a unit at rest. One that was at work up to `idle` cycles
/// before is `warm` cycles faster.
///
/// UB is made of bank groups, 32 bytes of one after 32 bytes of the next, each of which reads 32
/// bytes a cycle: where the two operands of a repeat do not meet in one, the op may be faster than
/// its line.
struct VectorConfig {
    std::int64_t repeat_bytes = 0;
    std::int64_t bank_groups = 0; ///< of UB; 0: wherever operands lie, the line holds
    Cycles warm;
    Cycles idle;
    VectorOpCosts ops;
};

/// Scalar unit: feeds the pipes, runs control code.
struct ScalarConfig {
    Cycles issue;                 ///< cycles between two dispatched instructions
    std::int64_t queue_depth = 0; ///< instructions waiting in front of each pipe
    Cycles ub_load;               ///< for one element of UB, read
    Cycles ub_store;              ///< for one element of UB, written
    Cycles gm_load;               ///< for one element of GM, read
};

struct BufferConfig {
    std::int64_t size_bytes = 0;
    std::int64_t align_bytes = 0;
};

/// A data path. A transfer takes startup + bytes / bytes_per_cycle (rounded up), but at least `run`
/// for each of its runs: rows in GM that do not follow each other, and every row that FixPipe
/// writes there. The first `overlap` cycles of the start-up of the next one pass while it runs, so
/// transfers in a row pay it once.
struct LinkConfig {
    Memory from = Memory::Gm;
    Memory to = Memory::Gm;
    Pipe pipe = Pipe::Mte2;
    double bytes_per_cycle = 0;
    Cycles startup;
    Cycles overlap;
    Cycles run;
};

/// The paths of a chip, in the order of its file. Of several between the same two memories the
/// first one counts.
class Links {
  public:
    Links() = default;
    Links(std::initializer_list<LinkConfig> links) {
        for (const LinkConfig& link : links) {
            add(link);
        }
    }
    void add(const LinkConfig& link) {
        list_.push_back(link);
        if (find(link.from, link.to) == nullptr) {
            numbers_[static_cast<std::size_t>(link.from)][static_cast<std::size_t>(link.to)] =
                list_.size();
        }
    }
    /// The path from `from` to `to`, or nullptr where the chip has none.
    [[nodiscard]] const LinkConfig* find(Memory from, Memory to) const {
        const std::size_t number =
            numbers_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
        return number == 0 ? nullptr : &list_[number - 1];
    }
    [[nodiscard]] std::size_t size() const { return list_.size(); }
    const LinkConfig& operator[](std::size_t i) const { return list_[i]; }
    [[nodiscard]] auto begin() const { return list_.begin(); }
    [[nodiscard]] auto end() const { return list_.end(); }
    /// All may be changed but where they lead.
    auto begin() { return list_.begin(); }
    auto end() { return list_.end(); }

  private:
    std::vector<LinkConfig> list_;
    /// Places in the list, counted from 1: every transfer looks up its path several times.
    std::array<std::array<std::size_t, kMemoryCount>, kMemoryCount> numbers_{};
};

/// Global memory shared by all cores. Rates are for the whole chip, in bytes per core-clock cycle.
struct GmConfig {
    std::int64_t size_bytes = 0;
    double hbm_bytes_per_cycle = 0;       ///< past L2
    double hbm_fill_bytes_per_cycle = 0;  ///< reads that miss L2 and fill it
    double hbm_write_bytes_per_cycle = 0; ///< what L2 gives up that was written
    double l2_read_bytes_per_cycle = 0;   ///< every read
    double l2_write_bytes_per_cycle = 0;  ///< every write
    bool l2_tracked = true; ///< L2 holds what was used last; else `cold` of a transfer says all
    std::int64_t l2_size_bytes = 0;
    std::int64_t l2_ways = 0;
    std::int64_t l2_granule_bytes = 0; ///< kept or given up as a whole
    Cycles miss_latency;               ///< added to a read that reaches HBM
    std::int64_t line_bytes = 0;       ///< inner runs are rounded up to whole lines of traffic
};

struct SyncConfig {
    Cycles set_flag;
    Cycles wait_flag;
    Cycles pipe_barrier; ///< of a pipe_barrier itself, beside what it waits for
    Cycles barrier_all;  ///< of a barrier of all pipes itself
    Cycles sync_all;     ///< from the last core's arrival at a barrier of the chip to its release
    Cycles cross_core;   ///< delay from a cross-core set to the other core seeing it
    std::int64_t flag_ids = 0; ///< event ids per ordered pair of pipes
    std::int64_t cross_flag_ids = 0;
};

struct YamlNode;

/// A whole chip, resolved and validated; immutable once loaded.
struct HardwareConfig {
    std::string name;
    std::string description;
    double clock_mhz = 0;
    std::int64_t ai_cores = 0;
    Composition composition = Composition::Split;
    std::int64_t vector_cores = 0; ///< per AI core
    Cycles launch;                 ///< from kernel launch to the first instruction
    ScalarConfig scalar;
    CubeConfig cube;
    VectorConfig vector;
    std::array<BufferConfig, kMemoryCount> buffers; ///< by Memory; the Gm entry carries only align
    Links links;
    GmConfig gm;
    SyncConfig sync;
    std::optional<TechnologyConfig> technology; ///< without it a run has no energy and no area
    std::shared_ptr<const YamlNode> source;     ///< what it was read from; null: no file
    std::string file;                           ///< its path

    [[nodiscard]] const BufferConfig& buffer(Memory memory) const {
        return buffers[static_cast<std::size_t>(memory)];
    }
    /// The path from `from` to `to`, or nullptr where the chip has none.
    [[nodiscard]] const LinkConfig* link(Memory from, Memory to) const {
        return links.find(from, to);
    }
    /// The cube's way with operands of `dtype`. Throws ConfigError where the chip has none.
    [[nodiscard]] const CubeFormat& cube_format(DType dtype) const;
    /// "file:line:column: key" or "--set key=value: key", the head of a message about a value that
    /// is sound in itself but does not suit what is to be run.
    [[nodiscard]] std::string at(std::string_view key) const;
};

/// `--set core.key=value`: replaces one value before the file is checked.
struct Override {
    std::string key;
    std::string value;
};

/// A hardware file that has been read, to be resolved with different values.
class HardwareFile {
  public:
    /// Throws ConfigError.
    explicit HardwareFile(std::string path);
    /// As written, with what it builds on and the technology it names.
    [[nodiscard]] const YamlNode& tree() const { return *whole_; }
    /// As load_hardware.
    [[nodiscard]] HardwareConfig with(const std::vector<Override>& overrides) const;

  private:
    std::string path_;
    std::shared_ptr<const YamlNode> root_;
    std::shared_ptr<const YamlNode> whole_; ///< with the technology it names
};

/// Reads and validates a hardware file. `technology: NAME` in it stands for what
/// ../technology/NAME.yaml holds, seen from the folder it is in. Throws one ConfigError that lists
/// every fault, each as `file:line:column: key.path: value ... (allowed: ...)`.
HardwareConfig load_hardware(const std::string& path, const std::vector<Override>& overrides = {});

/// The fully resolved config as YAML text with keys in fixed order (input of the config hash).
std::string to_yaml(const HardwareConfig& hardware);

} // namespace npusim::config
