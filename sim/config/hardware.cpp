// SPDX-License-Identifier: Apache-2.0
#include "sim/config/hardware.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/config/yaml_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

namespace npusim::config {

namespace {

constexpr std::array<std::string_view, 2> kCompositionNames{"split", "fused"}; // as Composition
constexpr std::array<std::string_view, 2> kNoYes{"no", "yes"};                 // as bool
constexpr std::string_view kTechnology = "technology"; // the key, and the folder of what it names
constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;
constexpr std::int64_t kGiB = 1024 * kMiB;

constexpr Range<std::int64_t> kDelay{0, 1'000'000}; ///< cycles that may be modelled as free
constexpr Range<double> kRate{0.01, 1'000'000};     ///< bytes per cycle
constexpr Range<std::int64_t> kBlock{1, 256};       ///< side of a cube block
constexpr Range<std::int64_t> kFlagIds{1, 64};
constexpr std::int64_t kMaxLines = 64; ///< of a granule of L2
constexpr Range<std::int64_t> kAlign{1, 4 * kKiB};
constexpr Range<double> kPicojoules{1e-6, 1e6};
constexpr Range<double> kSquareMicrometres{1e-6, 1e9};

constexpr Memory kL2 = Memory::Gm; ///< whose entry among the areas of memories is that of L2

// One describe() per struct lists its keys, in file order, with what each may hold. YamlReader and
// YamlWriter are the two kinds of `io`. Static rather than unnamed, to be found by argument type.

} // namespace

template <class Io> static void describe(Io& io, ScalarConfig& scalar) {
    io.cycles("issue_cycles", scalar.issue, {1, 10'000});
    io.integer("queue_depth", scalar.queue_depth, {1, 65'536});
    io.cycles("ub_load_cycles", scalar.ub_load, kDelay);
    io.cycles("ub_store_cycles", scalar.ub_store, kDelay);
    io.cycles("gm_load_cycles", scalar.gm_load, kDelay);
}

template <class Io> static void describe(Io& io, CubeFormat& format) {
    io.integer("m", format.m, kBlock);
    io.integer("k", format.k, kBlock);
    io.integer("n", format.n, kBlock);
    io.integer("cycles_per_block", format.cycles_per_block, {1, 65'536});
    io.choice_of("accumulator", format.accumulator, std::span<const DType>(kAccumulators));
}

template <class Io> static void describe(Io& io, CubeConfig& cube) {
    io.cycles("startup_cycles", cube.startup, kDelay);
    io.entries("formats", cube.formats, std::span<const DType>(kDTypes));
}

template <class Io> static void describe(Io& io, VectorLine& line) {
    io.real("slope", line.slope, {0.001, 10'000});
    io.real("base", line.base, {0, 1'000'000});
}

template <class Io> static void describe(Io& io, VectorOpCost& cost) {
    describe(io, static_cast<VectorLine&>(cost));
    io.some_of(cost.by_dtype, std::span<const DType>(kDTypes));
}

template <class Io> static void describe(Io& io, VectorConfig& vector) {
    io.bytes("repeat_bytes", vector.repeat_bytes, {32, 4 * kKiB});
    io.integer("bank_groups", vector.bank_groups, {0, 1'024});
    io.cycles("warm_cycles", vector.warm, kDelay);
    io.cycles("idle_cycles", vector.idle, kDelay);
    io.section("ops", [&](Io& ops) {
        for (const std::string_view name : kVectorOps) {
            ops.object(name, vector.ops.at(name));
        }
    });
}

template <class Io> static void describe(Io& io, BufferConfig& buffer) {
    io.bytes("size", buffer.size_bytes, {1 * kKiB, 1 * kGiB});
    io.bytes("align", buffer.align_bytes, kAlign);
}

template <class Io> static void describe(Io& io, LinkConfig& link) {
    io.choice("from", link.from, kMemoryNames);
    io.choice("to", link.to, kMemoryNames);
    io.choice("pipe", link.pipe, kPipeNames);
    io.real("bytes_per_cycle", link.bytes_per_cycle, kRate);
    io.cycles("startup_cycles", link.startup, kDelay);
    io.cycles("overlap_cycles", link.overlap, kDelay);
    io.cycles("run_cycles", link.run, kDelay);
}

template <class Io> static void describe(Io& io, GmConfig& gm) {
    io.bytes("size", gm.size_bytes, {1 * kMiB, 1024 * kGiB});
    io.real("hbm_bytes_per_cycle", gm.hbm_bytes_per_cycle, kRate);
    io.real("hbm_fill_bytes_per_cycle", gm.hbm_fill_bytes_per_cycle, kRate);
    io.real("hbm_write_bytes_per_cycle", gm.hbm_write_bytes_per_cycle, kRate);
    io.real("l2_read_bytes_per_cycle", gm.l2_read_bytes_per_cycle, kRate);
    io.real("l2_write_bytes_per_cycle", gm.l2_write_bytes_per_cycle, kRate);
    io.bytes("l2_size", gm.l2_size_bytes, {1 * kKiB, 16 * kGiB});
    io.choice("l2_tracked", gm.l2_tracked, kNoYes);
    io.integer("l2_ways", gm.l2_ways, {1, 64});
    io.bytes("l2_granule", gm.l2_granule_bytes, {32, 1 * kMiB});
    io.cycles("miss_latency_cycles", gm.miss_latency, kDelay);
    io.bytes("line_bytes", gm.line_bytes, {1, 64 * kKiB});
}

template <class Io> static void describe(Io& io, SyncConfig& sync) {
    io.cycles("set_flag_cycles", sync.set_flag, kDelay);
    io.cycles("wait_flag_cycles", sync.wait_flag, kDelay);
    io.cycles("pipe_barrier_cycles", sync.pipe_barrier, kDelay);
    io.cycles("barrier_all_cycles", sync.barrier_all, kDelay);
    io.cycles("sync_all_cycles", sync.sync_all, kDelay);
    io.cycles("cross_core_cycles", sync.cross_core, kDelay);
    io.integer("flag_ids", sync.flag_ids, kFlagIds);
    io.integer("cross_flag_ids", sync.cross_flag_ids, kFlagIds);
}

template <class Io>
static void describe_by_dtype(Io& io, std::string_view key, PerDType& values, Range<double> range) {
    io.section(key, [&](Io& entries) {
        for (std::size_t i = 0; i < kDTypeCount; ++i) {
            entries.real(kDTypeInfo[i].name, values[i], range);
        }
    });
}

template <class Io> static void describe(Io& io, AccessEnergy& energy) {
    io.real("read", energy.read, kPicojoules);
    io.real("write", energy.write, kPicojoules);
}

template <class Io> static void describe(Io& io, SramEnergy& energy) {
    io.bytes("size", energy.size_bytes, {1, 1 * kGiB});
    describe(io, static_cast<AccessEnergy&>(energy));
}

template <class Io> static void describe(Io& io, EnergyConfig& energy) {
    describe_by_dtype(io, "mac", energy.mac, kPicojoules);
    describe_by_dtype(io, "vector", energy.vector, kPicojoules);
    io.real("scalar", energy.scalar, kPicojoules);
    io.list("sram", energy.sram);
    io.object("l2", energy.l2);
    io.real("hbm", energy.hbm, kPicojoules);
}

template <class Io> static void describe(Io& io, AreaConfig& area) {
    describe_by_dtype(io, "mac", area.mac, kSquareMicrometres);
    io.real("vector", area.vector, kSquareMicrometres);
    io.real("scalar", area.scalar, kSquareMicrometres);
    io.real("transfer", area.transfer, kSquareMicrometres);
    io.section("sram", [&](Io& sram) {
        for (const Memory memory : kLocalMemories) {
            sram.real(
                to_string(memory), area.sram[static_cast<std::size_t>(memory)], kSquareMicrometres);
        }
        sram.real("l2", area.sram[static_cast<std::size_t>(kL2)], kSquareMicrometres);
    });
}

template <class Io> static void describe(Io& io, TechnologyConfig& technology) {
    io.text("node", technology.node, 64);
    io.object("energy_pj", technology.energy);
    io.object("area_um2", technology.area);
    io.real("static_w_per_mm2", technology.static_watts_per_mm2, {0, 100});
}

template <class Io> static void describe(Io& io, HardwareConfig& hardware) {
    io.text("name", hardware.name, 64);
    io.text("description", hardware.description, 4096);
    io.real("clock_mhz", hardware.clock_mhz, {1, 100'000});
    io.integer("ai_cores", hardware.ai_cores, {1, 1'024});
    io.choice("composition", hardware.composition, kCompositionNames);
    io.integer("vector_cores", hardware.vector_cores, {1, 8});
    io.cycles("launch_cycles", hardware.launch, {0, 1'000'000'000});
    io.object("scalar", hardware.scalar);
    io.object("cube", hardware.cube);
    io.object("vector", hardware.vector);
    io.section("buffers", [&](Io& buffers) {
        for (const Memory memory : kLocalMemories) {
            buffers.object(to_string(memory), hardware.buffers[static_cast<std::size_t>(memory)]);
        }
    });
    std::vector<LinkConfig> links(hardware.links.begin(), hardware.links.end());
    io.list("links", links);
    hardware.links = {};
    for (const LinkConfig& link : links) {
        hardware.links.add(link);
    }
    io.object("gm", hardware.gm);
    io.object("sync", hardware.sync);
    io.optional("technology", hardware.technology);
}

namespace {

/// The writing counterpart of YamlReader; ranges are not its business.
class YamlWriter {
  public:
    explicit YamlWriter(std::string& out, std::size_t indent = 0) : out_(out), indent_(indent) {}

    void text(std::string_view key, const std::string& value, std::size_t) {
        std::string quoted;
        for (const char c : value) {
            const auto code = static_cast<unsigned char>(c);
            if (code < ' ') {
                quoted += fmt::format("\\x{:02x}", code);
                continue;
            }
            if (c == '"' || c == '\\') {
                quoted += '\\';
            }
            quoted += c;
        }
        line(key, '"' + quoted + '"');
    }
    void integer(std::string_view key, std::int64_t value, Range<std::int64_t>) {
        line(key, fmt::format("{}", value));
    }
    void cycles(std::string_view key, Cycles value, Range<std::int64_t> allowed) {
        integer(key, value.count(), allowed);
    }
    void real(std::string_view key, double value, Range<double>) {
        line(key, fmt::format("{}", value)); // shortest text that reads back as the same number
    }
    void bytes(std::string_view key, std::int64_t value, Range<std::int64_t>) {
        line(key, format_bytes(value));
    }
    template <class Enum>
    void choice(std::string_view key, Enum value, std::span<const std::string_view> names) {
        line(key, names[static_cast<std::size_t>(value)]);
    }
    template <class Enum> void choice_of(std::string_view key, Enum value, std::span<const Enum>) {
        line(key, to_string(value));
    }
    template <class Body> void section(std::string_view key, Body&& body) {
        line(key, "");
        YamlWriter nested(out_, indent_ + 2);
        body(nested);
    }
    template <class T> void object(std::string_view key, T& value) {
        section(key, [&](YamlWriter& io) { describe(io, value); });
    }
    template <class T> void optional(std::string_view key, std::optional<T>& value) {
        if (value) {
            object(key, *value);
        }
    }
    template <class Name, class T>
    void entries(std::string_view key, std::map<Name, T>& values, std::span<const Name> allowed) {
        section(key, [&](YamlWriter& io) { io.some_of(values, allowed); });
    }
    template <class Name, class T>
    void some_of(std::map<Name, T>& values, std::span<const Name> allowed) {
        for (const Name name : allowed) {
            if (const auto value = values.find(name); value != values.end()) {
                object(to_string(name), value->second);
            }
        }
    }
    template <class T> void list(std::string_view key, std::vector<T>& values) {
        line(key, "");
        for (T& value : values) {
            const std::size_t dash = out_.size() + indent_ + 2;
            YamlWriter item(out_, indent_ + 4);
            describe(item, value);
            out_[dash] = '-';
        }
    }

  private:
    void line(std::string_view key, std::string_view value) {
        out_.append(indent_, ' ').append(key).append(value.empty() ? ":" : ": ");
        out_.append(value).append("\n");
    }

    std::string& out_;
    std::size_t indent_;
};

/// The pipe that serves a data path, or nullopt where no core of this family has the path.
std::optional<Pipe> pipe_of(Memory from, Memory to) {
    using enum Memory;
    switch (from) {
    case Gm:
        return to == L1 || to == L0a || to == L0b || to == Ub ? std::optional(Pipe::Mte2)
                                                              : std::nullopt;
    case L1:
        return to == L0a || to == L0b || to == Ub ? std::optional(Pipe::Mte1)
               : to == Gm                         ? std::optional(Pipe::Mte3)
                                                  : std::nullopt;
    case L0c:
        return to == Gm || to == L1 || to == Ub ? std::optional(Pipe::FixPipe) : std::nullopt;
    case Ub:
        return to == Gm || to == L1 ? std::optional(Pipe::Mte3) : std::nullopt;
    case L0a:
    case L0b:
        return std::nullopt; // only the cube reads them
    }
    return std::nullopt;
}

/// Rules between fields. `root` gives the positions; every field has been read without a fault.
class Validator {
  public:
    Validator(const HardwareConfig& hardware, const YamlNode& root, Faults& faults)
        : hardware_(hardware), root_(root), faults_(faults) {}

    void run() {
        check_buffers();
        check_cube();
        check_units();
        check_links();
        check_required_links();
        check_gm();
        check_technology();
    }

  private:
    void fault(const std::string& path, std::string_view text) {
        const YamlNode* node = root_.find_path(path);
        faults_.add(node != nullptr ? node->origin : root_.origin, path, text);
    }

    void check_buffers() {
        for (const Memory memory : kLocalMemories) {
            const auto [size, align] = hardware_.buffer(memory);
            const std::string path = fmt::format("buffers.{}", to_string(memory));
            if (!std::has_single_bit(static_cast<std::uint64_t>(align))) {
                fault(path + ".align", fmt::format("{} is not a power of two", align));
            } else if (size % align != 0) {
                fault(path + ".size",
                      fmt::format("{} is not a multiple of the alignment {}", size, align));
            }
        }
    }

    void check_cube() {
        for (const auto& entry : hardware_.cube.formats) {
            const DType dtype = entry.first;
            const CubeFormat& format = entry.second;
            const std::string path = fmt::format("cube.formats.{}", to_string(dtype));
            const auto fits = [&](Memory memory, std::int64_t needed) {
                const std::int64_t size = hardware_.buffer(memory).size_bytes;
                if (needed > size) {
                    fault(path,
                          fmt::format("a block needs {} in {}, which holds {}",
                                      format_bytes(needed),
                                      to_string(memory),
                                      format_bytes(size)));
                }
            };
            fits(Memory::L0a, bytes_of(dtype, format.m * format.k));
            fits(Memory::L0b, bytes_of(dtype, format.k * format.n));
            fits(Memory::L0c, bytes_of(format.accumulator, format.m * format.n));
            if (is_integer(dtype) != is_integer(format.accumulator)) {
                fault(path + ".accumulator",
                      fmt::format("got {} (allowed: {})",
                                  to_string(format.accumulator),
                                  is_integer(dtype) ? "int32, int64" : "fp32"));
            }
        }
    }

    void check_units() {
        if (hardware_.composition == Composition::Fused && hardware_.vector_cores != 1) {
            fault("vector_cores",
                  fmt::format("got {}, must be 1 where composition is fused",
                              hardware_.vector_cores));
        }
        const BufferConfig& ub = hardware_.buffer(Memory::Ub);
        if (hardware_.vector.repeat_bytes % ub.align_bytes != 0 ||
            hardware_.vector.repeat_bytes > ub.size_bytes) {
            fault("vector.repeat_bytes",
                  fmt::format("{} is not a multiple of buffers.ub.align {} within its size",
                              hardware_.vector.repeat_bytes,
                              ub.align_bytes));
        }
    }

    void check_links() {
        const std::vector<YamlNode>& items = root_.find("links")->items;
        for (std::size_t i = 0; i < hardware_.links.size(); ++i) {
            const LinkConfig& link = hardware_.links[i];
            const std::string path = "links." + item_name(items[i], i);
            const std::optional<Pipe> pipe = pipe_of(link.from, link.to);
            if (!pipe) {
                faults_.add(items[i].origin, path, "no pipe can serve this path");
            } else if (*pipe != link.pipe) {
                faults_.add(
                    items[i].find("pipe")->origin,
                    path + ".pipe",
                    fmt::format("got {} (allowed: {})", to_string(link.pipe), to_string(*pipe)));
            }
            if (hardware_.link(link.from, link.to) != &link) {
                faults_.add(items[i].origin, path, "the link is listed twice");
            }
        }
    }

    void check_required_links() {
        const auto has = [&](Memory from, Memory to) {
            return hardware_.link(from, to) != nullptr;
        };
        const auto require = [&](Memory from, Memory to) {
            if (!has(from, to)) {
                fault(
                    "links",
                    fmt::format("a {} chip needs the link {}->{}",
                                kCompositionNames[static_cast<std::size_t>(hardware_.composition)],
                                to_string(from),
                                to_string(to)));
            }
        };
        require(Memory::Gm, Memory::L1);
        require(Memory::Gm, Memory::Ub);
        require(Memory::Ub, Memory::Gm);
        require(Memory::L1, Memory::L0a);
        require(Memory::L1, Memory::L0b);
        if (hardware_.composition == Composition::Split || !has(Memory::L0c, Memory::Ub)) {
            require(Memory::L0c, Memory::Gm);
        }
        for (const LinkConfig& link : hardware_.links) {
            const auto on_cube = [](Memory memory) {
                return memory != Memory::Gm && memory != Memory::Ub;
            };
            if (hardware_.composition == Composition::Split &&
                ((on_cube(link.from) && link.to == Memory::Ub) ||
                 (link.from == Memory::Ub && on_cube(link.to)))) {
                fault("links",
                      fmt::format("{}->{} leads from core to core, must not be there where "
                                  "composition is split",
                                  to_string(link.from),
                                  to_string(link.to)));
            }
        }
    }

    void check_gm() {
        const GmConfig& gm = hardware_.gm;
        if (!std::has_single_bit(static_cast<std::uint64_t>(gm.line_bytes))) {
            fault("gm.line_bytes", fmt::format("{} is not a power of two", gm.line_bytes));
        }
        if (!std::has_single_bit(static_cast<std::uint64_t>(gm.line_bytes))) {
            return;
        }
        if (gm.l2_granule_bytes % gm.line_bytes != 0 ||
            gm.l2_granule_bytes / gm.line_bytes > kMaxLines) {
            fault("gm.l2_granule",
                  fmt::format("{} is not 1 to {} lines of {}",
                              format_bytes(gm.l2_granule_bytes),
                              kMaxLines,
                              format_bytes(gm.line_bytes)));
        }
        if (gm.l2_size_bytes > gm.size_bytes) {
            fault("gm.l2_size",
                  fmt::format("{} is more than gm.size {}",
                              format_bytes(gm.l2_size_bytes),
                              format_bytes(gm.size_bytes)));
        }
    }

    void check_technology() {
        if (!hardware_.technology) {
            return;
        }
        const std::vector<SramEnergy>& sram = hardware_.technology->energy.sram;
        if (sram.empty()) {
            fault("technology.energy_pj.sram", "empty (allowed: one or more sizes)");
        }
        for (std::size_t i = 1; i < sram.size(); ++i) {
            if (sram[i].size_bytes <= sram[i - 1].size_bytes) {
                fault(fmt::format("technology.energy_pj.sram.{}.size", i),
                      fmt::format("{} does not come after {}",
                                  format_bytes(sram[i].size_bytes),
                                  format_bytes(sram[i - 1].size_bytes)));
            }
        }
    }

    const HardwareConfig& hardware_;
    const YamlNode& root_;
    Faults& faults_;
};

/// Puts the content of the technology file where its name stands. What `--set` says of the name
/// comes before that, and of single values after it.
void resolve_technology(YamlNode& root, const std::string& path) {
    YamlNode* technology = root.find(kTechnology);
    if (technology != nullptr && technology->kind == YamlNode::Kind::Scalar) {
        const std::string& written_in =
            technology->origin.file.empty() ? path : technology->origin.file;
        include_yaml(*technology,
                     kTechnology,
                     std::filesystem::path(written_in).parent_path() / ".." / kTechnology,
                     path);
    }
}

} // namespace

AccessEnergy EnergyConfig::buffer(std::int64_t size_bytes) const {
    const auto above = std::ranges::lower_bound(sram, size_bytes, {}, &SramEnergy::size_bytes);
    if (above == sram.begin() || above == sram.end()) {
        return above == sram.end() ? sram.back() : sram.front();
    }
    const SramEnergy& below = *std::prev(above);
    const auto ratio = [&](std::int64_t size) {
        return std::log(static_cast<double>(size) / static_cast<double>(below.size_bytes));
    };
    const double share = ratio(size_bytes) / ratio(above->size_bytes);
    return {std::lerp(below.read, above->read, share), std::lerp(below.write, above->write, share)};
}

std::string CubeConfig::format_names() const {
    std::vector<std::string_view> names;
    for (const auto& entry : formats) {
        names.push_back(to_string(entry.first));
    }
    return join(names, ", ");
}

const CubeFormat& HardwareConfig::cube_format(DType dtype) const {
    const auto format = cube.formats.find(dtype);
    if (format == cube.formats.end()) {
        throw ConfigError(fmt::format("{}: no format {} (allowed: {})",
                                      at("cube.formats"),
                                      to_string(dtype),
                                      cube.format_names()));
    }
    return format->second;
}

std::string HardwareConfig::at(std::string_view key) const {
    const YamlNode* node = source == nullptr ? nullptr : source->find_path(key);
    return node == nullptr ? std::string(key)
                           : fmt::format("{}: {}", where(file, node->origin), key);
}

namespace {

/// What `root`, read from `path`, comes to with other values.
HardwareConfig
resolved(YamlNode root, const std::string& path, const std::vector<Override>& overrides) {
    Faults faults(path);
    const auto apply = [&](bool to_name) {
        for (const Override& change : overrides) {
            if ((change.key == kTechnology) == to_name) {
                apply_override(root, change.key, change.value, faults);
            }
        }
    };
    apply(true);
    resolve_technology(root, path);
    apply(false);
    HardwareConfig hardware;
    YamlReader reader(root, "", faults);
    describe(reader, hardware);
    reader.finish();
    if (faults.empty()) { // rules between fields mean nothing until each field is sound
        Validator(hardware, root, faults).run();
    }
    faults.throw_if_any();
    hardware.buffers[static_cast<std::size_t>(Memory::Gm)].align_bytes = 1; // byte addressed
    hardware.source = std::make_shared<const YamlNode>(std::move(root));
    hardware.file = path;
    return hardware;
}

} // namespace

HardwareFile::HardwareFile(std::string path) : path_(std::move(path)) {
    YamlNode root = parse_yaml_with_base(path_);
    root_ = std::make_shared<const YamlNode>(root);
    resolve_technology(root, path_);
    whole_ = std::make_shared<const YamlNode>(std::move(root));
}

HardwareConfig HardwareFile::with(const std::vector<Override>& overrides) const {
    const bool names = std::ranges::count(overrides, kTechnology, &Override::key) > 0;
    return resolved(names ? *root_ : *whole_, path_, overrides);
}

HardwareConfig load_hardware(const std::string& path, const std::vector<Override>& overrides) {
    return resolved(parse_yaml_with_base(path), path, overrides);
}

std::string to_yaml(const HardwareConfig& hardware) {
    std::string out;
    HardwareConfig copy = hardware; // describe() takes what a reader could fill
    YamlWriter writer(out);
    describe(writer, copy);
    return out;
}

} // namespace npusim::config
