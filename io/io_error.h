// Why a device, socket or file could not be set up, and what the person can do about it. Made at start-up and on
// commands only, never per packet. A value: no global state, any thread.
#pragma once
#include <string>
#include <string_view>

namespace fireline::io {

struct IoError {
  int code = 0;                // errno of the call
  const char* operation = "";  // what was tried, e.g. "bind UDP port" or "TUNSETIFF"; a literal
  std::string context{};       // on what: "port 51820/IPv4", "TUN device wg0 (flags IFF_TUN|IFF_NO_PI|IFF_VNET_HDR)"
  std::string fix{};           // what helps, when the place that failed knows better than the errno; may be empty

  // One sentence without newline: "cannot <operation> for <context>: <text of errno> (E...): <fix>".
  [[nodiscard]] std::string to_string() const;
};

// Of the calling thread's errno.
[[nodiscard]] IoError last_error(const char* operation, std::string context, std::string fix = {});

// "EADDRINUSE"; "errno 4711" for an unknown number.
[[nodiscard]] std::string errno_name(int code);

}  // namespace fireline::io
