// SPDX-License-Identifier: Apache-2.0
#include "sim/app/list_command.h"

#include "kernels/common/kernel.h"
#include "sim/app/arguments.h"
#include "sim/config/hardware.h"
#include "sim/config/model.h"
#include "sim/isa/instruction.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace npusim::app {

namespace {

namespace fs = std::filesystem;

void list_kernels() {
    for (const kernels::Kernel* kernel : kernels::registry()) {
        fmt::print("{:<30} {}\n", kernel->name(), kernel->summary());
        for (const kernels::Parameter& parameter : kernel->parameters()) {
            std::string words;
            for (const auto& [word, value] : parameter.words) {
                words += word + ", ";
            }
            fmt::print("    {:<8} {} ({}{}..{}; default {})\n",
                       parameter.name,
                       parameter.doc,
                       words,
                       parameter.min,
                       parameter.max,
                       kernels::parameter_text(parameter, parameter.initial));
        }
    }
}

/// Name and description of every file in a folder of configs/.
void list_files(const std::string& folder,
                const std::function<std::pair<std::string, std::string>(const fs::path&)>& read) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(NPUSIM_SOURCE_DIR "/configs/" + folder)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
        const auto [name, description] = read(file);
        fmt::print("{:<20} {}\n    {}\n", name, description, fs::relative(file).string());
    }
}

int list(const std::string& what) {
    if (what == "kernels") {
        list_kernels();
    } else if (what == "ops") {
        for (const isa::OpDoc& op : isa::op_reference()) {
            fmt::print("{:<12} {}\n", op.name, op.doc);
        }
    } else if (what == "hardware") {
        list_files("hardware", [](const fs::path& file) {
            const config::HardwareConfig hardware = config::load_hardware(file);
            return std::pair(hardware.name, hardware.description);
        });
    } else {
        list_files("models", [](const fs::path& file) {
            const config::ModelConfig model = config::load_model(file);
            return std::pair(model.name,
                             fmt::format("{} layers ({} softmax), hidden {}, {}",
                                         model.layers,
                                         model.full_layers.size(),
                                         model.hidden,
                                         model.experts
                                             ? fmt::format("{} experts", model.experts->count)
                                             : fmt::format("feed-forward {}", model.dense)));
        });
    }
    return kDone;
}

} // namespace

std::function<int()> add_list_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("list", "list kernels, hardware, models or ops");
    const auto what = std::make_shared<std::string>();
    command->add_option("what", *what, "kernels, hardware, models or ops")
        ->required()
        ->check(CLI::IsMember({"kernels", "hardware", "models", "ops"}));
    return [what] { return list(*what); };
}

} // namespace npusim::app
