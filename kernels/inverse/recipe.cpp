// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/recipe.h"

#include "kernels/inverse/reference.h"

#include <algorithm>
#include <utility>

namespace npusim::inverse {

namespace {

std::size_t at(std::int64_t n, std::int64_t row, std::int64_t column) {
    return static_cast<std::size_t>(row * n + column);
}

/// The entries of `matrix` that `part` keeps, zeros elsewhere.
std::vector<double> cut(std::span<const double> matrix, std::int64_t n, const Part& part) {
    std::vector<double> kept(matrix.begin(), matrix.end());
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
            if (!part.keeps(i, j)) {
                kept[at(n, i, j)] = 0;
            }
        }
    }
    return kept;
}

class Evaluator {
  public:
    Evaluator(const Recipe& recipe, std::span<const double> a) : recipe_(recipe), a_(a) {}

    std::vector<double> form(const Recipe::Value& value) const {
        const std::int64_t n = recipe_.size();
        std::vector<double> result(at(n, n, 0), 0.0);
        switch (value.kind) {
        case Recipe::Value::Kind::Constant:
            for (std::int64_t i = 0; i < n; ++i) {
                result[at(n, i, i)] = value.part.keeps(i, i) ? value.scale : 0;
            }
            return result;
        case Recipe::Value::Kind::Input:
            return {a_.begin(), a_.end()};
        case Recipe::Value::Kind::MaskedInput:
            return cut(results[kInput.value], n, value.part);
        case Recipe::Value::Kind::BlockInverse:
            return forward_substitution(cut(results[kInput.value], n, value.part), n);
        case Recipe::Value::Kind::Sum:
            for (const Product& term : value.terms) {
                multiply(operand(term.left, value.block), operand(term.right, value.block), result);
            }
            return cut(result, n, value.part);
        }
        return result;
    }

    std::vector<std::vector<double>> results;

  private:
    [[nodiscard]] std::vector<double> operand(const Matrix& matrix, std::int64_t block) const {
        const std::int64_t n = recipe_.size();
        const std::vector<double> part = cut(results[matrix.value], n, matrix.part);
        return block == 0 ? part : cut(part, n, {Part::Kind::Diagonal, block});
    }
    void multiply(const std::vector<double>& left,
                  const std::vector<double>& right,
                  std::vector<double>& to) const {
        const std::int64_t n = recipe_.size();
        for (std::int64_t i = 0; i < n; ++i) {
            for (std::int64_t k = 0; k < n; ++k) {
                const double factor = left[at(n, i, k)]; // a zero may meet an infinity: no skipping
                for (std::int64_t j = 0; j < n; ++j) {
                    to[at(n, i, j)] += factor * right[at(n, k, j)];
                }
            }
        }
    }

    const Recipe& recipe_;
    std::span<const double> a_;
};

} // namespace

bool Part::keeps(std::int64_t row, std::int64_t column) const {
    switch (kind) {
    case Kind::All:
        return true;
    case Kind::Band:
        return row >= column && row - column <= size;
    case Kind::Diagonal:
        return row / size == column / size;
    case Kind::Even:
        return row / size == column / size && row / size % 2 == 0;
    case Kind::Odd:
        return row / size == column / size && row / size % 2 == 1;
    case Kind::Pairs:
        return row / size % 2 == 1 && column / size == row / size - 1;
    }
    return false;
}

Recipe::Recipe(std::int64_t size) : size_(size) {
    constant("I", 1);
    constant("-I", -1);
    add({.kind = Value::Kind::Input, .name = "A"});
}

Matrix Recipe::add(Value value) {
    values_.push_back(std::move(value));
    return {values_.size() - 1, {}};
}

bool Recipe::is_constant(const Matrix& matrix) const {
    return values_[matrix.value].kind == Value::Kind::Constant;
}

Matrix Recipe::constant(std::string name, double scale, Part part) {
    return add(
        {.kind = Value::Kind::Constant, .name = std::move(name), .part = part, .scale = scale});
}

Matrix Recipe::step(std::string name, const Sum& sum, Part keep) {
    std::vector<Product> terms = sum.terms;
    if (store_products_ && terms.size() > 1) {
        for (Product& term : terms) {
            if (!is_constant(term.left) && !is_constant(term.right)) {
                const std::string text =
                    values_[term.left.value].name + " " + values_[term.right.value].name;
                term = {kIdentity, add({.name = text, .terms = {term}, .block = block_})};
            }
        }
    }
    return add({.name = std::move(name), .part = keep, .terms = std::move(terms), .block = block_});
}

Matrix Recipe::masked_input(std::string name, Part keep) {
    return add(
        {.kind = Value::Kind::MaskedInput, .name = std::move(name), .part = keep, .block = block_});
}

Matrix Recipe::block_inverse(std::string name, std::int64_t block) {
    return add({.kind = Value::Kind::BlockInverse,
                .name = std::move(name),
                .part = {Part::Kind::Diagonal, block}});
}

std::int64_t Recipe::products() const {
    std::int64_t count = 0;
    for (const Value& value : values_) {
        count += std::ranges::count_if(value.terms, [&](const Product& term) {
            return !is_constant(term.left) && !is_constant(term.right);
        });
    }
    return count;
}

namespace {

std::vector<std::vector<double>>
carry_out(const Recipe& recipe, std::span<const double> a, const Rounding& store) {
    Evaluator evaluator(recipe, a);
    const std::size_t last = recipe.values().size() - 1;
    for (const Recipe::Value& value : recipe.values()) {
        std::vector<double> result = evaluator.form(value);
        if (store && evaluator.results.size() != last) {
            store(result);
        }
        evaluator.results.push_back(std::move(result));
    }
    return std::move(evaluator.results);
}

} // namespace

std::vector<double>
evaluate(const Recipe& recipe, std::span<const double> a, const Rounding& store) {
    return std::move(carry_out(recipe, a, store).back());
}

std::vector<std::vector<double>> evaluate_all(const Recipe& recipe, std::span<const double> a) {
    return carry_out(recipe, a, {});
}

} // namespace npusim::inverse
