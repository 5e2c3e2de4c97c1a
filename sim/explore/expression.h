// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/explore/value.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::explore {

/// The value of a name in an expression; nothing where it has none.
using Lookup = std::function<std::optional<Value>(std::string_view name)>;

/// A condition on numbers and texts, such as
/// `hardware.buffers.l1.size <= 512KiB and (job.chunk < 128 or job.kernel != 'inverse/neumann')`.
///
/// From the loosest to the tightest: `or`; `and`; `not`; `< <= > >= == !=` (which do not chain);
/// `+ -`; `* /`; the minus of a number; parentheses, `min(...)`, `max(...)`, `abs(x)`, `log2(x)`.
/// Numbers may carry KiB, MiB, GiB or TiB, texts stand in single or double quotes. All numbers are
/// reals; `and` and `or` leave out their right side where the left one decides.
class Expression {
  public:
    /// Reads `text`, all of whose names must be among `names`. Throws ConfigError with the place in
    /// the text, and what was probably meant by an unknown name.
    Expression(const std::string& text, std::span<const std::string> names);

    [[nodiscard]] const std::string& text() const { return text_; }
    /// The names in it, each once, in the order of first use.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

    /// Whether it holds. Throws ConfigError, with the place in the text, where a name has no value,
    /// texts are added up, or the whole is no condition.
    [[nodiscard]] bool holds(const Lookup& lookup) const;

    struct Node; ///< of the parsed expression

  private:
    std::string text_;
    std::vector<std::string> names_;
    std::shared_ptr<const Node> root_; ///< never changes, so copies may share it
};

} // namespace npusim::explore
