// A STUN message as received: checked once by parse(), then read in place.
// Every attribute that counts is checked: structure first, then the value of every type that check_attribute() knows.
// Nothing after MESSAGE-INTEGRITY is seen but FINGERPRINT (RFC 8489 section 14.5): it is not protected.
// Unknown attributes are kept and ignored. Whether MESSAGE-INTEGRITY and FINGERPRINT are right is the caller's question
// to core/stun/integrity.h.
//
// Lifetime: a view borrows the datagram. Threads: values; safe anywhere. No allocation, no state between datagrams.
// Limits: kMaxAttributes; a datagram of UDP's size.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/base/wire.h"
#include "core/stun/attribute.h"
#include "core/stun/header.h"

namespace fireline::stun {

// The longest honest messages hold about fifteen attributes, a CreatePermission with many peers a few dozen. The limit
// bounds what each find() of a hostile message costs. One attribute more is `malformed`.
inline constexpr std::size_t kMaxAttributes = 128;

class MessageView {
 public:
  // `max_channel`: the highest CHANNEL-NUMBER that is legal. RFC 5766 has 0x7FFF, and clients still bind such numbers.
  [[nodiscard]] static Result<MessageView, ParseError> parse(ConstBytes datagram,
                                                             std::uint16_t max_channel = kMaxChannel) noexcept;

  [[nodiscard]] const Header& header() const noexcept { return header_; }
  [[nodiscard]] MessageClass message_class() const noexcept { return header_.message_class; }
  [[nodiscard]] Method method() const noexcept { return header_.method; }
  [[nodiscard]] const TransactionId& transaction_id() const noexcept { return header_.transaction_id; }
  [[nodiscard]] bool is(MessageClass message_class, Method method) const noexcept {
    return header_.message_class == message_class && header_.method == method;
  }
  [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }  // the whole message

  // The first occurrence's value without padding.
  [[nodiscard]] std::optional<ConstBytes> find(Attribute type) const noexcept;
  [[nodiscard]] bool has(Attribute type) const noexcept { return find(type).has_value(); }

  // The first occurrence, decoded. Empty when absent, or when the value is bad for a type that parse() does not check.
  [[nodiscard]] std::optional<Endpoint> find_xor_address(Attribute type) const noexcept;
  [[nodiscard]] std::optional<Endpoint> find_address(Attribute type) const noexcept;
  [[nodiscard]] std::optional<std::string_view> find_text(Attribute type) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> find_u32(Attribute type) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> find_u64(Attribute type) const noexcept;
  [[nodiscard]] std::optional<Family> find_family(Attribute type) const noexcept;
  [[nodiscard]] std::optional<std::uint8_t> find_transport() const noexcept;
  [[nodiscard]] std::optional<std::uint16_t> find_channel_number() const noexcept;
  [[nodiscard]] std::optional<ErrorCode> find_error_code() const noexcept;

  // visit(Attribute, ConstBytes value) for each attribute that counts, in the message's order, repetitions included:
  // the peers of a CreatePermission are XOR-PEER-ADDRESS as often as there are peers.
  template <class Visit>
  void for_each(Visit&& visit) const {
    Cursor cursor(attributes());
    while (cursor.next()) visit(cursor.type(), cursor.value());
  }

 private:
  // Walks the attributes that count; needs a structure that parse() has checked, except for `broken`.
  class Cursor {
   public:
    explicit Cursor(ConstBytes attributes) noexcept : bytes_(attributes) {}
    // To the next attribute that counts; false at the end or at one that overruns (then broken() says so).
    [[nodiscard]] bool next() noexcept;
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    [[nodiscard]] Attribute type() const noexcept { return type_; }
    [[nodiscard]] ConstBytes value() const noexcept { return value_; }

   private:
    [[nodiscard]] bool read() noexcept;

    ConstBytes bytes_;
    std::size_t next_ = 0;   // offset of the attribute that read() takes
    std::size_t count_ = 0;  // attributes read, those that do not count included
    Attribute type_{};
    ConstBytes value_;
    bool broken_ = false;
    bool after_integrity_ = false;
  };

  MessageView(const Header& header, ConstBytes bytes) noexcept : header_(header), bytes_(bytes) {}
  [[nodiscard]] ConstBytes attributes() const noexcept { return bytes_.subspan(kHeaderBytes); }

  Header header_;
  ConstBytes bytes_;
};

}  // namespace fireline::stun
