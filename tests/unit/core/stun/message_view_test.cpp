#include "core/stun/message_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::stun {
namespace {

using crypto::from_hex;
using crypto::from_text;

constexpr TransactionId kId{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
constexpr std::string_view kCookieAndId = "2112a442 010203040000000000000000";

std::vector<std::byte> with_header(std::string_view type, std::string_view attributes);

struct Row {
  std::string_view rule;
  std::string_view hex;
  ParseError error;
};

TEST(MessageView, tells_what_is_no_message_at_all) {
  const Row rows[] = {
      {"an empty datagram has no header", "", ParseError::too_short},
      {"19 bytes have no header", "00010000 2112a442 0102030405060708090a0b", ParseError::too_short},
      {"the first two bits are zero", "40010000 2112a442 0102030405060708090a0b0c", ParseError::wrong_type},
      {"the cookie is fixed", "00010000 2112a443 0102030405060708090a0b0c", ParseError::wrong_cookie},
      {"a datagram is not longer than stated", "00010000 2112a442 0102030405060708090a0b0c 00000000",
       ParseError::wrong_length},
      {"a datagram is not shorter than stated", "00010008 2112a442 0102030405060708090a0b0c 00000000",
       ParseError::wrong_length},
      {"the length is a multiple of four", "00010002 2112a442 0102030405060708090a0b0c 0000", ParseError::malformed},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto bytes = from_hex(row.hex);
    const auto message = MessageView::parse(bytes);
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error(), row.error);
  }
}

TEST(MessageView, tells_broken_structure_from_illegal_values) {
  const auto text_of = [](const char* type, std::size_t bytes, const char* byte) {
    std::string hex = type;
    for (int shift = 12; shift >= 0; shift -= 4) hex += "0123456789abcdef"[bytes >> shift & 15];
    for (std::size_t i = 0; i < bytes; ++i) hex += byte;
    for (std::size_t i = bytes; i % 4 != 0; ++i) hex += "00";
    return hex;
  };
  const std::string username_513 = text_of("0006", 513, "61");
  const std::string realm_128 = text_of("0014", 128, "61");
  const std::string nonce_128 = text_of("0015", 128, "61");
  const std::string software_128 = text_of("8022", 128, "61");
  const std::string software_600 = text_of("8022", 600, "61");
  const Row rows[] = {
      {"a value does not reach beyond the message", "8022 0005 61626364", ParseError::malformed},
      {"not even by all of it", "8022 ffff 61626364", ParseError::malformed},
      {"the value of the last attribute is there", "8022 0004", ParseError::malformed},
      {"an unknown attribute does not overrun either", "7777 0008 61626364", ParseError::malformed},
      {"LIFETIME of 2 bytes", "000d 0002 00010000", ParseError::malformed},
      {"LIFETIME of 8 bytes", "000d 0008 0000000100000000", ParseError::malformed},
      {"MESSAGE-INTEGRITY of 16 bytes", "0008 0010 00000000000000000000000000000000", ParseError::malformed},
      {"CHANNEL-NUMBER of 2 bytes", "000c 0002 40000000", ParseError::malformed},
      {"CHANNEL-NUMBER below 0x4000", "000c 0004 3fff0000", ParseError::illegal_value},
      {"CHANNEL-NUMBER above 0x4fff", "000c 0004 50000000", ParseError::illegal_value},
      {"XOR-PEER-ADDRESS without address", "0012 0004 00010000", ParseError::malformed},
      {"XOR-PEER-ADDRESS of family 3", "0012 0008 0003000000000000", ParseError::illegal_value},
      {"XOR-PEER-ADDRESS of family 0", "0012 0008 0000000000000000", ParseError::illegal_value},
      {"XOR-PEER-ADDRESS of IPv6 with an IPv4 length", "0012 0008 0002000000000000", ParseError::malformed},
      {"XOR-PEER-ADDRESS of IPv4 with an IPv6 length", "0012 0014 0001000000000000000000000000000000000000",
       ParseError::malformed},
      {"REQUESTED-ADDRESS-FAMILY of 1 byte", "0017 0001 01000000", ParseError::malformed},
      {"REQUESTED-ADDRESS-FAMILY 3", "0017 0004 03000000", ParseError::illegal_value},
      {"ADDITIONAL-ADDRESS-FAMILY 0", "8000 0004 00000000", ParseError::illegal_value},
      {"REQUESTED-TRANSPORT of 0 bytes", "0019 0000", ParseError::malformed},
      {"ERROR-CODE of 3 bytes", "0009 0003 00000400", ParseError::malformed},
      {"ERROR-CODE of class 2", "0009 0004 00000200", ParseError::illegal_value},
      {"ERROR-CODE of class 6", "0009 0004 00000600", ParseError::illegal_value},
      {"ERROR-CODE with number 100", "0009 0004 00000464", ParseError::illegal_value},
      {"ERROR-CODE with a reason that is no UTF-8", "0009 0005 00000400ff000000", ParseError::illegal_value},
      {"USERNAME of 513 bytes", username_513, ParseError::illegal_value},
      {"REALM of 128 characters", realm_128, ParseError::illegal_value},
      {"NONCE of 128 characters", nonce_128, ParseError::illegal_value},
      {"SOFTWARE of 128 characters", software_128, ParseError::illegal_value},
      {"SOFTWARE of 600 bytes", software_600, ParseError::illegal_value},
      {"USERNAME that is no UTF-8", "0006 0001 80000000", ParseError::illegal_value},
      {"UTF-8 cut in a character", "0006 0002 e2820000", ParseError::illegal_value},
      {"UTF-8 in a longer form than needed", "0006 0002 c0af0000", ParseError::illegal_value},
      {"UTF-8 of three bytes in a longer form", "0006 0003 e0808000", ParseError::illegal_value},
      {"UTF-8 of a surrogate", "0006 0003 eda08000", ParseError::illegal_value},
      {"UTF-8 above U+10FFFF", "0006 0004 f4908080", ParseError::illegal_value},
      {"UTF-8 with a wrong third byte", "0006 0003 e2824100", ParseError::illegal_value},
      {"the second occurrence is checked too", "000d 0004 00000001 000d 0002 00010000", ParseError::malformed},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto bytes = with_header("0003", row.hex);
    const auto message = MessageView::parse(bytes);
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error(), row.error);
    const auto header = Header::parse(bytes);
    ASSERT_TRUE(header.has_value()) << "the header of a broken request can be answered";
    EXPECT_EQ(header->method, Method::allocate);
    EXPECT_EQ(header->transaction_id, kId);
  }
}

TEST(MessageView, takes_what_is_at_the_bounds) {
  struct Good {
    std::string_view rule;
    std::string_view hex;
  };
  std::string software_127 = "8022 017d";  // 127 characters of 3 bytes
  for (int i = 0; i < 127; ++i) software_127 += "e282ac";
  software_127 += "000000";
  std::string username_512 = "0006 0200";
  for (int i = 0; i < 512; ++i) username_512 += "61";
  const Good rows[] = {
      {"no attributes", ""},
      {"an empty text", "8022 0000"},
      {"127 characters of three bytes", software_127},
      {"a username of 512 bytes", username_512},
      {"the first and the last channel", "000c 0004 40000000 000c 0004 4fff0000"},
      {"reserved bytes are ignored", "000c 0004 4000ffff 0019 0004 11ffffff 0017 0004 01ffffff 0009 0004 fffffc63"},
      {"padding may be any bytes", "8022 0001 61ffffff"},
      {"UTF-8 of four bytes", "0006 0004 f09f9880"},
      {"values of unknown attributes are not looked at", "001a 0000 0018 0001 80000000 7777 0003 ffffff00"},
      {"values of ICE and FINGERPRINT are their readers' matter", "0024 0000 8028 0000 802a 0001 00000000"},
  };
  for (const Good& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_TRUE(MessageView::parse(with_header("0003", row.hex)).has_value());
  }
}

TEST(MessageView, bounds_the_number_of_attributes) {
  std::string attributes;
  for (std::size_t i = 0; i < kMaxAttributes; ++i) attributes += "77770000";
  EXPECT_TRUE(MessageView::parse(with_header("0001", attributes)).has_value());
  const auto one_more = MessageView::parse(with_header("0001", attributes + "77770000"));
  ASSERT_FALSE(one_more.has_value());
  EXPECT_EQ(one_more.error(), ParseError::malformed);
}

TEST(MessageView, reads_class_and_method_of_all_types) {
  for (unsigned method = 0; method <= 0xFFF; ++method) {
    for (unsigned c = 0; c < 4; ++c) {
      const auto message_class = static_cast<MessageClass>(c);
      std::array<std::byte, kHeaderBytes> bytes;
      MessageWriter writer(bytes, message_class, static_cast<Method>(method), kId);
      const auto message = MessageView::parse(writer.message());
      ASSERT_TRUE(message.has_value());
      ASSERT_TRUE(message->is(message_class, static_cast<Method>(method)));
    }
  }
  EXPECT_EQ(message_type(MessageClass::error, Method::channel_bind), 0x0119);
  EXPECT_EQ(message_type(MessageClass::indication, Method::data), 0x0017);
  EXPECT_EQ(message_type(MessageClass::request, static_cast<Method>(0xFFF)), 0x3EEF);
}

TEST(MessageView, counts_the_first_occurrence) {
  const auto bytes = with_header("0004", "000d 0004 00000001 000d 0004 00000002");
  const auto message = MessageView::parse(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->find_u32(Attribute::lifetime), 1u);
  int seen = 0;
  message->for_each([&](Attribute type, ConstBytes) { seen += type == Attribute::lifetime ? 1 : 0; });
  EXPECT_EQ(seen, 2);
}

TEST(MessageView, sees_nothing_after_integrity_but_the_fingerprint) {
  const std::string integrity = "0008 0014 0000000000000000000000000000000000000000";
  const auto bytes =
      with_header("0004", integrity + "000d 0004 00000002" + "0008 0014 1111111111111111111111111111111111111111" +
                              "000d 0002 ffff0000" + "8028 0004 00000007");
  const auto message = MessageView::parse(bytes);
  ASSERT_TRUE(message.has_value()) << "what is not protected is not checked either";
  EXPECT_FALSE(message->has(Attribute::lifetime));
  EXPECT_EQ(message->find_u32(Attribute::fingerprint), 7u);
  EXPECT_EQ(load_u8(message->find(Attribute::message_integrity).value(), 0), 0u);

  const auto overrun = MessageView::parse(with_header("0004", integrity + "000d 0005 00000002"));
  ASSERT_FALSE(overrun.has_value()) << "but the structure has to hold";
  EXPECT_EQ(overrun.error(), ParseError::malformed);
}

TEST(MessageView, finds_nothing_that_is_absent_or_bad) {
  const auto bytes = with_header("0001",
                                 "0024 0002 00010000 8029 0004 00000000 0001 0004 00010000 8023 0008 "
                                 "0001 0d96 cb00710a");
  const auto message = MessageView::parse(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->find_u32(Attribute::priority).has_value());
  EXPECT_FALSE(message->find_u64(Attribute::ice_controlled).has_value());
  EXPECT_FALSE(message->find_address(Attribute::mapped_address).has_value());
  EXPECT_EQ(message->find_address(Attribute::alternate_server), Endpoint::parse("203.0.113.10:3478"));
  EXPECT_FALSE(message->find_address(Attribute::xor_mapped_address).has_value());
  EXPECT_FALSE(message->find_xor_address(Attribute::xor_mapped_address).has_value());
  EXPECT_FALSE(message->find_text(Attribute::username).has_value());
  EXPECT_FALSE(message->find_u32(Attribute::lifetime).has_value());
  EXPECT_FALSE(message->find_u64(Attribute::ice_controlling).has_value());
  EXPECT_FALSE(message->find_family(Attribute::requested_address_family).has_value());
  EXPECT_FALSE(message->find_transport().has_value());
  EXPECT_FALSE(message->find_channel_number().has_value());
  EXPECT_FALSE(message->find_error_code().has_value());
  EXPECT_EQ(check_integrity(*message, from_text("key")), Check::absent);
  EXPECT_EQ(check_fingerprint(*message), Check::absent);
}

// A message of that type and kId around the attributes.
std::vector<std::byte> with_header(std::string_view type, std::string_view attributes) {
  const std::vector<std::byte> value = from_hex(attributes);
  std::vector<std::byte> bytes = from_hex(std::string(type) + "0000" + std::string(kCookieAndId));
  store_be16(bytes, 2, static_cast<std::uint16_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

}  // namespace
}  // namespace fireline::stun
