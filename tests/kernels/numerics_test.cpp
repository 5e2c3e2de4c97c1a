// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/accuracy.h"
#include "kernels/inverse/input.h"
#include "kernels/inverse/npy.h"
#include "kernels/inverse/reference.h"
#include "sim/base/error.h"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <iterator>
#include <limits>

using namespace npusim;
using namespace npusim::inverse;

namespace {

const std::string kTrained = NPUSIM_SOURCE_DIR "/kernels/data/gdn_trained_layer4";

/// Matrix m of a batch.
std::span<const double> matrix(const Matrices& batch, std::int64_t m) {
    const auto elements = static_cast<std::size_t>(batch.size * batch.size);
    return std::span(batch.values).subspan(static_cast<std::size_t>(m) * elements, elements);
}

/// The exact inverses of a batch.
std::vector<double> exact_inverses(const Matrices& batch) {
    std::vector<double> all;
    for (std::int64_t m = 0; m < batch.count; ++m) {
        const auto t = forward_substitution(matrix(batch, m), batch.size);
        all.insert(all.end(), t.begin(), t.end());
    }
    return all;
}

/// Worst relative error of the double-precision series: truncation alone.
double truncation(const Matrices& matrices,
                  std::int64_t order,
                  std::int64_t steps,
                  std::int64_t mask,
                  bool early = false) {
    std::vector<double> all;
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        const auto t = neumann(matrix(matrices, m), matrices.size, order, steps, mask, early);
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

std::string doubles(std::span<const double> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
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

TEST_CASE("one repeated key is exactly minus beta below the diagonal") {
    const Matrices repeated = load_input("repeated:0.9", 16, 2, 3);
    for (std::int64_t i = 0; i < 2 * 16; ++i) {
        for (std::int64_t j = 0; j < 16; ++j) {
            CHECK(repeated.values[static_cast<std::size_t>(i * 16 + j)] == (i % 16 > j ? -0.9 : 0));
        }
    }
    CHECK(load_input("repeated:1", 16, 2, 3).values == load_input("ones", 16, 2, 3).values);
}

TEST_CASE("few distinct keys are that many, each as often as the others, in random order") {
    constexpr std::int64_t kSize = 64;
    constexpr std::size_t kKeys = 8;
    const Matrices matrices = load_input("distinct:8", kSize, 4, 5);
    for (std::int64_t m = 0; m < matrices.count; ++m) {
        const auto a = matrix(matrices, m);
        // With beta 0.95 or more, two tokens of one key show as an entry far below any other.
        const auto same = [&](std::int64_t i, std::int64_t j) {
            return a[static_cast<std::size_t>(i * kSize + j)] < -0.9;
        };
        std::vector<std::vector<std::int64_t>> tokens; // of each key
        bool in_turn = true;
        for (std::int64_t i = 0; i < kSize; ++i) {
            const auto key = std::find_if(
                tokens.begin(), tokens.end(), [&](const auto& seen) { return same(i, seen[0]); });
            if (key == tokens.end()) {
                tokens.push_back({i});
            } else {
                in_turn = in_turn && i - key->back() == std::int64_t{kKeys};
                key->push_back(i);
            }
        }
        CHECK(tokens.size() == kKeys);
        CHECK_FALSE(in_turn);
        for (const auto& seen : tokens) {
            CHECK(seen.size() == kSize / kKeys);
            for (std::int64_t i = seen.back() + 1; i < kSize; ++i) { // equal columns
                for (const std::int64_t j : seen) {
                    CHECK(a[static_cast<std::size_t>(i * kSize + j)] ==
                          a[static_cast<std::size_t>(i * kSize + seen[0])]);
                }
            }
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
    for (const std::string spec : {"random", "correlated:0.5", "periodic:3", "distinct:5"}) {
        const Matrices few = load_input(spec, 16, 3, 9);
        const Matrices many = load_input(spec, 16, 9, 9);
        CHECK(std::equal(few.values.begin(), few.values.end(), many.values.begin()));
        CHECK(load_input(spec, 16, 3, 10).values != few.values);
        CHECK_FALSE(
            std::equal(few.values.begin(), few.values.begin() + 256, few.values.begin() + 256));
    }
}

TEST_CASE("the suite is one batch of named cases, each with the bits it has alone") {
    const Matrices suite = load_input("suite", 16, 3, 9, kTrained);
    std::vector<std::string> names{"trained", "random", "correlated:0.5", "correlated:0.9"};
    for (int period = 2; period <= 16; ++period) {
        names.push_back(fmt::format("periodic:{}", period));
    }
    names.insert(names.end(), {"ones", "repeated:0.9", "distinct:4", "distinct:8"});
    REQUIRE(suite.cases.size() == names.size());
    auto at = suite.values.begin();
    for (std::size_t c = 0; c < names.size(); ++c) {
        CAPTURE(names[c]);
        CHECK(suite.cases[c].name == names[c]);
        REQUIRE(suite.cases[c].count == 3);
        const Matrices alone = load_input(names[c], 16, 3, 9, kTrained);
        CHECK(std::equal(alone.values.begin(), alone.values.end(), at));
        at += std::ssize(alone.values);
    }
    CHECK(at == suite.values.end());
    CHECK(suite.count == 3 * std::ssize(names));
}

TEST_CASE("the number of matrices of a case: as asked, else 16 in the suite, else all") {
    const Matrices list = load_input("random,trained", 128, 0, 1, kTrained);
    REQUIRE(list.cases.size() == 2);
    CHECK(list.cases[0].count == 64);
    CHECK(list.cases[1].count == 8 * 8);
    CHECK(list.count == 128);
    CHECK(load_input("random", 16, 0, 1).cases.size() == 1);
    for (const InputCase& part : load_input("suite", 128, 0, 1, kTrained).cases) {
        CHECK(part.count == (part.name == "trained" ? 8 * 8 : 16));
    }
    CHECK(list_cases("ones,suite", 0).front().count == 0);
    CHECK(list_cases("ones,suite", 5).back().count == 5);
}

TEST_CASE("matrices of one's own are read as they are, from a file or from a folder") {
    const test::Scratch scratch;
    const Matrices drawn = load_input("random", 16, 3, 4);
    const std::string bytes = npy(header("<f8", "(3, 16, 16)"), doubles(drawn.values));
    const std::string file = scratch.write("a.npy", bytes).string();
    CHECK(load_input(file, 16, 0, 1).values == drawn.values);
    CHECK(load_input(scratch.path().string(), 16, 0, 1).values == drawn.values);
    CHECK(load_input(file, 16, 2, 1).values == load_input("random", 16, 2, 4).values);
    const Matrices list = load_input("ones," + file, 16, 0, 1);
    CHECK(list.cases.back().name == file);
    CHECK(list.count == 64 + 3);
    const std::string comma = scratch.write("a,b.npy", bytes).string();
    CHECK(load_input(comma, 16, 0, 1).count == 3);
}

TEST_CASE("a kind is what its name says, whatever lies in the folder one stands in") {
    const test::Scratch scratch;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(scratch.path());
    std::filesystem::create_directory("random");
    CHECK(load_input("random", 16, 2, 1).count == 2);
    CHECK_THAT(input_error("./random"), Catch::Contains("./random/k.npy: no such file"));
    std::filesystem::current_path(before);
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
    std::vector<double> t = exact_inverses(matrices);
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

TEST_CASE("accuracy is measured per case against one reference for all results") {
    const Matrices matrices = load_input("random,ones,periodic:4", 16, 3, 1);
    const std::vector<double> exact = exact_inverses(matrices);
    const ReferenceSet reference(matrices);
    // Matrix m is off by a factor of 1 + 0.01 m; the second case is lost, and one of the third.
    std::vector<double> t = exact;
    for (std::size_t i = 0; i < t.size(); ++i) {
        t[i] *= 1 + 0.01 * static_cast<double>(i / 256);
    }
    const auto intact = reference.measure_cases(t);
    CHECK(intact[2].accuracy.rel_frobenius_median == Approx(0.07));
    for (const std::size_t lost : {3U, 4U, 5U, 8U}) {
        t[lost * 256] = std::numeric_limits<double>::infinity();
    }
    const auto cases = reference.measure_cases(t);
    REQUIRE(cases.size() == 3);
    CHECK(cases[0].name == "random");
    CHECK(cases[0].accuracy.matrices == 3);
    CHECK(cases[0].accuracy.rel_frobenius_median == Approx(0.01));
    CHECK(cases[0].accuracy.rel_frobenius_max == Approx(0.02));
    CHECK(cases[1].name == "ones");
    CHECK(cases[1].accuracy.non_finite == 3);
    CHECK(std::isnan(cases[1].accuracy.rel_frobenius_median));
    CHECK(cases[2].name == "periodic:4");
    CHECK(cases[2].accuracy.non_finite == 1);
    CHECK(cases[2].accuracy.rel_frobenius_median == Approx(0.065)); // of two: their mean
    const Accuracy total = reference.measure(t);
    CHECK(total.matrices == 9);
    CHECK(total.non_finite == 4);
    CHECK(total.rel_frobenius_median == Approx(0.02));
    CHECK(total.rel_frobenius_max == Approx(0.07));
    CHECK(measure(matrices, t).rel_frobenius_max == total.rel_frobenius_max);
    CHECK(reference.measure(exact).rel_frobenius_max == 0);
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
               Contains("--input randon: no such folder, file or kind (did you mean 'random'?)"));
    CHECK_THAT(input_error("correlated"), Contains("correlated:COS with COS in 0..1"));
    CHECK_THAT(input_error("correlated:1.5"), Contains("COS in 0..1"));
    CHECK_THAT(input_error("correlated:nan"), Contains("COS in 0..1"));
    CHECK_THAT(input_error("periodic:0"), Contains("P a whole number in 1..128"));
    CHECK_THAT(input_error("periodic:2.5"), Contains("P a whole number in 1..128"));
    CHECK_THAT(input_error("random:3"), Contains("(allowed: random)"));
    CHECK_THAT(input_error("repeated:2.5"), Contains("repeated:BETA with BETA in 0..2"));
    CHECK_THAT(input_error("distinct:0"), Contains("distinct:K with K a whole number in 1..128"));
    CHECK_THAT(input_error("ones,periodc:4"),
               Contains("--input periodc:4: no such folder, file or kind") &&
                   Contains("did you mean 'periodic'?") && Contains("distinct:K, ") &&
                   Contains("suite"));
    CHECK_THAT(input_error("random,"), Contains("--input : no such folder, file or kind"));
    CHECK_THAT(input_error("none.npy"), Contains("none.npy: no such file"));
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

TEST_CASE("matrices that are not strictly lower, finite or of the chunk's size are refused") {
    using Catch::Contains;
    const test::Scratch scratch;
    const auto error = [&](std::int64_t i, std::int64_t j, double value) {
        Matrices drawn = load_input("random", 64, 2, 1);
        drawn.values[static_cast<std::size_t>((64 + i) * 64 + j)] = value;
        const auto file =
            scratch.write("a.npy", npy(header("<f8", "(2, 64, 64)"), doubles(drawn.values)));
        return input_error(file.string());
    };
    const std::string file = (scratch.path() / "a.npy").string();
    CHECK(error(5, 4, 3) == "no error");
    CHECK(error(5, 5, 1) == file + ": element [1, 5, 5] is 1 (allowed: A is strictly lower: 0 on "
                                   "and above the diagonal)");
    CHECK_THAT(error(0, 63, std::nan("")), Contains("element [1, 0, 63] is nan"));
    CHECK_THAT(error(63, 0, std::nan("")), Contains("element [1, 63, 0] is nan (allowed: finite"));
    CHECK_THAT(error(1, 0, -1e39),
               Contains("element [1, 1, 0] is -1e+39 (allowed: finite in fp32"));
    CHECK(error(1, 0, 0) == "no error");
    CHECK_THAT(input_error(file, 3), Contains("--count 3: " + file + " holds 2 matrices of 64"));
    scratch.write("a.npy", npy(header("<f4", "(1, 2, 2)"), floats({0, 0, 1, 0})));
    CHECK_THAT(input_error(file),
               Contains("a.npy: shape [1, 2, 2] (allowed: [count, 64, 64] with --chunk 64)"));
    scratch.write("a.npy", npy(header("<f4", "(2, 2)"), floats({0, 0, 1, 0})));
    CHECK_THAT(input_error(file), Contains("a.npy: shape [2, 2] (allowed: [count, 64, 64]"));
    scratch.write("g.npy", npy(header("<f4", "(1, 2)"), floats({0, 0})));
    CHECK_THAT(input_error(scratch.path().string()),
               Contains("a.npy beside g.npy (allowed: a.npy alone, or k.npy, beta.npy and g.npy)"));
}
