#include "core/policy/json_tree.h"

#include <simdjson.h>

#include <algorithm>

namespace fireline::policy {
namespace {

namespace ondemand = simdjson::ondemand;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Nothing but spaces behind the root.
bool is_at_end(ondemand::document& document) {
  const char* rest = nullptr;
  return document.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
}

// simdjson says that a text is not UTF-8, but not where: the line is enough.
std::size_t first_bad_line(std::string_view text) {
  for (std::size_t first = 0; first < text.size();) {
    const std::size_t end = std::min(text.find('\n', first), text.size());
    if (!simdjson::validate_utf8(text.data() + first, end - first)) return first;
    first = end + 1;
  }
  return 0;
}

class TreeReader {
 public:
  explicit TreeReader(std::string text) : text_(std::move(text)) {}

  Result<JsonValue, JsonError> read() {
    const std::size_t size = text_.size();
    text_.reserve(size + simdjson::SIMDJSON_PADDING);
    auto error = parser_.iterate(simdjson::padded_string_view(text_.data(), size, text_.capacity())).get(document_);
    JsonValue root;
    bool whole = false;
    if (error == simdjson::SUCCESS) {
      iterated_ = true;
      ondemand::value value;
      error = document_.get_value().get(value);
      whole = error == simdjson::SUCCESS && this->value(value, root, 0) && is_at_end(document_);
      if (error == simdjson::SUCCESS && !whole) error = simdjson::TAPE_ERROR;
    }
    if (whole) return root;
    if (said_.text.empty()) (void)fail(error);
    return err(std::move(said_));
  }

 private:
  bool value(ondemand::value value, JsonValue& node, std::size_t depth) {
    std::string_view token;
    ondemand::json_type type{};
    token = value.raw_json_token();
    node.offset = offset_of(token.data());
    if (depth >= kJsonDepthMax) return fail(node.offset, "nested deeper than any policy file is");
    if (++values_ > kJsonValuesMax) return fail(node.offset, "more than 1000000 values");
    if (const auto error = value.type().get(type)) return fail(error);
    switch (type) {
      case ondemand::json_type::object:
        node.kind = JsonKind::object;
        return members(value, node, depth);
      case ondemand::json_type::array:
        node.kind = JsonKind::array;
        return items(value, node, depth);
      case ondemand::json_type::string: {
        node.kind = JsonKind::string;
        std::string_view text;
        if (value.get_string().get(text)) return fail(node.offset, "expected a string without bad escapes");
        node.text = text;
        return true;
      }
      default:
        return literal(value, token, node);
    }
  }

  bool literal(ondemand::value value, std::string_view token, JsonValue& node) {
    while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
    node.text = token;
    // Whatever it says: it has to be passed, and must be JSON.
    bool truth = false;
    double number = 0;
    const bool null = value.is_null().get(truth) == simdjson::SUCCESS && truth;
    if (null || value.get_bool().get(truth) == simdjson::SUCCESS ||
        value.get_double().get(number) == simdjson::SUCCESS) {
      return true;
    }
    return fail(node.offset, "expected a value");
  }

  bool members(ondemand::value value, JsonValue& node, std::size_t depth) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return fail(error);
    for (auto member : object) {
      ondemand::field field;
      if (const auto error = std::move(member).get(field)) return fail(error);
      JsonValue& child = node.children.emplace_back();
      child.key_offset = offset_of(field.key().raw()) - 1;
      std::string_view key;
      if (field.unescaped_key().get(key)) return fail(child.key_offset, "expected a key without bad escapes");
      child.key = key;
      if (!this->value(field.value(), child, depth + 1)) return false;
    }
    return true;
  }

  bool items(ondemand::value value, JsonValue& node, std::size_t depth) {
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return fail(error);
    for (auto item : array) {
      ondemand::value element;
      if (const auto error = std::move(item).get(element)) return fail(error);
      if (!this->value(element, node.children.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  bool fail(std::size_t offset, std::string_view text) {
    if (!said_.text.empty()) return false;
    said_.offset = offset;
    said_.text = text;
    return false;
  }
  bool fail(simdjson::error_code error) { return fail(place_of(error), sentence_of(error)); }

  std::size_t offset_of(const char* place) const {
    const char* first = text_.data();
    return place < first || place > first + text_.size() ? text_.size() : static_cast<std::size_t>(place - first);
  }
  std::size_t place_of(simdjson::error_code error) {
    if (error == simdjson::UTF8_ERROR) return first_bad_line(text_);
    const char* place = nullptr;
    if (!iterated_ || document_.current_location().get(place)) return text_.size();
    return offset_of(place);
  }
  static std::string_view sentence_of(simdjson::error_code error) {
    switch (error) {
      case simdjson::UTF8_ERROR:
        return "a line that is not UTF-8";
      case simdjson::EMPTY:
        return "expected an object, found nothing";
      case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return "expected ']' or '}': the text ends within an array or object";
      case simdjson::SCALAR_DOCUMENT_AS_VALUE:
        return "expected an object";
      default:
        return "not JSON: expected another character here (a comma too many or too few, a missing quote?)";
    }
  }

  std::string text_;
  ondemand::parser parser_;
  ondemand::document document_;
  bool iterated_ = false;  // so that document_ knows where it is
  std::size_t values_ = 0;
  JsonError said_;
};

}  // namespace

Result<JsonValue, JsonError> read_json(std::string_view text) {
  auto blanked = blank_comments(text);
  if (!blanked) return err(std::move(blanked.error()));
  return TreeReader(std::move(*blanked)).read();
}

Result<std::string, JsonError> blank_comments(std::string_view text) {
  std::string blanked(text);
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') {
      const std::size_t first = at++;
      while (at < text.size() && text[at] != '"' && text[at] != '\n') at += text[at] == '\\' ? 2U : 1U;
      if (at >= text.size() || text[at] == '\n') {
        return err(JsonError{.offset = first, .text = "a string that does not end on its line"});
      }
      ++at;
      continue;
    }
#ifdef FIRELINE_PLANTED_BUG
    const char next = text[at] == '/' ? text.data()[at + 1] : '\0';
#else
    const char next = text[at] == '/' && at + 1 < text.size() ? text[at + 1] : '\0';
#endif
    std::size_t end = 0;
    if (next == '/') {
      end = std::min(text.find('\n', at), text.size());
    } else if (next == '*') {
      end = text.find("*/", at + 2);
      if (end == std::string_view::npos) return err(JsonError{.offset = at, .text = "a comment that does not end"});
      end += 2;
    } else {
      ++at;
      continue;
    }
    for (; at < end; ++at) {
      if (text[at] != '\n' && text[at] != '\r') blanked[at] = ' ';
    }
  }
  return blanked;
}

}  // namespace fireline::policy
