// SPDX-License-Identifier: Apache-2.0
#include "kernels/inverse/npy.h"

#include "sim/base/error.h"
#include "sim/base/join.h"
#include "sim/functional/formats.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <string>
#include <string_view>

namespace npusim::inverse {

static_assert(std::endian::native == std::endian::little,
              "values are read as they lie in the file");

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kVersionEnd = 8;       ///< magic, major, minor
constexpr std::size_t kHeaderLimit = 65'536; ///< far above any header NumPy writes
constexpr std::size_t kDimensionLimit = 8;

/// What the header says.
struct Header {
    std::string descr;
    bool fortran_order = false;
    std::vector<std::int64_t> shape;
};

[[noreturn]] void fail(const fs::path& path, const std::string& what, std::string_view allowed) {
    throw ConfigError(fmt::format("{}: {} (allowed: {})", path.string(), what, allowed));
}

/// Reads the Python dict literal NumPy puts in front of the data.
class HeaderParser {
  public:
    HeaderParser(const fs::path& path, std::string_view text) : path_(path), text_(text) {}

    Header parse() {
        Header header;
        std::vector<std::string> keys;
        expect('{');
        while (!accept('}')) {
            const std::string key = quoted();
            expect(':');
            if (key == "descr") {
                header.descr = quoted();
            } else if (key == "fortran_order") {
                header.fortran_order = boolean();
            } else if (key == "shape") {
                header.shape = tuple();
            } else {
                malformed(fmt::format("unknown key '{}'", key));
            }
            keys.push_back(key);
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        skip_blanks();
        if (at_ != text_.size()) {
            malformed("text after the closing brace");
        }
        std::sort(keys.begin(), keys.end());
        if (keys != std::vector<std::string>{"descr", "fortran_order", "shape"}) {
            malformed(fmt::format("keys are [{}]", join(keys, ", ")));
        }
        return header;
    }

  private:
    [[noreturn]] void malformed(const std::string& what) const {
        fail(path_,
             fmt::format("malformed .npy header: {}", what),
             "{'descr': ..., 'fortran_order': ..., 'shape': (...), }");
    }
    void skip_blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
            ++at_;
        }
    }
    bool accept(char wanted) {
        skip_blanks();
        if (at_ < text_.size() && text_[at_] == wanted) {
            ++at_;
            return true;
        }
        return false;
    }
    void expect(char wanted) {
        if (!accept(wanted)) {
            malformed(fmt::format("no '{}' at byte {}", wanted, at_));
        }
    }
    std::string quoted() {
        expect('\'');
        const std::size_t end = text_.find('\'', at_);
        if (end == std::string_view::npos) {
            malformed("a string is not closed");
        }
        std::string word(text_.substr(at_, end - at_));
        at_ = end + 1;
        return word;
    }
    bool boolean() {
        skip_blanks();
        for (const std::string_view word : {"True", "False"}) {
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return word == "True";
            }
        }
        malformed("fortran_order is neither True nor False");
    }
    std::vector<std::int64_t> tuple() {
        constexpr std::int64_t kLargest = std::int64_t{1} << 40U;
        std::vector<std::int64_t> numbers;
        expect('(');
        while (!accept(')')) {
            skip_blanks();
            std::int64_t number = 0;
            const std::size_t begin = at_;
            while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
                number = number * 10 + (text_[at_++] - '0');
                if (number > kLargest) {
                    malformed("a dimension is absurdly large");
                }
            }
            if (at_ == begin || numbers.size() == kDimensionLimit) {
                malformed("shape is no tuple of a few numbers");
            }
            numbers.push_back(number);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return numbers;
    }

    const fs::path& path_;
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string read_file(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
        fail(path, "no such file", "a NumPy .npy file");
    }
    std::ifstream file(path, std::ios::binary);
    std::string bytes(static_cast<std::size_t>(fs::file_size(path, error)), '\0');
    if (error || !file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        fail(path, "cannot be read", "a readable NumPy .npy file");
    }
    return bytes;
}

template <typename Word> Word word_at(std::string_view bytes, std::size_t offset) {
    Word word{};
    std::memcpy(&word, bytes.data() + offset, sizeof word);
    return word;
}

template <typename Word, typename Widen>
std::vector<double> widened(std::string_view data, Widen widen) {
    std::vector<double> values(data.size() / sizeof(Word));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = widen(word_at<Word>(data, i * sizeof(Word)));
    }
    return values;
}

} // namespace

NpyArray read_npy(const fs::path& path) {
    const std::string file = read_file(path);
    const std::string_view bytes = file;
    if (!bytes.starts_with(kMagic) || bytes.size() < kVersionEnd) {
        fail(path, "does not start as a NumPy array", "a NumPy .npy file");
    }
    const auto major = static_cast<unsigned char>(bytes[6]);
    const auto minor = static_cast<unsigned char>(bytes[7]);
    if ((major != 1 && major != 2) || minor != 0) {
        fail(path, fmt::format("format version {}.{}", major, minor), "1.0, 2.0");
    }
    const std::size_t header_begin = kVersionEnd + (major == 1 ? 2 : 4);
    if (bytes.size() < header_begin) {
        fail(path, "ends inside its header", "a whole .npy file");
    }
    const std::size_t header_size = major == 1 ? word_at<std::uint16_t>(bytes, kVersionEnd)
                                               : word_at<std::uint32_t>(bytes, kVersionEnd);
    if (header_size > kHeaderLimit || bytes.size() - header_begin < header_size) {
        fail(path,
             fmt::format("ends inside its header of {} bytes", header_size),
             "a whole .npy file");
    }
    const Header header = HeaderParser(path, bytes.substr(header_begin, header_size)).parse();
    if (header.fortran_order) {
        fail(path, "is in Fortran order", "C order");
    }
    const std::size_t width = header.descr == "<f2"   ? 2
                              : header.descr == "<f4" ? 4
                              : header.descr == "<f8" ? 8
                                                      : 0;
    if (width == 0) {
        fail(path, fmt::format("elements are '{}'", header.descr), "'<f2', '<f4', '<f8'");
    }

    const std::string_view data = bytes.substr(header_begin + header_size);
    // Divides rather than multiplies: a hostile shape may overflow.
    std::size_t elements = data.size() / width;
    bool fits = data.size() % width == 0;
    for (const std::int64_t extent : header.shape) {
        const auto dimension = static_cast<std::size_t>(extent);
        fits = fits && dimension > 0 && elements % dimension == 0;
        elements = dimension > 0 ? elements / dimension : 0;
    }
    if (!fits || elements != 1) {
        fail(path,
             fmt::format("has {} bytes of data, which is not {} elements of {} bytes",
                         data.size(),
                         join(header.shape, " x "),
                         width),
             "exactly the data the header announces, no dimension 0");
    }
    NpyArray array{header.shape, {}};
    switch (width) {
    case 2:
        array.values = widened<std::uint16_t>(data, functional::from_fp16);
        break;
    case 4:
        array.values = widened<float>(data, [](float value) { return value; });
        break;
    default:
        array.values = widened<double>(data, [](double value) { return value; });
    }
    return array;
}

NpyArray read_array(const std::filesystem::path& path, std::size_t dimensions, const char* shape) {
    NpyArray array = read_npy(path);
    if (array.shape.size() != dimensions) {
        throw ConfigError(fmt::format(
            "{}: shape [{}] (allowed: {})", path.string(), join(array.shape, ", "), shape));
    }
    return array;
}

} // namespace npusim::inverse
