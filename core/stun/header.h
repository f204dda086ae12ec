// The fixed part of a STUN message: class, method, length, magic cookie, transaction id. Source: RFC 8489 section 5.
//
//     0                   1                   2                   3
//     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//    |0 0|     type (14 bits)        |        length after the header  |
//    |                         magic cookie                            |
//    |                transaction id (96 bits)                         |
//
// Lifetime: values. Threads: any. No allocation.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/result.h"
#include "core/base/wire.h"

namespace fireline::stun {

inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::uint32_t kMagicCookie = 0x2112A442;

using TransactionId = std::array<std::byte, 12>;

enum class MessageClass : std::uint8_t { request = 0, indication = 1, success = 2, error = 3 };

// Any 12-bit number is a method; those without a name here are read and written like the others.
enum class Method : std::uint16_t {
  binding = 0x001,
  allocate = 0x003,
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
};

// Why a datagram is no message. What to do about it depends on the group:
enum class ParseError : std::uint8_t {
  // Not STUN, or cut: nobody can be answered.
  too_short,     // fewer bytes than a header
  wrong_type,    // the two top bits are not zero
  wrong_cookie,  // another magic cookie
  wrong_length,  // the datagram is longer or shorter than header and stated length
  // The structure is broken; the header is good, so that a request can be answered (500).
  malformed,  // stated length no multiple of 4, an attribute that overruns, a length that its type forbids, too many
  // The structure is good, a value is not allowed (400).
  illegal_value,
};

struct Header {
  MessageClass message_class = MessageClass::request;
  Method method = Method::binding;
  std::uint16_t length = 0;  // of everything after the header
  TransactionId transaction_id{};

  // Reads the header alone, so that a message whose attributes are broken can be answered too. Every error but
  // malformed and illegal_value.
  [[nodiscard]] static Result<Header, ParseError> parse(ConstBytes datagram) noexcept;

  friend bool operator==(const Header&, const Header&) = default;
};

// The 14-bit message type.
[[nodiscard]] constexpr std::uint16_t message_type(MessageClass message_class, Method method) noexcept {
  const auto m = static_cast<unsigned>(method);
  const auto c = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>((m & 0x00Fu) | (m & 0x070u) << 1 | (m & 0xF80u) << 2 | (c & 1u) << 4 |
                                    (c & 2u) << 7);
}

}  // namespace fireline::stun
