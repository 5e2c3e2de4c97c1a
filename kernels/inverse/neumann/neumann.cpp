// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/neumann/neumann.h"

#include "kernels/inverse/blocks.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace npusim::inverse {

namespace {

/// Values of parameters that stand for a word.
constexpr std::int64_t kAuto = 0;
constexpr std::int64_t kMaskAsOrder = -1;
constexpr std::int64_t kNoMask = -2;
constexpr std::int64_t kLargestChunk = 128;

bool is_power_of_two(std::int64_t value) {
    return std::has_single_bit(static_cast<std::uint64_t>(value));
}

/// The series and its correction, in terms of a recipe.
class Series {
  public:
    Series(Recipe& recipe, const kernels::ParameterValues& values)
        : r_(recipe), order_(values.at("order")), steps_(values.at("steps")),
          by_product_(values.at("form") == 1) {
        const std::int64_t mask = values.at("mask");
        if (mask != kNoMask) {
            band_ = {Part::Kind::Band, mask == kMaskAsOrder ? order_ : mask};
            powers_ = values.at("early") == 1 ? band_ : Part{};
        }
    }

    Matrix inverse() { return corrected(truncated()); }

  private:
    /// T0 = mask(I + A + ... + A^N).
    Matrix truncated() {
        const bool early = powers_.kind != Part::Kind::All;
        const Matrix a = early ? r_.masked_input("A", powers_) : kInput;
        Sum series = kIdentity + a;
        if (by_product_ && order_ >= 3 && is_power_of_two(order_ + 1)) {
            // (I + A)(I + A^2)(I + A^4)...
            Matrix square = r_.step("A^2", a * a, powers_);
            series = series + square + a * square;
            for (std::int64_t terms = 4; terms <= order_; terms *= 2) {
                const Matrix so_far = r_.step("P", series, powers_);
                square = r_.step("A^2^i", square * square, powers_);
                series = so_far + so_far * square;
            }
        } else {
            Matrix power = a;
            for (std::int64_t n = 2; n < order_; ++n) {
                power = r_.step("A^n", power * a, powers_);
                series += power;
            }
            if (order_ >= 2) {
                series += power * a;
            }
        }
        return r_.step("T0", series, band_);
    }

    /// T = T0 (I + E + ... + E^(S-1)), E = I - T0 + A T0; T0 stays on the left, the two do not
    /// commute.
    Matrix corrected(Matrix t0) {
        if (steps_ == 1) {
            return r_.step("T", t0);
        }
        const Matrix e = r_.step("E", kIdentity - t0 + kInput * t0);
        if (steps_ == 2) {
            return r_.step("T", t0 + t0 * e);
        }
        if (!by_product_) {
            return r_.step("T", t0 * sum_of_powers(e));
        }
        if (is_power_of_two(steps_)) {
            return r_.step("T", t0 * product_of_squares(e));
        }
        Matrix t = t0;
        for (std::int64_t s = 2; s <= steps_; ++s) {
            t = r_.step("T", t0 + t * e);
        }
        return t;
    }

    /// (I + E)(I + E^2)(I + E^4)...
    Matrix product_of_squares(Matrix e) {
        Matrix square = r_.step("E^2", e * e);
        Matrix q = r_.step("Q", kIdentity + e + square + e * square);
        for (std::int64_t terms = 4; terms < steps_; terms *= 2) {
            square = r_.step("E^2^i", square * square);
            q = r_.step("Q", q + q * square);
        }
        return q;
    }

    /// I + E + E^2 + ..., each power from two of half its exponent: none waits for all before it.
    Matrix sum_of_powers(Matrix e) {
        std::vector<Matrix> powers{kIdentity, e};
        Sum sum = kIdentity + e;
        for (std::int64_t s = 2; s < steps_; ++s) {
            const auto half = static_cast<std::size_t>(s / 2);
            const Product power = powers[half] * powers[static_cast<std::size_t>(s) - half];
            if (s + 1 == steps_) {
                sum += power;
            } else {
                powers.push_back(r_.step("E^s", power));
                sum += powers.back();
            }
        }
        return r_.step("Q", sum);
    }

    Recipe& r_;
    std::int64_t order_;
    std::int64_t steps_;
    bool by_product_;
    Part band_;
    Part powers_; ///< what is kept of A and its powers
};

/// The largest N with C(n, N), a bound of the entries of A^N, within fp16.
std::int64_t largest_order(std::int64_t n) {
    constexpr double kLargestFp16 = 65504;
    auto binomial = static_cast<double>(n);
    std::int64_t order = 1;
    while (order < n) {
        binomial *= static_cast<double>(n - order) / static_cast<double>(order + 1);
        if (binomial > kLargestFp16) {
            break;
        }
        ++order;
    }
    return order;
}

} // namespace

std::vector<kernels::Parameter> Neumann::own_parameters() const {
    return {
        {"order", 3, 1, 16, "N, the highest power of A in T0", {{"auto", kAuto}}},
        {"steps", 8, 1, 64, "S, the number of terms of the correction", {{"auto", kAuto}}},
        {"mask",
         kMaskAsOrder,
         0,
         127,
         "sub-diagonals of T0 kept",
         {{"order", kMaskAsOrder}, {"none", kNoMask}}},
        {"early",
         0,
         0,
         1,
         "mask A and every stored power too, not T0 alone",
         {{"no", 0}, {"yes", 1}}},
        {"form", 1, 0, 1, "how the sums are formed", {{"powers", 0}, {"product", 1}}},
        {"block",
         64,
         16,
         kLargestChunk,
         "larger chunks are done as diagonal blocks of this side, then joined",
         {{"whole", kLargestChunk}}},
    };
}

kernels::ParameterValues Neumann::settle(const kernels::Problem& problem,
                                         const kernels::ParameterValues& values) const {
    kernels::ParameterValues settled = values;
    const std::int64_t n = std::min(problem.chunk, values.at("block"));
    std::int64_t& order = settled["order"];
    if (order == kAuto) {
        const bool early = values.at("early") == 1 && values.at("mask") != kNoMask;
        order = early ? (n < 64 ? 3 : 7) : std::min<std::int64_t>(largest_order(n), 4);
    }
    if (settled["steps"] == kAuto) {
        settled["steps"] = static_cast<std::int64_t>(
            std::bit_ceil(static_cast<std::uint64_t>(ceil_div(n, order + 1))));
    }
    return settled;
}

std::vector<kernels::ParameterValues> Neumann::candidates(const kernels::Problem& problem) const {
    std::vector<kernels::ParameterValues> candidates;
    kernels::ParameterValues values = kernels::resolve_parameters(*this, {});
    const std::int64_t n = std::min(problem.chunk, values.at("block"));
    for (const std::int64_t order : {2, 3, 4, 7}) {
        for (const std::int64_t steps : {4, 8, 16}) {
            const std::int64_t reach = (order + 1) * steps; // exact up to chunks of this side
            values["order"] = order;
            values["steps"] = steps;
            for (const std::int64_t early : {0, 1}) {
                values["early"] = early;
                if (reach < 2 * n) {
                    candidates.push_back(values);
                }
                // Powers that are not masked outgrow fp16 at this chunk.
                if (n < problem.chunk && reach >= problem.chunk && early == 1) {
                    candidates.push_back(values);
                    candidates.back()["block"] = kLargestChunk;
                }
            }
        }
    }
    return candidates;
}

void Neumann::state(Recipe& r, DType dtype, const kernels::ParameterValues& values) const {
    in_blocks(r, values.at("block"), dtype, [&](Recipe& recipe) {
        return Series(recipe, values).inverse();
    });
}

} // namespace npusim::inverse
