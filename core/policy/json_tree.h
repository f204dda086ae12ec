// JSON with comments as a tree that knows where each value stands, so that a mistake in a file can be shown to whoever
// wrote it. Strings alone are unescaped: numbers and literals stay as written.
// Lifetime: a value. Threads: any. Limits: below. Source: RFC 8259; // and /* */ comments as editors know them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace fireline::policy {

inline constexpr std::size_t kJsonDepthMax = 16;  // a policy file has seven levels
inline constexpr std::size_t kJsonValuesMax =
    1'000'000;  // some 200 MB; files within the limits of document.h have less

enum class JsonKind : std::uint8_t { object, array, string, other };

struct JsonValue {
  JsonKind kind = JsonKind::other;
  std::size_t offset = 0;  // of its first byte in the text
  std::string text;        // of a string; of others as written
  std::string key;         // of an object's member
  std::size_t key_offset = 0;
  std::vector<JsonValue> children;  // members or items
};

struct JsonError {
  std::size_t offset = 0;  // at most the text's size
  std::string text;
};

[[nodiscard]] Result<JsonValue, JsonError> read_json(std::string_view text);

// The same text with each byte of a comment replaced by a space; line ends stay. Fails for a comment or a string that
// does not end.
[[nodiscard]] Result<std::string, JsonError> blank_comments(std::string_view text);

}  // namespace fireline::policy
