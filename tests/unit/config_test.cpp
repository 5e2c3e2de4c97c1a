// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/config/hardware.h"
#include "sim/config/yaml_reader.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace npusim::config {
namespace {

const std::string kConfigs = std::string(NPUSIM_SOURCE_DIR) + "/configs/hardware/";
const std::string kAscend = kConfigs + "ascend-910b.yaml";
const std::string kTechnology = std::string(NPUSIM_SOURCE_DIR) + "/configs/technology/n7.yaml";

/// A hardware file that lives as long as the object.
class TempFile {
  public:
    explicit TempFile(const std::string& text)
        : path_(std::filesystem::temp_directory_path() /
                ("npusim_config_test_" + std::to_string(::getpid()) + ".yaml")) {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~TempFile() { std::filesystem::remove(path_); }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

/// The error of loading `path`, or "" if it loads.
std::string load_error(const std::string& path, const std::vector<Override>& overrides = {}) {
    try {
        load_hardware(path, overrides);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "";
}

/// The error of a file with this text; its path is shortened to "hw.yaml".
std::string text_error(const std::string& text) {
    const TempFile file(text);
    std::string error = load_error(file.path());
    for (auto at = error.find(file.path()); at != std::string::npos; at = error.find(file.path())) {
        error.replace(at, file.path().size(), "hw.yaml");
    }
    return error;
}

/// A valid file in canonical form, which the tests damage in one place.
std::string valid_text() {
    return to_yaml(load_hardware(kAscend));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// The error after one replacement in a valid file.
std::string edit_error(const std::string& from, const std::string& to) {
    return text_error(replaced(valid_text(), from, to));
}

/// "hw.yaml:LINE:COLUMN: " with the line of the first `text` in the valid file.
std::string place(const std::string& text, int column) {
    const std::string valid = valid_text();
    const auto end = valid.begin() + static_cast<std::ptrdiff_t>(valid.find(text));
    return "hw.yaml:" + std::to_string(1 + std::count(valid.begin(), end, '\n')) + ":" +
           std::to_string(column) + ": ";
}

/// The error after one `--set`.
std::string set_error(const std::string& key, const std::string& value) {
    return load_error(kAscend, {{key, value}});
}

TEST_CASE("every shipped hardware file loads") {
    for (const auto& entry : std::filesystem::directory_iterator(kConfigs)) {
        INFO(entry.path());
        CHECK(load_error(entry.path().string()).empty());
    }
}

TEST_CASE("a loaded file carries the values written in it") {
    const HardwareConfig hardware = load_hardware(kAscend);
    CHECK(hardware.name == "ascend-910b");
    CHECK(hardware.clock_mhz == 1850);
    CHECK(hardware.composition == Composition::Split);
    CHECK(hardware.launch == Cycles{2590});
    CHECK(hardware.cube.formats.at(DType::Fp32).cycles_per_block == 2);
    CHECK(hardware.vector.ops.at("vmul").slope == 2.30);
    CHECK(hardware.buffer(Memory::Ub).size_bytes == 192 * 1024);
    CHECK(hardware.buffer(Memory::L0a).align_bytes == 512);
    CHECK(hardware.gm.size_bytes == std::int64_t{64} << 30);
    REQUIRE(hardware.link(Memory::Gm, Memory::Ub) != nullptr);
    CHECK(hardware.link(Memory::Gm, Memory::Ub)->startup == Cycles{264});
    CHECK(hardware.link(Memory::Ub, Memory::L1) == nullptr);
}

TEST_CASE("the fused file joins cube and vector without GM") {
    const HardwareConfig hardware = load_hardware(kConfigs + "fused-local.yaml");
    CHECK(hardware.composition == Composition::Fused);
    CHECK(hardware.link(Memory::L0c, Memory::Ub) != nullptr);
    CHECK(hardware.link(Memory::Ub, Memory::L1) != nullptr);
}

TEST_CASE("a written config reads back as the same config") {
    const std::string text = valid_text();
    const TempFile file(text);
    CHECK(to_yaml(load_hardware(file.path())) == text);
}

TEST_CASE("control characters and quotes in text survive writing") {
    HardwareConfig hardware = load_hardware(kAscend);
    hardware.description = "a \"b\" \\ c\n\td";
    const TempFile file(to_yaml(hardware));
    CHECK(load_hardware(file.path()).description == hardware.description);
}

TEST_CASE("every number of a shipped file names its source") {
    std::vector<std::filesystem::path> files{kTechnology};
    for (const auto& entry : std::filesystem::directory_iterator(kConfigs)) {
        files.push_back(entry.path());
    }
    for (const std::filesystem::path& path : files) {
        std::ifstream stream(path);
        std::string line;
        while (std::getline(stream, line)) {
            const std::string code = line.substr(0, line.find('#'));
            const auto colon = code.find(": ");
            if (code.starts_with("name:") || code.starts_with("base:") ||
                code.starts_with("description:") || colon == std::string::npos ||
                code.find_first_of("0123456789", colon) == std::string::npos ||
                code.find("from:") != std::string::npos || code.find(" to:") != std::string::npos ||
                code.find("pipe:") != std::string::npos) {
                continue;
            }
            INFO(path << ": " << line);
            const std::string comment = line.substr(code.size());
            CHECK((comment.starts_with("# [") || comment.starts_with("# estimate")));
        }
    }
}

TEST_CASE("an unknown key is reported at the key with the nearest known one") {
    CHECK(edit_error("  startup_cycles: 6", "  startup_cycles: 6\n  startup_cycle: 6") ==
          "hw.yaml:16:3: cube.startup_cycle: unknown key (did you mean 'startup_cycles'?)");
    CHECK(edit_error("    vadd:", "    vexq: {slope: 2, base: 31}\n    vadd:") ==
          place("    vadd:", 5) + "vector.ops.vexq: unknown key (did you mean 'vexp'?)");
}

TEST_CASE("a duplicate key names both lines") {
    CHECK(edit_error("ai_cores: 24", "ai_cores: 24\nai_cores: 20") ==
          "hw.yaml:5:1: ai_cores: duplicate key, first given in line 4");
}

TEST_CASE("a missing key is reported at its parent") {
    CHECK(edit_error("  queue_depth: 32\n", "") == "hw.yaml:8:1: scalar.queue_depth: missing");
    CHECK(edit_error("ai_cores: 24\n", "") == "hw.yaml:1:1: ai_cores: missing");
}

TEST_CASE("a value of the wrong type is reported at the value") {
    const std::string integer = ", needs a decimal integer (allowed: 1..1024)";
    for (const std::string bad : {"many", "\"24\"", "1.0", "1e3", "0x10", "0o10", "1_000", "+1"}) {
        CHECK(edit_error("ai_cores: 24", "ai_cores: " + bad) ==
              "hw.yaml:4:11: ai_cores: got " + bad + integer);
    }
    CHECK(edit_error("ai_cores: 24", "ai_cores: [24]") ==
          "hw.yaml:4:1: ai_cores: got a list, needs a value");
    CHECK(edit_error("ai_cores: 24", "ai_cores:") ==
          "hw.yaml:4:1: ai_cores: got nothing, needs a value");
    CHECK(edit_error("composition: split", "composition: both") ==
          "hw.yaml:5:14: composition: got both (allowed: split, fused)");
    CHECK(edit_error("name: \"ascend-910b\"", "name: \"\"") ==
          "hw.yaml:1:7: name: text of 0 bytes (allowed: 1..64)");
}

TEST_CASE("an integer with a leading zero is refused, not read as octal") {
    CHECK(edit_error("ai_cores: 24", "ai_cores: 010") ==
          "hw.yaml:4:11: ai_cores: got 010, needs a decimal integer (allowed: 1..1024)");
    CHECK(edit_error("clock_mhz: 1850", "clock_mhz: 01850") ==
          "hw.yaml:3:12: clock_mhz: got 01850, needs a decimal number (allowed: 1..100000)");
}

TEST_CASE("a number that is not finite is refused") {
    for (const std::string bad : {".nan", ".inf", "-.inf", "nan", "inf", "-inf"}) {
        CHECK(edit_error("clock_mhz: 1850", "clock_mhz: " + bad) ==
              "hw.yaml:3:12: clock_mhz: got " + bad +
                  ", needs a decimal number (allowed: 1..100000)");
    }
    CHECK(edit_error("clock_mhz: 1850", "clock_mhz: 1e999") ==
          "hw.yaml:3:12: clock_mhz: got 1e999, out of range (allowed: 1..100000)");
}

TEST_CASE("zero, negative and absurdly large values are out of range") {
    for (const std::string bad :
         {"0", "-1", "1025", "99999999999999999999", "-99999999999999999999"}) {
        CHECK(edit_error("ai_cores: 24", "ai_cores: " + bad) ==
              "hw.yaml:4:11: ai_cores: got " + bad + ", out of range (allowed: 1..1024)");
    }
    for (const std::string bad : {"0", "-64GiB", "2TiB", "99999999999TiB"}) {
        CHECK(edit_error("size: 64GiB", "size: " + bad) ==
              place("size: 64GiB", 9) + "gm.size: got " + bad +
                  ", out of range (allowed: 1MiB..1TiB)");
    }
}

TEST_CASE("a byte size is a whole number with an optional binary unit") {
    const auto size_of = [](const std::string& text) {
        return load_hardware(kAscend, {{"buffers.l1.size", text}}).buffer(Memory::L1).size_bytes;
    };
    CHECK(size_of("524288") == 524288);
    CHECK(size_of("512KiB") == 524288);
    CHECK(size_of("1MiB") == 1048576);
    for (const std::string bad : {"512kB", "512 KiB", "0.5MiB", "KiB", "0512KiB"}) {
        CHECK(set_error("buffers.l1.size", bad) ==
              "--set buffers.l1.size=" + bad + ": buffers.l1.size: got " + bad +
                  ", needs a size such as 192KiB (allowed: 1KiB..1GiB)");
    }
}

TEST_CASE("malformed YAML is reported where the parser stops") {
    CHECK(text_error("name: [a\n") ==
          "hw.yaml:2:1: not valid YAML: did not find expected ',' or ']'");
    CHECK(text_error("name: a\n# caf\xe9\n") ==
          "hw.yaml:2:6: not valid YAML: incomplete UTF-8 octet sequence (the file must be text in "
          "UTF-8)");
    CHECK(text_error("cube:\n\tstartup_cycles: 3\n") ==
          "hw.yaml:2:1: not valid YAML: tab in the indentation, use spaces");
    std::string nested;
    for (int depth = 0; depth < 5000; ++depth) {
        nested += "- ";
    }
    CHECK(text_error(nested) == "hw.yaml:1:201: not valid YAML: nested more than 100 deep");
}

TEST_CASE("YAML that would be ignored or surprise is refused") {
    CHECK(
        edit_error("ai_cores: 24", "ai_cores: &n 24\nvector_cores: *n\n#")
            .find(
                "hw.yaml:5:15: vector_cores: got an alias (write the value out), needs a value") ==
        0);
    CHECK(edit_error("  startup_cycles: 6", "  startup_cycles: 6\n  <<: {a: 1}") ==
          "hw.yaml:16:3: cube.<<: merge keys are not supported, write the keys out");
    CHECK(text_error("name: !!str 3\n") ==
          "hw.yaml:1:7: the tag tag:yaml.org,2002:str is not supported");
    CHECK(text_error("? [a]\n: 2\n") == "hw.yaml:1:3: a key must be a plain word, got a list");
    CHECK(text_error(valid_text() + "---\na: 1\n") ==
          "hw.yaml:297:1: more than one YAML document in the file");
}

TEST_CASE("a file that is missing, empty or no map is refused") {
    CHECK(load_error("/no/such.yaml") ==
          "/no/such.yaml: cannot read the file (No such file or directory)");
    CHECK(load_error(kConfigs) == kConfigs + ": cannot read the file (Is a directory)");
    CHECK(text_error("") == "hw.yaml:1:1: the file is empty");
    CHECK(text_error("# only a comment\n") == "hw.yaml:1:1: the file is empty");
    CHECK(text_error("- a\n") == "hw.yaml:1:1: the file must be a map of keys, got a list");
}

TEST_CASE("all faults of a file are reported at once, in file order") {
    const std::string text = replaced(valid_text(), "clock_mhz: 1850", "clock_mhz: fast");
    CHECK(text_error(replaced(text, "ai_cores: 24", "ai_core: 24")) ==
          "hw.yaml:1:1: ai_cores: missing\n"
          "hw.yaml:3:12: clock_mhz: got fast, needs a decimal number (allowed: 1..100000)\n"
          "hw.yaml:4:1: ai_core: unknown key (did you mean 'ai_cores'?)");
}

TEST_CASE("an override replaces one value, and the last one wins") {
    const HardwareConfig hardware = load_hardware(kAscend,
                                                  {{"cube.startup_cycles", "9"},
                                                   {"links.gm->ub.startup_cycles", "100"},
                                                   {"ai_cores", "8"},
                                                   {"ai_cores", "20"}});
    CHECK(hardware.cube.startup == Cycles{9});
    CHECK(hardware.link(Memory::Gm, Memory::Ub)->startup == Cycles{100});
    CHECK(hardware.link(Memory::Gm, Memory::L1)->startup == Cycles{264});
    CHECK(hardware.ai_cores == 20);
}

TEST_CASE("an override may supply a key the file lacks") {
    const TempFile file(replaced(valid_text(), "ai_cores: 24\n", ""));
    CHECK(load_hardware(file.path(), {{"ai_cores", "3"}}).ai_cores == 3);
}

TEST_CASE("a bad override is reported with its --set text") {
    CHECK(set_error("ai_cores", "0") ==
          "--set ai_cores=0: ai_cores: got 0, out of range (allowed: 1..1024)");
    CHECK(set_error("cube.startup", "3") == "--set cube.startup=3: cube.startup: unknown key");
    CHECK(set_error("cub.startup_cycles", "3") ==
          "--set cub.startup_cycles=3: cub: unknown key (did you mean 'cube'?)");
    CHECK(set_error("links.gm->u.startup_cycles", "3") ==
          "--set links.gm->u.startup_cycles=3: links.gm->u.startup_cycles: no element 'gm->u' (did "
          "you mean 'gm->ub'?) (allowed: gm->ub, gm->l1, ub->gm, l1->l0a, l1->l0b, l0c->gm, "
          "l0c->l1)");
    CHECK(set_error("ai_cores.x", "3") ==
          "--set ai_cores.x=3: ai_cores.x: no key 'x' below the value 24");
    CHECK(set_error("cube", "3") == "--set cube=3: cube: got 3, needs a map of keys");
    CHECK(set_error("", "3") == "--set =3: the key is empty");
}

TEST_CASE("buffer alignments are powers of two that divide the sizes") {
    CHECK(set_error("buffers.l1.align", "48") ==
          "--set buffers.l1.align=48: buffers.l1.align: 48 is not a power of two");
    CHECK(set_error("buffers.l0c.size", "131000") ==
          "--set buffers.l0c.size=131000: buffers.l0c.size: 131000 is not a multiple of the "
          "alignment 64");
}

TEST_CASE("a vector repeat is a whole number of UB blocks") {
    CHECK(set_error("vector.repeat_bytes", "100") ==
          "--set vector.repeat_bytes=100: vector.repeat_bytes: 100 is not a multiple of "
          "buffers.ub.align 32 within its size");
}

TEST_CASE("a cube block fits its buffers") {
    CHECK(load_error(kAscend,
                     {{"cube.formats.fp16.m", "256"},
                      {"cube.formats.fp16.k", "256"},
                      {"buffers.l0b.size", "1KiB"}})
              .find("cube.formats.fp16: a block needs 128KiB in l0a, which holds 64KiB") !=
          std::string::npos);
}

TEST_CASE("a cube has the formats its file lists, at least one") {
    const HardwareConfig ascend = load_hardware(kAscend);
    CHECK(ascend.cube.format_names() == "fp32, fp16, bf16, int8, int4");
    CHECK(ascend.cube_format(DType::Int8).accumulator == DType::Int32);
    CHECK_THROWS_WITH(ascend.cube_format(DType::Fp8E4m3),
                      kAscend + ":37:3: cube.formats: no format fp8e4m3 "
                                "(allowed: fp32, fp16, bf16, int8, int4)");
    const HardwareConfig fused = load_hardware(kConfigs + "fused-local.yaml");
    for (const DType dtype : kDTypes) {
        CHECK(fused.cube.formats.contains(dtype));
    }
    const std::string formats = valid_text().substr(valid_text().find("  formats:"));
    const std::string all = formats.substr(0, formats.find("vector:"));
    CHECK(edit_error(all, "  formats: {}\n") ==
          place("  formats:", 3) +
              "cube.formats: empty (allowed: one or more of fp32, tf32, fp16, bf16, fp8e4m3, "
              "fp8e5m2, int16, int8, int4)");
    CHECK(edit_error("    int8:", "    fp8:") ==
          place("    int8:", 5) + "cube.formats.fp8: unknown (allowed: fp32, tf32, fp16, bf16, "
                                  "fp8e4m3, fp8e5m2, int16, int8, int4)");
}

TEST_CASE("integers are summed in integers and floats in fp32") {
    CHECK(set_error("cube.formats.int8.accumulator", "fp32") ==
          "--set cube.formats.int8.accumulator=fp32: cube.formats.int8.accumulator: got fp32 "
          "(allowed: int32, int64)");
    CHECK(set_error("cube.formats.fp16.accumulator", "int32") ==
          "--set cube.formats.fp16.accumulator=int32: cube.formats.fp16.accumulator: got int32 "
          "(allowed: fp32)");
    CHECK(set_error("cube.formats.fp16.accumulator", "fp16") ==
          "--set cube.formats.fp16.accumulator=fp16: cube.formats.fp16.accumulator: got fp16 "
          "(allowed: fp32, int32, int64)");
    CHECK(load_hardware(kAscend, {{"cube.formats.int8.accumulator", "int64"}})
              .cube_format(DType::Int8)
              .accumulator == DType::Int64);
}

TEST_CASE("a fused chip has one vector unit") {
    CHECK(load_error(kAscend, {{"composition", "fused"}, {"vector_cores", "2"}}) ==
          "--set vector_cores=2: vector_cores: got 2, must be 1 where composition is fused");
}

TEST_CASE("each link belongs to the pipe of its path and is listed once") {
    CHECK(edit_error("pipe: mte3", "pipe: mte1") ==
          place("pipe: mte3", 11) + "links.ub->gm.pipe: got mte1 (allowed: mte3)");
    CHECK(edit_error("    to: l1\n    pipe: fixpipe", "    to: l0a\n    pipe: fixpipe") ==
          place("from: l0c\n    to: l1", 5) + "links.l0c->l0a: no pipe can serve this path");
    CHECK(edit_error("    to: l1\n    pipe: fixpipe", "    to: gm\n    pipe: fixpipe") ==
          place("from: l0c\n    to: l1", 5) + "links.l0c->gm: the link is listed twice");
}

TEST_CASE("a chip has the links its composition needs") {
    CHECK(edit_error("from: l0c\n    to: gm", "from: l0c\n    to: ub") ==
          place("links:", 1) + "links: a split chip needs the link l0c->gm\n" + place("links:", 1) +
              "links: l0c->ub leads from core to core, must not be there where composition is "
              "split");
}

TEST_CASE("GM lines are powers of two and the L2 is no larger than GM") {
    CHECK(set_error("gm.line_bytes", "500") ==
          "--set gm.line_bytes=500: gm.line_bytes: 500 is not a power of two");
    CHECK(set_error("gm.size", "64MiB").find("gm.l2_size: 192MiB is more than gm.size 64MiB") !=
          std::string::npos);
}

} // namespace
} // namespace npusim::config

namespace npusim::config {

TEST_CASE("a technology is read from its own file, and errors name that") {
    const test::Scratch scratch;
    std::filesystem::create_directories(scratch.path() / "hardware");
    std::filesystem::create_directories(scratch.path() / "technology");
    std::ifstream shipped(kTechnology);
    const std::string n7{std::istreambuf_iterator<char>(shipped), {}};
    scratch.write("technology/mine.yaml", n7);
    scratch.write("technology/more.yaml", "base: mine\nstatic_w_per_mm2: 0.5\n");
    scratch.write("technology/wrong.yaml", replaced(n7, "fp32: 1.69", "fp32: 0"));
    const std::string valid = valid_text();
    const std::string bare = valid.substr(0, valid.find("technology:"));
    const auto file = [&](const std::string& last) {
        return scratch.write("hardware/hw.yaml", bare + last).string();
    };
    CHECK_FALSE(load_hardware(file("")).technology);
    CHECK(to_yaml(load_hardware(file("technology: mine\n"))) == valid);
    const HardwareConfig more = load_hardware(file("technology: more\n"));
    CHECK(more.technology->static_watts_per_mm2 == 0.5);
    CHECK(more.technology->energy.hbm == load_hardware(kAscend).technology->energy.hbm);
    CHECK_THAT(more.at("technology.static_w_per_mm2"),
               Catch::Contains("technology/more.yaml:2:19"));
    CHECK_THAT(more.at("technology.energy_pj.hbm"), Catch::Contains("technology/mine.yaml:"));
    CHECK_THAT(load_error(file("technology: wrong\n")),
               Catch::Contains("technology/wrong.yaml:") &&
                   Catch::Contains(": technology.energy_pj.mac.fp32: got 0, out of range"));
    CHECK_THAT(load_error(file("technology: n5\n")),
               Catch::Contains(": technology: got n5 (allowed: the name of a file in " +
                               (scratch.path() / "technology").string()));
    CHECK_THAT(load_error(file("technology:\n  node: none\n")),
               Catch::Contains(": technology.energy_pj: missing"));
}

TEST_CASE("overrides name another technology, and single values of it") {
    const HardwareConfig hardware =
        load_hardware(kAscend,
                      {{"technology.energy_pj.mac.fp16", "0.3"},
                       {"technology.energy_pj.sram.2.read", "2"},
                       {"technology", kTechnology.substr(0, kTechnology.rfind('.'))}});
    CHECK(hardware.technology->energy.mac[static_cast<std::size_t>(DType::Fp16)] == 0.3);
    CHECK(hardware.technology->energy.sram[2].read == 2);
    CHECK(hardware.technology->energy.sram[2].write == 1.75);
    CHECK(
        set_error("technology.energy_pj.mac.fp16", "inf") ==
        "--set technology.energy_pj.mac.fp16=inf: technology.energy_pj.mac.fp16: got inf, needs a "
        "decimal number (allowed: 1e-06..1000000)");
    CHECK(
        set_error("technology.area_um2.mac.fp17", "1") ==
        "--set technology.area_um2.mac.fp17=1: technology.area_um2.mac.fp17: unknown key (did you "
        "mean 'fp16'?)");
    CHECK(
        set_error("technology.energy_pj.sram.1.size", "8KiB") ==
        "--set technology.energy_pj.sram.1.size=8KiB: technology.energy_pj.sram.1.size: 8KiB does "
        "not come after 8KiB");
}

TEST_CASE("a file builds on another one: keys and links of its own replace those of the base") {
    const test::Scratch scratch;
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(scratch.path() / (name + ".yaml")) << text;
        return (scratch.path() / (name + ".yaml")).string();
    };
    write("ascend", valid_text());
    const std::string mine = write("mine",
                                   "base: ascend\nname: mine\nclock_mhz: 1000\nlinks:\n"
                                   "  - {from: gm, to: ub, pipe: mte2, bytes_per_cycle: 64, "
                                   "startup_cycles: 1}\n");
    const auto hardware = load_hardware(mine);
    const auto ascend = load_hardware(kAscend);
    CHECK(hardware.name == "mine");
    CHECK(hardware.clock_mhz == 1000);
    CHECK(hardware.ai_cores == ascend.ai_cores);
    CHECK(hardware.links.size() == ascend.links.size());
    CHECK(hardware.link(Memory::Gm, Memory::Ub)->bytes_per_cycle == 64);
    CHECK(hardware.link(Memory::Gm, Memory::L1)->bytes_per_cycle ==
          ascend.link(Memory::Gm, Memory::L1)->bytes_per_cycle);
    CHECK_THAT(hardware.at("clock_mhz"), Catch::Contains("mine.yaml:3:"));
    CHECK_THAT(hardware.at("ai_cores"), Catch::Contains("ascend.yaml:"));
    CHECK_THROWS_WITH(load_hardware(write("lost", "base: nowhere\n")),
                      Catch::Contains("lost.yaml:1:7: base: got nowhere"));
    CHECK_THROWS_WITH(load_hardware(write("round", "base: round\n")),
                      Catch::Contains("base: goes in a circle"));
    CHECK_THROWS_WITH(load_hardware(write("bad", "base: ascend\nclock_mhz: fast\n")),
                      Catch::Contains("bad.yaml:2:12: clock_mhz"));
}

} // namespace npusim::config
