// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/base/hash.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"
#include "sim/explore/sweep.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <initializer_list>
#include <iterator>
#include <set>
#include <utility>

namespace npusim::explore {

using config::Faults;
using config::Override;
using config::YamlNode;
using config::YamlReader;

namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::int64_t kMaxCount = 1'000'000'000'000; ///< of points to draw
constexpr std::string_view kJob = "job.";
constexpr std::array<std::string_view, 2> kDirectionNames{"min", "max"}; // as Direction
constexpr std::array<std::string_view, 5> kSamplerNames{                 // as SamplerKind
                                                        "grid",
                                                        "random",
                                                        "lhs",
                                                        "nsga2",
                                                        "ask_tell"};

} // namespace

static void describe(YamlReader& io, Objective& objective) {
    io.text("name", objective.name, kMaxText);
    io.choice("direction", objective.direction, kDirectionNames);
}

static void describe(YamlReader& io, SamplerSettings& sampler) {
    io.choice("kind", sampler.kind, kSamplerNames);
    const bool draws = sampler.kind != SamplerKind::Grid && sampler.kind != SamplerKind::AskTell;
    if (draws && io.has("seed")) {
        io.integer("seed", sampler.seed, {0, kMaxCount});
    }
    if (sampler.kind == SamplerKind::Random) {
        io.integer("points", sampler.points, {1, kMaxCount});
    }
    if (sampler.kind == SamplerKind::Lhs) { // keeps its points
        io.integer("points", sampler.points, {1, 10'000'000});
    }
    if (sampler.kind == SamplerKind::Nsga2) {
        io.integer("population", sampler.population, {8, 100'000});
        io.integer("generations", sampler.generations, {0, 1'000'000});
    }
}

namespace {

/// A map in which the values of `by_hand` are empty maps. A YamlReader can check the keys of such a
/// map, all of them, though it does not read lists of values and maps of free keys.
YamlNode without_values(YamlNode map, std::initializer_list<std::string_view> by_hand) {
    for (std::size_t i = 0; i < map.keys.size(); ++i) {
        if (std::ranges::find(by_hand, map.keys[i].text) != by_hand.end()) {
            map.items[i] = {.kind = YamlNode::Kind::Map, .origin = map.items[i].origin};
        }
    }
    return map;
}

/// Lets a reader know a key of `without_values`.
void pass(YamlReader& io, std::string_view key) {
    io.section(key, [](YamlReader&) {});
}

bool all_differ(const Axis& axis) {
    std::set<std::vector<std::string>> seen;
    return std::ranges::all_of(axis.levels, [&](const std::vector<Value>& level) {
        std::vector<std::string> texts;
        std::ranges::transform(level, std::back_inserter(texts), to_text);
        return seen.insert(std::move(texts)).second;
    });
}

/// Every scalar below `node`, by its path of keys.
template <class Use> void each_scalar(const YamlNode& node, const std::string& path, Use use) {
    if (node.kind == YamlNode::Kind::Scalar) {
        use(path, node);
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        const bool is_map = node.kind == YamlNode::Kind::Map;
        const std::string name = is_map ? node.keys[i].text : config::item_name(node.items[i], i);
        each_scalar(node.items[i], fmt::format("{}.{}", path, name), use);
    }
}

/// Reads one sweep file into a Sweep.
class SweepReader {
  public:
    SweepReader(const std::string& file,
                const Evaluator& evaluator,
                const std::vector<Override>& overrides)
        : evaluator_(evaluator), root_(config::parse_yaml_file(file)), faults_(file) {
        sweep_.file = file;
        for (const Override& change : overrides) {
            if (change.key.starts_with(kHardware)) {
                sweep_.hardware_changes.push_back(
                    {change.key.substr(kHardware.size()), change.value});
            } else {
                config::apply_override(root_, change.key, change.value, faults_);
            }
        }
    }

    Sweep read() {
        read_plain_keys();
        faults_.throw_if_any();
        load_base();
        read_job();
        read_axes();
        faults_.throw_if_any(); // constraints speak of what these give
        check_values();
        read_constraints();
        check_objectives();
        check_sampler();
        faults_.throw_if_any();
        return std::move(sweep_);
    }

  private:
    void fault(const YamlNode& node, const std::string& path, std::string_view text) {
        faults_.add(node.origin, path, text);
    }

    /// All that is no list of values and no free key, and the names of the top level.
    void read_plain_keys() {
        const YamlNode plain = without_values(root_, {"job", "axes", "constraints"});
        YamlReader io(plain, "", faults_);
        io.text("name", sweep_.name, kMaxText);
        if (io.has("description")) {
            io.text("description", sweep_.description, kMaxText);
        }
        io.text("hardware", sweep_.base.file, kMaxText);
        pass(io, "job");
        pass(io, "axes");
        if (io.has("constraints")) {
            pass(io, "constraints");
        }
        io.list("objectives", sweep_.objectives);
        if (io.has("sampler")) {
            io.object("sampler", sweep_.sampler);
        }
        if (io.has("budget")) {
            io.section("budget", [&](YamlReader& budget) {
                budget.integer("points", sweep_.budget.emplace(), {1, kMaxCount});
            });
        }
        io.finish();
    }

    void load_base() {
        sweep_.base = loaded(sweep_.base.file, *root_.find("hardware"), "hardware");
    }
    /// The hardware file `name`, seen from the sweep file. Throws if there is none.
    BaseHardware loaded(const std::string& name, const YamlNode& node, const std::string& path) {
        const std::filesystem::path beside = std::filesystem::path(sweep_.file).parent_path();
        BaseHardware base;
        base.file = (beside / name).lexically_normal().string();
        if (!std::filesystem::exists(base.file)) {
            fault(node,
                  path,
                  fmt::format("there is no file {} (it is looked for beside the sweep file)",
                              base.file));
            faults_.throw_if_any();
        }
        base.content = std::make_shared<const config::HardwareFile>(base.file);
        base.hash = hash_text(to_yaml(base.content->with(sweep_.hardware_changes)));
        YamlNode tree = base.content->tree();
        for (const Override& change : sweep_.hardware_changes) {
            config::apply_override(tree, change.key, change.value, faults_);
        }
        each_scalar(tree, "hardware", [&](const std::string& key, const YamlNode& scalar) {
            base.settings[key] = to_value(scalar);
        });
        return base;
    }

    /// Flattens the map of the job, whose keys are the evaluator's affair.
    void read_job() {
        const YamlNode& job = *root_.find("job");
        if (job.kind != YamlNode::Kind::Map) {
            fault(job, "job", "needs a map of keys");
            return;
        }
        read_job_map(job, "job");
    }
    void read_job_map(const YamlNode& map, const std::string& path) {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < map.items.size(); ++i) {
            const std::string key = path + '.' + map.keys[i].text;
            const YamlNode& item = map.items[i];
            if (!seen.insert(key).second) {
                fault(item, key, "duplicate key");
            } else if (item.kind == YamlNode::Kind::Map) {
                read_job_map(item, key);
            } else if (item.kind == YamlNode::Kind::Scalar) {
                sweep_.job[key] = to_value(item);
                job_nodes_.emplace_back(key, &item);
            } else {
                fault(item, key, "needs a value or a map of keys");
            }
        }
    }

    void read_axes() {
        const YamlNode& list = *root_.find("axes");
        if (list.kind != YamlNode::Kind::Sequence || list.items.empty()) {
            fault(list, "axes", "needs a list of axes");
            return;
        }
        std::vector<Axis> axes;
        std::vector<std::string> paths;
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            const std::string path = fmt::format("axes.{}", i);
            if (std::optional<Axis> axis = read_axis(list.items[i], path)) {
                check_keys(*axis, list.items[i], path);
                load_bases(*axis, list.items[i], path);
                axes.push_back(std::move(*axis));
                axis_nodes_.push_back(&list.items[i]);
                paths.push_back(path);
            }
        }
        for (std::size_t i = 0; i < axes.size(); ++i) {
            check_hardware_keys(axes[i], *axis_nodes_[i], paths[i]);
        }
        guarded(list, "axes", [&] { sweep_.space = Space(std::move(axes)); });
    }

    /// Runs `body`; what it refuses is a fault of `node`.
    template <class Body>
    void guarded(const YamlNode& node, const std::string& path, const Body& body) {
        try {
            body();
        } catch (const ConfigError& error) {
            fault(node, path, error.what());
        }
    }

    std::optional<Axis> read_axis(const YamlNode& node, const std::string& path) {
        if (node.kind != YamlNode::Kind::Map) {
            fault(node, path, "needs a map: {key: ..., values: [...]} or {linked: ...}");
            return std::nullopt;
        }
        if (const YamlNode* linked = node.find("linked")) {
            check_form(node, path, {"linked"});
            return read_linked(*linked, path + ".linked");
        }
        constexpr std::array<std::string_view, 3> kForms{"values", "range", "log2"};
        if (std::ranges::count_if(kForms, [&](auto form) { return node.find(form) != nullptr; }) !=
            1) {
            fault(node, path, "needs one of values, range, log2");
            return std::nullopt;
        }
        const auto* form =
            std::ranges::find_if(kForms, [&](auto name) { return node.find(name) != nullptr; });
        const std::string key = check_form(node, path, {"key", *form});
        return read_levels(*node.find(*form), path + '.' + std::string(*form), *form, key);
    }

    /// Whether a map has these keys and no others. Returns the text of `key`, if that is one.
    std::string check_form(const YamlNode& node,
                           const std::string& path,
                           std::initializer_list<std::string_view> keys) {
        std::string text;
        const YamlNode plain = without_values(node, {"values", "range", "log2", "linked", "keys"});
        YamlReader io(plain, path, faults_);
        for (const std::string_view key : keys) {
            if (key == "key") {
                io.text(key, text, kMaxText);
            } else {
                pass(io, key);
            }
        }
        io.finish();
        return text;
    }

    std::optional<Axis> read_levels(const YamlNode& node,
                                    const std::string& path,
                                    std::string_view form,
                                    const std::string& key) {
        if (form == "values") {
            Axis axis{{key}, {}};
            for (const Value& value : read_values(node, path)) {
                axis.levels.push_back({value});
            }
            return axis;
        }
        std::vector<std::string_view> ends{"from", "to"};
        if (form == "range") {
            ends.emplace_back("step");
        }
        const std::vector<Value> numbers = read_ends(node, path, ends);
        std::optional<Axis> axis;
        if (numbers.size() == ends.size()) {
            guarded(node, path, [&] {
                axis = form == "range" ? range_axis(key, numbers[0], numbers[1], numbers[2])
                                       : log2_axis(key, numbers[0], numbers[1]);
            });
        }
        return axis;
    }

    /// The values of a map's keys; fewer if one is missing.
    std::vector<Value> read_ends(const YamlNode& node,
                                 const std::string& path,
                                 const std::vector<std::string_view>& keys) {
        std::vector<Value> values;
        if (node.kind != YamlNode::Kind::Map) {
            fault(node, path, fmt::format("needs a map of {}", join(keys, ", ")));
            return values;
        }
        YamlReader io(node, path, faults_);
        for (const std::string_view key : keys) {
            std::string text;
            io.text(key, text, kMaxText);
            if (!text.empty()) {
                values.push_back(to_value(text));
            }
        }
        io.finish();
        return values;
    }

    std::vector<Value> read_values(const YamlNode& node, const std::string& path) {
        std::vector<Value> values;
        if (node.kind != YamlNode::Kind::Sequence || node.items.empty() ||
            node.items.size() > kMaxLevels) {
            fault(node, path, fmt::format("needs a list of 1 to {} values", kMaxLevels));
            return values;
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            if (node.items[i].kind == YamlNode::Kind::Scalar) {
                values.push_back(to_value(node.items[i]));
            } else {
                fault(node.items[i], fmt::format("{}.{}", path, i), "needs a number or a text");
            }
        }
        return values;
    }

    std::optional<Axis> read_linked(const YamlNode& node, const std::string& path) {
        if (node.kind != YamlNode::Kind::Map) {
            fault(node, path, "needs a map of keys and values");
            return std::nullopt;
        }
        check_form(node, path, {"keys", "values"});
        const YamlNode* keys = node.find("keys");
        const YamlNode* rows = node.find("values");
        if (keys == nullptr || rows == nullptr) {
            return std::nullopt;
        }
        Axis axis;
        for (const Value& key : read_values(*keys, path + ".keys")) {
            axis.keys.push_back(to_text(key));
        }
        if (rows->kind != YamlNode::Kind::Sequence || rows->items.empty()) {
            fault(*rows, path + ".values", "needs a list with a list of values for each level");
            return std::nullopt;
        }
        for (std::size_t i = 0; i < rows->items.size(); ++i) {
            const std::string row_path = fmt::format("{}.values.{}", path, i);
            axis.levels.push_back(read_values(rows->items[i], row_path));
            if (axis.levels.back().size() != axis.keys.size()) {
                fault(rows->items[i],
                      row_path,
                      fmt::format("needs {} values, one for each key", axis.keys.size()));
            }
        }
        return axis;
    }

    void check_keys(const Axis& axis, const YamlNode& node, const std::string& path) {
        if (!all_differ(axis)) {
            fault(node, path, "a value is given twice");
        }
        for (const std::string& key : axis.keys) {
            if (!axis_keys_.insert(key).second) {
                fault(node, path, fmt::format("{}: another axis has this key", key));
            } else if (key != kHardwareFile && !key.starts_with(kHardware) &&
                       !key.starts_with(kJob)) {
                fault(node,
                      path,
                      fmt::format("'{}' (allowed: hardware, and keys that begin with hardware. or "
                                  "job.)",
                                  key));
            }
        }
    }
    /// Reads the hardware files that an axis goes over.
    void load_bases(const Axis& axis, const YamlNode& node, const std::string& path) {
        for (std::size_t k = 0; k < axis.keys.size(); ++k) {
            for (const std::vector<Value>& level : axis.levels) {
                if (axis.keys[k] == kHardwareFile && k < level.size()) {
                    const std::string name = to_text(level[k]);
                    add_base(name, loaded(name, node, path), node, path);
                }
            }
        }
    }
    void add_base(const std::string& name,
                  BaseHardware base,
                  const YamlNode& node,
                  const std::string& path) {
        for (const auto& [other, known] : sweep_.bases) {
            if (other != name && known.hash == base.hash) {
                fault(node, path, fmt::format("{} and {} are the same hardware", other, name));
            }
        }
        sweep_.bases[name] = std::move(base);
    }
    /// Every key of the hardware has to be there in every file that it may change.
    void check_hardware_keys(const Axis& axis, const YamlNode& node, const std::string& path) {
        std::vector<const BaseHardware*> bases;
        for (const auto& entry : sweep_.bases) {
            bases.push_back(&entry.second);
        }
        if (bases.empty()) {
            bases.push_back(&sweep_.base);
        }
        for (const std::string& key : axis.keys) {
            for (const BaseHardware* base : bases) {
                if (key.starts_with(kHardware) && !base->settings.contains(key)) {
                    std::vector<std::string> known;
                    for (const auto& entry : base->settings) {
                        known.push_back(entry.first);
                    }
                    fault(
                        node,
                        path,
                        fmt::format(
                            "{}: no such key in {}{}", key, base->file, did_you_mean(key, known)));
                }
            }
        }
    }

    /// Has the evaluator judge every value of the job: the file's own, then those of the axes.
    void check_values() {
        for (const auto& [key, node] : job_nodes_) {
            check_job_value(key, sweep_.job.at(key), sweep_.job, *node);
        }
        const std::vector<Axis>& axes = sweep_.space.axes();
        for (std::size_t i = 0; i < axes.size(); ++i) {
            for (const std::vector<Value>& level : axes[i].levels) {
                check_level(axes[i], level, *axis_nodes_[i]);
            }
        }
    }
    void check_level(const Axis& axis, const std::vector<Value>& level, const YamlNode& node) {
        Settings job = sweep_.job;
        for (std::size_t k = 0; k < level.size(); ++k) {
            if (axis.keys[k].starts_with(kJob)) {
                job[axis.keys[k]] = level[k];
            }
        }
        for (std::size_t k = 0; k < level.size(); ++k) {
            if (axis.keys[k].starts_with(kJob)) {
                check_job_value(axis.keys[k], level[k], job, node);
            }
        }
    }
    void check_job_value(const std::string& key,
                         const Value& value,
                         const Settings& job,
                         const YamlNode& node) {
        const std::string wrong = evaluator_.check_job ? evaluator_.check_job(key, value, job) : "";
        if (!wrong.empty()) {
            fault(node, key, wrong);
        }
    }

    void read_constraints() {
        const YamlNode* list = root_.find("constraints");
        if (list == nullptr) {
            return;
        }
        if (list->kind != YamlNode::Kind::Sequence) {
            fault(*list, "constraints", "needs a list of conditions");
            return;
        }
        const std::vector<std::string> names = sweep_.names(evaluator_);
        for (std::size_t i = 0; i < list->items.size(); ++i) {
            const YamlNode& item = list->items[i];
            const std::string path = fmt::format("constraints.{}", i);
            guarded(item, path, [&] { add_constraint(Expression(item.text, names)); });
        }
    }
    /// Sorts a constraint in by whether it needs results, and tries it: a text compared with a
    /// number shows before anything runs.
    void add_constraint(Expression constraint) {
        const bool needs_results =
            std::ranges::any_of(constraint.names(), [&](const std::string& name) {
                return std::ranges::find(evaluator_.results, name) != evaluator_.results.end();
            });
        Results any;
        for (const std::string& result : evaluator_.results) {
            any[result] = 1;
        }
        const Settings axes = sweep_.space.settings(0);
        static_cast<void>(constraint.holds(
            [&](std::string_view name) { return sweep_.value_of(name, axes, lookup_in(any)); }));
        (needs_results ? sweep_.after : sweep_.before).push_back(std::move(constraint));
    }

    void check_objectives() {
        const YamlNode& list = *root_.find("objectives");
        if (sweep_.objectives.empty()) {
            fault(list, "objectives", "needs at least one objective");
        }
        std::set<std::string> seen;
        for (std::size_t i = 0; i < sweep_.objectives.size(); ++i) {
            const std::string& name = sweep_.objectives[i].name;
            const std::string path = fmt::format("objectives.{}.name", i);
            if (std::ranges::find(evaluator_.results, name) == evaluator_.results.end()) {
                fault(list.items[i],
                      path,
                      fmt::format("unknown result '{}'{} (allowed: {})",
                                  name,
                                  did_you_mean(name, evaluator_.results),
                                  join(evaluator_.results, ", ")));
            } else if (!seen.insert(name).second) {
                fault(list.items[i], path, fmt::format("'{}' is given twice", name));
            }
        }
    }

    void check_sampler() {
        constexpr std::int64_t kBatch = 4; // of pagmo's tournaments
        const SamplerSettings& sampler = sweep_.sampler;
        if (sampler.kind == SamplerKind::Nsga2 && sweep_.objectives.size() < 2) {
            fault(*root_.find("sampler"), "sampler", "nsga2 needs two objectives or more");
        }
        if (sampler.kind == SamplerKind::Nsga2 && sweep_.space.size() < 2) {
            fault(*root_.find("sampler"), "sampler", "nsga2 needs two points or more");
        }
        if (sampler.kind == SamplerKind::Nsga2 && sampler.population % kBatch != 0) {
            fault(*root_.find_path("sampler.population"),
                  "sampler.population",
                  fmt::format("got {} (allowed: multiples of {})", sampler.population, kBatch));
        }
    }

    const Evaluator& evaluator_;
    YamlNode root_;
    Faults faults_;
    Sweep sweep_;
    std::vector<std::pair<std::string, const YamlNode*>> job_nodes_;
    std::vector<const YamlNode*> axis_nodes_;
    std::set<std::string> axis_keys_;
};

} // namespace

Sweep load_sweep(const std::string& file,
                 const Evaluator& evaluator,
                 const std::vector<Override>& overrides) {
    return SweepReader(file, evaluator, overrides).read();
}

} // namespace npusim::explore
