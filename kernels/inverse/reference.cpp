// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/reference.h"

namespace npusim::inverse {

namespace {

using Square = std::vector<double>;

std::size_t at(std::int64_t n, std::int64_t row, std::int64_t column) {
    return static_cast<std::size_t>(row * n + column);
}

Square identity(std::int64_t n) {
    Square unit(at(n, n, 0), 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
        unit[at(n, i, i)] = 1;
    }
    return unit;
}

/// x y, both lower triangular.
Square product(const Square& x, const Square& y, std::int64_t n) {
    Square z(x.size(), 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t k = 0; k <= i; ++k) {
            for (std::int64_t j = 0; j <= k; ++j) {
                z[at(n, i, j)] += x[at(n, i, k)] * y[at(n, k, j)];
            }
        }
    }
    return z;
}

void add(Square& to, const Square& what) {
    for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] += what[i];
    }
}

void keep_band(Square& x, std::int64_t n, std::int64_t width) {
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
            if (j > i || i - j > width) {
                x[at(n, i, j)] = 0;
            }
        }
    }
}

} // namespace

std::vector<double> forward_substitution(std::span<const double> a, std::int64_t n) {
    Square t = identity(n);
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < i; ++j) {
            const double factor = a[at(n, i, j)];
            for (std::int64_t c = 0; c <= j; ++c) {
                t[at(n, i, c)] += factor * t[at(n, j, c)];
            }
        }
    }
    return t;
}

std::vector<double> neumann(std::span<const double> a,
                            std::int64_t n,
                            std::int64_t order,
                            std::int64_t steps,
                            std::int64_t mask,
                            bool early) {
    const std::int64_t width = mask < 0 ? n : mask;
    const Square whole(a.begin(), a.end());
    Square factor = whole;
    if (early) {
        keep_band(factor, n, width);
    }
    Square t0 = identity(n);
    Square power = factor;
    add(t0, power);
    for (std::int64_t exponent = 2; exponent <= order; ++exponent) {
        power = product(power, factor, n);
        if (early) {
            keep_band(power, n, width);
        }
        add(t0, power);
    }
    keep_band(t0, n, width);

    Square e = product(whole, t0, n);
    for (std::size_t i = 0; i < e.size(); ++i) {
        e[i] -= t0[i];
    }
    add(e, identity(n));

    Square correction = identity(n);
    for (std::int64_t s = 1; s < steps; ++s) {
        correction = product(correction, e, n); // Horner: I + E (I + E (...))
        add(correction, identity(n));
    }
    return product(t0, correction, n);
}

} // namespace npusim::inverse
