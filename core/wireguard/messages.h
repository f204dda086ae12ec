// The four WireGuard messages: classification, views, and the header of transport data.
// Source: WireGuard paper section 5.4. All integers are little-endian.
//
//   initiation, 148 bytes             response, 92 bytes              cookie reply, 64 bytes
//     0  type 1, three zero bytes       0  type 2, three zero bytes     0  type 3, three zero bytes
//     4  sender index                   4  sender index                 4  receiver index
//     8  ephemeral public key (32)      8  receiver index               8  nonce (24)
//    40  AEAD(static public key) (48)  12  ephemeral public key (32)   32  XAEAD(cookie) (32)
//    88  AEAD(timestamp) (28)          44  AEAD(nothing) (16)
//   116  mac1 (16)                     60  mac1 (16)                  transport data, at least 32 bytes
//   132  mac2 (16)                     76  mac2 (16)                     0  type 4, three zero bytes
//                                                                        4  receiver index
//                                                                        8  counter (64 bit)
//                                                                       16  AEAD(packet) (n + 16)
//
// The receiver index is the sender index that the other side gave. 32 bytes of transport data are a keepalive.
// Lifetime: a view borrows the datagram. Threads: values; safe anywhere. No allocation.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "core/base/wire.h"

namespace fireline::wireguard {

inline constexpr std::size_t kMacBytes = 16;
inline constexpr std::size_t kCookieBytes = 16;
inline constexpr std::size_t kCookieNonceBytes = 24;

inline constexpr std::size_t kInitiationBytes = 148;
inline constexpr std::size_t kResponseBytes = 92;
inline constexpr std::size_t kCookieReplyBytes = 64;
inline constexpr std::size_t kTransportHeaderBytes = 16;
inline constexpr std::size_t kTransportTagBytes = 16;
// What a packet grows by in transport data; also the least length of such a message.
inline constexpr std::size_t kTransportOverheadBytes = kTransportHeaderBytes + kTransportTagBytes;

using InitiationMessage = std::array<std::byte, kInitiationBytes>;
using ResponseMessage = std::array<std::byte, kResponseBytes>;
using CookieReplyMessage = std::array<std::byte, kCookieReplyBytes>;

// The first four bytes as one integer: a non-zero reserved byte makes it another number, thus no WireGuard message.
enum class MessageType : std::uint8_t { initiation = 1, response = 2, cookie_reply = 3, transport = 4 };

enum class MessageError : std::uint8_t {
  too_short,     // fewer than four bytes
  unknown_type,  // the first four bytes are none of the four types
  bad_length,    // not the type's exact length, or transport data below 32 bytes
};

// What a datagram claims to be, judged by its first four bytes and its length alone.
[[nodiscard]] Result<MessageType, MessageError> classify(ConstBytes datagram) noexcept;

// The fields that cookies and rate limits need, which initiation and response have alike.
struct MacFields {
  std::uint32_t sender_index = 0;
  ConstBytes mac1_input;  // everything before mac1
  std::span<const std::byte, kMacBytes> mac1;
  ConstBytes mac2_input;  // everything before mac2, mac1 included
  std::span<const std::byte, kMacBytes> mac2;

  // Of an initiation or a response; for other types unknown_type.
  [[nodiscard]] static Result<MacFields, MessageError> parse(ConstBytes datagram) noexcept;
};

// Each parse() gives a view only of a datagram that classify() says to be of that type; another type is unknown_type.

class InitiationView {
 public:
  [[nodiscard]] static Result<InitiationView, MessageError> parse(ConstBytes datagram) noexcept;

  [[nodiscard]] std::uint32_t sender_index() const noexcept { return load_le32(bytes_, 4); }
  [[nodiscard]] std::span<const std::byte, 32> ephemeral() const noexcept { return bytes_.subspan<8, 32>(); }
  [[nodiscard]] std::span<const std::byte, 48> encrypted_static() const noexcept { return bytes_.subspan<40, 48>(); }
  [[nodiscard]] std::span<const std::byte, 28> encrypted_timestamp() const noexcept { return bytes_.subspan<88, 28>(); }

 private:
  using Fixed = std::span<const std::byte, kInitiationBytes>;
  explicit InitiationView(Fixed checked) noexcept : bytes_(checked) {}
  Fixed bytes_;
};

class ResponseView {
 public:
  [[nodiscard]] static Result<ResponseView, MessageError> parse(ConstBytes datagram) noexcept;

  [[nodiscard]] std::uint32_t sender_index() const noexcept { return load_le32(bytes_, 4); }
  [[nodiscard]] std::uint32_t receiver_index() const noexcept { return load_le32(bytes_, 8); }
  [[nodiscard]] std::span<const std::byte, 32> ephemeral() const noexcept { return bytes_.subspan<12, 32>(); }
  [[nodiscard]] std::span<const std::byte, 16> encrypted_nothing() const noexcept { return bytes_.subspan<44, 16>(); }

 private:
  using Fixed = std::span<const std::byte, kResponseBytes>;
  explicit ResponseView(Fixed checked) noexcept : bytes_(checked) {}
  Fixed bytes_;
};

class CookieReplyView {
 public:
  [[nodiscard]] static Result<CookieReplyView, MessageError> parse(ConstBytes datagram) noexcept;

  [[nodiscard]] std::uint32_t receiver_index() const noexcept { return load_le32(bytes_, 4); }
  [[nodiscard]] std::span<const std::byte, kCookieNonceBytes> nonce() const noexcept { return bytes_.subspan<8, 24>(); }
  [[nodiscard]] std::span<const std::byte, 32> encrypted_cookie() const noexcept { return bytes_.subspan<32, 32>(); }

 private:
  using Fixed = std::span<const std::byte, kCookieReplyBytes>;
  explicit CookieReplyView(Fixed checked) noexcept : bytes_(checked) {}
  Fixed bytes_;
};

class TransportView {
 public:
  [[nodiscard]] static Result<TransportView, MessageError> parse(ConstBytes datagram) noexcept;

  [[nodiscard]] std::uint32_t receiver_index() const noexcept { return load_le32(bytes_, 4); }
  [[nodiscard]] std::uint64_t counter() const noexcept { return load_le64(bytes_, 8); }
  // Ciphertext and tag: at least kTransportTagBytes.
  [[nodiscard]] ConstBytes sealed() const noexcept { return bytes_.subspan(kTransportHeaderBytes); }
  // Length of the plaintext, padding included; 0 for a keepalive.
  [[nodiscard]] std::size_t plaintext_bytes() const noexcept { return bytes_.size() - kTransportOverheadBytes; }

 private:
  explicit TransportView(ConstBytes checked) noexcept : bytes_(checked) {}
  ConstBytes bytes_;
};

// Writes the 16 bytes before the ciphertext. `message` holds at least kTransportHeaderBytes; aborts otherwise.
inline void write_transport_header(Bytes message, std::uint32_t receiver_index, std::uint64_t counter) noexcept {
  store_le64(message, 0, std::uint64_t{receiver_index} << 32 | std::uint64_t{4});
  store_le64(message, 8, counter);
}

}  // namespace fireline::wireguard
