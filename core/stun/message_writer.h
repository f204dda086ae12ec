// Writes one STUN message into the caller's bytes, attributes in the order of the calls, padding zero.
//   MessageWriter writer(out, MessageClass::success, Method::binding, id);
//   writer.add_text(Attribute::software, text);
//   writer.add_xor_address(Attribute::xor_mapped_address, client);
//   send(writer.message());
// add_integrity() and then add_fingerprint() come last: what is added after integrity is not protected.
//
// Lifetime: borrows `out`. Threads: one. No allocation but inside the hash library. Limits: a message that does not fit
// into `out`, or would be longer than its length field can say, becomes empty and stays so.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/stun/attribute.h"
#include "core/stun/header.h"

namespace fireline::stun {

class MessageWriter {
 public:
  MessageWriter(Bytes out, MessageClass message_class, Method method, const TransactionId& id) noexcept;

  void add(Attribute type, ConstBytes value) noexcept;
  void add_flag(Attribute type) noexcept { add(type, {}); }                   // USE-CANDIDATE, DONT-FRAGMENT
  void add_text(Attribute type, std::string_view text) noexcept;              // USERNAME, REALM, NONCE, SOFTWARE
  void add_xor_address(Attribute type, const Endpoint& endpoint) noexcept;    // XOR-…-ADDRESS
  void add_address(Attribute type, const Endpoint& endpoint) noexcept;        // MAPPED-ADDRESS, ALTERNATE-SERVER
  void add_u32(Attribute type, std::uint32_t value) noexcept;                 // LIFETIME, PRIORITY
  void add_u64(Attribute type, std::uint64_t value) noexcept;                 // ICE-CONTROLLED, ICE-CONTROLLING
  void add_family(Attribute type, Family family) noexcept;                    // REQUESTED-, ADDITIONAL-ADDRESS-FAMILY
  void add_transport(std::uint8_t protocol) noexcept;                         // REQUESTED-TRANSPORT
  void add_channel_number(std::uint16_t channel) noexcept;                    // CHANNEL-NUMBER
  void add_error_code(std::uint16_t code, std::string_view reason) noexcept;  // ERROR-CODE; code 300 to 599

  // HMAC-SHA1 under the key of core/stun/integrity.h over everything so far.
  void add_integrity(ConstBytes key) noexcept;
  // CRC-32 over everything so far; nothing may follow.
  void add_fingerprint() noexcept;

  // The message so far, its length field set; empty when something did not fit.
  [[nodiscard]] ConstBytes message() const noexcept;

 private:
  // Room for a value of that length after its attribute header, padding zeroed; empty value and failed_ when none.
  [[nodiscard]] Bytes append(Attribute type, std::size_t value_bytes) noexcept;

  Bytes out_;
  std::size_t bytes_ = 0;
  TransactionId id_;
  bool failed_ = false;
};

}  // namespace fireline::stun
