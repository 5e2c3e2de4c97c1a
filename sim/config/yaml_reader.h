// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/base/cycles.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npusim::config {

/// Where a value was written. Lines and columns count from 1.
struct Origin {
    int line = 0;
    int column = 0;
    std::string option{}; ///< "--set KEY=VALUE" for a value from the command line, else empty
    std::string file{};   ///< where that is not the file being read: the one it builds on
};

/// A key of a map.
struct YamlKey {
    std::string text;
    Origin origin;
};

/// One value of a YAML file, with duplicate keys, aliases and positions.
struct YamlNode {
    enum class Kind : std::uint8_t { Null, Scalar, Sequence, Map, Alias };

    Kind kind = Kind::Null;
    bool quoted = false;           ///< a quoted scalar is text, never a number
    std::string text{};            ///< of a scalar
    Origin origin{};               ///< of a collection or null under a key: that of the key
    std::vector<YamlNode> items{}; ///< of a sequence; of a map, the value of each of `keys`
    std::vector<YamlKey> keys{};   ///< of a map, in file order

    /// The value of the first key called `key`, or nullptr.
    [[nodiscard]] const YamlNode* find(std::string_view key) const;
    [[nodiscard]] YamlNode* find(std::string_view key);
    /// The node at a path of keys, or nullptr. Elements of a list go by their `item_name`.
    [[nodiscard]] const YamlNode* find_path(std::string_view dotted_path) const;
};

/// Name of a list element in key paths: "gm->ub" where it has `from` and `to`, else its index.
std::string item_name(const YamlNode& item, std::size_t index);

/// "file:line:column", or the option for a value from the command line.
std::string where(const std::string& file, const Origin& origin);

/// Collects what is wrong with a file, so that all of it can be reported at once.
class Faults {
  public:
    explicit Faults(std::string file) : file_(std::move(file)) {}

    void add(const Origin& origin, std::string_view path, std::string_view text);
    [[nodiscard]] bool empty() const { return faults_.empty(); }
    /// Throws one ConfigError with a line per fault, by position in the file; no-op if none.
    void throw_if_any() const;

  private:
    struct Fault {
        int line;
        int column;
        std::string text;
    };
    std::string file_;
    std::vector<Fault> faults_;
};

/// Parses the one document of a file, whose root must be a map. Throws ConfigError.
YamlNode parse_yaml_file(const std::string& path);

/// The same for a file that may name another one it builds on, `base: NAME` (NAME.yaml beside it):
/// its own values replace those of the base. Elements of lists with `from` and `to` are matched by
/// these, other lists are replaced as a whole. Throws ConfigError.
YamlNode parse_yaml_with_base(const std::string& path);

/// Replaces `node`, the name under `key` in `file`, by what the file of that name in `folder`
/// holds, with the one it builds on. Throws ConfigError.
void include_yaml(YamlNode& node,
                  std::string_view key,
                  const std::filesystem::path& folder,
                  const std::string& file);

/// Puts `value` at a dotted path such as `cube.startup_cycles` or `links.gm->ub.startup_cycles`.
/// A key that is not there is added, for the reader to judge.
void apply_override(YamlNode& root, const std::string& key, const std::string& value, Faults&);

/// Allowed values, both ends included.
template <class T> struct Range {
    T min;
    T max;
};

/// 196608 as "192KiB"; a plain number where no unit divides it.
std::string format_bytes(std::int64_t bytes);

/// Reads one map of a file: every member function consumes one key and adds a fault if the key is
/// missing or its value will not do. `describe(io, T&)` is found by argument type.
class YamlReader {
  public:
    YamlReader(const YamlNode& map, std::string path, Faults& faults)
        : map_(map), path_(std::move(path)), faults_(faults) {}

    /// For keys that may be left out.
    [[nodiscard]] bool has(std::string_view key) const { return map_.find(key) != nullptr; }
    void text(std::string_view key, std::string& out, std::size_t max_length);
    void integer(std::string_view key, std::int64_t& out, Range<std::int64_t> allowed);
    void cycles(std::string_view key, Cycles& out, Range<std::int64_t> allowed);
    void real(std::string_view key, double& out, Range<double> allowed);
    void bytes(std::string_view key, std::int64_t& out, Range<std::int64_t> allowed);

    /// One of `names`; the enumerator is the position in the list.
    template <class Enum>
    void choice(std::string_view key, Enum& out, std::span<const std::string_view> names) {
        if (const auto index = choice_index(key, names)) {
            out = static_cast<Enum>(*index);
        }
    }
    /// As choice, where not every enumerator is `allowed`.
    template <class Enum>
    void choice_of(std::string_view key, Enum& out, std::span<const Enum> allowed) {
        if (const auto index = choice_index(key, names_of(allowed))) {
            out = allowed[*index];
        }
    }
    /// A nested map whose keys `body(io)` reads.
    template <class Body> void section(std::string_view key, Body&& body) {
        if (const YamlNode* child = get(key, YamlNode::Kind::Map)) {
            read_map(*child, path_of(key), body);
        }
    }
    template <class T> void object(std::string_view key, T& out) {
        section(key, [&](YamlReader& io) { describe(io, out); });
    }
    /// A nested map that may be left out.
    template <class T> void optional(std::string_view key, std::optional<T>& out) {
        if (has(key)) {
            object(key, out.emplace());
        }
    }
    /// A nested map with an entry of its own for at least one of `allowed`.
    template <class Name, class T>
    void entries(std::string_view key, std::map<Name, T>& out, std::span<const Name> allowed) {
        section(key, [&](YamlReader& io) {
            io.at_least_one_of(names_of(allowed));
            io.some_of(out, allowed);
        });
    }
    /// Entries of this map itself, for any of `allowed`.
    template <class Name, class T>
    void some_of(std::map<Name, T>& out, std::span<const Name> allowed) {
        for (const Name name : allowed) {
            if (has(to_string(name))) {
                object(to_string(name), out[name]);
            }
        }
    }
    /// A list of maps.
    template <class T> void list(std::string_view key, std::vector<T>& out) {
        const YamlNode* sequence = get(key, YamlNode::Kind::Sequence);
        for (std::size_t i = 0; sequence != nullptr && i < sequence->items.size(); ++i) {
            const YamlNode& item = sequence->items[i];
            const std::string path = path_of(key) + '.' + item_name(item, i);
            T& element = out.emplace_back();
            if (item.kind != YamlNode::Kind::Map) {
                wrong_kind(item, YamlNode::Kind::Map, path);
                continue;
            }
            read_map(item, path, [&](YamlReader& io) { describe(io, element); });
        }
    }
    /// Reports the keys that nothing read and the keys given twice.
    void finish();

  private:
    template <class Body> void read_map(const YamlNode& map, const std::string& path, Body&& body) {
        YamlReader reader(map, path, faults_);
        body(reader);
        reader.finish();
    }
    template <class Name>
    static std::vector<std::string_view> names_of(std::span<const Name> values) {
        std::vector<std::string_view> names(values.size());
        std::ranges::transform(values, names.begin(), [](Name name) { return to_string(name); });
        return names;
    }
    /// Adds a fault for every key that is none of `names`, and for a map without keys.
    void at_least_one_of(std::span<const std::string_view> names);
    [[nodiscard]] std::string path_of(std::string_view key) const;
    const YamlNode* get(std::string_view key, YamlNode::Kind kind);
    void wrong_kind(const YamlNode& node, YamlNode::Kind wanted, const std::string& path);
    /// Leaves `out` alone where there is a fault.
    template <class T, class Parse, class Show>
    void number(std::string_view key,
                T& out,
                std::string_view wanted,
                Range<T> allowed,
                Parse parse,
                Show show);
    std::optional<std::size_t> choice_index(std::string_view key,
                                            std::span<const std::string_view> names);

    const YamlNode& map_;
    std::string path_;
    Faults& faults_;
    std::vector<std::string> known_; ///< keys asked for so far
};

} // namespace npusim::config
