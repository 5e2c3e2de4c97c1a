// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/kernel.h"

#include "kernels/inverse/block_forward_substitution/block_forward_substitution.h"
#include "kernels/inverse/bunch_hopcroft/bunch_hopcroft.h"
#include "kernels/inverse/column_sweep/column_sweep.h"
#include "kernels/inverse/doubling/doubling.h"
#include "kernels/inverse/forward_substitution/forward_substitution.h"
#include "kernels/inverse/mixed/mixed.h"
#include "kernels/inverse/neumann/neumann.h"
#include "kernels/inverse/newton_schulz/newton_schulz.h"
#include "kernels/inverse/radix4/radix4.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/number.h"
#include "sim/base/suggest.h"

#include <fmt/format.h>

namespace npusim::kernels {

std::vector<ParameterValues> Kernel::candidates(const Problem& /*problem*/) const {
    return {resolve_parameters(*this, {})};
}

const std::vector<const Kernel*>& registry() {
    static const inverse::BlockForwardSubstitution kBlockForwardSubstitution;
    static const inverse::BunchHopcroft kBunchHopcroft;
    static const inverse::ColumnSweep kColumnSweep;
    static const inverse::Doubling kDoubling;
    static const inverse::ForwardSubstitution kForwardSubstitution;
    static const inverse::Mixed kMixed;
    static const inverse::Neumann kNeumann;
    static const inverse::NewtonSchulz kNewtonSchulz;
    static const inverse::Radix4 kRadix4;
    static const std::vector<const Kernel*> kKernels{&kBlockForwardSubstitution,
                                                     &kBunchHopcroft,
                                                     &kColumnSweep,
                                                     &kDoubling,
                                                     &kForwardSubstitution,
                                                     &kMixed,
                                                     &kNeumann,
                                                     &kNewtonSchulz,
                                                     &kRadix4};
    return kKernels;
}

const Kernel& find_kernel(std::string_view name) {
    std::vector<std::string> names;
    for (const Kernel* kernel : registry()) {
        if (kernel->name() == name) {
            return *kernel;
        }
        names.emplace_back(kernel->name());
    }
    throw ConfigError(fmt::format(
        "unknown kernel '{}'{} (allowed: {})", name, did_you_mean(name, names), join(names, ", ")));
}

std::int64_t
parse_parameter(const Kernel& kernel, const Parameter& parameter, const std::string& text) {
    std::vector<std::string> allowed;
    for (const auto& [word, value] : parameter.words) {
        if (word == text) {
            return value;
        }
        allowed.push_back(word);
    }
    allowed.push_back(fmt::format("{}..{}", parameter.min, parameter.max));
    const auto value = number_from<std::int64_t>(text);
    if (!value || *value < parameter.min || *value > parameter.max) {
        throw ConfigError(fmt::format("{}: parameter {}: got '{}' (allowed: {})",
                                      kernel.name(),
                                      parameter.name,
                                      text,
                                      join(allowed, ", ")));
    }
    return *value;
}

std::string parameter_text(const Parameter& parameter, std::int64_t value) {
    for (const auto& [word, named] : parameter.words) {
        if (named == value) {
            return word;
        }
    }
    return fmt::format("{}", value);
}

ParameterValues resolve_parameters(const Kernel& kernel,
                                   const std::map<std::string, std::string>& given) {
    ParameterValues values;
    std::vector<std::string> names;
    for (const Parameter& parameter : kernel.parameters()) {
        names.push_back(parameter.name);
        const auto found = given.find(parameter.name);
        values[parameter.name] = found == given.end()
                                     ? parameter.initial
                                     : parse_parameter(kernel, parameter, found->second);
    }
    for (const auto& [name, value] : given) {
        if (!values.contains(name)) {
            throw ConfigError(fmt::format("{}: unknown parameter '{}'{} (allowed: {})",
                                          kernel.name(),
                                          name,
                                          did_you_mean(name, names),
                                          names.empty() ? "none" : join(names, ", ")));
        }
    }
    return values;
}

} // namespace npusim::kernels
