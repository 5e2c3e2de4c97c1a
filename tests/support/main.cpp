// SPDX-License-Identifier: Apache-2.0
#define CATCH_CONFIG_RUNNER
#include "tests/support/catch.hpp"

#include <cstdlib>

int main(int argc, char** argv) {
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1); // NOLINT(concurrency-mt-unsafe)
    return Catch::Session().run(argc, argv);
}
