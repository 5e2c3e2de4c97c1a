// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/script.h"
#include "kernels/measured/steady.h"

#include <cstdint>
#include <string_view>

namespace npusim::kernels {

/// What the cube core and the vector cores of an AI core do for each other, round by round, on
/// tiles of 128x128 halves that pass through GM.
struct HandOverPlan {
    enum class Task : std::uint8_t {
        StreamToVectors, ///< a tile in L0C is written and read again, never changed
        StreamToCube,    ///< vector cores add two tiles, the cube core loads the sum
        MatmulAdd,       ///< C = A B + D: product on the cube core, sum on the vector cores
        AddMatmul,       ///< C = (A + D) B: the other way round
    };
    Task task = Task::StreamToVectors;
    std::int64_t rounds = 1;
    std::int64_t cores = 1; ///< AI cores
    /// Tiles in GM of each AI core: 1 as written with raw flags, 2 through a pipe of two slots.
    std::int64_t slots = 1;
    /// The first stage does all its rounds before the second begins: one flag in all.
    bool separate = false;
};

/// The demonstrations of hand-over of huawei-csl/pto-kernels, examples/jit_cpp/cross_core_sync_demo
/// (stream_c2v_v2c and matmul_add, each as raw_flag and gm_pipe; naive_separate), with their
/// barriers of all pipes and their cross-core flags. Tensors `a` and `d` [rounds*cores*128, 128],
/// `b` [128, 128], `c` as `a`, and the `workspace`. A round is a tile.
class HandOverLoop : public SteadyKernel {
  public:
    HandOverLoop(const config::HardwareConfig& hardware, const HandOverPlan& plan);
    [[nodiscard]] std::string_view name() const override { return "hand-over-loop"; }
    [[nodiscard]] isa::Program program(isa::CoreId core) const override;
    [[nodiscard]] std::int64_t rounds() const override { return plan_.rounds; }
    /// Through the workspace, written and read.
    [[nodiscard]] double workspace_bytes() const;
    /// Of A, D and C, and of B once.
    [[nodiscard]] double tensor_bytes() const;

  private:
    [[nodiscard]] isa::Program cube_sends(isa::CoreId core) const;
    [[nodiscard]] isa::Program cube_receives(isa::CoreId core) const;
    [[nodiscard]] isa::Program vectors_receive(isa::CoreId core) const;
    [[nodiscard]] isa::Program vectors_send(isa::CoreId core) const;
    /// The part of a vector core, or the whole, of a tile of `tensor` in a round.
    [[nodiscard]] isa::Tile
    block(const isa::Tile& tensor, isa::CoreId core, std::int64_t round) const;
    [[nodiscard]] isa::Tile slot(isa::CoreId core, std::int64_t round) const;
    [[nodiscard]] isa::Tile share(const isa::Tile& tile, isa::CoreId core) const;
    /// From one pipe's part of a tile to the next one's, as the source has it: a flag where the
    /// stages are separate, else a barrier of all pipes.
    void then(Script& s, Pipe from, Pipe to) const;
    [[nodiscard]] bool multiplies() const {
        return plan_.task == HandOverPlan::Task::MatmulAdd ||
               plan_.task == HandOverPlan::Task::AddMatmul;
    }

    HandOverPlan plan_;
    isa::Tile a_;
    isa::Tile b_;
    isa::Tile c_;
    isa::Tile d_;
    isa::Tile workspace_;
};

} // namespace npusim::kernels
