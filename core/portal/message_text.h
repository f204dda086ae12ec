// A message between frame and codec: the event's name and the payload's JSON text; and why one cannot be read.
// Source: portal specification 1.11, 2. Lifetime: values; `event` is static. Threads: any.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace fireline::portal {

struct MessageText {
  std::string_view event;
  std::string payload;  // JSON
};

enum class MessageError : std::uint8_t {
  unknown_event,
  not_json,     // the payload is cut off or malformed
  bad_payload,  // a required field is missing, a type or value is wrong, or a limit is exceeded
  unsupported,  // well-formed, but of a kind that is ignored: a resource of an unknown type
};

[[nodiscard]] constexpr std::string_view name_of(MessageError error) noexcept {
  switch (error) {
    case MessageError::unknown_event:
      return "unknown event";
    case MessageError::not_json:
      return "not JSON";
    case MessageError::bad_payload:
      return "bad payload";
    case MessageError::unsupported:
      break;
  }
  return "of an unsupported kind";
}

}  // namespace fireline::portal
