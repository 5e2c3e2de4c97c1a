// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/dtype.h"
#include "sim/config/hardware.h"
#include "sim/functional/memory.h"
#include "sim/isa/core_id.h"
#include "sim/isa/program.h"
#include "sim/isa/tile.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::kernels {

/// `count` matrices A [chunk, chunk], strictly lower, of one dtype; wanted: T = (I - A)^-1 each.
struct Problem {
    std::int64_t count = 0;
    std::int64_t chunk = 0;
    DType dtype = DType::Fp16;
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
class Plan {
  public:
    Plan() = default;
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    Plan(Plan&&) = delete;
    Plan& operator=(Plan&&) = delete;
    virtual ~Plan() = default;

    /// The program of one core; an empty one where the kernel has no work for it.
    [[nodiscard]] virtual isa::Program program(isa::CoreId core) const = 0;
    /// Global memory the job needs: input, output, constants, workspace.
    [[nodiscard]] virtual std::int64_t gm_bytes() const = 0;
    /// Matrix `index` of the input, [chunk, chunk] of the problem's dtype.
    [[nodiscard]] virtual isa::Tile input(std::int64_t index) const = 0;
    /// Matrix `index` of the output, alike.
    [[nodiscard]] virtual isa::Tile output(std::int64_t index) const = 0;
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
