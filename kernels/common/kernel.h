// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/common/rounds.h"
#include "sim/base/dtype.h"
#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/isa/tile.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// What shares one scale of an integer format: real value = scale * stored integer, symmetric.
enum class Scaling : std::uint8_t {
    Tensor, ///< a stored matrix of all chunks, set beforehand from a calibration set
    Head,   ///< the same for each group of chunks (a head, a kind of input)
    Matrix, ///< one chunk's matrix, from its own largest entry, found while running
};
inline constexpr std::array<std::string_view, 3> kScalingNames{"tensor", "head", "matrix"};
constexpr std::string_view to_string(Scaling scaling) {
    return kScalingNames[static_cast<std::size_t>(scaling)];
}

/// What scales are set from.
struct Calibration {
    std::span<const double> matrices;     ///< A [., chunk, chunk]
    std::vector<std::int64_t> group_of;   ///< by calibration matrix
    std::vector<std::int64_t> group_of_a; ///< by matrix of the problem
};

/// `count` matrices A [chunk, chunk], strictly lower, of one dtype; wanted: T = (I - A)^-1 each.
struct Problem {
    std::int64_t count = 0;
    std::int64_t chunk = 0;
    DType dtype = DType::Fp16;
    Scaling scaling = Scaling::Tensor;        ///< of integer formats
    const Calibration* calibration = nullptr; ///< of integer formats; null: timing only
    bool cold = true;                         ///< A and T live in HBM, not in L2
};

/// A kernel's own knob: `name=value` on the command line.
struct Parameter {
    std::string name;
    std::int64_t initial = 0;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::string doc;
    std::vector<std::pair<std::string, std::int64_t>> words = {}; ///< values that have a name
};
using ParameterValues = std::map<std::string, std::int64_t>;

/// A kernel laid out for one chip and one problem. Programs it hands out refer to it and must not
/// outlive it.
class Plan : public InRounds {
  public:
    /// The program of one core; an empty one where the kernel has no work for it.
    [[nodiscard]] virtual isa::Program program(isa::CoreId core) const = 0;
    /// Global memory the job needs: input, output, constants, workspace.
    [[nodiscard]] virtual std::int64_t gm_bytes() const = 0;
    /// Matrix `index` of the input, [chunk, chunk] of the problem's dtype.
    [[nodiscard]] virtual isa::Tile input(std::int64_t index) const = 0;
    /// Matrix `index` of the output, alike.
    [[nodiscard]] virtual isa::Tile output(std::int64_t index) const = 0;
    /// Real value of 1 in matrix `index` of the input; 1 but for integer formats.
    [[nodiscard]] virtual double input_scale(std::int64_t /*index*/) const { return 1; }
    /// The same of the output, once the program has run.
    [[nodiscard]] virtual double output_scale(std::int64_t /*index*/,
                                              const functional::GlobalMemory& /*gm*/) const {
        return 1;
    }
    /// Names of the steps by which results are recorded (Fixpipe::step, Vcast::step).
    [[nodiscard]] virtual std::vector<std::string> steps() const { return {}; }
    /// Writes the constants the kernel reads (identities, masks).
    virtual void write_constants(functional::GlobalMemory& gm) const = 0;
};

/// A kernel the tool can run. `plan` throws ConfigError where the chip cannot hold the problem.
class Kernel {
  public:
    Kernel() = default;
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;
    Kernel(Kernel&&) = delete;
    Kernel& operator=(Kernel&&) = delete;
    virtual ~Kernel() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual std::string_view summary() const = 0;
    [[nodiscard]] virtual std::vector<Parameter> parameters() const { return {}; }
    /// `values` with every "auto" replaced by what it means for `problem`.
    [[nodiscard]] virtual ParameterValues settle(const Problem& /*problem*/,
                                                 const ParameterValues& values) const {
        return values;
    }
    /// Settings worth trying on `problem`, no two of which come to the same; the defaults alone
    /// unless the kernel knows better.
    [[nodiscard]] virtual std::vector<ParameterValues> candidates(const Problem& problem) const;
    [[nodiscard]] virtual std::unique_ptr<Plan> plan(const config::HardwareConfig& hardware,
                                                     const Problem& problem,
                                                     const ParameterValues& values) const = 0;
};

/// Every kernel, sorted by name.
const std::vector<const Kernel*>& registry();
/// Throws ConfigError with a suggestion for an unknown name.
const Kernel& find_kernel(std::string_view name);
/// The value `text` stands for: a number or one of the parameter's words. Throws ConfigError.
std::int64_t
parse_parameter(const Kernel& kernel, const Parameter& parameter, const std::string& text);
/// The word for `value` if it has one, else the number.
std::string parameter_text(const Parameter& parameter, std::int64_t value);
/// Defaults of `kernel` overridden by `given`; throws ConfigError for unknown names and bad values.
ParameterValues resolve_parameters(const Kernel& kernel,
                                   const std::map<std::string, std::string>& given);

} // namespace npusim::kernels
