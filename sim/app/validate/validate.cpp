// SPDX-License-Identifier: Apache-2.0
#include "sim/app/validate/validate.h"

#include "sim/app/process_pool.h"
#include "sim/base/error.h"
#include "sim/base/hash.h"
#include "sim/base/join.h"
#include "sim/model/simulation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

namespace npusim::app {

namespace {

/// Start of a platform's name, and its file. The first entry that fits counts.
struct Platform {
    std::string_view start;
    std::string_view hardware;
    std::string_view source = {}; ///< only rows of this repository
};
constexpr std::array kPlatforms{
    Platform{"910B1", "ascend-910b1"},
    Platform{"910B2", "ascend-910b2"},
    Platform{"910B3", "ascend-910b3"},
    Platform{"910B4", "ascend-910b4"},
    Platform{"910B (20 cores likely B4)", "ascend-910b4"},
    Platform{"910B (20-24 cores", "ascend-910b4"}, // rates fit 20 cube and 40 vector cores
    Platform{"910B (20 cores", "ascend-910b3"},
    Platform{"910B (24 cores", "ascend-910b1"},
    Platform{"910B (A2)", "ascend-910b4", "gdn-tri-inverse"}, // the device of its figures
    Platform{"910B (A2)", "ascend-910b2"},
    Platform{"910B (A2/A3)", "ascend-910b2"},
    Platform{"910B/910C", "ascend-910b1"}, // each die of a 910C is like a 910B1
    Platform{"910C", "ascend-910c"},
    Platform{"950PR", "ascend-950pr"},
    Platform{"950DT", "ascend-950dt"},
    Platform{"950", "ascend-950dt"},
    Platform{"310P", "ascend-310p"},
};

/// A long run is that of so many rounds, continued at the pace from the first to the second.
constexpr std::int64_t kFewRounds = 24;
constexpr std::int64_t kMoreRounds = 48;
/// Measured values closer than this are not in any order.
constexpr double kApart = 0.05;

double cycles_of(const config::HardwareConfig& hardware,
                 const kernels::Operator& kernel,
                 timing::L2Start l2) {
    const model::Job job{
        [&](isa::CoreId core) { return kernel.program(core); }, nullptr, nullptr, l2};
    return static_cast<double>(model::simulate(hardware, job, {}).count());
}

/// Share of `bytes` that a run over them has left in L2 for the next one: a granule is gone if more
/// than the ways of its hashed set have been used since.
double left_in_l2(double bytes, const config::GmConfig& gm) {
    const double per_set =
        static_cast<double>(gm.l2_ways) * bytes / static_cast<double>(gm.l2_size_bytes);
    const std::vector<double> chances = timing::poisson(per_set, gm.l2_ways);
    return std::accumulate(chances.begin(), chances.end(), 0.0);
}

/// What the kernel finds in L2. Of all that it drives out in the course of its run, that share is
/// dirty which others left so or which it wrote itself.
timing::L2Start l2_start(const MeasuredCase& measured, const config::HardwareConfig& hardware) {
    double touched = 0;
    double written = 0;
    for (const kernels::Tensor& tensor : measured.kernel->tensors()) {
        using Role = kernels::Tensor::Role;
        const auto bytes = static_cast<double>(tensor.tile.bytes());
        touched += bytes;
        const bool writes = tensor.role == Role::Output || tensor.role == Role::Scratch ||
                            tensor.role == Role::State;
        written += writes ? bytes : 0;
    }
    const auto size = static_cast<double>(hardware.gm.l2_size_bytes);
    const double own = touched > 0 ? written / touched : 0;
    if (measured.warm) {
        return {std::min(1.0, touched / size) * own, left_in_l2(touched, hardware.gm)};
    }
    if (measured.repeated) {
        return {own, 0};
    }
    const double others = touched > size ? size / touched : 1;
    return {others + (1 - others) * own, 0};
}

double cycles_of(const config::HardwareConfig& hardware, MeasuredCase& measured) {
    kernels::SteadyKernel& kernel = *measured.kernel;
    const timing::L2Start l2 = l2_start(measured, hardware);
    const std::int64_t rounds = kernel.rounds();
    if (rounds <= kMoreRounds) {
        return cycles_of(hardware, kernel, l2);
    }
    kernel.stop_after(kFewRounds);
    const double few = cycles_of(hardware, kernel, l2);
    kernel.stop_after(kMoreRounds);
    const double more = cycles_of(hardware, kernel, l2);
    const double pace = (more - few) / static_cast<double>(kMoreRounds - kFewRounds);
    return more + pace * static_cast<double>(rounds - kMoreRounds);
}

/// Time measured, or what it can be compared with.
struct Value {
    std::string_view unit;
    double value;
};
Value measured_value(const Measurement& row) {
    if (row.us && row.derived_us && std::abs(*row.us / *row.derived_us - 1) < kApart) {
        return {"us", *row.derived_us}; // the printed time is rounded
    }
    if (row.us) {
        return {"us", *row.us};
    }
    if (row.derived_us) {
        return {"us", *row.derived_us};
    }
    if (row.gbps) {
        return {"GB/s", *row.gbps};
    }
    if (row.tflops) {
        return {"TFLOP/s", *row.tflops};
    }
    return {"cycles", *row.cycles};
}

double
predict(const Comparison& row, const Family& family, const config::HardwareConfig& hardware) {
    MeasuredCase measured = family.model(row.row, hardware);
    const double kernel_cycles =
        cycles_of(hardware, measured) -
        (measured.launch ? 0 : static_cast<double>(hardware.launch.count()));
    const double cycles = kernel_cycles / measured.efficiency;
    if (row.unit == "cycles") {
        return cycles;
    }
    const double us = cycles / hardware.clock_mhz + measured.host_us;
    if (row.unit == "us") {
        return us;
    }
    const double work = row.unit == "GB/s" ? measured.bytes / 1e3 : measured.flops / 1e6;
    if (work <= 0) {
        throw NotModelled("what was divided by the time to get " + row.unit + " is not stated");
    }
    return work / us;
}

const Family* family_of(const Measurement& row) {
    const std::span<const Family> all = families();
    const auto found =
        std::ranges::find_if(all, [&](const Family& family) { return family.matches(row); });
    return found == all.end() ? nullptr : &*found;
}

/// All of a row that its run depends on, beside the hardware.
std::string key_of(const Comparison& row) {
    const Measurement& m = row.row;
    const std::array texts{
        m.platform, m.kernel, m.algorithm, m.dtype, m.shape_note, m.timing, m.note, row.unit};
    std::string key = join(texts, "\n");
    for (const std::optional<std::int64_t>& number :
         {m.b, m.h, m.hg, m.t, m.d, m.chunk, m.m, m.n, m.k, m.batch, m.elements, m.cores}) {
        key += number ? fmt::format("\n{}", *number) : "\n";
    }
    return key;
}

} // namespace

std::optional<std::string> hardware_of(const Measurement& row) {
    const auto* const found = std::ranges::find_if(kPlatforms, [&](const Platform& entry) {
        return row.platform.starts_with(entry.start) &&
               row.source.find(entry.source) != std::string::npos;
    });
    return found == kPlatforms.end() ? std::nullopt : std::optional<std::string>(found->hardware);
}

std::string HardwareShelf::path(const std::string& name) {
    return fmt::format("{}/configs/hardware/{}.yaml", NPUSIM_SOURCE_DIR, name);
}

const config::HardwareConfig& HardwareShelf::get(const std::string& name) {
    const auto found = files_.find(name);
    if (found != files_.end()) {
        return found->second;
    }
    std::vector<config::Override> overrides;
    for (const Change& change : changes_) {
        if (change.only.empty() || change.only == name) {
            overrides.push_back(change.change);
        }
    }
    return files_.emplace(name, config::load_hardware(path(name), overrides)).first->second;
}

bool Comparison::is_rate() const {
    return unit == "GB/s" || unit == "TFLOP/s";
}

double Comparison::error() const {
    return (is_rate() ? measured / predicted : predicted / measured) - 1;
}

std::vector<Comparison> classify(const ValidationJob& job) {
    std::vector<Comparison> rows;
    for (const Measurement& row : job.rows) {
        const Family* family = family_of(row);
        if (row.platform.find(job.platform) == std::string::npos ||
            (!job.family.empty() && (family == nullptr || family->name != job.family))) {
            continue;
        }
        const auto [unit, value] = measured_value(row);
        Comparison& entry =
            rows.emplace_back(Comparison{row, "", "", std::string(unit), value, 0, ""});
        const std::optional<std::string> hardware = hardware_of(row);
        entry.family = family == nullptr ? "" : family->name;
        entry.hardware = hardware.value_or("");
        entry.reason = family == nullptr ? "no model of this kernel"
                       : !hardware       ? "no hardware file for this platform"
                                         : "";
    }
    return rows;
}

std::vector<Comparison> validate(const ValidationJob& job,
                                 RunStore& store,
                                 const std::function<void(const std::string&)>& progress) {
    HardwareShelf shelf(job.changes);
    std::map<std::string, std::uint64_t> hardware_keys;
    std::vector<Comparison> rows = classify(job);
    std::vector<std::uint64_t> keys(rows.size());
    std::set<std::uint64_t> missing; // runs that are still to be made
    std::vector<std::size_t> runs;   // a row of each
    std::map<std::uint64_t, std::string> failures;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!rows[i].modelled()) {
            continue;
        }
        const std::string& hardware = rows[i].hardware;
        if (!hardware_keys.contains(hardware)) {
            hardware_keys[hardware] = hash_text(config::to_yaml(shelf.get(hardware)));
        }
        keys[i] = hash_text(key_of(rows[i]), hardware_keys[hardware]);
        if (!store.find(keys[i]) && missing.insert(keys[i]).second) {
            runs.push_back(i);
        }
    }
    std::size_t done = 0;
    in_processes(
        runs.size(),
        job.workers,
        [&](std::size_t run) {
            const Comparison& row = rows[runs[run]];
            return fmt::format("{}", predict(row, *family_of(row.row), shelf.get(row.hardware)));
        },
        [&](std::size_t run, const TaskOutcome& outcome) {
            const Measurement& row = rows[runs[run]].row;
            const std::uint64_t key = keys[runs[run]];
            if (outcome.done) {
                store.add(key, outcome.text);
            } else {
                failures[key] = outcome.text;
            }
            progress(fmt::format("{} of {} runs, {} {}", ++done, runs.size(), row.kernel, row.id));
        });
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!rows[i].modelled()) {
            continue;
        }
        if (const std::optional<std::string> result = store.find(keys[i])) {
            std::from_chars(result->data(), result->data() + result->size(), rows[i].predicted);
        } else {
            rows[i].reason = failures.at(keys[i]);
        }
    }
    return rows;
}

namespace {

/// The value below which `share` of `values` lie, between neighbours in proportion.
double quantile(std::vector<double> values, double share) {
    if (values.empty()) {
        return std::nan("");
    }
    std::ranges::sort(values);
    const double at = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

/// Time measured and predicted, as numbers that grow with it.
std::pair<double, double> times(const Comparison& row) {
    return row.is_rate() ? std::pair{1 / row.measured, 1 / row.predicted}
                         : std::pair{row.measured, row.predicted};
}

void rank(const std::vector<const Comparison*>& rows, Agreement& result) {
    std::int64_t right = 0;
    std::int64_t wrong = 0;
    std::size_t algorithms_right = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t j = i + 1; j < rows.size(); ++j) {
            const Measurement& a = rows[i]->row;
            const Measurement& b = rows[j]->row;
            if (a.kernel != b.kernel || a.platform != b.platform ||
                rows[i]->unit != rows[j]->unit || a.timing != b.timing || a.dtype != b.dtype) {
                continue;
            }
            const bool algorithms =
                !a.group.empty() && a.group == b.group && a.algorithm != b.algorithm;
            if (!algorithms && a.algorithm != b.algorithm) {
                continue;
            }
            const auto [measured_a, predicted_a] = times(*rows[i]);
            const auto [measured_b, predicted_b] = times(*rows[j]);
            if (std::abs(std::log(measured_a / measured_b)) <= kApart) {
                continue;
            }
            const bool agrees = (measured_a < measured_b) == (predicted_a < predicted_b) &&
                                predicted_a != predicted_b;
            ++(agrees ? right : wrong);
            result.algorithm_pairs += algorithms ? 1 : 0;
            algorithms_right += algorithms && agrees ? 1 : 0;
        }
    }
    const auto pairs = static_cast<double>(right + wrong);
    result.rank_tau = pairs > 0 ? static_cast<double>(right - wrong) / pairs : std::nan("");
    result.algorithm_order =
        result.algorithm_pairs > 0
            ? static_cast<double>(algorithms_right) / static_cast<double>(result.algorithm_pairs)
            : std::nan("");
}

} // namespace

Agreement agreement(const std::vector<const Comparison*>& rows) {
    Agreement result;
    std::vector<const Comparison*> modelled;
    std::vector<double> signed_errors;
    std::vector<double> errors;
    for (const Comparison* row : rows) {
        if (row->modelled()) {
            modelled.push_back(row);
            signed_errors.push_back(row->error());
            errors.push_back(std::abs(row->error()));
        }
    }
    result.rows = rows.size();
    result.modelled = modelled.size();
    result.coverage =
        rows.empty() ? 0 : static_cast<double>(modelled.size()) / static_cast<double>(rows.size());
    result.median_abs_error = quantile(errors, 0.5);
    result.p90_abs_error = quantile(errors, 0.9);
    result.bias = quantile(signed_errors, 0.5);
    rank(modelled, result);
    return result;
}

} // namespace npusim::app
