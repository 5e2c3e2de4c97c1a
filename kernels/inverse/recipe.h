// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace npusim::inverse {

/// The part of a square matrix that counts; the rest is taken as zero.
struct Part {
    enum class Kind : std::uint8_t {
        All,
        Band,     ///< 0 <= i - j <= size
        Diagonal, ///< the diagonal blocks of `size`
        Even,     ///< diagonal blocks 0, 2, 4, ...
        Odd,      ///< diagonal blocks 1, 3, 5, ...
        Pairs,    ///< blocks (1, 0), (3, 2), (5, 4), ...: where pairs of diagonal blocks meet
    };
    Kind kind = Kind::All;
    std::int64_t size = 0;

    [[nodiscard]] bool keeps(std::int64_t row, std::int64_t column) const;
    bool operator==(const Part&) const = default;
};

/// A matrix of a recipe, or a part of it.
struct Matrix {
    std::size_t value = 0; ///< index in Recipe::values
    Part part;

    [[nodiscard]] Matrix diagonal(std::int64_t block) const {
        return {value, {Part::Kind::Diagonal, block}};
    }
    [[nodiscard]] Matrix even(std::int64_t block) const {
        return {value, {Part::Kind::Even, block}};
    }
    [[nodiscard]] Matrix odd(std::int64_t block) const { return {value, {Part::Kind::Odd, block}}; }
};

/// Two constants every recipe may use, and its input A.
inline constexpr Matrix kIdentity{0, {}};
inline constexpr Matrix kMinusIdentity{1, {}};
inline constexpr Matrix kInput{2, {}};

/// One product of a sum.
struct Product {
    Matrix left;
    Matrix right;
};

/// A sum of products, written as it is meant: `kIdentity - t0 + a * t0`. A matrix by itself is the
/// product of an identity and it, since sums are formed in the cube's accumulator.
struct Sum {
    std::vector<Product> terms;

    Sum() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): that is what makes sums read like sums
    Sum(Matrix matrix) : terms{{kIdentity, matrix}} {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    Sum(Product product) : terms{product} {}
    Sum& operator+=(const Sum& other) {
        terms.insert(terms.end(), other.terms.begin(), other.terms.end());
        return *this;
    }
};
inline Product operator*(Matrix left, Matrix right) {
    return {left, right};
}
inline Sum operator+(Sum a, const Sum& b) {
    return a += b;
}
inline Sum operator-(Sum a, Matrix b) {
    return a += Product{kMinusIdentity, b};
}

/// An algorithm for T = (I - A)^-1 as steps over [n,n] matrices. Each step's result is stored, so
/// rounded, and the last is T. What a step *is* stands here, once: the programs of the modelled
/// core are made from it, and so is the double-precision reference.
class Recipe {
  public:
    struct Value {
        enum class Kind : std::uint8_t {
            Constant,     ///< `scale` on the part of the diagonal that `part` keeps
            Input,        ///< A
            Sum,          ///< `part` of the sum of `terms`
            MaskedInput,  ///< `part` of A
            BlockInverse, ///< (I - A)^-1 of the diagonal blocks of `part`, by the vector unit
        };
        Kind kind = Kind::Sum;
        std::string name;
        Part part{};
        double scale = 1;
        std::vector<Product> terms{};
        std::int64_t block = 0; ///< not 0: only the diagonal blocks of this size are formed
    };

    explicit Recipe(std::int64_t size);

    /// scale * I, cut to `part`.
    Matrix constant(std::string name, double scale, Part part = {});
    /// A step: the sum, cut to `keep` (All, Band, Diagonal or Pairs).
    Matrix step(std::string name, const Sum& sum, Part keep = {});
    Matrix masked_input(std::string name, Part keep);
    /// Of the result only parts within the diagonal blocks of `block` may be used.
    Matrix block_inverse(std::string name, std::int64_t block);
    /// From here on, steps form the diagonal blocks of `block` alone, each as a problem of its own;
    /// 0 ends that.
    void within(std::int64_t block) { block_ = block; }
    /// From here on, a product that is one term of several is stored, so rounded, before it is
    /// added: what a core does that cannot add up in its accumulator.
    void store_products() { store_products_ = true; }

    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] const std::vector<Value>& values() const { return values_; }
    /// Matrix products the steps ask for; additions of a single matrix not counted.
    [[nodiscard]] std::int64_t products() const;

  private:
    Matrix add(Value value);
    [[nodiscard]] bool is_constant(const Matrix& matrix) const;

    std::int64_t size_;
    std::int64_t block_ = 0;
    bool store_products_ = false;
    std::vector<Value> values_;
};

/// Every matrix of `recipe` for one A [n,n], in double precision, by value of the recipe.
std::vector<std::vector<double>> evaluate_all(const Recipe& recipe, std::span<const double> a);

/// What a number format does to the entries of a stored matrix.
using Rounding = std::function<void(std::span<double>)>;

/// Carries out `recipe` on one A [n,n] in double precision, as plainly as can be written, passing
/// every stored matrix (A itself too, the last not) through `store`. Independent of how the core is
/// programmed.
std::vector<double>
evaluate(const Recipe& recipe, std::span<const double> a, const Rounding& store = {});

} // namespace npusim::inverse
