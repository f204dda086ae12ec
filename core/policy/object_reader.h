// Reads the members of one JSON object of a policy file, and collects what is wrong with them. A reader that has said
// an error goes on with an empty value, so that one run finds as many mistakes as possible.
// Lifetime: within one read_document(); keeps references to tree and errors. Threads: one.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/policy/document_reader.h"
#include "core/policy/json_tree.h"

namespace fireline::policy {

class ErrorList {
 public:
  void add(std::size_t offset, std::string place, std::string text);
  [[nodiscard]] bool empty() const noexcept { return errors_.empty(); }
  // The first kPolicyErrorsMax in the order of the file; `text` is what offsets count in.
  [[nodiscard]] std::vector<PolicyError> take(std::string_view text);

 private:
  struct Entry {
    std::size_t offset;
    std::string place;
    std::string text;
  };
  void keep_first();

  std::vector<Entry> errors_;
};

class ObjectReader {
 public:
  // Says what is no object, and keys that are none of `keys` or come twice.
  ObjectReader(ErrorList& errors, const JsonValue& value, std::string place, std::span<const std::string_view> keys);

  // Null when it is not there.
  [[nodiscard]] const JsonValue* find(std::string_view key) const;
  // Says when it is not there.
  [[nodiscard]] const JsonValue* need(std::string_view key) const;
  // The text of a member; empty when it is missing or none. At most kNameBytesMax, no control characters, not empty.
  [[nodiscard]] std::string name(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> optional_name(std::string_view key) const;
  [[nodiscard]] std::optional<Uuid> id() const;
  // The items of a list; a missing one, and with `least` an empty one, is said. `most` cuts the list.
  [[nodiscard]] std::span<const JsonValue> items(std::string_view key, std::size_t least, std::size_t most) const;
  // A list that may be missing.
  [[nodiscard]] std::span<const JsonValue> optional_items(std::string_view key, std::size_t least,
                                                          std::size_t most) const;

  void fail(const JsonValue& value, std::string_view key, std::string text) const;
  // "expected …, found …"
  void expected(const JsonValue& value, std::string_view key, std::string_view what) const;
  [[nodiscard]] std::string place_of(std::string_view key) const;
  [[nodiscard]] ErrorList& errors() const noexcept { return errors_; }
  [[nodiscard]] const JsonValue& value() const noexcept { return value_; }

  // Parses the text of one value with a function of value_text.h; empty when it was wrong, which is said.
  template <class Parse>
  [[nodiscard]] auto parse(const JsonValue& value, std::string_view key, Parse function) const {
    using Value = typename decltype(function(std::string_view()))::value_type;
    if (value.kind == JsonKind::string) {
      auto parsed = function(std::string_view(value.text));
      if (parsed) return std::optional<Value>(std::move(*parsed));
      expected(value, key, parsed.error());
    } else {
      expected(value, key, "a string");
    }
    return std::optional<Value>();
  }

 private:
  ErrorList& errors_;
  const JsonValue& value_;
  std::string place_;
};

// "found 12", "found a list": for messages; long texts are cut.
[[nodiscard]] std::string found_text(const JsonValue& value);

}  // namespace fireline::policy
