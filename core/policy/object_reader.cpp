#include "core/policy/object_reader.h"

#include <algorithm>

#include "core/policy/suggestion.h"

namespace fireline::policy {
namespace {

constexpr std::size_t kFoundBytesMax = 60;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// For messages on a terminal: no control characters, not longer than a line, cut between characters.
std::string shown(std::string_view text) {
  std::size_t end = std::min(text.size(), kFoundBytesMax);
  while (end > 0 && end < text.size() && is_continuation(text[end])) --end;
  std::string cut(text.substr(0, end));
  std::ranges::replace_if(cut, is_control, '?');
  if (end < text.size()) cut += "…";
  return cut;
}

}  // namespace

std::string found_text(const JsonValue& value) {
  switch (value.kind) {
    case JsonKind::object:
      return "found an object";
    case JsonKind::array:
      return "found a list";
    case JsonKind::string:
      return "found \"" + shown(value.text) + "\"";
    case JsonKind::other:
      break;
  }
  return "found " + shown(value.text);
}

void ErrorList::add(std::size_t offset, std::string place, std::string text) {
  errors_.push_back({.offset = offset, .place = std::move(place), .text = std::move(text)});
  if (errors_.size() >= 2 * kPolicyErrorsMax) keep_first();
}

std::vector<PolicyError> ErrorList::take(std::string_view text) {
  keep_first();
  std::vector<PolicyError> errors;
  std::size_t line = 1;
  std::size_t line_first = 0;
  std::size_t at = 0;
  for (Entry& entry : errors_) {
    for (; at < std::min(entry.offset, text.size()); ++at) {
      if (text[at] != '\n') continue;
      ++line;
      line_first = at + 1;
    }
    errors.push_back(
        {.line = line, .column = at - line_first + 1, .place = std::move(entry.place), .text = std::move(entry.text)});
  }
  errors_.clear();
  return errors;
}

void ErrorList::keep_first() {
  std::ranges::stable_sort(errors_, {}, &Entry::offset);
  if (errors_.size() > kPolicyErrorsMax) errors_.resize(kPolicyErrorsMax);
}

ObjectReader::ObjectReader(ErrorList& errors, const JsonValue& value, std::string place,
                           std::span<const std::string_view> keys)
    : errors_(errors), value_(value), place_(std::move(place)) {
  if (value.kind != JsonKind::object) {
    errors_.add(value.offset, place_, "expected an object, " + found_text(value));
    return;
  }
  std::vector<bool> seen(keys.size());
  for (const JsonValue& member : value.children) {
    const auto found = std::ranges::find(keys, member.key);
    if (found == keys.end()) {
      errors_.add(member.key_offset, place_,
                  "unknown key \"" + shown(member.key) + "\"" + suggestion(member.key, keys));
      continue;
    }
    const auto index = static_cast<std::size_t>(found - keys.begin());
    if (seen[index]) errors_.add(member.key_offset, place_, "\"" + member.key + "\" comes twice");
    seen[index] = true;
  }
}

const JsonValue* ObjectReader::find(std::string_view key) const {
  if (value_.kind != JsonKind::object) return nullptr;
  const auto found = std::ranges::find(value_.children, key, &JsonValue::key);
  return found == value_.children.end() ? nullptr : &*found;
}

const JsonValue* ObjectReader::need(std::string_view key) const {
  const JsonValue* found = find(key);
  if (found == nullptr && value_.kind == JsonKind::object) {
    errors_.add(value_.offset, place_, "expected a key \"" + std::string(key) + "\"");
  }
  return found;
}

std::string ObjectReader::name(std::string_view key) const {
  return need(key) == nullptr ? std::string() : optional_name(key).value_or("");
}

std::optional<std::string> ObjectReader::optional_name(std::string_view key) const {
  const JsonValue* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind == JsonKind::string && !found->text.empty() && found->text.size() <= kNameBytesMax &&
      std::ranges::none_of(found->text, is_control)) {
    return found->text;
  }
  expected(*found, key, "a string of 1 to " + std::to_string(kNameBytesMax) + " bytes without control characters");
  return std::nullopt;
}

std::optional<Uuid> ObjectReader::id() const {
  const JsonValue* found = find("id");
  if (found == nullptr) return std::nullopt;
  const auto id = found->kind == JsonKind::string ? Uuid::parse(found->text) : std::nullopt;
  if (!id || *id == Uuid()) {
    expected(*found, "id", "a UUID other than zero");
    return std::nullopt;
  }
  return id;
}

std::span<const JsonValue> ObjectReader::items(std::string_view key, std::size_t least, std::size_t most) const {
  return need(key) == nullptr ? std::span<const JsonValue>() : optional_items(key, least, most);
}

std::span<const JsonValue> ObjectReader::optional_items(std::string_view key, std::size_t least,
                                                        std::size_t most) const {
  const JsonValue* found = find(key);
  if (found == nullptr) return {};
  if (found->kind != JsonKind::array) {
    expected(*found, key, "a list");
    return {};
  }
  const std::span<const JsonValue> items = found->children;
  if (items.size() < least) fail(*found, key, "expected at least one entry, found an empty list");
  if (items.size() <= most) return items;
  fail(items[most], key, "expected at most " + std::to_string(most) + " entries");
  return items.first(most);
}

void ObjectReader::fail(const JsonValue& value, std::string_view key, std::string text) const {
  errors_.add(value.offset, place_of(key), std::move(text));
}

void ObjectReader::expected(const JsonValue& value, std::string_view key, std::string_view what) const {
  fail(value, key, "expected " + std::string(what) + ", " + found_text(value));
}

std::string ObjectReader::place_of(std::string_view key) const {
  return place_.empty() ? std::string(key) : place_ + "." + std::string(key);
}

}  // namespace fireline::policy
