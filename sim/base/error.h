// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace npusim {

/// Root of everything npusim throws on purpose; `what()` is fit to show to a user as it is.
class Error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A hardware file, input file or command line that cannot be used (exit code 2).
class ConfigError : public Error {
    using Error::Error;
};

/// A kernel program that breaks a rule of the machine: capacity, alignment, path, flag range. The
/// program and the hardware file do not go together (exit code 2).
class ProgramError : public Error {
    using Error::Error;
};

/// The model cannot go on: deadlock (exit code 1).
class ModelError : public Error {
    using Error::Error;
};

} // namespace npusim
