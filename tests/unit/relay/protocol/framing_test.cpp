// Relay specification 1.1 to 1.3: what is answered, how, and what is dropped and counted.
#include <gtest/gtest.h>

#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kCookieAndId = "2112a442000000000000000000000001";

struct FrameRow {
  std::string_view rule;
  std::string type_and_length;
  std::string attributes;
  Code answer;  // error code, 0 success, -1 silence
  ServerCounter counter;
};

constexpr auto kNone = ServerCounter::control_datagrams;

const FrameRow kFrames[] = {
    {"a bare Binding is answered", "00010000", "", 0, kNone},
    {"an indication of Binding is dropped", "00110000", "", -1, ServerCounter::drop_control_no_request},
    {"a success is dropped", "01010000", "", -1, ServerCounter::drop_control_no_request},
    {"an error is dropped", "01110000", "", -1, ServerCounter::drop_control_no_request},
    {"a request of an unknown method is answered 400", "00020000", "", 400, kNone},
    {"a request of a method above 0x0f is answered 400", "00210000", "", 400, kNone},
    {"Send as a request is an unknown method", "00060000", "", 400, kNone},
    {"Send as an indication is not served with --auth firezone", "00160000", "", -1,
     ServerCounter::drop_control_no_request},
    {"longer than its length field: dropped", "00010000", "00000000", -1, ServerCounter::drop_control_not_stun},
    {"shorter than its length field: dropped", "00010008", "80220000", -1, ServerCounter::drop_control_not_stun},
    {"an attribute that overruns: 500", "00010008", "802200080000 0000", 500, kNone},
    {"a length that is no multiple of 4: 500", "00010006", "80220001 6100", 500, kNone},
    {"LIFETIME of 2 bytes: 500", "00040008", "000d0002 00000000", 500, kNone},
    {"LIFETIME of 8 bytes: 500", "0004000c", "000d0008 0000000000000000", 500, kNone},
    {"MESSAGE-INTEGRITY of 16 bytes: 500", "00040014", "00080010 00000000000000000000000000000000", 500, kNone},
    {"CHANNEL-NUMBER below 0x4000: 400", "00090008", "000c0004 3fff0000", 400, kNone},
    {"CHANNEL-NUMBER above 0x4fff: 400", "00090008", "000c0004 50000000", 400, kNone},
    {"address family 3: 400", "0009000c", "00120008 0003000000000000", 400, kNone},
    {"requested family 3: 400", "00030008", "00170004 03000000", 400, kNone},
    {"SOFTWARE that is not UTF-8: 400", "00010008", "80220001 ff000000", 400, kNone},
    {"ERROR-CODE class 6: 400", "00010008", "00090004 00000600", 400, kNone},
    {"ERROR-CODE number 100: 400", "00010008", "00090004 00000464", 400, kNone},
    {"Allocate without REQUESTED-TRANSPORT: 400 before authentication", "00030000", "", 400, kNone},
    {"ChannelBind without peer: 400 before authentication", "00090008", "000c0004 40000000", 400, kNone},
    {"ChannelBind without number: 400 before authentication", "0009000c", "00120008 0001000000000000", 400, kNone},
    {"a malformed indication is never answered", "00160008", "000d0002 00000000", -1,
     ServerCounter::drop_control_malformed},
    {"a malformed success is never answered", "01030008", "000d0002 00000000", -1,
     ServerCounter::drop_control_malformed},
    {"a malformed error is never answered", "01130008", "000d0002 00000000", -1, ServerCounter::drop_control_malformed},
};

TEST(Framing, EachRowIsAnsweredOrDroppedAsTheTableSays) {
  for (const FrameRow& row : kFrames) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    const auto bytes = crypto::from_hex(row.type_and_length + std::string(kCookieAndId) + row.attributes);
    const auto answer = relay.send(at("198.51.100.7:51820"), bytes);
    ASSERT_EQ(answer.has_value(), row.answer >= 0);
    if (row.answer < 0) {
      EXPECT_EQ(relay.count(row.counter), 1u);
    }
    relay.expect_consistent();
    if (!answer) continue;
    const auto message = stun::MessageView::parse(*answer);
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->transaction_id(), stun::Header::parse(bytes)->transaction_id);
    EXPECT_EQ(message->method(), stun::Header::parse(bytes)->method) << "method bits 4 to 11 in their places";
    const auto error = message->find_error_code();
    EXPECT_EQ(error ? error->code : 0, row.answer);
    EXPECT_FALSE(message->has(stun::Attribute::message_integrity));
    EXPECT_FALSE(message->has(stun::Attribute::nonce));
    EXPECT_FALSE(message->has(stun::Attribute::fingerprint));
  }
}

struct DropRow {
  std::string_view rule;
  std::string hex;
};
const DropRow kNotStun[] = {
    {"an empty datagram", ""},
    {"19 bytes", "00010000" + std::string(kCookieAndId).substr(2)},
    {"another cookie", "000100002112a443000000000000000000000001"},
    {"channel data given to the wrong function", "40000000" + std::string(kCookieAndId)},
};

TEST(Framing, WhatIsNotStunIsDropped) {
  for (const DropRow& row : kNotStun) {
    SCOPED_TRACE(row.rule);
    Relay relay;
    EXPECT_FALSE(relay.send(at("198.51.100.7:51820"), crypto::from_hex(row.hex)).has_value());
    EXPECT_EQ(relay.count(ServerCounter::drop_control_not_stun), 1u);
    relay.expect_consistent();
  }
}

TEST(Framing, WhatComesFromSourcePortZeroIsNotEvenParsed) {
  Relay relay;
  const auto bytes = crypto::from_hex("00010000" + std::string(kCookieAndId));
  EXPECT_FALSE(relay.send(at("198.51.100.7:0"), bytes).has_value());
  EXPECT_EQ(relay.count(ServerCounter::drop_control_source_port_zero), 1u);
}

TEST(Framing, AttributesAfterMessageIntegrityDoNotCount) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate(), 0);
  // LIFETIME 0 behind the signature would delete the allocation.
  std::array<std::byte, 512> buffer;
  stun::MessageWriter writer(buffer, stun::MessageClass::request, stun::Method::refresh, {});
  writer.add_text(stun::Attribute::username, client.username);
  writer.add_text(stun::Attribute::realm, client.realm);
  writer.add_text(stun::Attribute::nonce, client.nonce);
  writer.add_integrity(stun::LongTermKey(client.username, client.realm, client.password).bytes());
  writer.add_u32(stun::Attribute::lifetime, 0);
  ASSERT_TRUE(relay.send(client.endpoint, writer.message()).has_value());
  EXPECT_EQ(relay.server.gauges().allocations, 1u);
}

TEST(Framing, TheFirstOccurrenceOfAnAttributeCounts) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  ASSERT_EQ(client.allocate([](stun::MessageWriter& writer) {
    writer.add_u32(stun::Attribute::lifetime, 700);
    writer.add_u32(stun::Attribute::lifetime, 800);
  }),
            0);
  EXPECT_EQ(client.last.lifetime, 700u);
}

TEST(Framing, OtherAttributesOfTurnAndUnknownOnesAreIgnored) {
  Relay relay;
  Client client(relay, "198.51.100.7:51820");
  EXPECT_EQ(client.allocate([](stun::MessageWriter& writer) {
    writer.add_flag(stun::Attribute::dont_fragment);
    writer.add(stun::Attribute::even_port, std::array{std::byte{0x80}});
    writer.add(static_cast<stun::Attribute>(0x7FF0), {});
  }),
            0);
}

TEST(Framing, SoftwareIsFirstAndNotLongerThanTheOperatorSays) {
  ServerConfig config = firezone_config();
  config.software = "";
  Relay silent(config);
  Client client(silent, "198.51.100.7:51820");
  ASSERT_EQ(client.ask(stun::Method::binding, {}), 0);
  EXPECT_FALSE(client.last.has_software);
  EXPECT_EQ(client.last.integrity, stun::Check::absent) << "Binding answers are never signed";
  EXPECT_EQ(client.last.mapped, client.endpoint);
}

}  // namespace
}  // namespace fireline::relay
