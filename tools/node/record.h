// What the two ends of a lab tell each other in place of a portal: one JSON object per line of an append-only file.
//
//   client:  {"session": S, "connect": {"key", "client": {"username", "password"}, "gateway": {…}}}
//   both:    {"session": S, "candidates": […]}   {"session": S, "invalidated": […]}
//
// A session begins with `connect`; lines of another session than the present one are stale.
// Lifetime: a value. Threads: any. Limit: kRecordBytesMax.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/crypto/keys.h"
#include "core/ice/credentials.h"

namespace fireline::lab {

inline constexpr std::size_t kRecordBytesMax = 65536;  // all candidates that an agent keeps, 200 bytes each

struct Intent {
  crypto::PublicKey client_key;
  ice::Credentials client;
  ice::Credentials gateway;
};

struct Record {
  std::string session;
  std::optional<Intent> connect;
  std::vector<std::string> candidates;
  std::vector<std::string> invalidated;
};

// With its line end.
[[nodiscard]] std::string to_line(const Record& record);
// Without line end; the error says what is wrong with it.
[[nodiscard]] Result<Record, std::string> parse_record(std::string_view line);

}  // namespace fireline::lab
