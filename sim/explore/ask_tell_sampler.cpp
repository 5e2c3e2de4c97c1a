// SPDX-License-Identifier: Apache-2.0
#include "sim/base/error.h"
#include "sim/explore/sampler.h"

#include <array>
#include <fmt/format.h>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

namespace npusim::explore {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 3> kKindNames{"scored", "failed", "infeasible"};

json axes_to_json(const Space& space) {
    json axes = json::array();
    for (const Axis& axis : space.axes()) {
        json levels = json::array();
        for (const std::vector<Value>& level : axis.levels) {
            json values = json::array();
            for (const Value& value : level) {
                values.push_back(to_json(value));
            }
            levels.push_back(values);
        }
        axes.push_back({{"keys", axis.keys}, {"levels", levels}});
    }
    return axes;
}

class AskTellSampler : public Sampler {
  public:
    AskTellSampler(const Space& space,
                   const std::vector<Objective>& objectives,
                   std::istream& in,
                   std::ostream& out)
        : space_(space), in_(in), out_(out) {
        json names = json::array();
        for (const Objective& objective : objectives) {
            names.push_back(objective.name);
        }
        send({{"axes", axes_to_json(space)}, {"objectives", names}});
    }

    std::vector<PointId> ask(std::size_t count) override {
        send({{"ask", count}});
        std::string text;
        ++line_;
        if (!std::getline(in_, text)) {
            done_ = true;
            return {};
        }
        try {
            return read_points(json::parse(text));
        } catch (const json::exception& error) {
            throw ConfigError(fmt::format("ask/tell input, line {}: {}", line_, error.what()));
        } catch (const ConfigError& error) {
            throw ConfigError(fmt::format("ask/tell input, line {}: {}", line_, error.what()));
        }
    }
    void tell(PointId point, const Told& told) override {
        json line{{"tell", settings_to_json(point)},
                  {"status", kKindNames.at(static_cast<std::size_t>(told.kind))}};
        if (told.kind == Told::Kind::Scored) {
            line["score"] = told.score;
        }
        send(line);
    }
    [[nodiscard]] bool done() const override { return done_; }

  private:
    void send(const json& line) { out_ << line.dump() << std::endl; }

    [[nodiscard]] json settings_to_json(PointId point) const {
        json object = json::object();
        for (const auto& [key, value] : space_.settings(point)) {
            object[key] = to_json(value);
        }
        return object;
    }
    std::vector<PointId> read_points(const json& answer) {
        std::vector<PointId> points;
        done_ = answer.value("done", false);
        if (done_) {
            return points;
        }
        for (const json& object : answer.at("points")) {
            Settings settings;
            for (const auto& [key, value] : object.items()) {
                settings[key] = from_json(value);
            }
            points.push_back(space_.find(settings));
        }
        return points;
    }

    const Space& space_;
    std::istream& in_;
    std::ostream& out_;
    std::size_t line_ = 0;
    bool done_ = false;
};

} // namespace

std::unique_ptr<Sampler> ask_tell_sampler(const Space& space,
                                          const std::vector<Objective>& objectives,
                                          std::istream& in,
                                          std::ostream& out) {
    return std::make_unique<AskTellSampler>(space, objectives, in, out);
}

} // namespace npusim::explore
