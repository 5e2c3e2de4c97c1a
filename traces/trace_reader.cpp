// SPDX-License-Identifier: Apache-2.0
#include "traces/trace_reader.h"

#include "sim/base/error.h"
#include "traces/perfetto_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>
#include <zlib.h>

namespace npusim::traces {

using namespace perfetto;

namespace {

using Take = std::function<void(const TraceEvent&)>;

/// The bytes of a file, decompressed if need be.
class Input {
  public:
    explicit Input(const std::filesystem::path& path)
        : path_(path), file_(gzopen(path.c_str(), "rb")) {
        std::error_code error;
        if (file_ == nullptr || !std::filesystem::is_regular_file(path, error)) {
            fail("cannot be read");
        }
    }
    [[noreturn]] void fail(std::string_view why) const {
        throw ConfigError(fmt::format("{}: byte {}: {}", path_.string(), place(), why));
    }
    /// The next byte, or -1 at the end.
    int peek() {
        if (at_ == size_) {
            const int read =
                gzread(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
            if (read < 0) {
                fail("compressed data are damaged");
            }
            before_ += size_;
            size_ = static_cast<std::size_t>(read);
            at_ = 0;
        }
        return at_ < size_ ? static_cast<unsigned char>(buffer_[at_]) : -1;
    }
    int get() {
        const int byte = peek();
        at_ += byte < 0 ? 0 : 1;
        return byte;
    }
    [[nodiscard]] std::size_t place() const { return before_ + at_; }

  private:
    struct Close {
        void operator()(gzFile_s* file) const { gzclose(file); }
    };
    std::filesystem::path path_;
    std::unique_ptr<gzFile_s, Close> file_;
    std::array<char, std::size_t{1} << 16U> buffer_{};
    std::size_t before_ = 0; ///< bytes before the buffer
    std::size_t size_ = 0;
    std::size_t at_ = 0;
};

/// The same as the JSON parser wants it.
class InputIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = char;

    InputIterator() = default;
    explicit InputIterator(Input& input) : input_(&input) {}
    char operator*() const { return static_cast<char>(input_->peek()); }
    InputIterator& operator++() {
        input_->get();
        return *this;
    }
    bool operator==(const InputIterator& /*end*/) const { return input_->peek() < 0; }
    bool operator!=(const InputIterator& end) const { return !(*this == end); }

  private:
    Input* input_ = nullptr;
};

std::int64_t from_microseconds(double time) {
    return std::llround(time * 1000);
}

/// Takes the events out of JSON as it is parsed.
class ChromeReader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit ChromeReader(const Take& take) : take_(take) {}

    [[nodiscard]] const std::string& error() const { return error_; }

    bool null() override { return true; }
    bool boolean(bool /*value*/) override { return true; }
    bool number_integer(number_integer_t value) override {
        return number(static_cast<double>(value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return number(static_cast<double>(value));
    }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        return number(value);
    }
    bool string(string_t& value) override {
        set(value);
        return true;
    }
    bool binary(binary_t& /*value*/) override { return true; }
    bool start_object(std::size_t /*size*/) override {
        path_.emplace_back();
        if (in_event(0)) {
            event_ = {};
            event_.number = ++count_;
        }
        return true;
    }
    bool end_object() override {
        if (in_event(0)) {
            take_(event_);
        }
        path_.pop_back();
        return true;
    }
    bool start_array(std::size_t /*size*/) override {
        path_.emplace_back("[]");
        return true;
    }
    bool end_array() override {
        path_.pop_back();
        return true;
    }
    bool key(string_t& name) override {
        path_.back() = name;
        return true;
    }
    bool parse_error(std::size_t /*position*/,
                     const std::string& /*token*/,
                     const nlohmann::json::exception& error) override {
        error_ = error.what();
        return false;
    }

  private:
    /// Whether what is being read is `depth` levels below an event of the list of events.
    [[nodiscard]] bool in_event(std::size_t depth) const {
        const std::size_t head = !path_.empty() && path_[0] == "[]" ? 1 : 2;
        return path_.size() == head + 1 + depth && path_[head - 1] == "[]" &&
               (head == 1 || path_[0] == "traceEvents");
    }
    bool number(double value) {
        if (in_event(0) && path_.back() == "ts") {
            event_.time = from_microseconds(value);
        } else if (in_event(0) && path_.back() == "dur") {
            event_.duration = from_microseconds(value);
        } else if (in_event(1) && path_.back() == "cycles") {
            event_.cycles = std::llround(value);
        } else {
            set(fmt::format("{}", value));
        }
        return true;
    }
    void set(const std::string& value) {
        if (in_event(1) && path_[path_.size() - 2] == "args" && path_.back() == "name") {
            event_.label = value;
        }
        if (!in_event(0)) {
            return;
        }
        const std::string& key = path_.back();
        std::string* const place = key == "ph"     ? &event_.phase
                                   : key == "name" ? &event_.name
                                   : key == "cat"  ? &event_.category
                                   : key == "pid"  ? &event_.process
                                   : key == "tid"  ? &event_.thread
                                   : key == "id"   ? &event_.id
                                                   : nullptr;
        if (place != nullptr) {
            *place = value;
        } else if (key == "ts" || key == "dur") {
            event_.problem = fmt::format("{} is no number: \"{}\"", key, value);
        }
    }

    const Take& take_;
    std::vector<std::string> path_; ///< keys down to what is being read; "[]" for lists
    TraceEvent event_;
    std::size_t count_ = 0;
    std::string error_;
};

/// A message of protobuf, field by field.
class Message {
  public:
    Message(std::string_view bytes, const Input& input) : bytes_(bytes), input_(input) {}

    /// Goes to the next field; false at the end.
    bool next() {
        if (at_ == bytes_.size()) {
            return false;
        }
        const std::uint64_t tag = varint();
        field_ = tag >> 3U;
        switch (tag & 7U) {
        case 0:
            number_ = varint();
            return true;
        case 1:
            number_ = 0;
            for (unsigned byte = 0; byte < 8; ++byte) {
                number_ |= std::uint64_t{static_cast<unsigned char>(take(1)[0])} << 8U * byte;
            }
            return true;
        case 2:
            text_ = take(varint());
            return true;
        default:
            input_.fail(fmt::format("protobuf of an unknown kind ({})", tag & 7U));
        }
    }
    [[nodiscard]] std::uint64_t field() const { return field_; }
    [[nodiscard]] std::uint64_t number() const { return number_; }
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] Message message() const { return {text_, input_}; }

  private:
    std::string_view take(std::uint64_t size) {
        if (size > bytes_.size() - at_) {
            input_.fail("a field is longer than its message");
        }
        at_ += size;
        return bytes_.substr(at_ - size, size);
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1)[0]);
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if (byte < 0x80U) {
                return value;
            }
        }
        input_.fail("a number is too long");
    }

    std::string_view bytes_;
    const Input& input_;
    std::size_t at_ = 0;
    std::uint64_t field_ = 0;
    std::uint64_t number_ = 0;
    std::string_view text_;
};

/// Perfetto's packets.
class PerfettoReader {
  public:
    PerfettoReader(Input& input, const Take& take) : input_(input), take_(take) {}

    void read() {
        std::string bytes;
        while (input_.peek() >= 0) {
            if (input_.get() != (kTracePacket << 3U | 2U)) { // a message
                input_.fail("not a Perfetto trace");
            }
            bytes.resize(length());
            for (char& byte : bytes) {
                const int next = input_.get();
                if (next < 0) {
                    input_.fail("the file ends within a packet");
                }
                byte = static_cast<char>(next);
            }
            packet(Message(bytes, input_));
        }
    }

  private:
    struct Track {
        std::string name;
        std::uint64_t parent = 0;
    };
    using Texts = std::map<std::uint64_t, std::string>;

    std::size_t length() {
        std::size_t value = 0;
        for (unsigned shift = 0; shift < 32; shift += 7) {
            const int byte = input_.get();
            if (byte < 0) {
                break;
            }
            value |= (static_cast<std::size_t>(byte) & 0x7FU) << shift;
            if (byte < 0x80) {
                return value;
            }
        }
        input_.fail("the file ends within the length of a packet");
    }
    void packet(Message packet) {
        std::optional<std::string_view> event;
        std::int64_t time = 0;
        while (packet.next()) {
            switch (packet.field()) {
            case packet_field::kTimestamp:
                time = static_cast<std::int64_t>(packet.number());
                break;
            case packet_field::kTrackEvent:
                event = packet.text();
                break;
            case packet_field::kInternedData:
                learn(packet.message());
                break;
            case packet_field::kTrackDescriptor:
                describe(packet.message());
                break;
            default:
                break;
            }
        }
        if (event) { // what it refers to may stand behind it
            this->event(Message(*event, input_), time);
        }
    }
    void learn(Message data) {
        while (data.next()) {
            Message entry = data.message();
            const std::uint64_t kind = data.field();
            std::uint64_t number = 0;
            while (entry.next()) {
                if (entry.field() == interned_field::kNumber) {
                    number = entry.number();
                } else if (entry.field() == interned_field::kText) {
                    texts_[kind][number] = entry.text();
                }
            }
        }
    }
    void describe(Message descriptor) {
        std::uint64_t uuid = 0;
        Track track;
        while (descriptor.next()) {
            if (descriptor.field() == track_field::kUuid) {
                uuid = descriptor.number();
            } else if (descriptor.field() == track_field::kName) {
                track.name = descriptor.text();
            } else if (descriptor.field() == track_field::kParent) {
                track.parent = descriptor.number();
            }
        }
        tracks_[uuid] = track;
    }
    void event(Message fields, std::int64_t time) {
        TraceEvent event;
        event.number = ++count_;
        event.time = time;
        std::vector<std::pair<const char*, std::uint64_t>> flows;
        while (fields.next()) {
            switch (fields.field()) {
            case event_field::kAnnotation:
                argument(fields.message(), event);
                break;
            case event_field::kType:
                event.phase = phase(fields.number());
                break;
            case event_field::kName:
                event.name = text(interned_field::kEventName, fields.number(), event);
                break;
            case event_field::kTrack:
                place(fields.number(), event);
                break;
            case event_field::kFlow:
                flows.emplace_back("s", fields.number());
                break;
            case event_field::kFlowEnd:
                flows.emplace_back("f", fields.number());
                break;
            default:
                break;
            }
        }
        take_(event);
        for (const auto& [kind, id] : flows) {
            TraceEvent flow;
            flow.number = event.number;
            flow.phase = kind;
            flow.process = event.process;
            flow.thread = event.thread;
            flow.time = time;
            flow.id = std::to_string(id);
            take_(flow);
        }
    }
    static const char* phase(std::uint64_t type) {
        return type == kSliceBegin     ? "B"
               : type == kSliceEnd     ? "E"
               : type == kInstant      ? "i"
               : type == kCounterEvent ? "C"
                                       : "";
    }
    void argument(Message annotation, TraceEvent& event) {
        std::string name;
        while (annotation.next()) {
            if (annotation.field() == event_field::kAnnotationName) {
                name = text(interned_field::kAnnotationName, annotation.number(), event);
            } else if (annotation.field() == event_field::kAnnotationNumber && name == "cycles") {
                event.cycles = static_cast<std::int64_t>(annotation.number());
            } else if (annotation.field() == event_field::kAnnotationText) {
                text(interned_field::kAnnotationText, annotation.number(), event);
            }
        }
    }
    std::string text(std::uint64_t kind, std::uint64_t number, TraceEvent& event) {
        const Texts& texts = texts_[kind];
        const auto at = texts.find(number);
        if (at == texts.end()) {
            event.problem = fmt::format("text {} was never defined", number);
            return {};
        }
        return at->second;
    }
    void place(std::uint64_t uuid, TraceEvent& event) {
        const auto at = tracks_.find(uuid);
        if (at == tracks_.end()) {
            event.problem = fmt::format("track {} was never described", uuid);
            return;
        }
        event.thread = at->second.name;
        if (event.thread.ends_with("in flight")) { // of one name, beside each other
            event.thread += fmt::format(" {}", uuid);
        }
        const auto parent = tracks_.find(at->second.parent);
        event.process = parent == tracks_.end() ? "" : parent->second.name;
    }

    Input& input_;
    const Take& take_;
    std::map<std::uint64_t, Track> tracks_;
    std::map<std::uint64_t, Texts> texts_; ///< by kind
    std::size_t count_ = 0;
};

} // namespace

void read_trace(const std::filesystem::path& path, const Take& take) {
    Input input(path);
    if (input.peek() < 0) {
        input.fail("the file is empty");
    }
    const std::string name = path.filename();
    if (name.find(".pftrace") != std::string::npos ||
        name.find(".perfetto-trace") != std::string::npos) {
        PerfettoReader(input, take).read();
        return;
    }
    ChromeReader reader(take);
    if (!nlohmann::json::sax_parse(InputIterator(input), InputIterator(), &reader)) {
        input.fail(reader.error());
    }
}

} // namespace npusim::traces
