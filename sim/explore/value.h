// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/config/yaml_reader.h"

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace npusim::explore {

/// What a key of a point holds: a count (sizes are in bytes), a real number, or text.
using Value = std::variant<std::int64_t, double, std::string>;

/// Keys of the hardware, and the one of its file.
inline constexpr std::string_view kHardware = "hardware.";
inline constexpr std::string_view kHardwareFile = "hardware";

/// Values by key ("job.chunk", "hardware.ai_cores"), in the order of the keys.
using Settings = std::map<std::string, Value, std::less<>>;

/// The number or text that a scalar of a file stands for, read as hardware files are: `64`, `0.5`,
/// `128KiB`; a quoted scalar and anything else is text.
Value to_value(const config::YamlNode& scalar);
/// The same of a text that is not quoted.
Value to_value(const std::string& text);

/// As a hardware file and `--set` take it; reads back as the same value.
std::string to_text(const Value& value);

/// The number in a value; nothing for text.
std::optional<double> to_number(const Value& value);

nlohmann::json to_json(const Value& value);
/// Throws nlohmann::json::type_error for what is no number and no text.
Value from_json(const nlohmann::json& held);

} // namespace npusim::explore
