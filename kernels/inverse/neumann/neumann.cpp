// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/neumann/neumann.h"

#include "kernels/common/batch_layout.h"
#include "kernels/common/cube_products.h"
#include "sim/base/error.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace npusim::inverse {

namespace {

using isa::Tile;
using kernels::CubeProducts;
using kernels::Emitter;
using kernels::Operand;
using kernels::Term;
using kernels::Ticket;

/// Cross-core events: the cube core tells a vector core "matrix in GM", vector core v answers
/// with kMasked + v.
constexpr std::int32_t kUnmasked = 0;
constexpr std::int32_t kMasked = 1;
/// Matrices that go through a stage together, so that their transfers hide each other's latency.
constexpr std::int64_t kWaveLimit = 4;
/// The same where L1 holds one wave at a time: nothing else hides the hand-over.
constexpr std::int64_t kLoneWaveLimit = 16;

/// Values of the parameter `mask` that are no width.
constexpr std::int64_t kMaskAsOrder = -1;
constexpr std::int64_t kNoMask = -2;

struct Settings {
    std::int64_t order = 0;
    std::int64_t steps = 0;
    std::int64_t mask = 0; ///< sub-diagonals kept; negative: no mask
    bool early = false;

    [[nodiscard]] bool masked() const { return mask >= 0; }
    /// Powers of A, itself included, that are kept masked: what the terms of T0 are made of.
    [[nodiscard]] std::int64_t stored_powers() const {
        return masked() && early ? std::max<std::int64_t>(order - 1, 1) : 0;
    }
    /// Matrices that pass the mask on the way to T: the stored powers and T0.
    [[nodiscard]] std::int64_t mask_jobs() const { return masked() ? stored_powers() + 1 : 0; }
    /// Stretches of a matrix's work between mask jobs.
    [[nodiscard]] std::int64_t phases() const { return mask_jobs() + 1; }
};

/// L1 of the cube core.
struct CubeBuffers {
    Tile identity;
    Tile minus_identity;
    Tile power;   ///< the last power of A, then E; both live within one phase
    Tile square;  ///< E^2, E^4, ...
    Tile product; ///< (I + E)(I + E^2)...
    /// What one matrix keeps between phases.
    struct Context {
        Tile a;
        std::vector<Tile> powers; ///< early: A masked, A^2 masked, ...
        Tile t0;                  ///< early: in the place of powers[0], which T0 is the last to use
    };
    std::vector<std::vector<Context>> waves; ///< [wave in flight][matrix of the wave]
};

/// UB of the unit that masks.
struct MaskBuffers {
    Tile mask;
    std::vector<Tile> slots;
};

class NeumannPlan : public kernels::Plan {
  public:
    NeumannPlan(const config::HardwareConfig& hardware,
                const kernels::Problem& problem,
                const Settings& settings);

    [[nodiscard]] isa::Program program(isa::CoreId core) const override {
        const kernels::Range matrices =
            kernels::share(problem_.count, hardware_.ai_cores, core.ai_core);
        if (matrices.size() == 0) {
            return {};
        }
        return split_ && core.unit > 0 ? mask_program(core, matrices)
                                       : cube_program(core, matrices);
    }
    [[nodiscard]] std::int64_t gm_bytes() const override { return layout_.gm.used(); }
    [[nodiscard]] Tile input(std::int64_t index) const override { return layout_.input(index); }
    [[nodiscard]] Tile output(std::int64_t index) const override { return layout_.output(index); }
    void write_constants(functional::GlobalMemory& gm) const override;

    [[nodiscard]] std::int64_t count_waves(kernels::Range matrices) const {
        return ceil_div(matrices.size(), wave_);
    }

  private:
    friend class CubeWork;

    [[nodiscard]] Tile gm_matrix() {
        return layout_.gm.tile(problem_.dtype, problem_.chunk, problem_.chunk);
    }
    [[nodiscard]] std::optional<CubeBuffers> cube_buffers(std::int64_t waves,
                                                          std::int64_t wave) const;
    void size_waves();
    [[nodiscard]] MaskBuffers mask_buffers() const;
    /// Workspace slot of an AI core's mask job `job`.
    [[nodiscard]] const Tile& workspace(std::int64_t ai_core, std::int64_t job) const {
        return workspace_[static_cast<std::size_t>(ai_core * ring_ + job % ring_)];
    }

    isa::Program cube_program(isa::CoreId core, kernels::Range matrices) const;
    isa::Program mask_program(isa::CoreId core, kernels::Range matrices) const;

    const config::HardwareConfig& hardware_;
    kernels::Problem problem_;
    Settings settings_;
    bool split_;
    kernels::BatchLayout layout_;
    Tile identity_;
    Tile minus_identity_;
    Tile mask_;
    std::int64_t wave_ = 1;      ///< matrices per wave
    std::int64_t in_flight_ = 1; ///< waves in L1 at a time; phases are skewed over them if > 1
    CubeBuffers l1_;
    MaskBuffers ub_;
    std::int64_t ring_ = 0;       ///< workspace slots per AI core
    std::vector<Tile> workspace_; ///< in GM, for the hand-over
    bool spills_ = false;         ///< the workspace is larger than L2
};

NeumannPlan::NeumannPlan(const config::HardwareConfig& hardware,
                         const kernels::Problem& problem,
                         const Settings& settings)
    : hardware_(hardware), problem_(problem), settings_(settings),
      split_(hardware.composition == config::Composition::Split), layout_(hardware, problem),
      identity_(gm_matrix()), minus_identity_(gm_matrix()), mask_(gm_matrix()) {
    Emitter unused(hardware);
    const CubeProducts probe(hardware, problem.dtype, problem.chunk, unused); // L0 has the room
    size_waves();
    if (!settings_.masked()) {
        return;
    }
    ub_ = mask_buffers();
    if (split_) {
        ring_ = in_flight_ * wave_ * settings_.mask_jobs();
        for (std::int64_t i = 0; i < hardware.ai_cores * ring_; ++i) {
            workspace_.push_back(gm_matrix());
        }
        spills_ = hardware.ai_cores * ring_ * mask_.bytes() > hardware.gm.l2_size_bytes;
    }
}

/// As many waves in flight as there are phases, and one more to prefetch into, if L1 has the room;
/// otherwise one wave at a time, as large as fits.
void NeumannPlan::size_waves() {
    const std::int64_t per_core = ceil_div(problem_.count, hardware_.ai_cores);
    const std::int64_t skewed = settings_.phases() + 1;
    for (const std::int64_t in_flight : {skewed, std::int64_t{1}}) {
        const std::int64_t limit = in_flight > 1 ? kWaveLimit : kLoneWaveLimit;
        std::int64_t wave = std::clamp<std::int64_t>(ceil_div(per_core, in_flight), 1, limit);
        for (; wave >= 1; --wave) {
            if (auto buffers = cube_buffers(in_flight, wave)) {
                in_flight_ = in_flight;
                wave_ = wave;
                l1_ = std::move(*buffers);
                return;
            }
        }
    }
    throw ConfigError(fmt::format(
        "{}: {} bytes do not hold what inverse/neumann keeps of one chunk of {} in {} "
        "(allowed: a smaller chunk, a narrower dtype, a lower order or early=no, a larger l1)",
        hardware_.at("buffers.l1.size"),
        hardware_.buffer(Memory::L1).size_bytes,
        problem_.chunk,
        to_string(problem_.dtype)));
}

std::optional<CubeBuffers> NeumannPlan::cube_buffers(std::int64_t waves, std::int64_t wave) const {
    const std::int64_t n = problem_.chunk;
    const std::int64_t bytes = n * n * bytes_of(problem_.dtype);
    const std::int64_t powers = settings_.stored_powers();
    const std::int64_t kept = 1 + std::max<std::int64_t>(powers, 1);
    if ((5 + waves * wave * kept) * bytes > hardware_.buffer(Memory::L1).size_bytes) {
        return std::nullopt;
    }
    kernels::Allocator l1(hardware_, Memory::L1);
    const auto tile = [&] { return l1.tile(problem_.dtype, n, n); };
    CubeBuffers buffers{tile(), tile(), tile(), tile(), tile(), {}};
    for (std::int64_t w = 0; w < waves; ++w) {
        auto& contexts = buffers.waves.emplace_back();
        for (std::int64_t m = 0; m < wave; ++m) {
            CubeBuffers::Context& context = contexts.emplace_back();
            context.a = tile();
            for (std::int64_t i = 0; i < powers; ++i) {
                context.powers.push_back(tile());
            }
            context.t0 = powers > 0 ? context.powers.front() : tile();
        }
    }
    return buffers;
}

MaskBuffers NeumannPlan::mask_buffers() const {
    const std::int64_t n = problem_.chunk;
    kernels::Allocator ub(hardware_, Memory::Ub);
    MaskBuffers buffers{ub.tile(problem_.dtype, n, n), {ub.tile(problem_.dtype, n, n)}};
    if (3 * buffers.mask.bytes() <= hardware_.buffer(Memory::Ub).size_bytes) {
        buffers.slots.push_back(ub.tile(problem_.dtype, n, n));
    }
    return buffers;
}

void NeumannPlan::write_constants(functional::GlobalMemory& gm) const {
    const std::int64_t n = problem_.chunk;
    std::vector<float> identity(static_cast<std::size_t>(n * n), 0.0F);
    std::vector<float> minus = identity;
    for (std::int64_t i = 0; i < n; ++i) {
        identity[static_cast<std::size_t>(i * n + i)] = 1.0F;
        minus[static_cast<std::size_t>(i * n + i)] = -1.0F;
    }
    kernels::write_tile(gm, identity_, identity);
    kernels::write_tile(gm, minus_identity_, minus);
    // All ones inside the band 0 <= i - j <= mask, all zeros outside: for a bitwise and.
    const auto width = static_cast<std::size_t>(bytes_of(problem_.dtype));
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
            const bool keep = i >= j && i - j <= settings_.mask;
            const Tile element = mask_.block(i, j, 1, 1);
            std::memset(gm.data() + element.address, keep ? 0xFF : 0x00, width);
        }
    }
}

/// The cube core's side of a matrix: its phases, in terms of the core's emitter.
class CubeWork {
  public:
    CubeWork(const NeumannPlan& plan, isa::CoreId core, kernels::Range matrices)
        : plan_(plan), core_(core), matrices_(matrices), emit(plan.hardware_),
          cube_(plan.hardware_, plan.problem_.dtype, plan.problem_.chunk, emit),
          states_(plan.l1_.waves.size()), mask_slot_free_(plan.ub_.slots.size()) {
        for (std::size_t w = 0; w < states_.size(); ++w) {
            states_[w].resize(plan.l1_.waves[w].size());
        }
        load_constants();
    }

    void load_wave(std::int64_t wave);
    /// Phase `phase` of every matrix of `wave`; nothing for a wave out of range.
    void run_phase(std::int64_t wave, std::int64_t phase);

  private:
    /// What is known of the matrix in a context.
    struct State {
        Operand a;
        std::vector<Operand> powers;
        Operand t0;
        Ticket released; ///< MTE1 has read the context's tiles for the last time (for MTE2)
        Ticket
            released_masked; ///< the same, for the pipe that brings masked matrices in a fused core
    };
    using Context = CubeBuffers::Context;

    void load_constants();
    void load(const Tile& to, const Tile& from, bool cold, Operand& operand);
    void form_power(const Context& context, State& state, std::int64_t phase);
    void form_t0(const Context& context, State& state);
    void correct(std::int64_t index, State& state);
    void mask(const Tile& to, State& state, Operand& out, std::span<const Term> terms);
    void mask_over_gm(const Tile& to, Operand& out, std::span<const Term> terms);
    void mask_in_core(const Tile& to, State& state, Operand& out, std::span<const Term> terms);
    void release(State& state);

    /// Matrices of `wave`.
    [[nodiscard]] kernels::Range range(std::int64_t wave) const {
        const std::int64_t begin = matrices_.begin + wave * plan_.wave_;
        return {begin, std::min(begin + plan_.wave_, matrices_.end)};
    }

    const NeumannPlan& plan_;
    isa::CoreId core_;
    kernels::Range matrices_;

  public:
    Emitter emit;

  private:
    CubeProducts cube_;
    Operand identity_;
    Operand minus_identity_;
    Ticket mask_ready_; ///< fused: the mask tile is in UB
    std::vector<std::vector<State>> states_;
    std::vector<Ticket> mask_slot_free_;
    std::int64_t mask_job_ = 0; ///< sent to the mask
};

void CubeWork::load_constants() {
    load(plan_.l1_.identity, plan_.identity_, false, identity_);
    load(plan_.l1_.minus_identity, plan_.minus_identity_, false, minus_identity_);
    if (!plan_.split_ && plan_.settings_.masked()) {
        emit(isa::Copy{plan_.ub_.mask, plan_.mask_});
        mask_ready_ = emit.signal(Pipe::Mte2, Pipe::Vector);
    }
}

void CubeWork::load(const Tile& to, const Tile& from, bool cold, Operand& operand) {
    emit(isa::Copy{to, from, cold});
    operand = {to, Pipe::Mte2, emit.signal(Pipe::Mte2, Pipe::Mte1)};
}

void CubeWork::load_wave(std::int64_t wave) {
    const kernels::Range range = this->range(wave);
    const std::size_t w = static_cast<std::size_t>(wave) % states_.size();
    for (std::int64_t i = range.begin; i < range.end; ++i) {
        const auto m = static_cast<std::size_t>(i - range.begin);
        State& state = states_[w][m];
        state.powers.resize(plan_.l1_.waves[w][m].powers.size());
        emit.await(Pipe::Mte1, Pipe::Mte2, state.released);
        load(plan_.l1_.waves[w][m].a, plan_.input(i), true, state.a);
    }
}

void CubeWork::run_phase(std::int64_t wave, std::int64_t phase) {
    if (wave < 0) {
        return;
    }
    const kernels::Range range = this->range(wave);
    const std::size_t w = static_cast<std::size_t>(wave) % states_.size();
    const std::int64_t last = plan_.settings_.phases() - 1;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
        const auto m = static_cast<std::size_t>(i - range.begin);
        const Context& context = plan_.l1_.waves[w][m];
        State& state = states_[w][m];
        if (phase < last - 1) {
            form_power(context, state, phase);
        } else if (phase == last - 1) {
            form_t0(context, state);
        } else {
            if (!plan_.settings_.masked()) {
                form_t0(context, state);
            }
            correct(i, state);
        }
    }
}

/// Early mask, phase p: the masked A^(p+1).
void CubeWork::form_power(const Context& context, State& state, std::int64_t phase) {
    const auto which = static_cast<std::size_t>(phase);
    const Term term =
        phase == 0 ? Term{identity_, state.a} : Term{state.powers[which - 1], state.powers[0]};
    mask(context.powers[which], state, state.powers[which], std::span(&term, 1));
}

/// T0 = I + A + ... + A^N, accumulated in one L0C tile, then masked.
void CubeWork::form_t0(const Context& context, State& state) {
    const Settings& settings = plan_.settings_;
    const bool early = settings.masked() && settings.early;
    const Operand a = early ? state.powers[0] : state.a;
    std::vector<Term> terms{{identity_, identity_}, {identity_, a}};
    Operand power = a;
    for (std::int64_t n = 2; n <= settings.order; ++n) {
        terms.push_back({power, a});
        if (n == settings.order) {
            break;
        }
        if (early) {
            power = state.powers[static_cast<std::size_t>(n - 1)];
            continue;
        }
        if (n > 2) {
            // One tile holds the running power: what needs it is summed before it is overwritten.
            const Operand so_far = cube_.sum_to_l1(context.t0, terms);
            terms = {{identity_, so_far}};
        }
        power = cube_.sum_to_l1(plan_.l1_.power, {{power, a}});
    }
    if (settings.masked()) {
        mask(context.t0, state, state.t0, terms);
    } else {
        state.t0 = cube_.sum_to_l1(context.t0, terms);
    }
}

/// E = I - T0 + A T0; T = T0 (I + E + ... + E^(S-1)), in product form where S is a power of two and
/// by T <- T0 + T E otherwise.
void CubeWork::correct(std::int64_t index, State& state) {
    const std::int64_t steps = plan_.settings_.steps;
    const Operand t0 = state.t0;
    const Tile out = plan_.output(index);
    if (steps == 1) {
        cube_.sum(out, {{identity_, t0}}, true);
        release(state);
        return;
    }
    const CubeBuffers& l1 = plan_.l1_;
    const Operand e =
        cube_.sum_to_l1(l1.power, {{identity_, identity_}, {minus_identity_, t0}, {state.a, t0}});
    if (!std::has_single_bit(static_cast<std::uint64_t>(steps))) {
        Operand t = t0;
        for (std::int64_t s = 1; s + 1 < steps; ++s) {
            t = cube_.sum_to_l1(l1.product, {{identity_, t0}, {t, e}});
        }
        cube_.sum(out, {{identity_, t0}, {t, e}}, true);
    } else if (steps == 2) {
        cube_.sum(out, {{identity_, t0}, {t0, e}}, true);
    } else {
        Operand square = cube_.sum_to_l1(l1.square, {{e, e}});
        Operand q = cube_.sum_to_l1(
            l1.product, {{identity_, identity_}, {identity_, e}, {identity_, square}, {e, square}});
        for (std::int64_t done = 4; done < steps; done *= 2) {
            square = cube_.sum_to_l1(l1.square, {{square, square}});
            q = cube_.sum_to_l1(l1.product, {{q, identity_}, {q, square}});
        }
        cube_.sum(out, {{t0, q}}, true);
    }
    release(state);
}

void CubeWork::release(State& state) {
    state.released = emit.signal(Pipe::Mte1, Pipe::Mte2);
    if (!plan_.split_) {
        state.released_masked = emit.signal(Pipe::Mte1, Pipe::Mte3);
    }
}

/// Sends the sum of `terms` through the band mask into `to`.
void CubeWork::mask(const Tile& to, State& state, Operand& out, std::span<const Term> terms) {
    if (plan_.split_) {
        mask_over_gm(to, out, terms);
    } else {
        mask_in_core(to, state, out, terms);
    }
}

/// L0C -> GM, a vector core masks GM -> UB -> GM, then GM -> L1. The load is issued right away: it
/// waits on MTE2, behind nothing but earlier loads.
void CubeWork::mask_over_gm(const Tile& to, Operand& out, std::span<const Term> terms) {
    const Tile& slot = plan_.workspace(core_.ai_core, mask_job_);
    const auto vector_core = static_cast<std::int32_t>(mask_job_ % plan_.hardware_.vector_cores);
    ++mask_job_;
    cube_.sum(slot, terms, plan_.spills_);
    emit(isa::CrossSet{Pipe::FixPipe, 1 + vector_core, kUnmasked});
    emit(isa::CrossWait{Pipe::Mte2, kMasked + vector_core});
    load(to, slot, plan_.spills_, out);
}

/// L0C -> UB, mask, UB -> L1, all inside the core.
void CubeWork::mask_in_core(const Tile& to,
                            State& state,
                            Operand& out,
                            std::span<const Term> terms) {
    const std::size_t which = static_cast<std::size_t>(mask_job_++) % plan_.ub_.slots.size();
    const Tile& slot = plan_.ub_.slots[which];
    emit.await(Pipe::Mte3, Pipe::FixPipe, mask_slot_free_[which]);
    cube_.sum(slot, terms);
    emit.await(Pipe::Mte2, Pipe::Vector, mask_ready_);
    emit.await(Pipe::FixPipe, Pipe::Vector, emit.signal(Pipe::FixPipe, Pipe::Vector));
    emit(isa::Vand{{slot, slot, plan_.ub_.mask}});
    emit.await(Pipe::Vector, Pipe::Mte3, emit.signal(Pipe::Vector, Pipe::Mte3));
    emit.await(Pipe::Mte1, Pipe::Mte3, state.released_masked);
    emit(isa::Copy{to, slot});
    mask_slot_free_[which] = emit.signal(Pipe::Mte3, Pipe::FixPipe);
    out = {to, Pipe::Mte3, emit.signal(Pipe::Mte3, Pipe::Mte1)};
}

/// Step s runs phase p of wave s - p, so that a wave is being masked while others use the cube.
isa::Program NeumannPlan::cube_program(isa::CoreId core, kernels::Range matrices) const {
    CubeWork work(*this, core, matrices);
    const std::int64_t waves = count_waves(matrices);
    const std::int64_t phases = settings_.phases();
    const std::int64_t skew = in_flight_ > 1 ? 1 : 0;
    work.load_wave(0);
    for (std::int64_t step = 0; step < waves + skew * (phases - 1); ++step) {
        if (skew == 1 && step + 1 < waves) {
            work.load_wave(step + 1);
        }
        for (std::int64_t phase = 0; phase < phases; ++phase) {
            const std::int64_t wave = step - skew * phase;
            if (wave < waves) {
                work.run_phase(wave, phase);
            }
        }
        if (skew == 0 && step + 1 < waves) {
            work.load_wave(step + 1);
        }
        co_yield work.emit.block();
    }
}

/// A vector core of a split chip: masks every `vector_cores`-th job of its AI core, in the order in
/// which the cube core sends them.
isa::Program NeumannPlan::mask_program(isa::CoreId core, kernels::Range matrices) const {
    if (!settings_.masked()) {
        co_return;
    }
    Emitter emit(hardware_);
    emit(isa::Copy{ub_.mask, mask_});
    Ticket loaded = emit.signal(Pipe::Mte2, Pipe::Vector);
    std::vector<Ticket> stored(ub_.slots.size());
    const std::int64_t jobs = matrices.size() * settings_.mask_jobs();
    std::size_t turn = 0;
    for (std::int64_t job = core.unit - 1; job < jobs; job += hardware_.vector_cores) {
        const std::size_t which = turn++ % ub_.slots.size();
        const Tile& slot = ub_.slots[which];
        const Tile& shared = workspace(core.ai_core, job);
        emit.await(Pipe::Mte3, Pipe::Mte2, stored[which]);
        emit(isa::CrossWait{Pipe::Mte2, kUnmasked});
        emit(isa::Copy{slot, shared, spills_});
        loaded = emit.signal(Pipe::Mte2, Pipe::Vector);
        emit.await(Pipe::Mte2, Pipe::Vector, loaded);
        emit(isa::Vand{{slot, slot, ub_.mask}});
        emit.await(Pipe::Vector, Pipe::Mte3, emit.signal(Pipe::Vector, Pipe::Mte3));
        emit(isa::Copy{shared, slot, spills_});
        emit(isa::CrossSet{Pipe::Mte3, 0, kMasked + static_cast<std::int32_t>(core.unit) - 1});
        stored[which] = emit.signal(Pipe::Mte3, Pipe::Mte2);
        co_yield emit.block();
    }
}

} // namespace

std::vector<kernels::Parameter> Neumann::parameters() const {
    return {
        {"order", 3, 1, 16, "N, the highest power of A in T0"},
        {"steps", 8, 1, 64, "S, the number of terms of the residual correction"},
        {"mask",
         kMaskAsOrder,
         0,
         127,
         "sub-diagonals of T0 kept",
         {{"order", kMaskAsOrder}, {"none", kNoMask}}},
        {"early",
         0,
         0,
         1,
         "mask A and every stored power too, not T0 alone",
         {{"no", 0}, {"yes", 1}}},
    };
}

std::unique_ptr<kernels::Plan> Neumann::plan(const config::HardwareConfig& hardware,
                                             const kernels::Problem& problem,
                                             const kernels::ParameterValues& values) const {
    Settings settings;
    settings.order = values.at("order");
    settings.steps = values.at("steps");
    settings.mask = values.at("mask") == kMaskAsOrder ? settings.order : values.at("mask");
    settings.early = values.at("early") == 1;
    return std::make_unique<NeumannPlan>(hardware, problem, settings);
}

} // namespace npusim::inverse
