// Portal specification 11: flow credentials, TURN credentials, relay ids.
#include "core/portal/credentials.h"

#include <gtest/gtest.h>

#include "tests/unit/core/crypto/hex.h"

namespace fireline::portal {
namespace {

crypto::PublicKey key_of(unsigned first) {
  crypto::PublicKey key;
  for (unsigned i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::byte>(first + i);
  return key;
}

crypto::Key repeated(unsigned byte) {
  crypto::Key key;
  for (std::byte& each : key.mutable_bytes()) each = static_cast<std::byte>(byte);
  return key;
}

FlowEnds ends() {
  return {.client = *Uuid::parse("11111111-1111-4111-8111-111111111111"),
          .client_key = key_of(0),
          .gateway = *Uuid::parse("22222222-2222-4222-8222-222222222222"),
          .gateway_key = key_of(0x20)};
}

constexpr std::string_view kSecret = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

TEST(FlowCredentials, IceCredentialsAreTheVectors) {
  const auto ice = flow_ice_credentials(ends());
  EXPECT_EQ(ice.client, (IceCredentialText{"w7up", "ksqwm66pilnb7skdwwfw3r"}));
  EXPECT_EQ(ice.gateway, (IceCredentialText{"kwe6", "mzkrj52x5h5ebrfdsh5iyq"}));
}

TEST(FlowCredentials, PresharedKeyIsTheVector) {
  const auto key = flow_preshared_key(ends(), repeated(0xc1), repeated(0x9a));
  EXPECT_EQ(key.to_hex(), "2fe37b233cf73ac1e1fb78ac3b600fea40f1c2c5057612004a568401ec82f444");
  EXPECT_EQ(key.to_base64(), "L+N7Izz3OsHh+3isO2AP6kDxwsUFdhIASlaEAeyC9EQ=");
}

// Connectivity specification 7.4: the same functions, the keys of its handshake vectors.
TEST(FlowCredentials, AreThoseOfTheConnectivitySpecification) {
  FlowEnds of_spec = ends();
  of_spec.client_key =
      crypto::PublicKey::from_hex("7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13").value();
  of_spec.gateway_key =
      crypto::PublicKey::from_hex("0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20").value();
  const auto ice = flow_ice_credentials(of_spec);
  EXPECT_EQ(ice.client, (IceCredentialText{"llqe", "jio6xwffz6i3ixgub3h4n5"}));
  EXPECT_EQ(ice.gateway, (IceCredentialText{"nk46", "yiuijlligg2km2kweghata"}));
  EXPECT_EQ(flow_preshared_key(of_spec, repeated(0xaa), repeated(0xbb)).to_base64(),
            "ZGUnZEG8wR+l57XKcBFgdbYx6rcRYn88REMP7dJ1xBc=");
}

// Lesson 12: tunnels survive a reconnect because nothing here is random; lesson 11: a new key changes everything.
TEST(FlowCredentials, DependOnIdsAndKeysAlone) {
  struct Row {
    const char* rule;
    void (*change)(FlowEnds&);
    bool same;
  };
  const Row rows[] = {
      {"the same ends have the same credentials", [](FlowEnds&) {}, true},
      {"another client key has others", [](FlowEnds& e) { e.client_key = key_of(1); }, false},
      {"another gateway key has others", [](FlowEnds& e) { e.gateway_key = key_of(1); }, false},
      {"another client has others", [](FlowEnds& e) { e.client.bytes[0] = 9; }, false},
      {"another gateway has others", [](FlowEnds& e) { e.gateway.bytes[0] = 9; }, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    auto changed = ends();
    row.change(changed);
    const auto ice = flow_ice_credentials(changed);
    EXPECT_EQ(ice.client == flow_ice_credentials(ends()).client, row.same);
    EXPECT_EQ(ice.gateway == flow_ice_credentials(ends()).gateway, row.same);
    EXPECT_EQ(
        flow_preshared_key(changed, repeated(1), repeated(2)) == flow_preshared_key(ends(), repeated(1), repeated(2)),
        row.same);
  }
}

TEST(TurnCredentials, AreTheVectors) {
  const auto client = turn_credentials(key_of(0), 1800000000, kSecret);
  EXPECT_EQ(client.username, "1800000000:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY");
  EXPECT_EQ(client.password.view(), "zVr/PcAgmLgJU+mYs7bycmuQFDM3yq8VumHmxYZPHPY");
  const auto gateway = turn_credentials(key_of(0x20), 1807776000, kSecret);
  EXPECT_EQ(gateway.username, "1807776000:uRn9aO+q3ZLJ+WSCwUd6KAg+lKk/p+EL5iN8qCTCKgY");
  EXPECT_EQ(gateway.password.view(), "srWcxnkK0p/xd++wdEKH54qzOh9Mu9aCHUfPf+Zb0XU");
}

// Lesson 17: a relay that restarted drew another secret.
TEST(RelayId, IsTheVectorAndAnotherForAnotherSecret) {
  EXPECT_EQ(relay_id(kSecret).to_string(), "2a8abfa8-cb99-4629-8437-854193ca6bca");
  EXPECT_NE(relay_id("x"), relay_id(kSecret));
}

}  // namespace
}  // namespace fireline::portal
