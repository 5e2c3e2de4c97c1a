// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/accuracy.h"
#include "kernels/inverse/input.h"
#include "kernels/inverse/npy.h"
#include "kernels/inverse/reference.h"
#include "sim/base/error.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>

using namespace npusim;
using namespace npusim::inverse;

namespace {

const std::string kTrained = NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4";

/// Worst relative error of the double-precision series: truncation alone.
double truncation(const Matrices& matrices,
                  std::int64_t order,
                  std::int64_t steps,
                  std::int64_t mask,
                  bool early = false) {
    std::vector<double> all;
    const auto elements = static_cast<std::size_t>(matrices.size * matrices.size);
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        const auto a =
            std::span(matrices.values).subspan(static_cast<std::size_t>(m) * elements, elements);
        const auto t = neumann(a, matrices.size, order, steps, mask, early);
        all.insert(all.end(), t.begin(), t.end());
    }
    return measure(matrices, all).rel_frobenius_max;
}

double
truncation(const std::string& input, std::int64_t order, std::int64_t steps, std::int64_t mask) {
    return truncation(load_input(input, 64, 0, 1), order, steps, mask);
}

std::string npy(const std::string& header, const std::string& data) {
    std::string padded = header + "\n";
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(padded.size() & 0xFFU);
    bytes += static_cast<char>(padded.size() >> 8U);
    return bytes + padded + data;
}

std::string header(const std::string& descr, const std::string& shape) {
    return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr, shape);
}

std::string error_of(const test::Scratch& scratch, const std::string& bytes) {
    const auto path = scratch.write("bad.npy", bytes);
    try {
        read_npy(path);
    } catch (const ConfigError& error) {
        const std::string text = error.what();
        CHECK(text.starts_with(path.string() + ": "));
        CHECK(text.find("(allowed: ") != std::string::npos);
        return text;
    }
    return "no error";
}

std::string input_error(const std::string& spec, std::int64_t count = 0) {
    try {
        load_input(spec, 64, count, 1);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

std::string floats(std::initializer_list<float> values) {
    std::string bytes;
    for (const float value : values) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    return bytes;
}

} // namespace

TEST_CASE("forward substitution times (I - A) is the identity") {
    const Matrices matrices = load_input("correlated:0.5", 32, 8, 7);
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        const double* a = matrices.values.data() + m * 1024;
        const auto t = forward_substitution({a, 1024}, 32);
        for (std::int64_t i = 0; i < 32; ++i) {
            for (std::int64_t j = 0; j < 32; ++j) {
                double sum = t[static_cast<std::size_t>(i * 32 + j)];
                for (std::int64_t k = 0; k < i; ++k) {
                    sum -= a[i * 32 + k] * t[static_cast<std::size_t>(k * 32 + j)];
                }
                CHECK(std::abs(sum - (i == j ? 1 : 0)) < 1e-13);
            }
        }
    }
}

TEST_CASE("truncation on the trained layer is the cross-check's") {
    const Matrices trained = load_input(kTrained, 64, 0, 0);
    REQUIRE(trained.count == 8 * 16);
    CHECK(truncation(trained, 3, 8, -1) == Approx(2.2e-8).epsilon(0.05));
    CHECK(truncation(trained, 3, 8, 3) == Approx(1.65e-2).epsilon(0.02));
    CHECK(truncation(trained, 4, 8, 4) == Approx(7.4e-4).epsilon(0.02));
    CHECK(truncation(trained, 7, 8, 7, true) < 1e-13);
    CHECK(truncation(load_input(kTrained, 32, 0, 0), 3, 8, 3) < 1e-13);
    CHECK(truncation(load_input(kTrained, 128, 0, 0), 3, 8, 3) == Approx(22).epsilon(0.05));
}

TEST_CASE("truncation on made-up input has the shape of the published check") {
    // Worst of 64 draws; the draws are not those of the published table, so orders of magnitude.
    CHECK(truncation("random", 3, 8, 3) < 1e-6);
    CHECK(truncation("correlated:0.5", 3, 8, 3) > 1e-3);
    CHECK(truncation("correlated:0.5", 3, 8, 3) < 1e-1);
    CHECK(truncation("correlated:0.5", 4, 8, 4) < 1e-3);
    CHECK(truncation("correlated:0.5", 3, 8, -1) > 1);
    CHECK(truncation("correlated:0.9", 3, 8, 3) < 1e-9);
    CHECK(truncation("correlated:0.9", 3, 8, -1) > 1e12);
    CHECK(truncation("periodic:4", 3, 8, 3) > 1e2);
    CHECK(truncation("periodic:4", 4, 8, 4) < 1e-2);
    CHECK(truncation("periodic:5", 4, 8, 4) > 10);
    CHECK(truncation("periodic:4", 3, 16, 3) < 1e-10);
    CHECK(truncation("ones", 3, 8, 3) == 0);
}

TEST_CASE("a mask wider than the highest power keeps what is wrong") {
    CHECK(truncation("correlated:0.9", 3, 8, 4) > 1e2);
    CHECK(truncation("correlated:0.9", 3, 8, 2) < 1e-3);
}

TEST_CASE("all-ones is exactly minus one below the diagonal") {
    const Matrices ones = load_input("ones", 16, 1, 0);
    for (std::int64_t i = 0; i < 16; ++i) {
        for (std::int64_t j = 0; j < 16; ++j) {
            CHECK(ones.values[static_cast<std::size_t>(i * 16 + j)] == (i > j ? -1 : 0));
        }
    }
}

TEST_CASE("correlated keys have the mean cosine asked for") {
    // beta is in 0.9..1 and decay nearly none, so the mean entry is about -0.95 * 0.9.
    const Matrices matrices = load_input("correlated:0.9", 64, 16, 5);
    double sum = 0;
    std::int64_t entries = 0;
    for (std::int64_t m = 0; m < 16; ++m) {
        for (std::int64_t i = 0; i < 64; ++i) {
            for (std::int64_t j = 0; j < i; ++j, ++entries) {
                sum += matrices.values[static_cast<std::size_t>((m * 64 + i) * 64 + j)];
            }
        }
    }
    CHECK(sum / static_cast<double>(entries) == Approx(-0.95 * 0.9).epsilon(0.05));
}

TEST_CASE("made-up input depends on the seed and the index, not on the count") {
    for (const std::string spec : {"random", "correlated:0.5", "periodic:3"}) {
        const Matrices few = load_input(spec, 16, 3, 9);
        const Matrices many = load_input(spec, 16, 9, 9);
        CHECK(std::equal(few.values.begin(), few.values.end(), many.values.begin()));
        CHECK(load_input(spec, 16, 3, 10).values != few.values);
        CHECK_FALSE(
            std::equal(few.values.begin(), few.values.begin() + 256, few.values.begin() + 256));
    }
}

TEST_CASE("a token count that is no multiple of the chunk ends in tokens that do nothing") {
    const test::Scratch scratch;
    std::string keys;
    for (int token = 0; token < 20; ++token) {
        keys += floats({1, 0});
    }
    std::string beta;
    std::string g;
    for (int token = 0; token < 20; ++token) {
        beta += floats({0.5F});
        g += floats({0});
    }
    scratch.write("k.npy", npy(header("<f4", "(1, 20, 2)"), keys));
    scratch.write("beta.npy", npy(header("<f4", "(1, 20)"), beta));
    scratch.write("g.npy", npy(header("<f4", "(1, 20)"), g));
    const Matrices matrices = load_input(scratch.path().string(), 16, 0, 0);
    REQUIRE(matrices.count == 2);
    for (std::int64_t i = 0; i < 16; ++i) {
        for (std::int64_t j = 0; j < 16; ++j) {
            const double whole = i > j ? -0.5 : 0;
            CHECK(matrices.values[static_cast<std::size_t>(i * 16 + j)] == whole);
            CHECK(matrices.values[static_cast<std::size_t>(256 + i * 16 + j)] ==
                  (i < 4 ? whole : 0));
        }
    }
}

TEST_CASE("decay and value heads enter A as the formula says") {
    const test::Scratch scratch;
    scratch.write("k.npy", npy(header("<f4", "(1, 3, 2)"), floats({1, 0, 0.6F, 0.8F, 0, 1})));
    scratch.write("beta.npy", npy(header("<f4", "(2, 3)"), floats({1, 0.5F, 0.25F, 1, 1, 1})));
    scratch.write("g.npy", npy(header("<f4", "(2, 3)"), floats({-9, -1, -2, 0, 0, 0})));
    const Matrices matrices = load_input(scratch.path().string(), 16, 0, 0);
    REQUIRE(matrices.count == 2);
    CHECK(matrices.values[16] == Approx(-0.5 * 0.6 * std::exp(-1.0)));
    CHECK(matrices.values[32] == Approx(0));
    CHECK(matrices.values[33] == Approx(-0.25 * 0.8 * std::exp(-2.0)));
    CHECK(matrices.values[256 + 33] == Approx(-0.8)); // value head 1 has key head 0
}

TEST_CASE("accuracy counts non-finite matrices and leaves them out") {
    const Matrices matrices = load_input("random", 16, 3, 1);
    std::vector<double> t;
    for (std::size_t m = 0; m < 3; ++m) {
        const auto exact =
            forward_substitution(std::span(matrices.values).subspan(m * 256, 256), 16);
        t.insert(t.end(), exact.begin(), exact.end());
    }
    CHECK(measure(matrices, t).rel_frobenius_max == 0);
    CHECK(measure(matrices, t).snr_db_worst == kExactSnrDb);

    double norm = 0;
    for (std::size_t i = 256; i < 512; ++i) {
        norm += t[i] * t[i];
    }
    t[300] += 0.01 * std::sqrt(norm);
    t[5] = std::numeric_limits<double>::infinity();
    t[600] = std::numeric_limits<double>::quiet_NaN();
    const Accuracy accuracy = measure(matrices, t);
    CHECK(accuracy.non_finite == 2);
    CHECK(accuracy.rel_frobenius_max == Approx(0.01));
    CHECK(accuracy.snr_db_worst == Approx(40));
    CHECK(accuracy.snr_db_mean == Approx(40));

    t[300] = std::numeric_limits<double>::infinity();
    CHECK(measure(matrices, t).non_finite == 3);
    CHECK(std::isnan(measure(matrices, t).rel_frobenius_max));
}

TEST_CASE("every element type and both format versions are read") {
    const test::Scratch scratch;
    const auto f4 =
        read_npy(scratch.write("a.npy", npy(header("<f4", "(2, 1)"), floats({1.5F, -2}))));
    CHECK(f4.shape == std::vector<std::int64_t>{2, 1});
    CHECK(f4.values == std::vector<double>{1.5, -2});
    const std::string half("\x00\x3E\x00\xC0", 4);
    CHECK(read_npy(scratch.write("a.npy", npy(header("<f2", "(2,)"), half))).values == f4.values);
    std::string doubles(16, '\0');
    std::memcpy(doubles.data(), f4.values.data(), 16);
    CHECK(read_npy(scratch.write("a.npy", npy(header("<f8", "(2,)"), doubles))).values ==
          f4.values);
    std::string second = npy(header("<f8", "(2,)"), doubles);
    second[6] = 2;
    second.insert(10, 2, '\0');
    CHECK(read_npy(scratch.write("a.npy", second)).values == f4.values);
}

TEST_CASE("a damaged or unsupported .npy file is one clear error") {
    const test::Scratch scratch;
    const std::string data = floats({1, 2});
    const auto says = [&](const std::string& bytes, const std::string& what) {
        CAPTURE(what);
        CHECK_THAT(error_of(scratch, bytes), Catch::Contains(what));
    };
    says("", "does not start as a NumPy array");
    says("PK\x03\x04 something else", "does not start as a NumPy array");
    says(std::string("\x93NUMPY\x03\x00", 8) + "....", "format version 3.0");
    says(npy(header("<f4", "(2,)"), data).substr(0, 9), "ends inside its header");
    says(npy(header("<f4", "(2,)"), data).substr(0, 30), "ends inside its header");
    says(npy(header("<f4", "(2,)"), data.substr(0, 7)),
         "has 7 bytes of data, which is not 2 elements of 4 bytes");
    says(npy(header("<f4", "(2,)"), data + "x"), "has 9 bytes");
    says(npy(header("<f4", "(3,)"), data), "which is not 3 elements");
    says(npy(header("<f4", "(0,)"), ""), "which is not 0 elements");
    says(npy(header("<i4", "(2,)"), data), "elements are '<i4' (allowed: '<f2', '<f4', '<f8')");
    says(npy(header(">f4", "(2,)"), data), "elements are '>f4'");
    says(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", data),
         "is in Fortran order");
    says(npy("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }", data),
         "neither True nor False");
    says(npy("{'descr': '<f4', 'shape': (2,), }", data), "keys are [descr, shape]");
    says(npy("{'descr': '<f4', 'color': 'red', }", data), "unknown key 'color'");
    says(npy("{'descr': '<f4", data), "a string is not closed");
    says(npy("import os", data), "no '{' at byte 0");
    says(npy(header("<f4", "(-2,)"), data), "shape is no tuple of a few numbers");
    says(npy(header("<f4", "(99999999999999999999,)"), data), "a dimension is absurdly large");
    says(npy(header("<f4", "(1099511627776, 1099511627776, 1099511627776)"), data),
         "is not 1099511627776 x");
    says(npy(header("<f4", "(2,)") + " 7", data), "text after the closing brace");
}

TEST_CASE("an input that cannot be used is named with what is allowed") {
    using Catch::Contains;
    CHECK_THAT(input_error("randon"),
               Contains("--input randon: no such folder or kind (did you mean 'random'?)"));
    CHECK_THAT(input_error("correlated"), Contains("correlated:COS with COS in 0..1"));
    CHECK_THAT(input_error("correlated:1.5"), Contains("COS in 0..1"));
    CHECK_THAT(input_error("correlated:nan"), Contains("COS in 0..1"));
    CHECK_THAT(input_error("periodic:0"), Contains("P a whole number in 1..128"));
    CHECK_THAT(input_error("periodic:2.5"), Contains("P a whole number in 1..128"));
    CHECK_THAT(input_error("random:3"), Contains("(allowed: random)"));
    CHECK_THAT(input_error(kTrained, 129), Contains("--count 129"));
    CHECK_THAT(input_error(kTrained, 129), Contains("(allowed: 0..128)"));
}

TEST_CASE("a folder whose arrays do not fit together is refused") {
    using Catch::Contains;
    const test::Scratch scratch;
    const std::string folder = scratch.path().string();
    CHECK_THAT(input_error(folder), Contains("k.npy: no such file"));
    scratch.write("k.npy", npy(header("<f4", "(2, 2)"), floats({1, 0, 0, 1})));
    CHECK_THAT(input_error(folder), Contains("k.npy: shape [2, 2] (allowed: [key heads, T, D])"));
    scratch.write("k.npy", npy(header("<f4", "(1, 2, 2)"), floats({1, 0, 0, 1})));
    scratch.write("beta.npy", npy(header("<f4", "(1, 3)"), floats({1, 1, 1})));
    scratch.write("g.npy", npy(header("<f4", "(1, 2)"), floats({0, 0})));
    CHECK_THAT(input_error(folder), Contains("beta.npy: shape [1, 3] (allowed: [1, 2]"));
    scratch.write("beta.npy", npy(header("<f4", "(1, 2)"), floats({1, 3})));
    CHECK_THAT(input_error(folder), Contains("beta.npy: element 1 is 3 (allowed: 0..2)"));
    scratch.write("beta.npy", npy(header("<f4", "(1, 2)"), floats({1, 1})));
    scratch.write("g.npy", npy(header("<f4", "(1, 2)"), floats({0, 0.5F})));
    CHECK_THAT(input_error(folder), Contains("g.npy: element 1 is 0.5"));
    scratch.write("g.npy", npy(header("<f4", "(1, 2)"), floats({0, 0})));
    CHECK(input_error(folder) == "no error");
    scratch.write("k.npy", npy(header("<f4", "(2, 2, 1)"), floats({1, 0, 0, 1})));
    CHECK_THAT(input_error(folder),
               Contains("1 value heads (allowed: a multiple of the 2 key heads"));
}
