// Frames of the control protocol: Phoenix's version-1 object form, {"topic":…,"event":…,"payload":…,"ref":…}.
// Source: portal specification 1.8, 1.9, 1.11. Payloads are handed on as JSON text; the codecs read them.
// Lifetime: values; nothing borrows the text that was read. Threads: any. Limit: kFrameBytesMax.
// Errors: FrameError; the reader drops the frame, counts it, and the connection stays.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/result.h"

namespace fireline::portal {

inline constexpr std::string_view kHeartbeatTopic = "phoenix";
inline constexpr std::string_view kHeartbeatEvent = "heartbeat";
inline constexpr std::string_view kJoinEvent = "phx_join";
inline constexpr std::string_view kLeaveEvent = "phx_leave";
inline constexpr std::string_view kCloseEvent = "phx_close";
inline constexpr std::string_view kEmptyObject = "{}";
inline constexpr std::string_view kUnmatchedTopic = "unmatched topic";

// Portal specification 1.13. Nesting is simdjson's to bound (1,024 levels).
inline constexpr std::size_t kFrameBytesMax = std::size_t{16} << 20;

enum class FrameError : std::uint8_t {
  too_large,  // more than kFrameBytesMax
  not_json,   // cut off, malformed, not UTF-8
  bad_shape,  // JSON, but not an object with the keys and types above
  unknown,    // a disconnect whose reason is not known
};

// What a server sends.
struct Reply {
  std::uint64_t ref = 0;
  bool ok = false;
  std::string reason;  // of an error; may be empty
};
struct ChannelError {};
struct ChannelClosed {};
struct TokenExpired {};
struct Push {
  std::string event;
  std::string payload;  // JSON
};
using ServerFrame = std::variant<Reply, ChannelError, ChannelClosed, TokenExpired, Push>;

// A reply counts by its status alone: what `response` of an ok holds is not looked at.
[[nodiscard]] Result<ServerFrame, FrameError> read_server_frame(std::string_view text);

// What a program sends.
struct ProgramFrame {
  std::string topic;
  std::string event;
  std::string payload;  // JSON
  std::optional<std::uint64_t> ref;
};

// All four keys must be there.
[[nodiscard]] Result<ProgramFrame, FrameError> read_program_frame(std::string_view text);

// `payload` is JSON and goes in as it is.
[[nodiscard]] std::string write_frame(std::string_view topic, std::string_view event, std::string_view payload,
                                      std::uint64_t ref);
// A server's push: ref null.
[[nodiscard]] std::string write_push(std::string_view topic, std::string_view event, std::string_view payload);
// `ref` goes back as it came, null when there was none.
[[nodiscard]] std::string write_ok(std::string_view topic, std::optional<std::uint64_t> ref);
[[nodiscard]] std::string write_error(std::string_view topic, std::optional<std::uint64_t> ref,
                                      std::string_view reason);

}  // namespace fireline::portal
