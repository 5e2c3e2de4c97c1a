// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/value.h"

#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace npusim::explore {

using config::YamlNode;
using config::YamlReader;

namespace {

/// Whether the strict reader takes a scalar for what `read` asks it for.
template <class Read> bool reads_as(const YamlNode& scalar, Read read) {
    YamlNode map{.kind = YamlNode::Kind::Map, .items = {scalar}, .keys = {{"value", {}}}};
    config::Faults faults("");
    YamlReader reader(map, "", faults);
    read(reader);
    return faults.empty();
}

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max() / 2;

} // namespace

Value to_value(const YamlNode& scalar) {
    std::int64_t count = 0;
    if (reads_as(scalar, [&](YamlReader& io) {
            io.bytes("value", count, {-kLargest, kLargest});
        })) {
        return count;
    }
    double real = 0;
    constexpr double kMax = std::numeric_limits<double>::max();
    if (reads_as(scalar, [&](YamlReader& io) { io.real("value", real, {-kMax, kMax}); })) {
        return real;
    }
    return scalar.text;
}

Value to_value(const std::string& text) {
    return to_value(YamlNode{.kind = YamlNode::Kind::Scalar, .text = text});
}

std::string to_text(const Value& value) {
    return std::visit([](const auto& held) { return fmt::format("{}", held); }, value);
}

std::optional<double> to_number(const Value& value) {
    if (const auto* count = std::get_if<std::int64_t>(&value)) {
        return static_cast<double>(*count);
    }
    const auto* real = std::get_if<double>(&value);
    return real == nullptr ? std::nullopt : std::optional(*real);
}

nlohmann::json to_json(const Value& value) {
    return std::visit([](const auto& held) { return nlohmann::json(held); }, value);
}

Value from_json(const nlohmann::json& held) {
    if (held.is_number_integer()) {
        return held.get<std::int64_t>();
    }
    return held.is_number() ? Value(held.get<double>()) : Value(held.get<std::string>());
}

} // namespace npusim::explore
