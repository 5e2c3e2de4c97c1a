// SPDX-License-Identifier: Apache-2.0
#include "sim/app/arguments.h"
#include "sim/app/layer_command.h"
#include "sim/app/list_command.h"
#include "sim/app/log.h"
#include "sim/app/run_command.h"
#include "sim/app/study_command.h"
#include "sim/app/sweep/sweep_command.h"
#include "sim/app/trace_command.h"
#include "sim/app/validate/validate_command.h"
#include "sim/app/view_command.h"
#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace npusim::app {

namespace {

/// The first word CLI11 could make nothing of, or "".
std::string leftover(const CLI::App& app) {
    const std::vector<std::string> words = app.remaining(true);
    const auto option = std::find_if(
        words.begin(), words.end(), [](const std::string& word) { return word.starts_with('-'); });
    return option != words.end() ? *option : words.empty() ? "" : words.front();
}

/// The command chosen, or the command of that command, as far as the line says.
const CLI::App& innermost(const CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? app : innermost(*parsed.front());
}

/// "npusim plot timeline"
std::string full_name(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    return (parent == nullptr ? "" : full_name(*parent) + " ") + command.get_name();
}

/// What is wrong with the command line and what it may be.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App& command = innermost(app);
    const bool chooses = !command.get_subcommands(nullptr).empty();
    std::string text = error.what();
    if (const std::string word = leftover(app); !word.empty()) {
        std::vector<std::string> names;
        for (const CLI::Option* option : command.get_options()) {
            names.push_back(option->get_name(false, true));
        }
        for (const CLI::App* other : command.get_subcommands(nullptr)) {
            names.push_back(other->get_name());
        }
        const char* kind = word.starts_with('-') ? "option" : chooses ? "command" : "argument";
        text = fmt::format("unknown {} '{}'{}", kind, word, did_you_mean(word, names));
    } else if (error.get_name() == "ConversionError") {
        text = text.substr(text.find(": ") + 2) + ": not a whole number";
    }
    return fmt::format("{}\nsee: {} --help", text, full_name(command));
}

struct Command {
    std::string name;
    /// Adds it to the program; what that gives runs it and returns the exit code.
    std::function<std::function<int()>(CLI::App& program)> add;
};

constexpr std::string_view kVersionLine = "npusim " NPUSIM_VERSION "\n";

int dispatch(int argc, char** argv) {
    CLI::App app{"npusim: a cycle-approximate NPU core that runs real kernels on real data",
                 "npusim"};
    app.set_version_flag("--version", std::string(kVersionLine, 0, kVersionLine.size() - 1));
    app.require_subcommand(1);
    app.footer(
        "Examples:\n"
        "  npusim compare -c configs/hardware/ascend-910b.yaml -k inverse/forward-substitution "
        "-k inverse/neumann --chunk 64 --dtype fp16\n"
        "  npusim run -c configs/hardware/fused-local.yaml -k inverse/neumann:order=4,early=yes "
        "--input correlated:0.9 --trace run.json\n"
        "  npusim run -c configs/hardware/ascend-910b.yaml -k inverse/neumann "
        "--set sync.cross_core_cycles=100 --format json\n"
        "  npusim compare -c configs/hardware/ascend-910b.yaml -k inverse/forward-substitution "
        "-k inverse/neumann --input suite\n"
        "  npusim study ablation\n"
        "  npusim select -c configs/hardware/ascend-910b.yaml --chunk 64 --dtype fp16 "
        "--max-error 1e-2\n"
        "  npusim list kernels\n\n"
        "Exit code: 0 done, 1 the run failed (deadlock, --check, nothing to select), 2 bad input.");
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::string command_line = "npusim " + join(words, " ");
    const auto with_line = [&](auto add) {
        return [&, add](CLI::App& program) { return add(program, command_line); };
    };
    const std::vector<Command> commands{
        {"run", with_line(add_run_command)},
        {"compare", with_line(add_compare_command)},
        {"select", with_line(add_select_command)},
        {"list", add_list_command},
        {"study", add_study_command},
        {"speed", add_speed_command},
        {"trace", add_trace_command},
        {"sweep", with_line(add_sweep_command)},
        {"layer", add_layer_command},
        {"shares", add_shares_command},
        {"pipeline", add_pipeline_command},
        {"validate", add_validate_command},
        {"calibrate", add_calibrate_command},
        {"timeline", add_timeline_command},
        {"plot", add_plot_command},
    };
    // The options of all of them take longer to set up than a small run takes.
    const std::string first = words.empty() ? "" : words.front();
    const bool named = std::ranges::find(commands, first, &Command::name) != commands.end();
    std::map<std::string, std::function<int()>> added;
    for (const Command& command : commands) {
        if (!named || command.name == first) {
            added[command.name] = command.add(app);
        }
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) { // --help, --version
            return app.exit(error);
        }
        throw ConfigError(explain(app, error));
    }
    return added.at(app.get_subcommands().front()->get_name())();
}

#ifndef __SANITIZE_ADDRESS__ // which has not started then

/// `npusim --version` alone, before the libraries start: SystemC takes longer to than all the rest.
void answer_version(int argc, char** argv, char** /*environment*/) {
    if (argc == 2 && std::string_view(argv[1]) == "--version") {
        const ssize_t written = write(STDOUT_FILENO, kVersionLine.data(), kVersionLine.size());
        _exit(written == std::ssize(kVersionLine) ? kDone : kFailed);
    }
}
using Start = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] const Start before_libraries = answer_version;

#endif

} // namespace

} // namespace npusim::app

int main(int argc, char** argv) {
    // Before anything touches SystemC, which greets on stderr.
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1); // NOLINT(concurrency-mt-unsafe)
    npusim::app::log::start();
    try {
        return npusim::app::dispatch(argc, argv);
    } catch (const npusim::ConfigError& error) {
        npusim::app::log::error(error.what());
        return npusim::app::kUsage;
    } catch (const npusim::ProgramError& error) {
        npusim::app::log::error(error.what());
        return npusim::app::kUsage;
    } catch (const std::exception& error) {
        npusim::app::log::error(error.what());
        return npusim::app::kFailed;
    }
}
