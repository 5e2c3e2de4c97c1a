// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"

#include <cstdint>

namespace npusim::kernels {

/// One L0A, one L0B and one L0C matrix of [side, side], used step by step with nothing in flight:
/// every hand-over between pipes is a flag set and waited for at once, as the first kernels of
/// huawei-csl/pto-kernels have it.
class CubeSteps {
  public:
    CubeSteps(Script& script, DType dtype, std::int64_t side)
        : s(script), a_(s.tile(Memory::L0a, dtype, side, side)),
          b_(s.tile(Memory::L0b, dtype, side, side)),
          c_(s.tile(Memory::L0c, DType::Fp32, side, side)) {}

    [[nodiscard]] const isa::Tile& a() const { return a_; }
    [[nodiscard]] const isa::Tile& b() const { return b_; }
    [[nodiscard]] const isa::Tile& c() const { return c_; }

    void left(const isa::Tile& from) { s(isa::Copy{a_, from}); }
    void right(const isa::Tile& from) { s(isa::Copy{b_, from}); }
    /// c = a b, or c + a b.
    void multiply(bool accumulate = false) { s(isa::Mmad{c_, a_, b_, accumulate}); }
    void store(const isa::Tile& to) { s(isa::Fixpipe{to, c_}); }

    void loaded() { s.order(Pipe::Mte1, Pipe::Cube); }
    void read() { s.order(Pipe::Cube, Pipe::Mte1); }
    void summed() { s.order(Pipe::Cube, Pipe::FixPipe); }
    void stored() { s.order(Pipe::FixPipe, Pipe::Mte1); }
    /// A product whose factors have just been loaded, and its result to L1.
    void product_to(const isa::Tile& to, bool accumulate = false) {
        loaded();
        multiply(accumulate);
        summed();
        store(to);
        stored();
    }

  private:
    Script& s;
    isa::Tile a_;
    isa::Tile b_;
    isa::Tile c_;
};

} // namespace npusim::kernels
