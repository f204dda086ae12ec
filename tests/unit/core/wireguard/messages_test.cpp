#include "core/wireguard/messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

namespace fireline::wireguard {
namespace {

std::vector<std::byte> datagram(std::uint32_t first_word, std::size_t bytes);
std::optional<MessageError> error_of(ConstBytes bytes);

struct Row {
  std::string_view rule;
  std::uint32_t first_word;  // as read little-endian
  std::size_t bytes;
  std::optional<MessageError> error;
};

constexpr auto kFits = std::nullopt;
constexpr auto kTooShort = MessageError::too_short;
constexpr auto kUnknown = MessageError::unknown_type;
constexpr auto kLength = MessageError::bad_length;

const Row kRows[] = {
    {"an empty datagram has no type", 1, 0, kTooShort},
    {"one byte has no type", 1, 1, kTooShort},
    {"three bytes have no type", 4, 3, kTooShort},
    {"four bytes have a type but no message", 4, 4, kLength},
    {"type 0 is none", 0, 148, kUnknown},
    {"type 5 is none", 5, 148, kUnknown},
    {"type 255 is none", 255, 148, kUnknown},
    {"an initiation has 148 bytes", 1, 148, kFits},
    {"an initiation of 147 bytes is cut", 1, 147, kLength},
    {"an initiation of 149 bytes carries too much", 1, 149, kLength},
    {"a response has 92 bytes", 2, 92, kFits},
    {"a response of 91 bytes is cut", 2, 91, kLength},
    {"a response of 93 bytes carries too much", 2, 93, kLength},
    {"a response is no initiation", 2, 148, kLength},
    {"an initiation is no response", 1, 92, kLength},
    {"a cookie reply has 64 bytes", 3, 64, kFits},
    {"a cookie reply of 63 bytes is cut", 3, 63, kLength},
    {"a cookie reply of 65 bytes carries too much", 3, 65, kLength},
    {"transport data has at least header and tag", 4, 32, kFits},
    {"transport data without a whole tag is cut", 4, 31, kLength},
    {"a bare transport header is cut", 4, 16, kLength},
    {"transport data may have any greater length", 4, 33, kFits},
    {"transport data may fill a jumbo frame", 4, 9032, kFits},
    {"transport data may fill a UDP datagram", 4, 65507, kFits},
    {"reserved byte 1 of an initiation is zero", 0x0000'0101, 148, kUnknown},
    {"reserved byte 2 of an initiation is zero", 0x0001'0001, 148, kUnknown},
    {"reserved byte 3 of an initiation is zero", 0x0100'0001, 148, kUnknown},
    {"reserved byte 1 of a response is zero", 0x0000'ff02, 92, kUnknown},
    {"reserved byte 2 of a response is zero", 0x00ff'0002, 92, kUnknown},
    {"reserved byte 3 of a response is zero", 0xff00'0002, 92, kUnknown},
    {"reserved byte 1 of a cookie reply is zero", 0x0000'8003, 64, kUnknown},
    {"reserved byte 2 of a cookie reply is zero", 0x0080'0003, 64, kUnknown},
    {"reserved byte 3 of a cookie reply is zero", 0x8000'0003, 64, kUnknown},
    {"reserved byte 1 of transport data is zero", 0x0000'0104, 32, kUnknown},
    {"reserved byte 2 of transport data is zero", 0x0001'0004, 32, kUnknown},
    {"reserved byte 3 of transport data is zero", 0x0100'0004, 32, kUnknown},
    {"the type is little-endian", 0x0400'0000, 32, kUnknown},
    {"a STUN Binding request is no WireGuard message", 0x0000'0100, 20, kUnknown},
};

TEST(Messages, TypeAndLengthRules) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    const auto bytes = datagram(row.first_word, row.bytes);
    EXPECT_EQ(error_of(bytes), row.error);
    if (!row.error) {
      EXPECT_EQ(static_cast<std::uint32_t>(classify(bytes).value()), row.first_word);
    }
  }
}

TEST(Messages, EveryLengthOfEveryType) {
  for (std::uint32_t type = 1; type <= 4; ++type) {
    for (std::size_t bytes = 4; bytes <= 200; ++bytes) {
      const bool fits = type == 1 ? bytes == 148 : type == 2 ? bytes == 92 : type == 3 ? bytes == 64 : bytes >= 32;
      EXPECT_EQ(classify(datagram(type, bytes)).has_value(), fits) << "type " << type << ", " << bytes << " bytes";
    }
  }
}

TEST(Messages, AViewExistsForItsOwnTypeAlone) {
  const auto initiation = datagram(1, 148), response = datagram(2, 92), cookie_reply = datagram(3, 64),
             transport = datagram(4, 32);
  for (const auto& bytes : {initiation, response, cookie_reply, transport}) {
    const MessageType type = classify(bytes).value();
    EXPECT_EQ(InitiationView::parse(bytes).has_value(), type == MessageType::initiation);
    EXPECT_EQ(ResponseView::parse(bytes).has_value(), type == MessageType::response);
    EXPECT_EQ(CookieReplyView::parse(bytes).has_value(), type == MessageType::cookie_reply);
    EXPECT_EQ(TransportView::parse(bytes).has_value(), type == MessageType::transport);
    EXPECT_EQ(MacFields::parse(bytes).has_value(), type == MessageType::initiation || type == MessageType::response);
  }
  EXPECT_EQ(InitiationView::parse(response).error(), MessageError::unknown_type);
  EXPECT_EQ(MacFields::parse(transport).error(), MessageError::unknown_type);
  EXPECT_EQ(TransportView::parse(ConstBytes(transport).first(31)).error(), MessageError::bad_length);
  EXPECT_EQ(CookieReplyView::parse({}).error(), MessageError::too_short);
  EXPECT_EQ(ResponseView::parse(datagram(2, 91)).error(), MessageError::bad_length);
}

TEST(Messages, FieldsStandWhereTheFigureHasThem) {
  const auto at = [](ConstBytes message, ConstBytes field) { return field.data() - message.data(); };

  const auto first = datagram(1, 148);
  const auto initiation = InitiationView::parse(first).value();
  EXPECT_EQ(initiation.sender_index(), 0x07060504u);
  EXPECT_EQ(at(first, initiation.ephemeral()), 8);
  EXPECT_EQ(at(first, initiation.encrypted_static()), 40);
  EXPECT_EQ(at(first, initiation.encrypted_timestamp()), 88);
  const auto initiation_macs = MacFields::parse(first).value();
  EXPECT_EQ(initiation_macs.sender_index, 0x07060504u);
  EXPECT_EQ(initiation_macs.mac1_input.size(), 116u);
  EXPECT_EQ(at(first, initiation_macs.mac1), 116);
  EXPECT_EQ(initiation_macs.mac2_input.size(), 132u);
  EXPECT_EQ(at(first, initiation_macs.mac2), 132);

  const auto second = datagram(2, 92);
  const auto response = ResponseView::parse(second).value();
  EXPECT_EQ(response.sender_index(), 0x07060504u);
  EXPECT_EQ(response.receiver_index(), 0x0b0a0908u);
  EXPECT_EQ(at(second, response.ephemeral()), 12);
  EXPECT_EQ(at(second, response.encrypted_nothing()), 44);
  const auto response_macs = MacFields::parse(second).value();
  EXPECT_EQ(response_macs.mac1_input.size(), 60u);
  EXPECT_EQ(at(second, response_macs.mac1), 60);
  EXPECT_EQ(at(second, response_macs.mac2), 76);

  const auto third = datagram(3, 64);
  const auto cookie_reply = CookieReplyView::parse(third).value();
  EXPECT_EQ(cookie_reply.receiver_index(), 0x07060504u);
  EXPECT_EQ(at(third, cookie_reply.nonce()), 8);
  EXPECT_EQ(at(third, cookie_reply.encrypted_cookie()), 32);

  const auto fourth = datagram(4, 60);
  const auto transport = TransportView::parse(fourth).value();
  EXPECT_EQ(transport.receiver_index(), 0x07060504u);
  EXPECT_EQ(transport.counter(), 0x0f0e0d0c0b0a0908u);
  EXPECT_EQ(at(fourth, transport.sealed()), 16);
  EXPECT_EQ(transport.sealed().size(), 44u);
  EXPECT_EQ(transport.plaintext_bytes(), 28u);
}

TEST(Messages, TransportHeaderIsReadAsItWasWritten) {
  std::vector<std::byte> message(kTransportOverheadBytes, std::byte{0xee});
  write_transport_header(message, 0xdeadbeef, 0x0123456789abcdef);
  const auto view = TransportView::parse(message).value();
  EXPECT_EQ(view.receiver_index(), 0xdeadbeefu);
  EXPECT_EQ(view.counter(), 0x0123456789abcdefu);
  for (const std::byte byte : view.sealed()) EXPECT_EQ(byte, std::byte{0xee});
}

TEST(MessagesDeathTest, TransportHeaderNeedsSixteenBytes) {
  std::vector<std::byte> message(kTransportHeaderBytes - 1);
  EXPECT_DEATH(write_transport_header(message, 1, 1), "");
}

// The bytes after the first word count up from 4.
std::vector<std::byte> datagram(std::uint32_t first_word, std::size_t bytes) {
  std::vector<std::byte> result(std::max<std::size_t>(bytes, 4));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<std::byte>(i & 0xff);
  store_le32(result, 0, first_word);
  result.resize(bytes);
  return result;
}

std::optional<MessageError> error_of(ConstBytes bytes) {
  const auto type = classify(bytes);
  if (type) return std::nullopt;
  return type.error();
}

}  // namespace
}  // namespace fireline::wireguard
