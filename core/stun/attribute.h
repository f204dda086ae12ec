// STUN attributes: their types and the codecs of their values. Source: RFC 8489 section 14, RFC 8656 section 18,
// RFC 8445 section 16 (ICE).
// A decoder takes the value without its padding. bad length: `malformed`; a value that is not allowed: `illegal_value`.
// Reserved bytes are ignored when read and zero when written.
// Lifetime: texts borrow the message. Threads: any. No allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/wire.h"
#include "core/stun/header.h"

namespace fireline::stun {

// Any 16-bit number is a type; those without a name here are unknown attributes.
enum class Attribute : std::uint16_t {
  mapped_address = 0x0001,
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000A,
  channel_number = 0x000C,
  lifetime = 0x000D,
  xor_peer_address = 0x0012,
  data = 0x0013,
  realm = 0x0014,
  nonce = 0x0015,
  xor_relayed_address = 0x0016,
  requested_address_family = 0x0017,
  even_port = 0x0018,
  requested_transport = 0x0019,
  dont_fragment = 0x001A,
  xor_mapped_address = 0x0020,
  reservation_token = 0x0022,
  priority = 0x0024,
  use_candidate = 0x0025,
  additional_address_family = 0x8000,
  software = 0x8022,
  alternate_server = 0x8023,
  fingerprint = 0x8028,
  ice_controlled = 0x8029,
  ice_controlling = 0x802A,
};

inline constexpr std::size_t kAttributeHeaderBytes = 4;
inline constexpr std::size_t kIntegrityBytes = 20;
inline constexpr std::size_t kFingerprintBytes = 4;
inline constexpr std::size_t kMaxAddressBytes = 20;  // of an IPv6 address attribute's value

inline constexpr std::size_t kMaxUsernameBytes = 512;   // RFC 5389 section 15.3: fewer than 513 bytes (RFC 8489: 509)
inline constexpr std::size_t kMaxTextCharacters = 127;  // REALM, NONCE, SOFTWARE: fewer than 128 characters

// Channel numbers that RFC 8656 section 12 lets a client bind.
inline constexpr std::uint16_t kMinChannel = 0x4000;
inline constexpr std::uint16_t kMaxChannel = 0x4FFF;

inline constexpr std::uint8_t kTransportUdp = 17;
inline constexpr std::uint8_t kTransportTcp = 6;

struct ErrorCode {
  std::uint16_t code = 0;  // 300 to 599
  std::string_view reason;
};

// Bytes from one attribute's value to the next attribute.
[[nodiscard]] constexpr std::size_t padded(std::size_t value_bytes) noexcept {
  return (value_bytes + 3) & ~std::size_t{3};
}

// XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS.
[[nodiscard]] Result<Endpoint, ParseError> decode_xor_address(ConstBytes value, const TransactionId& id) noexcept;
// MAPPED-ADDRESS, ALTERNATE-SERVER.
[[nodiscard]] Result<Endpoint, ParseError> decode_address(ConstBytes value) noexcept;
// Write into at least kMaxAddressBytes; return how many they wrote: 8 or 20.
std::size_t encode_xor_address(const Endpoint& endpoint, const TransactionId& id, Bytes out) noexcept;
std::size_t encode_address(const Endpoint& endpoint, Bytes out) noexcept;

[[nodiscard]] Result<ErrorCode, ParseError> decode_error_code(ConstBytes value) noexcept;
[[nodiscard]] Result<std::uint16_t, ParseError> decode_channel_number(ConstBytes value,
                                                                      std::uint16_t max = kMaxChannel) noexcept;
// LIFETIME in seconds, PRIORITY, FINGERPRINT.
[[nodiscard]] Result<std::uint32_t, ParseError> decode_u32(ConstBytes value) noexcept;
// The tie-breaker of ICE-CONTROLLED and ICE-CONTROLLING.
[[nodiscard]] Result<std::uint64_t, ParseError> decode_u64(ConstBytes value) noexcept;
// REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY.
[[nodiscard]] Result<Family, ParseError> decode_family(ConstBytes value) noexcept;
// REQUESTED-TRANSPORT: an IP protocol number, any.
[[nodiscard]] Result<std::uint8_t, ParseError> decode_transport(ConstBytes value) noexcept;
// USERNAME, REALM, NONCE, SOFTWARE: UTF-8 within the bounds of `type`.
[[nodiscard]] Result<std::string_view, ParseError> decode_text(Attribute type, ConstBytes value) noexcept;

// What decoding `value` as `type` would say. Types that the table of the relay's attributes (STUN and TURN, not ICE)
// does not hold are always good: they are ignored by those who do not ask for them.
[[nodiscard]] Result<void, ParseError> check_attribute(Attribute type, ConstBytes value,
                                                       const TransactionId& id) noexcept;

}  // namespace fireline::stun
