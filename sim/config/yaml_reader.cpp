// SPDX-License-Identifier: Apache-2.0
#include "sim/config/yaml_reader.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <limits>
#include <new>
#include <sstream>
#include <system_error>
#include <utility>
#include <yaml.h>

namespace npusim::config {

namespace {

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxShownLength = 64;
constexpr std::size_t kMaxDepth = 100;

/// A file text as it may stand in a message: short and on one line.
std::string shown(std::string_view text) {
    std::string out(text.substr(0, kMaxShownLength));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
    return text.size() > kMaxShownLength ? out + "..." : out;
}

std::string shown(const YamlNode& node) {
    switch (node.kind) {
    case YamlNode::Kind::Null:
        return "nothing";
    case YamlNode::Kind::Scalar:
        return node.quoted ? '"' + shown(node.text) + '"' : shown(node.text);
    case YamlNode::Kind::Sequence:
        return "a list";
    case YamlNode::Kind::Map:
        return "a map";
    case YamlNode::Kind::Alias:
        return "an alias (write the value out)";
    }
    return "?";
}

Origin origin_of(const yaml_mark_t& mark) {
    return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1, {}};
}

/// The first tab in the indentation of a text, which the parser often reports at another place.
std::optional<Origin> find_indenting_tab(const std::string& text) {
    std::istringstream stream(text);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
        const std::size_t column = line.find_first_not_of(' ');
        if (column != std::string::npos && line[column] == '\t') {
            return Origin{number, static_cast<int>(column) + 1, {}};
        }
    }
    return std::nullopt;
}

std::string read_file(const std::string& path) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    std::ifstream stream(path, std::ios::binary);
    if (error || !stream) {
        throw ConfigError(path + ": cannot read the file" +
                          (error ? " (" + error.message() + ")" : ""));
    }
    if (size > kMaxFileBytes) {
        throw ConfigError(fmt::format("{}: {} bytes is too long for a hardware file (allowed: {})",
                                      path,
                                      size,
                                      kMaxFileBytes));
    }
    std::string text(size, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(size));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

/// Where a text is no YAML, and why.
struct NotYaml {
    Origin origin;
    std::string what;
};

/// The parser's events, one after the other.
class Events {
  public:
    explicit Events(const std::string& text) : text_(text) {
        if (yaml_parser_initialize(&parser_) == 0) {
            throw std::bad_alloc();
        }
        yaml_parser_set_input_string(
            &parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;
    Events(Events&&) = delete;
    Events& operator=(Events&&) = delete;
    ~Events() {
        yaml_event_delete(&event_);
        yaml_parser_delete(&parser_);
    }

    /// The next one, valid until it is asked for another. Throws NotYaml.
    const yaml_event_t& next() {
        yaml_event_delete(&event_);
        if (yaml_parser_parse(&parser_, &event_) == 0) {
            if (parser_.error ==
                YAML_READER_ERROR) { // of which the parser has not come to the place
                throw NotYaml{origin_at(parser_.problem_offset),
                              fmt::format("{} (the file must be text in UTF-8)", parser_.problem)};
            }
            throw NotYaml{origin_of(parser_.problem_mark),
                          parser_.problem == nullptr ? "out of memory" : parser_.problem};
        }
        return event_;
    }

  private:
    [[nodiscard]] Origin origin_at(std::size_t offset) const {
        const std::string_view before = std::string_view(text_).substr(0, offset);
        const std::size_t line = before.rfind('\n') + 1; // npos + 1 is 0
        return {static_cast<int>(std::ranges::count(before, '\n')) + 1,
                static_cast<int>(before.size() - line) + 1,
                {}};
    }

    const std::string& text_;
    yaml_parser_t parser_{};
    yaml_event_t event_{};
};

/// Builds a YamlNode from the events of a document.
class TreeBuilder {
  public:
    explicit TreeBuilder(Faults& faults) : faults_(faults) {}

    void take(const yaml_event_t& event) {
        switch (event.type) {
        case YAML_SCALAR_EVENT:
            check_tag(event, event.data.scalar.tag);
            place(scalar(event));
            break;
        case YAML_ALIAS_EVENT:
            place({.kind = YamlNode::Kind::Alias, .origin = origin_of(event.start_mark)});
            break;
        case YAML_SEQUENCE_START_EVENT:
            check_tag(event, event.data.sequence_start.tag);
            open(event, YamlNode::Kind::Sequence);
            break;
        case YAML_MAPPING_START_EVENT:
            check_tag(event, event.data.mapping_start.tag);
            open(event, YamlNode::Kind::Map);
            break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            close();
            break;
        default: // of the document and the stream
            break;
        }
    }
    YamlNode take_root() { return std::move(root_); }

  private:
    /// A collection whose end has not been seen, with the key that waits for its value.
    struct Open {
        YamlNode node;
        std::optional<std::pair<std::string, Origin>> key;
    };

    static YamlNode scalar(const yaml_event_t& event) {
        const auto& scalar = event.data.scalar;
        std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
        YamlNode node{.origin = origin_of(event.start_mark)};
        node.quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE;
        constexpr std::array<std::string_view, 5> nulls{"", "~", "null", "Null", "NULL"};
        if (node.quoted || std::ranges::find(nulls, text) == nulls.end()) {
            node.kind = YamlNode::Kind::Scalar;
            node.text = std::move(text);
        }
        return node;
    }
    void check_tag(const yaml_event_t& event, const yaml_char_t* tag) {
        if (tag != nullptr) {
            faults_.add(origin_of(event.start_mark),
                        "",
                        fmt::format("the tag {} is not supported",
                                    shown(reinterpret_cast<const char*>(tag))));
        }
    }
    void open(const yaml_event_t& event, YamlNode::Kind kind) {
        const Origin origin = origin_of(event.start_mark);
        if (stack_.size() == kMaxDepth) {
            throw NotYaml{origin, fmt::format("nested more than {} deep", kMaxDepth)};
        }
        stack_.push_back({.node = {.kind = kind, .origin = origin}, .key = {}});
    }
    void close() {
        YamlNode node = std::move(stack_.back().node);
        stack_.pop_back();
        place(std::move(node));
    }
    void place(YamlNode node) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = stack_.back();
        if (parent.node.kind == YamlNode::Kind::Sequence) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.key) {
            if (node.kind != YamlNode::Kind::Scalar) {
                faults_.add(node.origin, "", "a key must be a plain word, got " + shown(node));
            }
            parent.key.emplace(std::move(node.text), node.origin);
        } else {
            auto [key, key_origin] = *std::exchange(parent.key, std::nullopt);
            if (node.kind != YamlNode::Kind::Scalar && node.kind != YamlNode::Kind::Alias) {
                node.origin = key_origin; // the parser's own mark may be on a later line
            }
            parent.node.keys.push_back({std::move(key), key_origin});
            parent.node.items.push_back(std::move(node));
        }
    }

    Faults& faults_;
    YamlNode root_;
    std::vector<Open> stack_;
};

/// The one document of `text`.
YamlNode parse_document(const std::string& text, Faults& faults) {
    TreeBuilder builder(faults);
    int documents = 0;
    Events events(text);
    for (const yaml_event_t* event = &events.next(); event->type != YAML_STREAM_END_EVENT;
         event = &events.next()) {
        documents += event->type == YAML_DOCUMENT_START_EVENT ? 1 : 0;
        if (documents > 1) {
            faults.add(origin_of(event->start_mark), "", "more than one YAML document in the file");
            break;
        }
        builder.take(*event);
    }
    if (documents == 0) {
        faults.add({1, 1, {}}, "", "the file is empty");
    }
    return builder.take_root();
}

/// Digits with an optional minus and no leading zero (`010` is 8 to some YAML readers, 10 to
/// others).
bool is_decimal_start(std::string_view text) {
    if (text.starts_with('-')) {
        text.remove_prefix(1);
    }
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return !text.empty() && is_digit(text[0]) &&
           !(text.size() > 1 && text[0] == '0' && is_digit(text[1]));
}

/// A decimal number that uses up the whole text. Out of range values stop at the type's limits,
/// which lie outside every allowed range.
template <class T> std::optional<T> parse_number(std::string_view text) {
    T value{};
    if (!is_decimal_start(text)) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) {
        return std::nullopt;
    }
    if (error == std::errc::result_out_of_range) {
        return text.starts_with('-') ? std::numeric_limits<T>::lowest()
                                     : std::numeric_limits<T>::max();
    }
    return value;
}

constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kByteUnits{
    {{"TiB", std::int64_t{1} << 40},
     {"GiB", std::int64_t{1} << 30},
     {"MiB", std::int64_t{1} << 20},
     {"KiB", std::int64_t{1} << 10}}};

std::optional<std::int64_t> parse_bytes(std::string_view text) {
    for (const auto& [unit, scale] : kByteUnits) {
        if (text.ends_with(unit)) {
            const auto count =
                parse_number<std::int64_t>(text.substr(0, text.size() - unit.size()));
            const std::int64_t limit = std::numeric_limits<std::int64_t>::max() / scale;
            return count ? std::optional(std::clamp(*count, -limit, limit) * scale) : std::nullopt;
        }
    }
    return parse_number<std::int64_t>(text);
}

template <class T> std::string show_number(T value) {
    return fmt::format("{}", value);
}

} // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
    const auto at = std::ranges::find(keys, key, &YamlKey::text);
    return at == keys.end() ? nullptr : &items[static_cast<std::size_t>(at - keys.begin())];
}

YamlNode* YamlNode::find(std::string_view key) {
    return const_cast<YamlNode*>(std::as_const(*this).find(key)); // NOLINT(*-const-cast): ours
}

const YamlNode* YamlNode::find_path(std::string_view dotted_path) const {
    const YamlNode* node = this;
    while (node != nullptr && !dotted_path.empty()) {
        const std::string_view part = dotted_path.substr(0, dotted_path.find('.'));
        dotted_path.remove_prefix(std::min(part.size() + 1, dotted_path.size()));
        if (node->kind == Kind::Sequence) {
            const YamlNode* match = nullptr;
            for (std::size_t i = 0; match == nullptr && i < node->items.size(); ++i) {
                match = item_name(node->items[i], i) == part ? &node->items[i] : nullptr;
            }
            node = match;
        } else {
            node = node->find(part);
        }
    }
    return node;
}

std::string item_name(const YamlNode& item, std::size_t index) {
    const YamlNode* from = item.find("from");
    const YamlNode* to = item.find("to");
    return from != nullptr && to != nullptr ? shown(from->text) + "->" + shown(to->text)
                                            : std::to_string(index);
}

std::string where(const std::string& file, const Origin& origin) {
    return origin.option.empty() ? fmt::format("{}:{}:{}",
                                               origin.file.empty() ? file : origin.file,
                                               origin.line,
                                               origin.column)
                                 : origin.option;
}

void Faults::add(const Origin& origin, std::string_view path, std::string_view text) {
    faults_.push_back(
        {origin.line,
         origin.column,
         fmt::format("{}: {}{}{}", where(file_, origin), path, path.empty() ? "" : ": ", text)});
}

void Faults::throw_if_any() const {
    if (faults_.empty()) {
        return;
    }
    std::vector<Fault> sorted = faults_;
    std::ranges::stable_sort(
        sorted, {}, [](const Fault& fault) { return std::pair(fault.line, fault.column); });
    std::string text;
    for (const Fault& fault : sorted) {
        text += (text.empty() ? "" : "\n") + fault.text;
    }
    throw ConfigError(text);
}

YamlNode parse_yaml_file(const std::string& path) {
    const std::string text = read_file(path);
    Faults faults(path);
    YamlNode root;
    try {
        root = parse_document(text, faults);
    } catch (const NotYaml& fault) {
        const std::optional<Origin> tab = find_indenting_tab(text);
        faults.add(tab.value_or(fault.origin),
                   "",
                   "not valid YAML: " + (tab ? "tab in the indentation, use spaces" : fault.what));
    }
    faults.throw_if_any();
    if (root.kind != YamlNode::Kind::Map) {
        faults.add(root.origin, "", "the file must be a map of keys, got " + shown(root));
    }
    faults.throw_if_any();
    return root;
}

namespace {

constexpr int kMaxBases = 8; ///< a chain longer than this goes in a circle

/// Says of all under `node` that it was written in `file`, but for what a file it builds on holds.
void set_file(YamlNode& node, const std::string& file) {
    const auto set = [&](Origin& origin) {
        if (origin.file.empty()) {
            origin.file = file;
        }
    };
    set(node.origin);
    for (YamlKey& key : node.keys) {
        set(key.origin);
    }
    for (YamlNode& item : node.items) {
        set_file(item, file);
    }
}

/// Name of item `i` of a map or a list.
std::string name_of(const YamlNode& node, std::size_t i) {
    return node.kind == YamlNode::Kind::Map ? node.keys[i].text : item_name(node.items[i], i);
}

bool has_links(const YamlNode& list) {
    return std::ranges::all_of(
        list.items, [](const YamlNode& item) { return item.find("from") && item.find("to"); });
}

void merge(YamlNode& base, const YamlNode& change) {
    const bool by_name =
        base.kind == change.kind &&
        (base.kind == YamlNode::Kind::Map ||
         (base.kind == YamlNode::Kind::Sequence && has_links(base) && has_links(change)));
    if (!by_name) {
        base = change;
        return;
    }
    base.origin = change.origin;
    for (std::size_t i = 0; i < change.items.size(); ++i) {
        std::size_t at = 0;
        while (at < base.items.size() && name_of(base, at) != name_of(change, i)) {
            ++at;
        }
        if (at < base.items.size()) {
            merge(base.items[at], change.items[i]);
        } else {
            base.items.push_back(change.items[i]);
            if (base.kind == YamlNode::Kind::Map) {
                base.keys.push_back(change.keys[i]);
            }
        }
    }
}

/// The file in `folder` that `name`, the value of `key` in the file `path`, stands for. Throws
/// ConfigError if there is none.
std::filesystem::path named_file(const YamlNode& name,
                                 std::string_view key,
                                 const std::filesystem::path& folder,
                                 const std::string& path,
                                 std::string_view place) {
    std::filesystem::path file = folder / (name.text + ".yaml");
    if (name.kind != YamlNode::Kind::Scalar || !std::filesystem::exists(file)) {
        Faults faults(path);
        faults.add(name.origin,
                   key,
                   fmt::format("got {} (allowed: the name of a file {})", shown(name), place));
        faults.throw_if_any();
    }
    return file;
}

YamlNode parse_with_base(const std::string& path, int depth) {
    YamlNode root = parse_yaml_file(path);
    const auto key = std::ranges::find(root.keys, std::string("base"), &YamlKey::text);
    if (key == root.keys.end()) {
        return root;
    }
    const auto index = key - root.keys.begin();
    const YamlNode value = root.items[static_cast<std::size_t>(index)];
    const std::filesystem::path file = named_file(
        value, "base", std::filesystem::path(path).parent_path(), path, "beside this one");
    if (depth == kMaxBases) {
        Faults faults(path);
        faults.add(value.origin, "base", "goes in a circle");
        faults.throw_if_any();
    }
    YamlNode base = parse_with_base(file.string(), depth + 1);
    set_file(base, file.string());
    root.keys.erase(root.keys.begin() + index);
    root.items.erase(root.items.begin() + index);
    merge(base, root);
    return base;
}

} // namespace

YamlNode parse_yaml_with_base(const std::string& path) {
    return parse_with_base(path, 0);
}

void include_yaml(YamlNode& node,
                  std::string_view key,
                  const std::filesystem::path& folder,
                  const std::string& file) {
    const std::filesystem::path path =
        named_file(node, key, folder, file, "in " + folder.lexically_normal().string())
            .lexically_normal();
    YamlNode included = parse_yaml_with_base(path.string());
    set_file(included, path.string());
    node = std::move(included);
}

void apply_override(YamlNode& root,
                    const std::string& key,
                    const std::string& value,
                    Faults& faults) {
    const Origin origin{0, 0, fmt::format("--set {}={}", shown(key), shown(value))};
    YamlNode* node = &root;
    for (std::string_view rest = key; !rest.empty();) {
        const std::string part(rest.substr(0, rest.find('.')));
        rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        if (node->kind == YamlNode::Kind::Map) {
            const auto key_at = std::ranges::find(node->keys, part, &YamlKey::text);
            const auto index = static_cast<std::size_t>(key_at - node->keys.begin());
            if (key_at == node->keys.end()) {
                node->keys.push_back({part, origin});
                node->items.push_back({.kind = YamlNode::Kind::Map, .origin = origin});
            }
            node = &node->items[index];
        } else if (node->kind == YamlNode::Kind::Sequence) {
            std::vector<std::string> names;
            for (std::size_t i = 0; i < node->items.size(); ++i) {
                names.push_back(item_name(node->items[i], i));
            }
            const auto name = std::ranges::find(names, part);
            if (name == names.end()) {
                faults.add(origin,
                           key,
                           fmt::format("no element '{}'{} (allowed: {})",
                                       part,
                                       did_you_mean(part, names),
                                       join(names, ", ")));
                return;
            }
            node = &node->items[static_cast<std::size_t>(name - names.begin())];
        } else {
            faults.add(origin, key, "no key '" + part + "' below the value " + shown(*node));
            return;
        }
    }
    if (node == &root) {
        faults.add(origin, "", "the key is empty");
    } else {
        *node = {.kind = YamlNode::Kind::Scalar, .text = value, .origin = origin};
    }
}

std::string format_bytes(std::int64_t bytes) {
    for (const auto& [unit, scale] : kByteUnits) {
        if (bytes != 0 && bytes % scale == 0) {
            return fmt::format("{}{}", bytes / scale, unit);
        }
    }
    return fmt::format("{}", bytes);
}

std::string YamlReader::path_of(std::string_view key) const {
    std::string path = path_;
    if (!path.empty()) {
        path += '.';
    }
    return path.append(key);
}

void YamlReader::wrong_kind(const YamlNode& node, YamlNode::Kind wanted, const std::string& path) {
    const std::string_view needed = wanted == YamlNode::Kind::Map        ? "a map of keys"
                                    : wanted == YamlNode::Kind::Sequence ? "a list"
                                                                         : "a value";
    faults_.add(node.origin, path, fmt::format("got {}, needs {}", shown(node), needed));
}

const YamlNode* YamlReader::get(std::string_view key, YamlNode::Kind kind) {
    known_.emplace_back(key);
    const YamlNode* node = map_.find(key);
    if (node == nullptr) {
        faults_.add(map_.origin, path_of(key), "missing");
        return nullptr;
    }
    if (node->kind != kind) {
        wrong_kind(*node, kind, path_of(key));
        return nullptr;
    }
    return node;
}

template <class T, class Parse, class Show>
void YamlReader::number(std::string_view key,
                        T& out,
                        std::string_view wanted,
                        Range<T> allowed,
                        Parse parse,
                        Show show) {
    const YamlNode* node = get(key, YamlNode::Kind::Scalar);
    if (node == nullptr) {
        return;
    }
    const std::optional<T> value = node->quoted ? std::nullopt : parse(node->text);
    if (value && *value >= allowed.min && *value <= allowed.max) {
        out = *value;
        return;
    }
    faults_.add(node->origin,
                path_of(key),
                fmt::format("got {}, {} (allowed: {}..{})",
                            shown(*node),
                            value ? "out of range" : wanted,
                            show(allowed.min),
                            show(allowed.max)));
}

void YamlReader::text(std::string_view key, std::string& out, std::size_t max_length) {
    if (const YamlNode* node = get(key, YamlNode::Kind::Scalar)) {
        out = node->text;
        if (out.empty() || out.size() > max_length) {
            faults_.add(node->origin,
                        path_of(key),
                        fmt::format("text of {} bytes (allowed: 1..{})", out.size(), max_length));
        }
    }
}

void YamlReader::integer(std::string_view key, std::int64_t& out, Range<std::int64_t> allowed) {
    number(key,
           out,
           "needs a decimal integer",
           allowed,
           parse_number<std::int64_t>,
           show_number<std::int64_t>);
}

void YamlReader::cycles(std::string_view key, Cycles& out, Range<std::int64_t> allowed) {
    std::int64_t count = out.count();
    integer(key, count, allowed);
    out = Cycles{count};
}

void YamlReader::real(std::string_view key, double& out, Range<double> allowed) {
    number(key, out, "needs a decimal number", allowed, parse_number<double>, show_number<double>);
}

void YamlReader::bytes(std::string_view key, std::int64_t& out, Range<std::int64_t> allowed) {
    number(key, out, "needs a size such as 192KiB", allowed, parse_bytes, format_bytes);
}

std::optional<std::size_t> YamlReader::choice_index(std::string_view key,
                                                    std::span<const std::string_view> names) {
    const YamlNode* node = get(key, YamlNode::Kind::Scalar);
    if (node == nullptr) {
        return std::nullopt;
    }
    const auto name = std::ranges::find(names, node->text);
    if (name == names.end()) {
        faults_.add(node->origin,
                    path_of(key),
                    fmt::format("got {} (allowed: {})", shown(*node), join(names, ", ")));
        return std::nullopt;
    }
    return static_cast<std::size_t>(name - names.begin());
}

void YamlReader::at_least_one_of(std::span<const std::string_view> names) {
    if (map_.keys.empty()) {
        faults_.add(map_.origin,
                    path_,
                    fmt::format("empty (allowed: one or more of {})", join(names, ", ")));
    }
    for (const YamlKey& key : map_.keys) {
        if (std::ranges::find(names, key.text) == names.end()) {
            faults_.add(key.origin,
                        path_of(shown(key.text)),
                        fmt::format("unknown (allowed: {})", join(names, ", ")));
            known_.push_back(key.text); // reported
        }
    }
}

void YamlReader::finish() {
    for (auto key = map_.keys.begin(); key != map_.keys.end(); ++key) {
        const auto fault = [&](std::string_view text) {
            faults_.add(key->origin, path_of(shown(key->text)), text);
        };
        const auto first = std::ranges::find(map_.keys.begin(), key, key->text, &YamlKey::text);
        if (first != key) {
            fault(fmt::format("duplicate key, first given in line {}", first->origin.line));
        } else if (key->text == "<<") {
            fault("merge keys are not supported, write the keys out");
        } else if (std::ranges::find(known_, key->text) == known_.end()) {
            const bool short_enough = key->text.size() <= kMaxShownLength;
            fault("unknown key" + (short_enough ? did_you_mean(key->text, known_) : ""));
        }
    }
}

} // namespace npusim::config
