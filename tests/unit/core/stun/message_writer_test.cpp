#include "core/stun/message_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::stun {
namespace {

using crypto::from_hex;
using crypto::from_text;
using crypto::to_hex;

constexpr TransactionId kId{std::byte{0xA7}, std::byte{0x0D}};

TEST(MessageWriter, writes_what_the_view_reads) {
  const Endpoint v4 = Endpoint::parse("198.51.100.7:51820").value();
  const Endpoint v6 = Endpoint::parse("[2001:db8:c::7]:1").value();
  const std::string key = "secret";
  std::array<std::byte, 512> out;
  out.fill(std::byte{0xEE});
  MessageWriter writer(out, MessageClass::request, Method::binding, kId);
  writer.add_xor_address(Attribute::xor_mapped_address, v4);
  writer.add_xor_address(Attribute::xor_peer_address, v6);
  writer.add_address(Attribute::mapped_address, v6);
  writer.add_address(Attribute::alternate_server, v4);
  writer.add_u32(Attribute::priority, 0x6E0001FF);
  writer.add_u64(Attribute::ice_controlling, 0x932FF9B151263B36);
  writer.add_flag(Attribute::use_candidate);
  writer.add_family(Attribute::additional_address_family, Family::v6);
  writer.add_family(Attribute::requested_address_family, Family::v4);
  writer.add_transport(kTransportUdp);
  writer.add_channel_number(0x4FFF);
  writer.add_error_code(438, "Stale Nonce");
  writer.add_text(Attribute::username, "user");
  writer.add_integrity(short_term_key(key));
  writer.add_fingerprint();

  const auto message = MessageView::parse(writer.message());
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->is(MessageClass::request, Method::binding));
  EXPECT_EQ(message->transaction_id(), kId);
  EXPECT_EQ(message->find_xor_address(Attribute::xor_mapped_address), v4);
  EXPECT_EQ(message->find_xor_address(Attribute::xor_peer_address), v6);
  EXPECT_EQ(message->find_address(Attribute::mapped_address), v6);
  EXPECT_EQ(message->find_address(Attribute::alternate_server), v4);
  EXPECT_EQ(message->find_u32(Attribute::priority), 0x6E0001FFu);
  EXPECT_EQ(message->find_u64(Attribute::ice_controlling), 0x932FF9B151263B36u);
  EXPECT_TRUE(message->has(Attribute::use_candidate));
  EXPECT_EQ(message->find_family(Attribute::additional_address_family), Family::v6);
  EXPECT_EQ(message->find_family(Attribute::requested_address_family), Family::v4);
  EXPECT_EQ(message->find_transport(), kTransportUdp);
  EXPECT_EQ(message->find_channel_number(), 0x4FFF);
  ASSERT_TRUE(message->find_error_code().has_value());
  EXPECT_EQ(message->find_error_code()->code, 438);
  EXPECT_EQ(message->find_error_code()->reason, "Stale Nonce");
  EXPECT_EQ(message->find_text(Attribute::username), "user");
  EXPECT_EQ(check_integrity(*message, short_term_key(key)), Check::good);
  EXPECT_EQ(check_fingerprint(*message), Check::good);
}

TEST(MessageWriter, pads_with_zeros_whatever_the_buffer_held) {
  std::array<std::byte, 64> out;
  out.fill(std::byte{0xEE});
  MessageWriter writer(out, MessageClass::success, Method::binding, TransactionId{});
  writer.add_text(Attribute::software, "a");
  writer.add_text(Attribute::realm, "abcde");
  EXPECT_EQ(to_hex(writer.message()),
            "010100142112a442000000000000000000000000"
            "8022000161000000"
            "001400056162636465000000");
}

TEST(MessageWriter, is_empty_once_something_does_not_fit) {
  struct Row {
    std::string_view rule;
    std::size_t room;
    std::size_t text;
    std::size_t bytes;
  };
  const Row rows[] = {
      {"no room for a header", 19, 0, 0},
      {"room for a header but not for an attribute", 23, 0, 0},
      {"room for an empty attribute", 24, 0, 24},
      {"no room for the padding", 27, 1, 0},
      {"room for value and padding", 28, 1, 28},
      {"the longest message", 70000, 0xFFFC - 4, 20 + 0xFFFC},
      {"a length that its field cannot hold", 70000, 0xFFFC - 3, 0},
      {"a value longer than its field can say", 200000, 65536, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    std::vector<std::byte> out(row.room);
    MessageWriter writer(out, MessageClass::success, Method::binding, kId);
    writer.add_text(Attribute::data, std::string(row.text, 'a'));
    EXPECT_EQ(writer.message().size(), row.bytes);
    if (row.bytes != 0) continue;
    writer.add_flag(Attribute::use_candidate);
    writer.add_integrity(short_term_key("key"));
    writer.add_fingerprint();
    writer.add_error_code(400, "Bad Request");
    EXPECT_TRUE(writer.message().empty()) << "and stays so";
  }
}

TEST(Integrity, is_wrong_for_any_changed_bit_before_it) {
  std::array<std::byte, 128> out;
  MessageWriter writer(out, MessageClass::request, Method::refresh, kId);
  writer.add_text(Attribute::software, "a");  // three bytes of padding
  writer.add_integrity(short_term_key("key"));
  const std::vector<std::byte> good(writer.message().begin(), writer.message().end());
  ASSERT_EQ(check_integrity(*MessageView::parse(good), short_term_key("key")), Check::good);
  EXPECT_EQ(check_integrity(*MessageView::parse(good), short_term_key("kez")), Check::wrong);
  EXPECT_EQ(check_integrity(*MessageView::parse(good), {}), Check::wrong);
  int changed = 0;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::vector<std::byte> bytes = good;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto message = MessageView::parse(bytes);
    if (!message) continue;
    ++changed;
    EXPECT_NE(check_integrity(*message, short_term_key("key")), Check::good) << "bit " << bit;
  }
  EXPECT_GT(changed, 300) << "most bits leave a message that parses";
}

TEST(Integrity, covers_the_length_up_to_itself_only) {
  std::array<std::byte, 128> out;
  MessageWriter writer(out, MessageClass::request, Method::refresh, kId);
  writer.add_integrity(short_term_key("key"));
  writer.add_text(Attribute::software, "behind");
  writer.add_fingerprint();
  const auto message = MessageView::parse(writer.message());
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(check_integrity(*message, short_term_key("key")), Check::good);
  EXPECT_EQ(check_fingerprint(*message), Check::good);
}

TEST(Integrity, takes_an_empty_key) {
  std::array<std::byte, 64> out;
  MessageWriter writer(out, MessageClass::request, Method::binding, TransactionId{});
  writer.add_integrity({});
  EXPECT_EQ(check_integrity(*MessageView::parse(writer.message()), {}), Check::good);
  EXPECT_EQ(check_integrity(*MessageView::parse(writer.message()), short_term_key("key")), Check::wrong);
}

TEST(Integrity, keys_can_be_kept_as_bytes) {
  const LongTermKey key("user", "realm", "pass");
  EXPECT_EQ(to_hex(key.bytes()),
            "8493fbc53ba582fb4c044c456bdc40eb");  // md5sum of user:realm:pass
  EXPECT_EQ(to_hex(LongTermKey(std::span<const std::byte, 16>(key.bytes())).bytes()), to_hex(key.bytes()));
  EXPECT_EQ(to_hex(LongTermKey().bytes()), std::string(32, '0'));
}

TEST(Fingerprint, is_good_as_the_last_attribute_alone) {
  std::array<std::byte, 128> out;
  MessageWriter writer(out, MessageClass::request, Method::binding, kId);
  writer.add_fingerprint();
  EXPECT_EQ(check_fingerprint(*MessageView::parse(writer.message())), Check::good);
  out[15] ^= std::byte{1};
  EXPECT_EQ(check_fingerprint(*MessageView::parse(writer.message())), Check::wrong);
  out[15] ^= std::byte{1};
  writer.add_flag(Attribute::use_candidate);
  EXPECT_EQ(check_fingerprint(*MessageView::parse(writer.message())), Check::wrong);

  MessageWriter empty(out, MessageClass::request, Method::binding, kId);
  empty.add_flag(Attribute::fingerprint);
  EXPECT_EQ(check_fingerprint(*MessageView::parse(empty.message())), Check::wrong) << "no four bytes";
}

TEST(ChannelData, is_told_apart_by_the_first_byte) {
  struct Row {
    std::string_view hex;
    DatagramKind kind;
  };
  const Row rows[] = {
      {"", DatagramKind::empty},          {"00", DatagramKind::message}, {"03", DatagramKind::message},
      {"04", DatagramKind::other},        {"3f", DatagramKind::other},   {"40", DatagramKind::channel_data},
      {"4f", DatagramKind::channel_data}, {"50", DatagramKind::other},   {"ff", DatagramKind::other},
  };
  for (const Row& row : rows) EXPECT_EQ(kind_of(from_hex(row.hex)), row.kind) << row.hex;
}

TEST(ChannelData, header_is_number_and_length) {
  std::array<std::byte, 6> bytes{};
  write_channel_header(bytes, 0x4ABC, 2);
  EXPECT_EQ(to_hex(bytes), "4abc00020000");
  const auto data = ChannelDataView::parse(bytes);
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->channel, 0x4ABC);
  EXPECT_EQ(data->payload.size(), 2u);
}

TEST(ChannelData, is_refused_when_cut_or_out_of_range) {
  struct Row {
    std::string_view rule;
    std::string_view hex;
  };
  const Row rows[] = {
      {"an empty datagram", ""},
      {"three bytes of header", "400000"},
      {"a payload byte missing", "40000002 00"},
      {"a number below the range", "3fff0000"},
      {"a number above the range", "50000000"},
  };
  for (const Row& row : rows) EXPECT_FALSE(ChannelDataView::parse(from_hex(row.hex)).has_value()) << row.rule;
}

}  // namespace
}  // namespace fireline::stun
