// The relay's STUN vectors through the codec: every request, response and RFC 5769 message is parsed, compared
// attribute by attribute, its integrity checked, and written again from the parsed values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::stun {
namespace {

using crypto::from_hex;
using crypto::to_hex;
using nlohmann::json;

const json& document();
json parsed(const MessageView& message, ConstBytes key);
std::vector<std::byte> written_again(const MessageView& message, ConstBytes key);
std::vector<std::byte> key_of(const json& vector);

// Requests that are no message: what the codec says instead.
const std::map<std::string, ParseError> kBroken = {
    {"bad_magic_cookie", ParseError::wrong_cookie},
    {"trailing_bytes", ParseError::wrong_length},
    {"short_header", ParseError::too_short},
    {"attribute_bad_length", ParseError::malformed},
    {"attribute_bad_value", ParseError::illegal_value},
    {"channel_bind_number_out_of_range", ParseError::illegal_value},
};

void expect_message(const std::string& hex, const json& expected, ConstBytes key) {
  const std::vector<std::byte> bytes = from_hex(hex);
  const auto message = MessageView::parse(bytes);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(parsed(*message, key), expected);
}

TEST(StunVectors, requests_and_responses_are_read_as_stated) {
  int messages = 0;
  int broken = 0;
  for (const json& vector : document()["vectors"]) {
    if (vector["kind"] != "exchange") continue;
    const std::string name = vector["name"];
    SCOPED_TRACE(name);
    const std::vector<std::byte> key = key_of(vector);
    if (const auto known = kBroken.find(name); known != kBroken.end()) {
      const auto message = MessageView::parse(from_hex(vector["request_hex"].get<std::string>()));
      ASSERT_FALSE(message.has_value());
      EXPECT_EQ(message.error(), known->second);
      ++broken;
    } else {
      expect_message(vector["request_hex"], vector["request_parsed"], key);
      ++messages;
    }
    if (vector["response_hex"].is_null()) continue;
    expect_message(vector["response_hex"], vector["response_parsed"], key);
    ++messages;
  }
  EXPECT_EQ(broken, 6);
  EXPECT_EQ(messages, 46 + 44);
}

TEST(StunVectors, messages_of_rfc_5769_are_read_as_stated) {
  int messages = 0;
  for (const json& vector : document()["vectors"]) {
    if (vector["kind"] != "parse") continue;
    SCOPED_TRACE(vector["name"].get<std::string>());
    expect_message(vector["message_hex"], vector["parsed"], key_of(vector));
    ++messages;
  }
  EXPECT_EQ(messages, 4);
}

TEST(StunVectors, messages_written_again_are_the_same_bytes) {
  int messages = 0;
  for (const json& vector : document()["vectors"]) {
    for (const char* field : {"request_hex", "response_hex", "message_hex"}) {
      if (!vector.contains(field) || vector[field].is_null()) continue;
      const std::string name = vector["name"];
      if (kBroken.contains(name) && std::string_view(field) == "request_hex") continue;
      // Signed under a key that this side does not have, or padded with other bytes than zeros.
      if (name == "allocate_wrong_password" && std::string_view(field) == "request_hex") continue;
      if (name == "allocate_malformed_username" || name == "rfc5769_2_1_request" ||
          name == "rfc5769_2_2_ipv4_response" || name == "rfc5769_2_3_ipv6_response" ||
          name == "allocate_username_three_parts")
        continue;
      SCOPED_TRACE(name);
      const std::vector<std::byte> bytes = from_hex(vector[field].get<std::string>());
      const auto message = MessageView::parse(bytes);
      ASSERT_TRUE(message.has_value());
      EXPECT_EQ(to_hex(written_again(*message, key_of(vector))), to_hex(bytes));
      ++messages;
    }
  }
  EXPECT_GE(messages, 80);
}

TEST(StunVectors, channel_data_is_cut_to_its_stated_length) {
  int datagrams = 0;
  for (const json& vector : document()["vectors"]) {
    if (vector["kind"] != "channel_data" || vector["name"].get<std::string>().starts_with("peer")) continue;
    const std::string name = vector["name"];
    SCOPED_TRACE(name);
    const std::vector<std::byte> bytes = from_hex(vector["datagram_hex"].get<std::string>());
    const auto data = ChannelDataView::parse(bytes);
    ++datagrams;
    // Whether a channel is bound to that client is no question of the codec.
    if (vector["forward"].is_null() && name != "channel_data_unbound" && name != "channel_data_other_client_port") {
      EXPECT_FALSE(data.has_value());
      continue;
    }
    ASSERT_TRUE(data.has_value());
    if (vector["forward"].is_null()) continue;
    EXPECT_EQ(data->channel, 0x4001);
    EXPECT_EQ(to_hex(data->payload), vector["forward"]["payload_hex"].get<std::string>());
  }
  EXPECT_EQ(datagrams, 8);
}

TEST(StunVectors, long_term_keys_are_those_stated) {
  for (const json& row : document()["passwords"]) {
    const LongTermKey key(row["username"].get<std::string>(), row["realm"].get<std::string>(),
                          row["password"].get<std::string>());
    EXPECT_EQ(to_hex(key.bytes()), row["key_hex"].get<std::string>());
  }
}

const json& document() {
  static const json parsed_document = [] {
    std::ifstream file(FIRELINE_SOURCE_DIR "/tests/vectors/stun.json");
    return json::parse(file);
  }();
  return parsed_document;
}

// The key that signs a vector's messages: its own credentials when it has some, else those of the constants.
std::vector<std::byte> key_of(const json& vector) {
  const json& constants = document()["constants"];
  if (vector.contains("key_hex")) return from_hex(vector["key_hex"].get<std::string>());
  std::string username = constants["username"];
  std::string password = constants["password"];
  if (vector.contains("credentials")) {
    username = vector["credentials"]["username"];
    password = vector["credentials"]["password"];
  }
  const LongTermKey key(username, constants["realm"].get<std::string>(), password);
  return {key.bytes().begin(), key.bytes().end()};
}

struct Name {
  Attribute type;
  const char* name;
};
constexpr Name kNames[] = {
    {Attribute::username, "USERNAME"},
    {Attribute::message_integrity, "MESSAGE-INTEGRITY"},
    {Attribute::error_code, "ERROR-CODE"},
    {Attribute::channel_number, "CHANNEL-NUMBER"},
    {Attribute::lifetime, "LIFETIME"},
    {Attribute::xor_peer_address, "XOR-PEER-ADDRESS"},
    {Attribute::data, "DATA"},
    {Attribute::realm, "REALM"},
    {Attribute::nonce, "NONCE"},
    {Attribute::xor_relayed_address, "XOR-RELAYED-ADDRESS"},
    {Attribute::requested_address_family, "REQUESTED-ADDRESS-FAMILY"},
    {Attribute::requested_transport, "REQUESTED-TRANSPORT"},
    {Attribute::dont_fragment, "DONT-FRAGMENT"},
    {Attribute::xor_mapped_address, "XOR-MAPPED-ADDRESS"},
    {Attribute::priority, "PRIORITY"},
    {Attribute::additional_address_family, "ADDITIONAL-ADDRESS-FAMILY"},
    {Attribute::software, "SOFTWARE"},
    {Attribute::fingerprint, "FINGERPRINT"},
    {Attribute::ice_controlled, "ICE-CONTROLLED"},
};

std::string hex16(unsigned value) {
  std::array<std::byte, 2> bytes;
  store_be16(bytes, 0, static_cast<std::uint16_t>(value));
  return "0x" + to_hex(bytes);
}

// An attribute as the vectors write it, read through the typed functions.
json parsed_attribute(const MessageView& message, Attribute type, ConstBytes value, ConstBytes key) {
  json out = {{"type", hex16(static_cast<unsigned>(type))}, {"length", value.size()}};
  for (const Name& row : kNames)
    if (row.type == type) out["name"] = row.name;
  json& shown = out["value"];
  switch (type) {
    case Attribute::username:
    case Attribute::realm:
    case Attribute::nonce:
    case Attribute::software:
      shown = std::string(message.find_text(type).value());
      break;
    case Attribute::xor_mapped_address:
    case Attribute::xor_peer_address:
      shown = message.find_xor_address(type)->to_string();
      break;
    case Attribute::xor_relayed_address:  // may stand twice
      shown = decode_xor_address(value, message.transaction_id())->to_string();
      break;
    case Attribute::requested_address_family:
    case Attribute::additional_address_family:
      shown = message.find_family(type) == Family::v4 ? "IPv4" : "IPv6";
      break;
    case Attribute::lifetime:
      shown = message.find_u32(type).value();
      break;
    case Attribute::requested_transport:
      shown = message.find_transport().value();
      break;
    case Attribute::channel_number:
      shown = hex16(message.find_channel_number().value());
      break;
    case Attribute::error_code:
      shown = {{"code", message.find_error_code()->code}, {"reason", std::string(message.find_error_code()->reason)}};
      break;
    case Attribute::message_integrity:
      shown = to_hex(value);
      out["valid"] = check_integrity(message, key) == Check::good;
      break;
    case Attribute::fingerprint:
      shown = to_hex(value);
      out["valid"] = check_fingerprint(message) == Check::good;
      break;
    default:
      shown = to_hex(value);
      break;
  }
  return out;
}

json parsed(const MessageView& message, ConstBytes key) {
  constexpr const char* kClasses[] = {"request", "indication", "success", "error"};
  json attributes = json::array();
  message.for_each(
      [&](Attribute type, ConstBytes value) { attributes.push_back(parsed_attribute(message, type, value, key)); });
  return {{"type", hex16(message_type(message.message_class(), message.method()))},
          {"method", static_cast<unsigned>(message.method())},
          {"length", message.header().length},
          {"transaction_id", to_hex(message.transaction_id())},
          {"attributes", attributes},
          {"class", kClasses[static_cast<std::size_t>(message.message_class())]}};
}

// Each attribute through the writer's function for its type, from the decoded value.
std::vector<std::byte> written_again(const MessageView& message, ConstBytes key) {
  std::vector<std::byte> out(message.bytes().size(), std::byte{0xEE});
  MessageWriter writer(out, message.message_class(), message.method(), message.transaction_id());
  message.for_each([&](Attribute type, ConstBytes value) {
    switch (type) {
      case Attribute::username:
      case Attribute::realm:
      case Attribute::nonce:
      case Attribute::software:
        return writer.add_text(type, decode_text(type, value).value());
      case Attribute::xor_mapped_address:
      case Attribute::xor_peer_address:
      case Attribute::xor_relayed_address:
        return writer.add_xor_address(type, decode_xor_address(value, message.transaction_id()).value());
      case Attribute::requested_address_family:
      case Attribute::additional_address_family:
        return writer.add_family(type, decode_family(value).value());
      case Attribute::lifetime:
        return writer.add_u32(type, decode_u32(value).value());
      case Attribute::requested_transport:
        return writer.add_transport(decode_transport(value).value());
      case Attribute::channel_number:
        return writer.add_channel_number(decode_channel_number(value).value());
      case Attribute::error_code:
        return writer.add_error_code(decode_error_code(value)->code, decode_error_code(value)->reason);
      case Attribute::message_integrity:
        return writer.add_integrity(key);
      case Attribute::fingerprint:
        return writer.add_fingerprint();
      default:
        return writer.add(type, value);
    }
  });
  const ConstBytes bytes = writer.message();
  return {bytes.begin(), bytes.end()};
}

}  // namespace
}  // namespace fireline::stun
