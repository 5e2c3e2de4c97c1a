// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::test {

/// An element of a picture.
struct SvgElement {
    std::string name;
    std::map<std::string, std::string> attributes;
    std::string text; ///< directly in it

    [[nodiscard]] double number(const std::string& attribute) const {
        return std::stod(attributes.at(attribute));
    }
};

/// Reads as much of XML as the pictures use: elements, attributes in double quotes, the named
/// entities. Throws std::runtime_error for what is not well-formed.
class SvgReader {
  public:
    explicit SvgReader(std::string_view text) : text_(text) {}

    /// The elements in the order in which they begin.
    std::vector<SvgElement> read() {
        while (at_ < text_.size()) {
            if (text_[at_] != '<') {
                words();
            } else if (text_.substr(at_).starts_with("</")) {
                close();
            } else {
                open();
            }
        }
        demand(open_.empty() && !elements_.empty(), "an element is not closed");
        return elements_;
    }

  private:
    static void demand(bool holds, const std::string& what) {
        if (!holds) {
            throw std::runtime_error("not well-formed: " + what);
        }
    }
    std::string_view until(char stop) {
        const std::size_t end = text_.find(stop, at_);
        demand(end != std::string_view::npos, std::string("no ") + stop);
        const std::string_view part = text_.substr(at_, end - at_);
        at_ = end;
        return part;
    }
    std::string name() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && (std::isalpha(text_[at_]) != 0 || text_[at_] == '-' ||
                                      std::isdigit(text_[at_]) != 0)) {
            ++at_;
        }
        demand(at_ > begin, "a name is missing");
        return std::string(text_.substr(begin, at_ - begin));
    }
    void expect(std::string_view token) {
        demand(text_.substr(at_).starts_with(token), "no " + std::string(token));
        at_ += token.size();
    }
    void space() {
        while (at_ < text_.size() && std::isspace(text_[at_]) != 0) {
            ++at_;
        }
    }
    static std::string plain(std::string_view coded) {
        static const std::map<std::string_view, char> kEntities{
            {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}};
        std::string text;
        for (std::size_t i = 0; i < coded.size(); ++i) {
            demand(coded[i] != '<', "< in text");
            if (coded[i] != '&') {
                text += coded[i];
                continue;
            }
            const std::size_t end = coded.find(';', i);
            demand(end != std::string_view::npos, "& without ;");
            const auto entity = kEntities.find(coded.substr(i + 1, end - i - 1));
            demand(entity != kEntities.end(), "unknown entity");
            text += entity->second;
            i = end;
        }
        return text;
    }
    void words() {
        const std::size_t end = std::min(text_.find('<', at_), text_.size());
        const std::string text = plain(text_.substr(at_, end - at_));
        at_ = end;
        const bool blank = std::ranges::all_of(text, [](char c) { return std::isspace(c) != 0; });
        demand(blank || !open_.empty(), "text outside");
        if (!open_.empty()) {
            elements_[open_.back()].text += text;
        }
    }
    void open() {
        expect("<");
        SvgElement element{name(), {}, ""};
        for (space(); text_[at_] != '/' && text_[at_] != '>'; space()) {
            const std::string attribute = name();
            expect("=\"");
            const bool fresh = element.attributes.emplace(attribute, plain(until('"'))).second;
            demand(fresh, "attribute twice: " + attribute);
            expect("\"");
        }
        demand(!open_.empty() || elements_.empty(), "two roots");
        elements_.push_back(element);
        if (text_[at_] == '/') {
            expect("/>");
        } else {
            expect(">");
            open_.push_back(elements_.size() - 1);
        }
    }
    void close() {
        expect("</");
        demand(!open_.empty() && elements_[open_.back()].name == name(), "closed out of order");
        expect(">");
        open_.pop_back();
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<SvgElement> elements_;
    std::vector<std::size_t> open_; ///< places in elements_
};

/// The elements of a well-formed picture.
inline std::vector<SvgElement> svg_elements(std::string_view svg) {
    return SvgReader(svg).read();
}

/// Those of one kind that `holds` for.
template <class Holds>
std::vector<SvgElement>
svg_elements(std::string_view svg, const std::string& name, const Holds& holds) {
    std::vector<SvgElement> chosen;
    std::ranges::copy_if(
        svg_elements(svg), std::back_inserter(chosen), [&](const SvgElement& element) {
            return element.name == name && holds(element);
        });
    return chosen;
}

inline std::vector<SvgElement> svg_elements(std::string_view svg, const std::string& name) {
    return svg_elements(svg, name, [](const SvgElement&) { return true; });
}

} // namespace npusim::test
