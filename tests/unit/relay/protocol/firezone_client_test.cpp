// A client as Firezone's is (relay specification 1.10) over thirty simulated minutes: its requests with their
// attributes, its reactions to 401, 437 and 438, and data beside it, in user space and by the entries that a fast path
// would forward with.
#include <gtest/gtest.h>

#include "core/stun/channel_data.h"
#include "tests/unit/relay/protocol/relay_fixture.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kPeer = "192.0.2.33:52625";
constexpr std::string_view kPeer6 = "[2001:db8:f::33]:52625";

// Attributes in the order of Firezone's clients; a retry of what was refused is signed anew under a new transaction id.
class FirezoneClient {
 public:
  explicit FirezoneClient(Relay& relay) : relay_(relay) {}

  // SOFTWARE only, unsigned.
  bool binding() {
    const auto answer = send(stun::Method::binding, {}, false);
    return answer && answer->message_class() == stun::MessageClass::success &&
           answer->find_xor_address(stun::Attribute::xor_mapped_address) == kEndpoint;
  }

  // Allocate, or after 437 Refresh(0) and Allocate: the relay still has what the client has forgotten.
  bool allocate() {
    const auto add = [](stun::MessageWriter& writer) {
      writer.add_transport(stun::kTransportUdp);
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
    };
    auto answer = signed_request(stun::Method::allocate, add);
    if (error_of(answer) == 437) {
      if (!refresh(0)) return false;
      answer = signed_request(stun::Method::allocate, add);
    }
    if (error_of(answer) != 0 || !answer->has(stun::Attribute::lifetime)) return false;
    relayed.clear();
    answer->for_each([&](stun::Attribute type, ConstBytes value) {
      if (type != stun::Attribute::xor_relayed_address) return;
      relayed.push_back(*stun::decode_xor_address(value, answer->transaction_id()));
    });
    return !relayed.empty();
  }

  // With what an Allocate carries, as they send it. 437 leads to a new Allocate.
  bool refresh(std::optional<std::uint32_t> lifetime = std::nullopt) {
    const auto answer = signed_request(stun::Method::refresh, [&](stun::MessageWriter& writer) {
      writer.add_transport(stun::kTransportUdp);
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
      if (lifetime) writer.add_u32(stun::Attribute::lifetime, *lifetime);
    });
    if (error_of(answer) == 437) return allocate();
    return error_of(answer) == 0;
  }

  bool bind(std::uint16_t channel, std::string_view peer) {
    return error_of(signed_request(stun::Method::channel_bind, [&](stun::MessageWriter& writer) {
             writer.add_xor_address(stun::Attribute::xor_peer_address, at(peer));
             writer.add_channel_number(channel);
           })) == 0;
  }

  static inline const Endpoint kEndpoint = at("198.51.100.7:51820");
  std::string nonce;
  std::vector<Endpoint> relayed;
  std::vector<int> refusals;  // codes of refused requests, in order

 private:
  using Add = std::function<void(stun::MessageWriter&)>;

  std::optional<stun::MessageView> send(stun::Method method, const Add& add, bool sign) {
    const stun::LongTermKey key(kUsername, "firezone", kPassword);
    stun::TransactionId id{};
    store_be32(id, 4, ++transactions_);
    std::array<std::byte, 512> buffer;
    stun::MessageWriter writer(buffer, stun::MessageClass::request, method, id);
    if (add) add(writer);
    writer.add_text(stun::Attribute::software, "snownet; session=0123456789abcdef");
    if (sign) {
      writer.add_text(stun::Attribute::username, kUsername);
      writer.add_text(stun::Attribute::realm, "firezone");
      if (!nonce.empty()) writer.add_text(stun::Attribute::nonce, nonce);
      writer.add_integrity(key.bytes());
    }
    const auto bytes = relay_.send(kEndpoint, writer.message());
    if (!bytes) return std::nullopt;
    answer_ = *bytes;
    const auto answer = stun::MessageView::parse(answer_);
    if (!answer || answer->transaction_id() != id) return std::nullopt;
    // What is not signed with the password is discarded as forged.
    if (sign && stun::check_integrity(*answer, key.bytes()) != stun::Check::good) return std::nullopt;
    return *answer;
  }

  std::optional<stun::MessageView> signed_request(stun::Method method, const Add& add) {
    const bool had_nonce = !nonce.empty();
    auto answer = send(method, add, true);
    const int code = error_of(answer);
    if (code > 0) refusals.push_back(code);
    if (code != 438 && !(code == 401 && !had_nonce)) return answer;
    if (answer->find_text(stun::Attribute::realm) != "firezone") return std::nullopt;
    nonce = *answer->find_text(stun::Attribute::nonce);
    answer = send(method, add, true);
    if (error_of(answer) > 0) refusals.push_back(error_of(answer));
    return answer;
  }

  static int error_of(const std::optional<stun::MessageView>& answer) {
    if (!answer) return -1;
    const auto error = answer->find_error_code();
    return error ? error->code : 0;
  }

  Relay& relay_;
  std::vector<std::byte> answer_;
  std::uint32_t transactions_ = 0;
};

// Both ways, in user space and as the entries of a fast path say.
bool passes(Relay& relay, const FirezoneClient& client, std::uint16_t channel, std::string_view peer) {
  std::array<std::byte, 9> datagram{};
  stun::write_channel_header(datagram, channel, 5);
  const auto out = relay.server.from_client(FirezoneClient::kEndpoint, datagram);
  const std::uint16_t port = client.relayed.front().port;
  const auto in = relay.server.from_peer(port, at(peer), 5);
  const bool user_space = out && out->peer == at(peer) && out->port == port && out->bytes == 5 && in &&
                          in->client == FirezoneClient::kEndpoint && in->channel == channel;

  const auto entry = relay.host.entries.find({FirezoneClient::kEndpoint.to_string(), channel});
  const bool fast = entry != relay.host.entries.end() && entry->second.peer == at(peer) && entry->second.port == port &&
                    entry->second.expires > relay.now.boot;
  EXPECT_EQ(user_space, fast);
  return user_space;
}

TEST(FirezoneClient, IsServedOverThirtyMinutes) {
  ServerConfig config = firezone_config();
  config.limits = Limits{};  // as they are by default
  config.software = "fireline-relay; rev=12345678";
  Relay relay(config);
  FirezoneClient client(relay);

  ASSERT_TRUE(client.binding());
  ASSERT_TRUE(client.allocate()) << "the first request is signed, without nonce";
  EXPECT_EQ(client.refusals, (std::vector<int>{401}));
  ASSERT_EQ(client.relayed.size(), 2u);
  EXPECT_TRUE(client.relayed[0].address.is_v4());
  EXPECT_EQ(client.relayed[0].port, client.relayed[1].port);
  ASSERT_TRUE(client.bind(0x4000, kPeer));
  ASSERT_TRUE(client.bind(0x4001, kPeer6));

  // Binding each 25 s, Refresh and ChannelBind in time, data all the while.
  for (int seconds = 25; seconds <= 30 * 60; seconds += 25) {
    SCOPED_TRACE(seconds);
    relay.advance(25s);
    ASSERT_TRUE(client.binding());
    if (seconds % 300 == 0) {
      ASSERT_TRUE(client.refresh());
    }
    if (seconds % 500 == 0) {
      ASSERT_TRUE(client.bind(0x4000, kPeer));
      ASSERT_TRUE(client.bind(0x4001, kPeer6));
    }
    ASSERT_TRUE(passes(relay, client, 0x4000, kPeer));
    ASSERT_TRUE(passes(relay, client, 0x4001, kPeer6));
  }
  EXPECT_EQ(client.refusals, (std::vector<int>{401})) << "nothing was refused on the way";
  relay.expect_consistent();
}

TEST(FirezoneClient, RecoversFromAForgottenNonceAndAForgottenAllocation) {
  Relay relay;
  FirezoneClient client(relay);
  ASSERT_TRUE(client.allocate());
  client.nonce = "99999999-9999-9999-9999-999999999999";  // as if the relay had evicted the client's
  ASSERT_TRUE(client.refresh());
  EXPECT_EQ(client.refusals.back(), 438);

  FirezoneClient restarted(relay);  // the same socket, nothing remembered
  ASSERT_TRUE(restarted.allocate());
  EXPECT_EQ(restarted.refusals, (std::vector<int>{401, 437}));
  EXPECT_EQ(relay.server.gauges().allocations, 1u);

  relay.advance(601s);  // slept: the allocation is gone
  ASSERT_TRUE(restarted.refresh());
  EXPECT_EQ(restarted.refusals.back(), 437);
  EXPECT_TRUE(restarted.bind(0x4000, kPeer));
  EXPECT_TRUE(passes(relay, restarted, 0x4000, kPeer));
  relay.expect_consistent();
}

TEST(FirezoneClient, RevivesAChannelInItsCoolDownAndDataPasses) {
  Relay relay;
  FirezoneClient client(relay);
  ASSERT_TRUE(client.allocate());
  ASSERT_TRUE(client.bind(0x4000, kPeer));
  relay.advance(500s);
  ASSERT_TRUE(client.refresh());
  relay.advance(250s);
  EXPECT_FALSE(passes(relay, client, 0x4000, kPeer)) << "cools down since 150 s";
  EXPECT_FALSE(client.bind(0x4001, kPeer));
  EXPECT_EQ(client.refusals.back(), 400);
  ASSERT_TRUE(client.bind(0x4000, kPeer));
  EXPECT_TRUE(passes(relay, client, 0x4000, kPeer));
  relay.expect_consistent();
}

}  // namespace
}  // namespace fireline::relay
