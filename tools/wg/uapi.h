// WireGuard's cross-platform configuration protocol as text: lines key=value, a request ends with an empty line.
// Source: https://www.wireguard.com/xplatform/ and wireguard-go's answers where the page is silent.
//
//   set=1\n private_key=…\n … public_key=…\n … \n       answer: errno=0\n\n
//   get=1\n \n                                         answer: private_key=…\n … errno=0\n\n
//
// Parsing is atomic: a DeviceUpdate exists only when every line was good. The first error wins; the rest of its
// request is read and ignored. Errors are negative errno values on the wire, as wireguard-go writes them.
// Keys stay in types that erase themselves and appear in no sentence. No I/O, no clock. Threads: any, one at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/wireguard/configuration.h"
#include "io/secret_buffer.h"

namespace fireline::wg {

// The longest legal line is preshared_key with 78 characters; endpoints with an interface name stay below 70.
inline constexpr std::size_t kUapiLineBytesMax = 256;
// 10,000 peers with keys, endpoint and ten allowed IPs each are 6 MiB; more than twice that is no configuration.
inline constexpr std::size_t kUapiRequestBytesMax = std::size_t{16} << 20;
// Peer sections of one request, repetitions included: six times the largest deployment planned for.
inline constexpr std::size_t kUapiPeersMax = 65'536;
// Allowed-IP lines of one request: what fits into the bytes anyhow, named so that memory is bounded by count as well.
inline constexpr std::size_t kUapiAllowedIpsMax = 524'288;

struct UapiError {
  int code = 0;          // positive errno: EPROTO, EINVAL, EADDRINUSE, EIO…
  std::string sentence;  // for the log; holds no value of a key
};

// What get=1 reports: the engine's status and what the sockets hold.
struct InterfaceStatus {
  wireguard::DeviceStatus device;
  std::uint16_t listen_port = 0;
  std::uint32_t fwmark = 0;
};

// Index of the interface with that name; 0: there is none.
using ScopeLookup = std::uint32_t (*)(std::string_view interface_name);

// The lines of one set=1 request, in order, without their newline and without the empty line that ends them.
class UapiSetParser {
 public:
  // `scope_of` resolves the zone of link-local endpoints ([fe80::1%eth0]:51820); null: numeric zones alone.
  explicit UapiSetParser(ScopeLookup scope_of = nullptr) noexcept : scope_of_(scope_of) {}

  // After an error further lines are ignored.
  void feed(std::string_view line);
  // Leaves the parser ready for the next request.
  [[nodiscard]] Result<wireguard::DeviceUpdate, UapiError> finish();

 private:
  using Outcome = std::optional<UapiError>;
  Outcome read_line(std::string_view line);
  Outcome read_device_line(std::string_view key, std::string_view value);
  Outcome read_peer_line(std::string_view key, std::string_view value);
  Outcome read_allowed_ip(std::string_view value);
  Outcome begin_peer(std::string_view value);

  ScopeLookup scope_of_;
  wireguard::DeviceUpdate update_;
  std::optional<UapiError> error_;
  std::size_t bytes_ = 0;
  std::size_t allowed_ips_ = 0;
};

// A complete body: every line behind "set=1\n" up to and without the empty line.
[[nodiscard]] Result<wireguard::DeviceUpdate, UapiError> parse_uapi_set(std::string_view body,
                                                                        ScopeLookup scope_of = nullptr);

// The answer to get=1 without its errno line, in wireguard-go's order.
void append_uapi_status(io::SecretBuffer& out, const InterfaceStatus& status);
// "errno=-22\n\n" for EINVAL, "errno=0\n\n" for 0.
void append_uapi_errno(io::SecretBuffer& out, int code);

}  // namespace fireline::wg
