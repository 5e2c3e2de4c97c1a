// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"
#include "tests/support/machine.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace npusim;
using test::half;

namespace {

/// Compares with tests/golden/NAME.txt; with NPUSIM_UPDATE_GOLDEN set, writes it instead.
void check_golden(const std::string& name, const std::string& text) {
    const std::string path = NPUSIM_SOURCE_DIR "/tests/golden/" + name + ".txt";
    if (std::getenv("NPUSIM_UPDATE_GOLDEN") != nullptr) { // NOLINT(concurrency-mt-unsafe)
        std::ofstream(path) << text;
    }
    std::ifstream file(path);
    std::stringstream expected;
    expected << file.rdbuf();
    CHECK(text == expected.str());
}

} // namespace

TEST_CASE("golden: one product from GM to GM") {
    const isa::Tile c = isa::dense(Memory::L0c, DType::Fp32, 0, 16, 16);
    check_golden(
        "product",
        test::timeline(
            test::tiny(),
            {isa::Copy{half(Memory::L1, 0, 16, 16), half(Memory::Gm, 0, 16, 16)},
             isa::SetFlag{Pipe::Mte2, Pipe::Mte1, 0},
             isa::WaitFlag{Pipe::Mte2, Pipe::Mte1, 0},
             isa::Copy{half(Memory::L0a, 0, 16, 16), half(Memory::L1, 0, 16, 16)},
             isa::Copy{half(Memory::L0b, 0, 16, 16), half(Memory::L1, 0, 16, 16)},
             isa::SetFlag{Pipe::Mte1, Pipe::Cube, 0},
             isa::WaitFlag{Pipe::Mte1, Pipe::Cube, 0},
             isa::Mmad{c, half(Memory::L0a, 0, 16, 16), half(Memory::L0b, 0, 16, 16), false},
             isa::SetFlag{Pipe::Cube, Pipe::FixPipe, 0},
             isa::WaitFlag{Pipe::Cube, Pipe::FixPipe, 0},
             isa::Fixpipe{half(Memory::L1, 512, 16, 16), c}}));
}

TEST_CASE("golden: two vector adds, double-buffered") {
    isa::Block program;
    for (std::int32_t i = 0; i < 2; ++i) {
        const isa::Tile slot = half(Memory::Ub, i * 512, 16, 16);
        program.emplace_back(isa::Copy{slot, half(Memory::Gm, i * 512, 16, 16)});
        program.emplace_back(isa::SetFlag{Pipe::Mte2, Pipe::Vector, i});
        program.emplace_back(isa::WaitFlag{Pipe::Mte2, Pipe::Vector, i});
        program.emplace_back(isa::Vadd{{slot, slot, slot}});
        program.emplace_back(isa::SetFlag{Pipe::Vector, Pipe::Mte3, i});
        program.emplace_back(isa::WaitFlag{Pipe::Vector, Pipe::Mte3, i});
        program.emplace_back(isa::Copy{half(Memory::Gm, 4096 + i * 512, 16, 16), slot});
    }
    check_golden("vector_add", test::timeline(test::tiny(), program));
}
