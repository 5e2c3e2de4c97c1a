// SPDX-License-Identifier: Apache-2.0
#include "sim/app/layer.h"
#include "sim/app/report_parts.h"
#include "sim/app/select_report.h"
#include "sim/app/table.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <string>

namespace npusim::app {

namespace {

constexpr std::int64_t kMebi = 1 << 20;

/// For each token that passes the layers at once: of the prompts in prefill, of a step in decode.
double per_token(const ModelCost& cost, double joules) {
    return joules / static_cast<double>(cost.job.rows());
}

std::string mebibytes(std::int64_t bytes) {
    return fmt::format("{:.1f}", static_cast<double>(bytes) / static_cast<double>(kMebi));
}

/// "1.23 ms" or "45.6 us"
std::string duration(std::int64_t cycles, double clock_mhz) {
    const double us = static_cast<double>(cycles) / clock_mhz;
    return us < 1000 ? fmt::format("{:.1f} us", us) : fmt::format("{:.2f} ms", us / 1000);
}

/// "1.23 J" or "45.6 mJ"
std::string energy_text(double joules) {
    return joules < 1 ? fmt::format("{:.1f} mJ", joules * 1e3) : fmt::format("{:.2f} J", joules);
}

std::int64_t launches(const ModelCost& cost, const LayerCost& layer) {
    return cost.with_launches(layer) - layer.cycles();
}

std::string layer_table(const ModelCost& cost, const LayerCost& layer) {
    const std::int64_t all = cost.with_launches(layer);
    Table table(3);
    table.row("operator",
              {"kernel", "shape", "cycles", "share", "cube", "vector", "GM MiB", "HBM MiB"});
    for (const OperatorCost& op : layer.operators) {
        table.row(op.label,
                  {op.kernel,
                   op.shape,
                   fmt::format("{}{}", op.worked_out < 1 ? "~" : "", op.cycles),
                   percent(ratio(op.cycles, all)),
                   percent(op.cube),
                   percent(op.vector),
                   mebibytes(op.gm_bytes),
                   mebibytes(op.hbm_bytes)});
    }
    if (launches(cost, layer) > 0) {
        table.row(fmt::format("{} launches", layer.operators.size()),
                  {"",
                   "",
                   fmt::format("{}", launches(cost, layer)),
                   percent(ratio(launches(cost, layer), all))});
    }
    table.row("sum", {"", "", fmt::format("{}", all), "100.0 %"});
    return table.text();
}

/// "inverse 12.3 %, projection 40.1 %, ..." by part, largest first.
std::string parts_text(const ModelCost& cost, const LayerCost& layer) {
    std::vector<std::pair<std::int64_t, std::string_view>> parts;
    for (std::size_t p = 0; p < kPartNames.size(); ++p) {
        if (const std::int64_t cycles = layer.cycles_of(static_cast<Part>(p)); cycles > 0) {
            parts.emplace_back(cycles, kPartNames[p]);
        }
    }
    if (launches(cost, layer) > 0) {
        parts.emplace_back(launches(cost, layer), "launches");
    }
    std::ranges::stable_sort(parts, std::greater<>());
    std::string text;
    for (const auto& [cycles, name] : parts) {
        text += fmt::format("{}{} {}",
                            text.empty() ? "" : ", ",
                            name,
                            percent(ratio(cycles, cost.with_launches(layer))));
    }
    return text;
}

/// What the other inverse would have cost.
std::string versus_text(const ModelCost& cost) {
    std::string text;
    for (std::size_t l = 0; l < cost.layers.size(); ++l) {
        const LayerCost& ours = cost.layers[l];
        const LayerCost& theirs = cost.versus_layers[l];
        const std::int64_t inverse = ours.cycles_of(Part::Inverse);
        if (inverse == 0) {
            continue;
        }
        const std::int64_t before = cost.with_launches(theirs);
        const std::int64_t after = cost.with_launches(ours);
        text += fmt::format("{}, against {}: inverse {:.2f}x as fast, its share of the layer {} -> "
                            "{}, layer cycles "
                            "saved {}\n",
                            ours.name,
                            *cost.versus,
                            ratio(theirs.cycles_of(Part::Inverse), inverse),
                            percent(ratio(theirs.cycles_of(Part::Inverse), before)),
                            percent(ratio(inverse, after)),
                            percent(1 - ratio(after, before)));
    }
    const std::int64_t before = cost.total(cost.versus_layers);
    const std::int64_t after = cost.total(cost.layers);
    return text + fmt::format("all layers, against {}: {} -> {}, {} saved\n",
                              *cost.versus,
                              duration(before, cost.clock_mhz),
                              duration(after, cost.clock_mhz),
                              percent(1 - ratio(after, before)));
}

bool has_inverse(const ModelCost& cost) {
    return std::ranges::any_of(
        cost.layers, [](const LayerCost& layer) { return layer.cycles_of(Part::Inverse) > 0; });
}

std::string job_text(const LayerJob& job) {
    const std::string rows =
        job.phase == Phase::Prefill
            ? fmt::format("prefill of {} x {} tokens, chunk {}", job.batch, job.tokens, job.chunk)
            : fmt::format("decode of {} x {} token{} after {}",
                          job.batch,
                          job.draft,
                          job.draft == 1 ? "" : "s",
                          job.tokens);
    return fmt::format("{}, {}, weights {}", rows, to_string(job.dtype), to_string(job.weights));
}

/// Says what of the operators was run, if not all.
std::string sampled_text(const ModelCost& cost) {
    std::set<std::string> all;
    std::set<std::string> sampled;
    double least = 1; // share of the rounds
    double most = 0;
    cost.each_operator([&](const OperatorCost& op, std::int64_t /*times*/) {
        const std::string name = fmt::format("{} {}", op.kernel, op.shape);
        all.insert(name);
        if (op.worked_out < 1) {
            sampled.insert(name);
            least = std::min(least, op.worked_out);
            most = std::max(most, op.worked_out);
        }
    });
    if (sampled.empty()) {
        return "";
    }
    return fmt::format("~: of {} of {} operators {:.2g} to {:.2g} % of the rounds were run, the "
                       "others are taken to be like them\n",
                       sampled.size(),
                       all.size(),
                       100 * least,
                       100 * most);
}

/// What is put into an object where the hardware has a technology.
void put_energy(json& object, const ModelCost& cost, const std::vector<LayerCost>& kinds) {
    if (cost.static_watts) {
        const double joules = cost.total_joules(kinds);
        object["total_energy_uj"] = joules * kMicro;
        object["energy_per_token_uj"] = per_token(cost, joules) * kMicro;
    }
}

json operator_json(const ModelCost& cost, const OperatorCost& op) {
    json object{{"operator", op.label},
                {"part", kPartNames[static_cast<std::size_t>(op.part)]},
                {"kernel", op.kernel},
                {"shape", op.shape},
                {"cycles", op.cycles},
                {"flops", op.flops},
                {"macs", op.macs},
                {"cube_utilization", op.cube},
                {"vector_utilization", op.vector},
                {"gm_bytes", op.gm_bytes},
                {"hbm_bytes", op.hbm_bytes},
                {"compulsory_bytes", op.compulsory_bytes},
                {"share_worked_out", op.worked_out}};
    if (cost.static_watts) {
        object["energy_uj"] = op.joules * kMicro;
    }
    return object;
}

json kind_json(const ModelCost& cost, const LayerCost& layer) {
    json parts = json::object();
    for (std::size_t p = 0; p < kPartNames.size(); ++p) {
        if (const std::int64_t cycles = layer.cycles_of(static_cast<Part>(p)); cycles > 0) {
            parts[std::string(kPartNames[p])] = cycles;
        }
    }
    json operators = json::array();
    for (const OperatorCost& op : layer.operators) {
        operators.push_back(operator_json(cost, op));
    }
    json object{{"layer", layer.name},
                {"count", layer.count},
                {"cycles", cost.with_launches(layer)},
                {"launch_cycles", launches(cost, layer)},
                {"inverse_share", ratio(layer.cycles_of(Part::Inverse), cost.with_launches(layer))},
                {"parts", parts},
                {"operators", operators}};
    if (cost.static_watts) {
        object["energy_uj"] = cost.joules_with_launches(layer) * kMicro;
    }
    return object;
}

json kinds_json(const ModelCost& cost, const std::vector<LayerCost>& kinds) {
    json list = json::array();
    for (const LayerCost& layer : kinds) {
        list.push_back(kind_json(cost, layer));
    }
    return list;
}

} // namespace

std::string layer_text(const ModelCost& cost) {
    std::string text = fmt::format("{} on {}: {}\n{}{}\n\n",
                                   cost.model.name,
                                   cost.hardware,
                                   job_text(cost.job),
                                   has_inverse(cost) ? spec(cost.job.inverse) + ", " : "",
                                   cost.launch_each ? "every operator a launch"
                                                    : "one launch for all (captured graph)");
    for (const LayerCost& layer : cost.layers) {
        text += fmt::format("{} ({} of {} layers, simulated once): {}\n{}by part: {}\n\n",
                            layer.name,
                            layer.count,
                            cost.model.layers,
                            duration(cost.with_launches(layer), cost.clock_mhz),
                            layer_table(cost, layer),
                            parts_text(cost, layer));
    }
    text += fmt::format("head: {}\n{}\n",
                        duration(cost.with_launches(cost.head), cost.clock_mhz),
                        layer_table(cost, cost.head));
    const std::int64_t total = cost.total(cost.layers);
    const bool prefill = cost.job.phase == Phase::Prefill;
    text += fmt::format("{}: {} cycles, {} ({:.0f} {}/s, {} different operators simulated)\n",
                        prefill ? "time to first token" : "time per step",
                        total,
                        duration(total, cost.clock_mhz),
                        static_cast<double>(cost.job.rows()) * cost.clock_mhz * 1e6 /
                            static_cast<double>(total),
                        cost.job.draft > 1 && !prefill ? "tokens verified" : "tokens",
                        cost.simulated);
    text += sampled_text(cost);
    if (cost.static_watts) {
        const double joules = cost.total_joules(cost.layers);
        text += fmt::format("energy (estimate): {}, {} a token, mean power {:.0f} W\n",
                            energy_text(joules),
                            energy_text(per_token(cost, joules)),
                            joules * cost.clock_mhz * 1e6 / static_cast<double>(total));
    }
    if (!has_inverse(cost)) {
        text += "no inversion here: the delta rule goes token by token in decode, also when draft "
                "tokens are verified;\nthe chunked form with its inverse is prefill work\n";
    } else if (cost.versus) {
        text += versus_text(cost);
    }
    return text;
}

std::string layer_json(const ModelCost& cost) {
    const LayerJob& job = cost.job;
    json out{{"model", cost.model.name},
             {"hardware", cost.hardware},
             {"clock_mhz", cost.clock_mhz},
             {"phase", kPhaseNames[static_cast<std::size_t>(job.phase)]},
             {"tokens", job.tokens},
             {"batch", job.batch},
             {"draft", job.draft},
             {"chunk", job.chunk},
             {"dtype", to_string(job.dtype)},
             {"weights", to_string(job.weights)},
             {"inverse", spec(job.inverse)},
             {"launch", cost.launch_each ? "each" : "once"},
             {"layers", kinds_json(cost, cost.layers)},
             {"head", kind_json(cost, cost.head)},
             {"total_cycles", cost.total(cost.layers)},
             {"total_us", static_cast<double>(cost.total(cost.layers)) / cost.clock_mhz},
             {"operators_simulated", cost.simulated}};
    put_energy(out, cost, cost.layers);
    if (cost.versus && has_inverse(cost)) {
        out["versus"] = {{"inverse", *cost.versus},
                         {"layers", kinds_json(cost, cost.versus_layers)},
                         {"total_cycles", cost.total(cost.versus_layers)}};
        put_energy(out["versus"], cost, cost.versus_layers);
    }
    out["version"] = NPUSIM_VERSION;
    return out.dump(2) + "\n";
}

std::string layer_csv(const ModelCost& cost) {
    std::string text = "layer,count,operator,part,kernel,shape,cycles,cube,vector,gm_bytes,"
                       "hbm_bytes,flops,energy_uj,energy_per_token_uj,share_worked_out,version\n";
    std::vector<LayerCost> kinds = cost.layers;
    kinds.push_back(cost.head);
    const auto microjoules = [&](double joules) {
        return cost.static_watts ? fmt::format("{:.6g}", joules * kMicro) : std::string();
    };
    for (const LayerCost& layer : kinds) {
        for (const OperatorCost& op : layer.operators) {
            text += fmt::format(
                "\"{}\",{},\"{}\",{},{},\"{}\",{},{:.6g},{:.6g},{},{},{:.6g},{},{},{:.6g},{}\n",
                layer.name,
                layer.count,
                op.label,
                kPartNames[static_cast<std::size_t>(op.part)],
                op.kernel,
                op.shape,
                op.cycles,
                op.cube,
                op.vector,
                op.gm_bytes,
                op.hbm_bytes,
                op.flops,
                microjoules(op.joules),
                microjoules(per_token(cost, op.joules)),
                op.worked_out,
                NPUSIM_VERSION);
        }
    }
    return text;
}

} // namespace npusim::app
