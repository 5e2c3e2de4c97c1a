// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place that knows which Catch2 this is: Debian 12 has version 2 (one header). Tests use
// only what versions 2 and 3 share.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
