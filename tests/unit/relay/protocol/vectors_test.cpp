// All exchanges and channel data of tests/vectors/stun.json against a server: answers byte for byte.
// Preconditions come as sentences; each is set up by this table of words. Two vectors answer a bare 20-byte request
// with more than 3.2 times its length: they run without that bound, answer_limits_test.cpp runs them with it.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

using nlohmann::json;

const json& document() {
  static const json kDocument = [] {
    std::ifstream file(FIRELINE_SOURCE_DIR "/tests/vectors/stun.json");
    return json::parse(file);
  }();
  return kDocument;
}

ServerConfig config_of(const json& vector) {
  ServerConfig config = firezone_config();
  if (!vector.contains("server")) return config;
  const json& server = vector["server"];
  if (server["public_ip4"].is_null()) config.public_ip4.reset();
  if (server["public_ip6"].is_null()) config.public_ip6.reset();
  return config;
}

// A draw of port 50000 out of 16,384 free ones in their first order.
constexpr std::uint32_t kDraws50000 = (50000u - 49152u) << 18;

// Lets the client hold the vectors' nonce. The draw is scripted; the request that brings it out has no credentials.
void issue(Relay& relay, const Endpoint& client, std::string_view nonce) {
  relay.random.nonces.push_front(*Nonce::parse(nonce));
  Client stranger(relay, client.to_string());
  stranger.sign = false;
  EXPECT_EQ(stranger.refresh(), 401);
}

// Uses the client's nonce once, changing nothing: permissions are a no-op in this mode.
void use(Client& client, int times) {
  for (int i = 0; i < times; ++i) ASSERT_EQ(client.permit({"192.0.2.1:0"}), 0);
}

void set_up(Relay& relay, const json& vector, const Endpoint& client_endpoint) {
  const json& constants = document()["constants"];
  const std::string nonce = constants["nonce"];
  Client client(relay, client_endpoint.to_string());
  client.nonce = nonce;
  bool issued = false;
  const auto have_nonce = [&] {
    if (!issued) issue(relay, client_endpoint, nonce);
    issued = true;
  };
  const auto allocate = [&](bool dual) {
    have_nonce();
    relay.random.words.push_back(kDraws50000);
    ASSERT_EQ(dual ? client.allocate() : client.allocate([](stun::MessageWriter&) {}), 0);
    ASSERT_EQ(client.port(), 50000);
  };
  // The client got its allocation with a nonce that the vector does not know of: another client's takes its place.
  const auto forget_nonce = [&] { issue(relay, at("198.51.100.8:1"), "00000000-0000-0000-0000-0000000000bb"); };

  for (const json& entry : vector["preconditions"]) {
    const std::string words = entry;
    SCOPED_TRACE(words);
    if (words == "nonce " + nonce + " was issued to this client and has uses left") {
      have_nonce();
    } else if (words == "nonce " + nonce + " was used 10000 times") {
      have_nonce();
      use(client, 10000);
    } else if (words == "the next nonce the relay generates is " + std::string(constants["next_nonce"])) {
      relay.random.nonces.push_back(*Nonce::parse(std::string(constants["next_nonce"])));
    } else if (words == "the next free port the relay picks is 50000") {
      relay.random.words.push_back(kDraws50000);
    } else if (words == "client has a dual-stack allocation on port 50000") {
      allocate(true);
      if (vector["preconditions"][0] != "nonce " + nonce + " was issued to this client and has uses left")
        forget_nonce();
    } else if (words == "client has an IPv4-only allocation on port 50000") {
      allocate(false);
    } else if (words.starts_with("channel 0x4000 is bound to 192.0.2.33:52625")) {
      ASSERT_EQ(client.bind(0x4000, "192.0.2.33:52625"), 0);
    } else if (words ==
               "channel 0x4001 of client 198.51.100.7:51820 is bound to 192.0.2.33:52625 on allocation port 50000") {
      allocate(true);
      ASSERT_EQ(client.bind(0x4001, "192.0.2.33:52625"), 0);
    } else if (words == "client has no allocation") {
      ASSERT_EQ(relay.server.gauges().allocations, 0u);
    } else if (words == "all ports of the range are allocated to other clients") {
      Client other(relay, "198.51.100.8:1");
      ASSERT_EQ(other.allocate(), 0);
    } else {
      FAIL() << "no set-up for these words";
    }
  }
}

void run_exchange(const json& vector) {
  ServerConfig config = config_of(vector);
  if (vector["name"] == "allocate_ports_exhausted") config.highest_port = config.lowest_port;
  if (vector["name"] == "refresh_no_auth") config.limits.nonces = 1;
  Relay relay(config);
  relay.now.wall = UnixTime(std::chrono::seconds(vector["now_unix"].get<std::int64_t>()));
  const Endpoint client = at(vector["client"].get<std::string>());
  ASSERT_NO_FATAL_FAILURE(set_up(relay, vector, client));
  relay.host.effects.clear();

  const auto answer = relay.send(client, crypto::from_hex(vector["request_hex"].get<std::string>()));
  if (vector["response_hex"].is_null()) {
    EXPECT_FALSE(answer.has_value());
  } else {
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(crypto::to_hex(*answer), vector["response_hex"].get<std::string>());
  }
  relay.expect_consistent();

  for (const json& entry : vector["effects"]) {
    const std::string words = entry;
    if (words == "bind UDP 50000 on IPv4" && vector["effects"].size() == 1) {
      EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"open 50000 4", "answer"}));
    } else if (words == "bind UDP 50000 on IPv6" && vector["effects"].size() == 1) {
      EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"open 50000 6", "answer"}));
    } else if (words == "bind UDP 50000 on IPv6") {
      EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"open 50000 46", "answer"}));
    } else if (words == "close UDP 50000 IPv4 and IPv6") {
      EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"close 50000", "answer"}));
    } else if (words == "binding active until now+600") {
      ASSERT_EQ(relay.host.entries.size(), 1u);
      EXPECT_EQ(relay.host.entries.begin()->second.expires, relay.now.boot + 600s);
    } else if (words == "fast-path entries written again") {
      EXPECT_EQ(relay.host.effects, (std::vector<std::string>{"offload 4000 192.0.2.33:52625", "answer"}));
    }
  }
}

void run_channel_data(const json& vector) {
  Relay relay;
  ASSERT_NO_FATAL_FAILURE(set_up(relay, vector, at("198.51.100.7:51820")));
  const std::string from = vector["from"];
  std::vector<std::byte> datagram = crypto::from_hex(vector["datagram_hex"].get<std::string>());
  std::smatch parts;
  if (std::regex_match(from, parts, std::regex("(.*) -> allocation port ([0-9]+)"))) {
    const auto port = static_cast<std::uint16_t>(std::stoi(parts[2]));
    const auto way = relay.server.from_peer(port, at(parts[1].str()), datagram.size());
    ASSERT_EQ(way.has_value(), !vector["forward"].is_null());
    if (!way) return;
    std::array<std::byte, 4> header;
    store_be16(header, 0, way->channel);
    store_be16(header, 2, static_cast<std::uint16_t>(datagram.size()));
    EXPECT_EQ(crypto::to_hex(header) + crypto::to_hex(datagram), vector["forward"]["payload_hex"].get<std::string>());
    EXPECT_EQ(way->client.to_string(), vector["forward"]["to"].get<std::string>());
    return;
  }
  const auto way = relay.server.from_client(at(from), datagram);
  ASSERT_EQ(way.has_value(), !vector["forward"].is_null());
  if (!way) return;
  EXPECT_EQ(way->port, vector["forward"]["from_port"].get<int>());
  EXPECT_EQ(way->peer.to_string(), vector["forward"]["to"].get<std::string>());
  EXPECT_EQ(crypto::to_hex(ConstBytes(datagram).subspan(4, way->bytes)),
            vector["forward"]["payload_hex"].get<std::string>());
}

TEST(RelayVectors, EveryExchangeIsAnsweredByteForByte) {
  int exchanges = 0;
  for (const json& vector : document()["vectors"]) {
    if (vector["kind"] != "exchange") continue;
    SCOPED_TRACE(vector["name"].get<std::string>());
    run_exchange(vector);
    ++exchanges;
  }
  EXPECT_EQ(exchanges, 52);
}

TEST(RelayVectors, ChannelDataGoesWhereTheVectorsSay) {
  int datagrams = 0;
  for (const json& vector : document()["vectors"]) {
    if (vector["kind"] != "channel_data") continue;
    SCOPED_TRACE(vector["name"].get<std::string>());
    run_channel_data(vector);
    ++datagrams;
  }
  EXPECT_EQ(datagrams, 10);
}

TEST(RelayVectors, PasswordsAreDerivedAsStated) {
  ASSERT_EQ(document()["passwords"].size(), 3u);
  for (const json& row : document()["passwords"]) {
    const std::string username = row["username"];
    SCOPED_TRACE(username);
    const FirezoneCredentials credentials(row["relay_secret"].get<std::string>());
    const auto password = credentials.password(username);
    ASSERT_TRUE(password.has_value());
    EXPECT_EQ(password->view(), row["password"].get<std::string>());
    const auto user = credentials.find(username, UnixTime{});
    ASSERT_TRUE(user.has_value());
    EXPECT_EQ(crypto::to_hex(user->key.bytes()), row["key_hex"].get<std::string>());
  }
}

}  // namespace
}  // namespace fireline::relay
