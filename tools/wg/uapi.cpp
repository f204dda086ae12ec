#include "tools/wg/uapi.h"

#include <cerrno>
#include <charconv>
#include <concepts>
#include <utility>

namespace fireline::wg {
namespace {

using wireguard::PeerUpdate;

UapiError invalid(std::string sentence) {
  return {EINVAL, std::move(sentence)};
}

// Decimal digits alone, as strconv.ParseUint(value, 10, bits) has it.
template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text) noexcept {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// For the log: foreign bytes made printable. What is as long as a key in base64 (44 characters) or hex (64) may be one
// that a person put in the wrong place, so it is not repeated.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShownMax = 40;
  if (text.size() > kShownMax) return "a text of " + std::to_string(text.size()) + " characters";
  std::string out = "\"";
  for (const char c : text) out += c >= ' ' && c <= '~' && c != '"' ? c : '?';
  return out + "\"";
}

// RFC 7748 section 5: what every implementation does with a secret before use, and what get=1 reports.
void clamp(crypto::Key& key) noexcept {
  const auto bytes = key.mutable_bytes();
  bytes[0] &= std::byte{248};
  bytes[31] = (bytes[31] & std::byte{127}) | std::byte{64};
}

// IPv4 carried in an IPv6 address is reached over the IPv4 socket.
IpAddress unmapped(const IpAddress& address) noexcept {
  constexpr std::size_t kMappedPrefixBytes = 12;
  const auto mapped = Prefix::parse("::ffff:0:0/96");
  if (address.is_v4() || !mapped->contains(address)) return address;
  return IpAddress::from_bytes(address.bytes().subspan(kMappedPrefixBytes));
}

std::optional<Endpoint> parse_endpoint(std::string_view text, ScopeLookup scope_of) {
  auto endpoint = Endpoint::parse(text);
  if (!endpoint && scope_of != nullptr) {
    const auto zone = text.find('%');
    const auto bracket = text.find(']');
    if (zone == std::string_view::npos || bracket == std::string_view::npos || bracket < zone) return std::nullopt;
    const auto scope = scope_of(text.substr(zone + 1, bracket - zone - 1));
    if (scope == 0) return std::nullopt;
    endpoint = Endpoint::parse(std::string(text.substr(0, zone + 1)) + std::to_string(scope) +
                               std::string(text.substr(bracket)));
  }
  if (endpoint) endpoint->address = unmapped(endpoint->address);
  return endpoint;
}

template <std::integral T>
void append_line(io::SecretBuffer& out, std::string_view key, T value) {
  io::append(out, key);
  char digits[24];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), value);
  io::append(out, {digits, end});
  out.push_back('\n');
}

void append_line(io::SecretBuffer& out, std::string_view key, std::string_view value) {
  io::append(out, key);
  io::append(out, value);
  out.push_back('\n');
}

// Hex straight into the buffer that erases itself.
void append_key_line(io::SecretBuffer& out, std::string_view key, ConstBytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  io::append(out, key);
  for (const std::byte byte : bytes) {
    out.push_back(kDigits[std::to_integer<std::size_t>(byte >> 4)]);
    out.push_back(kDigits[std::to_integer<std::size_t>(byte & std::byte{15})]);
  }
  out.push_back('\n');
}

void append_peer(io::SecretBuffer& out, const wireguard::PeerStatus& peer) {
  append_key_line(out, "public_key=", peer.public_key.bytes);
  append_key_line(out, "preshared_key=", peer.preshared_key.bytes());
  append_line(out, "protocol_version=", 1);
  if (peer.endpoint) append_line(out, "endpoint=", peer.endpoint->to_string());
  const auto handshake = peer.last_handshake ? peer.last_handshake->time_since_epoch() : Duration::zero();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(handshake);
  append_line(out, "last_handshake_time_sec=", seconds.count());
  append_line(out, "last_handshake_time_nsec=", (handshake - seconds).count());
  append_line(out, "tx_bytes=", peer.sent_bytes);
  append_line(out, "rx_bytes=", peer.received_bytes);
  append_line(out, "persistent_keepalive_interval=", peer.persistent_keepalive_seconds);
  for (const Prefix& prefix : peer.allowed_ips) append_line(out, "allowed_ip=", prefix.to_string());
}

}  // namespace

void UapiSetParser::feed(std::string_view line) {
  if (error_) return;
  bytes_ += line.size() + 1;
  if (bytes_ > kUapiRequestBytesMax) {
    error_ = UapiError{EPROTO, "the request has more than " + std::to_string(kUapiRequestBytesMax) + " bytes"};
  } else {
    error_ = read_line(line);
  }
  if (error_) update_ = {};  // its keys are erased now, not when the request ends
}

Result<wireguard::DeviceUpdate, UapiError> UapiSetParser::finish() {
  UapiSetParser fresh(scope_of_);
  std::swap(*this, fresh);
  if (fresh.error_) return err(std::move(*fresh.error_));
  return std::move(fresh.update_);
}

UapiSetParser::Outcome UapiSetParser::read_line(std::string_view line) {
  if (line.size() > kUapiLineBytesMax) {
    return UapiError{EPROTO, "a line has more than " + std::to_string(kUapiLineBytesMax) + " bytes"};
  }
  const auto equals = line.find('=');
  // The line itself is not repeated: it may be a key with a slip of the keyboard before it.
  if (equals == std::string_view::npos) return UapiError{EPROTO, "a line has no \"=\""};
  const auto key = line.substr(0, equals);
  const auto value = line.substr(equals + 1);
  if (key == "public_key") return begin_peer(value);
  return update_.peers.empty() ? read_device_line(key, value) : read_peer_line(key, value);
}

UapiSetParser::Outcome UapiSetParser::read_device_line(std::string_view key, std::string_view value) {
  if (key == "private_key") {
    update_.private_key = crypto::Key::from_hex(value);
    if (!update_.private_key) return invalid("private_key needs 64 hexadecimal digits");
    if (!update_.private_key->is_zero()) clamp(*update_.private_key);
  } else if (key == "listen_port") {
    update_.listen_port = parse_number<std::uint16_t>(value);
    if (!update_.listen_port) return invalid("listen_port needs a number from 0 to 65535, not " + quoted(value));
  } else if (key == "fwmark") {
    update_.fwmark = parse_number<std::uint32_t>(value);
    if (!update_.fwmark) return invalid("fwmark needs a number from 0 to 4294967295, not " + quoted(value));
  } else if (key == "replace_peers") {
    if (value != "true") return invalid("replace_peers can only be true, not " + quoted(value));
    update_.replace_peers = true;
  } else {
    return invalid("unknown device key " + quoted(key));
  }
  return std::nullopt;
}

UapiSetParser::Outcome UapiSetParser::begin_peer(std::string_view value) {
  if (update_.peers.size() >= kUapiPeersMax) {
    return invalid("more than " + std::to_string(kUapiPeersMax) + " peers in one request");
  }
  const auto public_key = crypto::PublicKey::from_hex(value);
  if (!public_key) return invalid("public_key needs 64 hexadecimal digits");
  update_.peers.emplace_back().public_key = *public_key;
  return std::nullopt;
}

UapiSetParser::Outcome UapiSetParser::read_peer_line(std::string_view key, std::string_view value) {
  PeerUpdate& peer = update_.peers.back();
  if (key == "remove" || key == "update_only" || key == "replace_allowed_ips") {
    if (value != "true") return invalid(std::string(key) + " can only be true, not " + quoted(value));
    if (key == "remove") peer.remove = true;
    if (key == "update_only") peer.update_only = true;
    if (key == "replace_allowed_ips") {
      peer.replace_allowed_ips = true;
      peer.allowed_ips.clear();  // lines take effect in their order: what was added before is replaced, too
    }
  } else if (key == "preshared_key") {
    peer.preshared_key = crypto::Key::from_hex(value);
    if (!peer.preshared_key) return invalid("preshared_key needs 64 hexadecimal digits");
  } else if (key == "endpoint") {
    peer.endpoint = parse_endpoint(value, scope_of_);
    if (!peer.endpoint) return invalid("endpoint needs ADDRESS:PORT or [ADDRESS]:PORT, not " + quoted(value));
  } else if (key == "persistent_keepalive_interval") {
    peer.persistent_keepalive_seconds = parse_number<std::uint16_t>(value);
    if (!peer.persistent_keepalive_seconds) {
      return invalid("persistent_keepalive_interval needs seconds from 0 to 65535, not " + quoted(value));
    }
  } else if (key == "allowed_ip") {
    return read_allowed_ip(value);
  } else if (key == "protocol_version") {
    if (value != "1") return invalid("protocol_version can only be 1, not " + quoted(value));
  } else {
    return invalid("unknown peer key " + quoted(key));
  }
  return std::nullopt;
}

UapiSetParser::Outcome UapiSetParser::read_allowed_ip(std::string_view value) {
  if (++allowed_ips_ > kUapiAllowedIpsMax) {
    return invalid("more than " + std::to_string(kUapiAllowedIpsMax) + " allowed IPs in one request");
  }
#ifdef FIRELINE_PLANTED_BUG
  const bool remove = value[0] == '-';  // for tools/fuzz: reads behind an empty value
#else
  const bool remove = value.starts_with('-');
#endif
  const auto text = value.substr(remove ? 1 : 0);
  // An address without a length is no prefix in this protocol.
  const auto prefix = text.contains('/') ? Prefix::parse(text) : std::nullopt;
  if (!prefix) return invalid("allowed_ip needs ADDRESS/LENGTH, not " + quoted(value));
  update_.peers.back().allowed_ips.push_back({*prefix, remove});
  return std::nullopt;
}

Result<wireguard::DeviceUpdate, UapiError> parse_uapi_set(std::string_view body, ScopeLookup scope_of) {
  UapiSetParser parser(scope_of);
  while (!body.empty()) {
    const auto newline = body.find('\n');
    parser.feed(body.substr(0, newline));
    body = newline == std::string_view::npos ? std::string_view() : body.substr(newline + 1);
  }
  return parser.finish();
}

void append_uapi_status(io::SecretBuffer& out, const InterfaceStatus& status) {
  if (status.device.private_key && !status.device.private_key->is_zero()) {
    append_key_line(out, "private_key=", status.device.private_key->bytes());
  }
  if (status.listen_port != 0) append_line(out, "listen_port=", status.listen_port);
  if (status.fwmark != 0) append_line(out, "fwmark=", status.fwmark);
  for (const auto& peer : status.device.peers) append_peer(out, peer);
}

void append_uapi_errno(io::SecretBuffer& out, int code) {
  append_line(out, "errno=", -code);
  out.push_back('\n');
}

}  // namespace fireline::wg
