// SPDX-License-Identifier: Apache-2.0
#include "sim/app/pipeline.h"

#include "kernels/delta_rule/chunk_outputs.h"
#include "kernels/delta_rule/chunk_states.h"
#include "kernels/delta_rule/cumulative_gate.h"
#include "kernels/delta_rule/key_products.h"
#include "kernels/delta_rule/wy_products.h"
#include "kernels/inverse/accuracy.h"
#include "kernels/inverse/inverse_operator.h"
#include "kernels/inverse/reference.h"
#include "sim/app/log.h"
#include "sim/app/operator_run.h"
#include "sim/app/report_parts.h"
#include "sim/app/table.h"
#include "sim/base/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <span>
#include <utility>

namespace npusim::app {

namespace {

using kernels::DeltaShape;
using Values = std::vector<double>;
using Inputs = std::map<std::string, const Values*>;

/// The larger of two errors; NaN once there is one.
double worse(double a, double b) {
    return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
}

/// The chain of operators on one set of activations.
class Chain {
  public:
    Chain(const config::HardwareConfig& hardware,
          const kernels::DeltaActivations& activations,
          std::int64_t chunk,
          DType dtype)
        : hardware_(hardware), in_(activations), exact_o_(recurrent_outputs(activations)) {
        shape_.lengths = {in_.tokens};
        shape_.key_heads = in_.key_heads;
        shape_.value_heads = in_.value_heads;
        shape_.key_size = in_.key_size;
        shape_.value_size = in_.value_size;
        shape_.chunk = chunk;
        shape_.dtype = dtype;
        gates_ = run<kernels::CumulativeGate>({{"g", &in_.g}}, {"G"}).at("G");
        a_ = run<kernels::KeyProducts>({{"k", &in_.k}, {"beta", &in_.beta}, {"G", &gates_}}, {"A"})
                 .at("A");
    }

    [[nodiscard]] const std::vector<PipelineStage>& stages() const { return stages_; }

    PipelineRow exact() {
        const std::int64_t n = shape_.chunk;
        const auto elements = static_cast<std::size_t>(n * n);
        for (std::size_t at = 0; at < a_.size(); at += elements) {
            const Values t = inverse::forward_substitution(std::span(a_).subspan(at, elements), n);
            exact_t_.insert(exact_t_.end(), t.begin(), t.end());
        }
        const kernels::WyProducts op(hardware_, shape_); // takes T in dtype, and so rounds it
        OperatorData data(op);
        data.set("T", exact_t_);
        return finish("exact", data.get("T"), 0);
    }

    PipelineRow with(const std::string& name, const KernelRequest& request) {
        const std::int64_t n = shape_.chunk;
        const kernels::Problem problem{std::ssize(a_) / (n * n), n, shape_.dtype};
        const inverse::InverseOperator op(hardware_, *request.kernel, request.values, problem);
        OperatorData data(op);
        data.set("a", a_);
        const std::int64_t cycles = (data.run(hardware_).total - hardware_.launch).count();
        return finish(name, data.get("t"), cycles);
    }

  private:
    /// Runs a stage and returns the `wanted` tensors.
    template <class Op>
    std::map<std::string, Values> run(const Inputs& inputs,
                                      const std::vector<std::string>& wanted) {
        const Op op(hardware_, shape_);
        OperatorData data(op);
        for (const auto& [tensor, values] : inputs) {
            data.set(tensor, *values);
        }
        const std::int64_t cycles = (data.run(hardware_).total - hardware_.launch).count();
        const auto known = std::ranges::find(stages_, op.name(), &PipelineStage::name);
        if (known == stages_.end()) {
            stages_.push_back({std::string(op.name()), cycles});
        }
        std::map<std::string, Values> tensors;
        for (const std::string& tensor : wanted) {
            tensors[tensor] = data.get(tensor);
        }
        return tensors;
    }

    /// From T to o, and what came of it.
    PipelineRow finish(const std::string& name, const Values& t, std::int64_t inverse_cycles) {
        auto wy = run<kernels::WyProducts>(
            {{"T", &t}, {"k", &in_.k}, {"v", &in_.v}, {"beta", &in_.beta}, {"G", &gates_}},
            {"u", "w"});
        const Values zero(static_cast<std::size_t>(in_.value_heads * in_.key_size * in_.value_size),
                          0.0);
        auto states = run<kernels::ChunkStates>({{"w", &wy.at("w")},
                                                 {"u", &wy.at("u")},
                                                 {"k", &in_.k},
                                                 {"G", &gates_},
                                                 {"state", &zero}},
                                                {"v_new", "states"});
        const Values o = run<kernels::ChunkOutputs>({{"q", &in_.q},
                                                     {"k", &in_.k},
                                                     {"v_new", &states.at("v_new")},
                                                     {"G", &gates_},
                                                     {"states", &states.at("states")}},
                                                    {"o"})
                             .at("o");
        PipelineRow row{name, inverse_cycles};
        row.cycles = inverse_cycles;
        for (const PipelineStage& stage : stages_) {
            row.cycles += stage.cycles;
        }
        const auto elements = static_cast<std::size_t>(shape_.chunk * shape_.chunk);
        for (std::size_t at = 0; at < t.size(); at += elements) {
            row.t_worst = worse(row.t_worst,
                                inverse::relative_error(std::span(t).subspan(at, elements),
                                                        std::span(exact_t_).subspan(at, elements)));
        }
        row.o_error = inverse::relative_error(o, exact_o_);
        row.o_worst = worst_chunk(o);
        return row;
    }

    [[nodiscard]] double worst_chunk(const Values& o) const {
        double worst = 0;
        for (const kernels::Chunk& chunk : chunks_of(shape_)) {
            for (std::int64_t h = 0; h < in_.value_heads; ++h) {
                worst = worse(worst,
                              inverse::relative_error(part(o, chunk, h), part(exact_o_, chunk, h)));
            }
        }
        return worst;
    }
    /// The rows of a head in a chunk, one after the other.
    [[nodiscard]] Values
    part(const Values& o, const kernels::Chunk& chunk, std::int64_t head) const {
        Values values;
        for (std::int64_t t = chunk.first; t < chunk.first + chunk.tokens; ++t) {
            const auto row = o.begin() + (t * in_.value_heads + head) * in_.value_size;
            values.insert(values.end(), row, row + in_.value_size);
        }
        return values;
    }

    const config::HardwareConfig& hardware_;
    const kernels::DeltaActivations& in_;
    Values exact_o_;
    DeltaShape shape_;
    std::vector<PipelineStage> stages_;
    Values gates_;
    Values a_;
    Values exact_t_;
};

std::string error_text(double value) {
    return std::isfinite(value) ? fmt::format("{:.3g}", value) : "non-finite";
}

} // namespace

Pipeline run_pipeline(const config::HardwareConfig& hardware,
                      const kernels::DeltaActivations& activations,
                      std::int64_t chunk,
                      DType dtype,
                      const std::vector<std::string>& inverses,
                      const std::function<void(const std::string&)>& progress) {
    std::vector<KernelRequest> requests;
    requests.reserve(inverses.size());
    for (const std::string& name : inverses) {
        requests.push_back(parse_request(name, {}));
    }
    progress("gate and key products");
    Chain chain(hardware, activations, chunk, dtype);
    Pipeline pipeline{hardware.name, activations.tokens, chunk, dtype, {}, {}};
    pipeline.rows.push_back(chain.exact());
    for (std::size_t i = 0; i < inverses.size(); ++i) {
        progress(inverses[i]);
        try {
            pipeline.rows.push_back(chain.with(inverses[i], requests[i]));
        } catch (const ConfigError& error) {
            if (inverses.size() == 1) {
                throw;
            }
            log::warn(fmt::format("{} left out: {}", inverses[i], error.what()));
        }
    }
    pipeline.stages = chain.stages();
    return pipeline;
}

std::string pipeline_text(const Pipeline& pipeline) {
    std::string text = fmt::format("{}: chunked delta rule on {} tokens, chunk {}, {}\n\n",
                                   pipeline.hardware,
                                   pipeline.tokens,
                                   pipeline.chunk,
                                   to_string(pipeline.dtype));
    Table stages;
    stages.row("stage", {"cycles"});
    for (const PipelineStage& stage : pipeline.stages) {
        stages.row(stage.name, {fmt::format("{}", stage.cycles)});
    }
    Table rows;
    rows.row("inverse",
             {"cycles", "all stages", "share", "T, worst error", "o, error", "o, worst chunk"});
    for (const PipelineRow& row : pipeline.rows) {
        const double share = ratio(row.inverse_cycles, row.cycles);
        rows.row(row.inverse,
                 {row.inverse_cycles == 0 ? "-" : fmt::format("{}", row.inverse_cycles),
                  row.inverse_cycles == 0 ? "-" : fmt::format("{}", row.cycles),
                  row.inverse_cycles == 0 ? "-" : percent(share),
                  error_text(row.t_worst),
                  error_text(row.o_error),
                  error_text(row.o_worst)});
    }
    return text + stages.text() + "\n" + rows.text() +
           "cycles after launch; errors are relative (Frobenius), o against the recurrence in "
           "double "
           "precision.\n\"exact\" is T rounded once: what is left then comes from the other "
           "stages.\n";
}

std::string pipeline_json(const Pipeline& pipeline) {
    json stages = json::array();
    for (const PipelineStage& stage : pipeline.stages) {
        stages.push_back({{"stage", stage.name}, {"cycles", stage.cycles}});
    }
    json rows = json::array();
    for (const PipelineRow& row : pipeline.rows) {
        rows.push_back({{"inverse", row.inverse},
                        {"inverse_cycles", row.inverse_cycles},
                        {"cycles", row.cycles},
                        {"t_worst", number(row.t_worst)},
                        {"o_error", number(row.o_error)},
                        {"o_worst_chunk", number(row.o_worst)}});
    }
    return json{{"hardware", pipeline.hardware},
                {"tokens", pipeline.tokens},
                {"chunk", pipeline.chunk},
                {"dtype", to_string(pipeline.dtype)},
                {"stages", stages},
                {"rows", rows},
                {"version", NPUSIM_VERSION}}
               .dump(2) +
           "\n";
}

} // namespace npusim::app
