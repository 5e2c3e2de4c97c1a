// SPDX-License-Identifier: Apache-2.0
#include "sim/explore/expression.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/base/suggest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <utility>
#include <variant>

namespace npusim::explore {

namespace {

/// What a part of an expression comes to.
using Term = std::variant<bool, double, std::string>;

enum class Op : std::uint8_t {
    Constant,
    Name,
    Or,
    And,
    Not,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    Min,
    Max,
    Abs,
    Log2,
};

struct OpSign {
    std::string_view sign;
    Op op;
};
// Where one sign begins another, the longer one comes first.
constexpr std::array<OpSign, 6> kComparisons{{{"<=", Op::LessEqual},
                                              {">=", Op::GreaterEqual},
                                              {"==", Op::Equal},
                                              {"!=", Op::NotEqual},
                                              {"<", Op::Less},
                                              {">", Op::Greater}}};
constexpr std::array<OpSign, 2> kSums{{{"+", Op::Add}, {"-", Op::Subtract}}};
constexpr std::array<OpSign, 2> kProducts{{{"*", Op::Multiply}, {"/", Op::Divide}}};

struct Function {
    std::string_view name;
    Op op;
    std::size_t least; ///< arguments
    std::size_t most;
};
constexpr std::size_t kAny = 100;
constexpr std::array<Function, 4> kFunctions{{{"min", Op::Min, 1, kAny},
                                              {"max", Op::Max, 1, kAny},
                                              {"abs", Op::Abs, 1, 1},
                                              {"log2", Op::Log2, 1, 1}}};

constexpr std::array<std::string_view, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
constexpr int kMaxDepth = 100; ///< of parentheses, which the reader follows by calling itself

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

[[noreturn]] void fail(const std::string& text, std::size_t at, std::string_view what) {
    throw ConfigError(fmt::format("'{}', character {}: {}", text, at + 1, what));
}

} // namespace

struct Expression::Node {
    Op op;
    std::size_t at; ///< place in the text
    Term constant{};
    std::string name{};
    std::vector<Node> operands{};
};

namespace {

using Node = Expression::Node;

/// Recursive descent, a function for each level of binding.
class Parser {
  public:
    Parser(const std::string& text,
           std::span<const std::string> names,
           std::vector<std::string>& used)
        : text_(text), names_(names), used_(used) {}

    Node parse() {
        Node root = read_or();
        if (at_ != text_.size()) {
            error(fmt::format("'{}' is not expected here", text_.substr(at_, 1)));
        }
        return root;
    }

  private:
    [[noreturn]] void error(std::string_view what) const { fail(text_, at_, what); }
    [[nodiscard]] std::string_view rest() const { return std::string_view(text_).substr(at_); }
    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
            ++at_;
        }
    }
    /// Takes `sign` and the spaces behind it, if it comes next.
    bool take(std::string_view sign) {
        skip_spaces();
        if (!rest().starts_with(sign)) {
            return false;
        }
        at_ += sign.size();
        skip_spaces();
        return true;
    }
    bool take_word(std::string_view word) {
        skip_spaces();
        return word_length() == word.size() && take(word);
    }
    template <std::size_t N> const OpSign* take_one_of(const std::array<OpSign, N>& signs) {
        const auto* sign =
            std::ranges::find_if(signs, [&](const OpSign& one) { return take(one.sign); });
        return sign == signs.end() ? nullptr : sign;
    }
    /// Length of the name that comes next: words joined by dots; "->" as in links.gm->ub belongs
    /// to it.
    [[nodiscard]] std::size_t word_length() const {
        const std::string_view text = rest();
        std::size_t length = 0;
        while (length < text.size()) {
            const char c = text[length];
            if (is_letter(c) || (length > 0 && (is_digit(c) || c == '.'))) {
                ++length;
            } else if (length > 0 && text.substr(length).starts_with("->")) {
                length += 2;
            } else {
                break;
            }
        }
        return length;
    }

    Node read_or() {
        Node left = read_and();
        for (std::size_t at = at_; take_word("or"); at = at_) {
            left = node(Op::Or, at, std::move(left), read_and());
        }
        return left;
    }
    Node read_and() {
        Node left = read_not();
        for (std::size_t at = at_; take_word("and"); at = at_) {
            left = node(Op::And, at, std::move(left), read_not());
        }
        return left;
    }
    Node read_not() {
        skip_spaces();
        const std::size_t at = at_;
        if (take_word("not")) {
            const Nesting deeper(*this);
            return node(Op::Not, at, read_not());
        }
        return read_comparison();
    }
    Node read_comparison() {
        Node left = read_sum();
        std::size_t at = at_;
        if (const OpSign* sign = take_one_of(kComparisons)) {
            left = node(sign->op, at, std::move(left), read_sum());
            at = at_;
            if (take_one_of(kComparisons) != nullptr) {
                fail(text_, at, "comparisons do not chain, join two of them by 'and'");
            }
        }
        return left;
    }
    Node read_sum() {
        return read_chain(kSums, [this] { return read_product(); });
    }
    Node read_product() {
        return read_chain(kProducts, [this] { return read_negation(); });
    }
    /// Operands joined by some of `signs`, from left to right.
    template <std::size_t N, class Read>
    Node read_chain(const std::array<OpSign, N>& signs, Read read) {
        Node left = read();
        std::size_t at = at_;
        while (const OpSign* sign = take_one_of(signs)) {
            left = node(sign->op, at, std::move(left), read());
            at = at_;
        }
        return left;
    }
    Node read_negation() {
        skip_spaces();
        const std::size_t at = at_;
        if (take("-")) {
            const Nesting deeper(*this);
            return node(Op::Negate, at, read_negation());
        }
        return read_primary();
    }
    Node read_primary() {
        skip_spaces();
        const char next = at_ < text_.size() ? text_[at_] : '\0';
        if (next == '(') {
            take("(");
            const Nesting deeper(*this);
            Node inner = read_or();
            close();
            return inner;
        }
        if (is_digit(next)) {
            return read_number();
        }
        if (next == '\'' || next == '"') {
            return read_text(next);
        }
        if (is_letter(next)) {
            return read_name();
        }
        error(next == '\0' ? "a value is missing at the end" : "a value is missing here");
    }
    void close() {
        if (!take(")")) {
            error("')' is missing");
        }
    }
    Node read_number() {
        const std::size_t at = at_;
        double number = 0;
        const auto [end, code] =
            std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
        if (code != std::errc{}) {
            error("the number is out of range");
        }
        at_ = static_cast<std::size_t>(end - text_.data());
        const std::string unit(rest().substr(0, word_length()));
        const auto* known = std::ranges::find(kUnits, unit);
        if (known != kUnits.end()) {
            at_ += unit.size();
            number = std::ldexp(number, 10 * (1 + static_cast<int>(known - kUnits.begin())));
        } else if (!unit.empty() || rest().starts_with('.')) {
            error(fmt::format("a number cannot go on like this (units: {})", join(kUnits, ", ")));
        }
        skip_spaces();
        return {.op = Op::Constant, .at = at, .constant = number};
    }
    Node read_text(char quote) {
        const std::size_t end = text_.find(quote, at_ + 1);
        if (end == std::string::npos) {
            error("the text has no end");
        }
        Node constant{
            .op = Op::Constant, .at = at_, .constant = text_.substr(at_ + 1, end - at_ - 1)};
        at_ = end + 1;
        skip_spaces();
        return constant;
    }
    Node read_name() {
        const std::size_t at = at_;
        const std::string name(rest().substr(0, word_length()));
        take(name);
        if (take("(")) {
            return read_call(name, at);
        }
        if (std::ranges::find(names_, name) == names_.end()) {
            fail(text_,
                 at,
                 fmt::format("unknown name '{}'{}; texts stand in quotes",
                             name,
                             did_you_mean(name, names_)));
        }
        if (std::ranges::find(used_, name) == used_.end()) {
            used_.push_back(name);
        }
        return {.op = Op::Name, .at = at, .name = name};
    }
    Node read_call(const std::string& name, std::size_t at) {
        const auto* function = std::ranges::find(kFunctions, name, &Function::name);
        if (function == kFunctions.end()) {
            fail(text_,
                 at,
                 fmt::format("unknown function '{}' (allowed: abs, log2, max, min)", name));
        }
        const Nesting deeper(*this);
        Node call{.op = function->op, .at = at};
        do {
            call.operands.push_back(read_or());
        } while (take(","));
        close();
        if (call.operands.size() < function->least || call.operands.size() > function->most) {
            fail(text_, at, fmt::format("{} takes one value", name));
        }
        return call;
    }

    template <class... Operands> static Node node(Op op, std::size_t at, Operands&&... operands) {
        Node result{.op = op, .at = at};
        (result.operands.push_back(std::forward<Operands>(operands)), ...);
        return result;
    }

    /// Counts how deep the reader is.
    class Nesting {
      public:
        explicit Nesting(Parser& parser) : parser_(parser) {
            if (++parser_.depth_ > kMaxDepth) {
                parser_.error("nested too deeply");
            }
        }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
        Nesting(Nesting&&) = delete;
        Nesting& operator=(Nesting&&) = delete;
        ~Nesting() { --parser_.depth_; }

      private:
        Parser& parser_;
    };

    const std::string& text_;
    std::span<const std::string> names_;
    std::vector<std::string>& used_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

/// Works an expression out.
class Evaluation {
  public:
    Evaluation(const std::string& text, const Lookup& lookup) : text_(text), lookup_(lookup) {}

    [[nodiscard]] bool condition(const Node& node) const {
        const Term term = evaluate(node);
        if (const bool* truth = std::get_if<bool>(&term)) {
            return *truth;
        }
        fail(text_, node.at, "this is no condition: compare it with something");
    }

  private:
    [[nodiscard]] Term evaluate(const Node& node) const {
        switch (node.op) {
        case Op::Constant:
            return node.constant;
        case Op::Name:
            return value_of(node);
        case Op::Or:
            return condition(node.operands[0]) || condition(node.operands[1]);
        case Op::And:
            return condition(node.operands[0]) && condition(node.operands[1]);
        case Op::Not:
            return !condition(node.operands[0]);
        case Op::Less:
        case Op::LessEqual:
        case Op::Greater:
        case Op::GreaterEqual:
            return ordered(node.op, number(node.operands[0]), number(node.operands[1]));
        case Op::Equal:
            return equal(node);
        case Op::NotEqual:
            return !equal(node);
        default:
            return arithmetic(node);
        }
    }
    [[nodiscard]] Term value_of(const Node& node) const {
        const std::optional<Value> value = lookup_(node.name);
        if (!value) {
            fail(text_, node.at, fmt::format("'{}' has no value", node.name));
        }
        const std::optional<double> number = to_number(*value);
        return number ? Term(*number) : Term(std::get<std::string>(*value));
    }
    [[nodiscard]] double number(const Node& node) const {
        const Term term = evaluate(node);
        if (const double* value = std::get_if<double>(&term)) {
            return *value;
        }
        fail(text_, node.at, "this is no number");
    }
    [[nodiscard]] bool equal(const Node& node) const {
        const Term left = evaluate(node.operands[0]);
        const Term right = evaluate(node.operands[1]);
        if (left.index() != right.index()) {
            fail(text_, node.at, "only numbers and numbers, or texts and texts, can be equal");
        }
        return left == right;
    }
    static bool ordered(Op op, double a, double b) {
        switch (op) {
        case Op::Less:
            return a < b;
        case Op::LessEqual:
            return a <= b;
        case Op::Greater:
            return a > b;
        default:
            return a >= b;
        }
    }
    [[nodiscard]] double arithmetic(const Node& node) const {
        double result = number(node.operands[0]);
        if (node.operands.size() == 1) {
            return unary(node.op, result);
        }
        for (std::size_t i = 1; i < node.operands.size(); ++i) {
            result = binary(node.op, result, number(node.operands[i]));
        }
        return result;
    }
    static double unary(Op op, double a) {
        switch (op) {
        case Op::Negate:
            return -a;
        case Op::Abs:
            return std::abs(a);
        case Op::Log2:
            return std::log2(a);
        default: // min and max of one value
            return a;
        }
    }
    static double binary(Op op, double a, double b) {
        switch (op) {
        case Op::Add:
            return a + b;
        case Op::Subtract:
            return a - b;
        case Op::Multiply:
            return a * b;
        case Op::Divide:
            return a / b;
        case Op::Min:
            return std::min(a, b);
        default:
            return std::max(a, b);
        }
    }

    const std::string& text_;
    const Lookup& lookup_;
};

} // namespace

Expression::Expression(const std::string& text, std::span<const std::string> names)
    : text_(text), root_(std::make_shared<const Node>(Parser(text, names, names_).parse())) {}

bool Expression::holds(const Lookup& lookup) const {
    return Evaluation(text_, lookup).condition(*root_);
}

} // namespace npusim::explore
