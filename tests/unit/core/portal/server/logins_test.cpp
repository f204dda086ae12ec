// Portal specification 1.3, 1.6, 6.1: who gets in, and what the others are told.
#include <gtest/gtest.h>

#include "core/portal/server/login_limiter.h"
#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

constexpr const char* kKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3D";
constexpr const char* kAgent = "Debian/12.0.0 headless-client/1.5.5 (x86_64; 6.1.0)";

struct Row {
  const char* sentence;
  std::string target;
  std::string agent;
  unsigned status;  // 101: accepted
  std::string authorization = {};
};

const std::string kClient = std::string("/client/websocket?token=alice&external_id=d&name=box&public_key=") + kKey;
const std::string kRelay = "/relay/websocket?token=relay&ipv4=203.0.113.1&port=3478";

const Row kRows[] = {
    {"a client", kClient, kAgent, 101},
    {"a token with white space around it",
     "/client/websocket?token=+alice%0A&external_id=d&public_key=" + std::string(kKey), kAgent, 101},
    {"a newer program's header", std::string("/client/websocket?external_id=d&public_key=") + kKey, kAgent, 101,
     "Bearer  alice "},
    {"the header goes before the query", kClient, kAgent, 401, "Bearer wrong"},
    {"no token", std::string("/client/websocket?external_id=d&public_key=") + kKey, kAgent, 401},
    {"a token of white space", std::string("/client/websocket?token=+%20&external_id=d&public_key=") + kKey, kAgent,
     401},
    {"an unknown token", std::string("/client/websocket?token=bob&external_id=d&public_key=") + kKey, kAgent, 401},
    {"a gateway's token on the client's endpoint",
     std::string("/client/websocket?token=lab&external_id=d&public_key=") + kKey, kAgent, 401},
    {"a client's token on the relay's endpoint", "/relay/websocket?token=alice&ipv4=203.0.113.1", "relay/0.1.0", 401},
    {"no external_id", std::string("/client/websocket?token=alice&public_key=") + kKey, kAgent, 422},
    {"a blank external_id", std::string("/client/websocket?token=alice&external_id=+&public_key=") + kKey, kAgent, 422},
    {"an external_id that is too long",
     "/client/websocket?token=alice&external_id=" + std::string(256, 'x') + "&public_key=" + kKey, kAgent, 422},
    {"an external_id with a zero byte, where other programs end it",
     std::string("/client/websocket?token=alice&external_id=d%00e&public_key=") + kKey, kAgent, 422},
    {"no public_key", "/client/websocket?token=alice&external_id=d", kAgent, 422},
    {"a public_key of 43 characters",
     "/client/websocket?token=alice&external_id=d&public_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", kAgent, 422},
    {"a public_key that is no base64", "/client/websocket?token=alice&external_id=d&public_key=" + std::string(44, '!'),
     kAgent, 422},
    {"a name of 255 characters", kClient + "&name=" + std::string(255, 'n'), kAgent, 101},
    {"a name of 256 characters", kClient + "&name=" + std::string(256, 'n'), kAgent, 422},
    {"a long name without a single character", kClient + "&name=" + std::string(4 * 255 + 1, '\x80'), kAgent, 422},
    {"no user agent", kClient, "", 422},
    {"a user agent that names no known program", kClient, "curl/7.88.1", 422},
    {"a user agent that names the program alone", kClient, "headless-client/1.5.5", 101},
    {"a user agent with control characters", kClient, "headless-client/1.5.5\n(x)", 422},
    {"another path", "/other/websocket?token=alice", kAgent, 404},
    {"a path with more behind it", "/client/websocket/x?token=alice", kAgent, 404},
    {"a request beyond all measure", kClient + "&x=" + std::string(kTargetBytesMax, 'x'), kAgent, 422},
    {"a relay", kRelay, "relay/0.1.0", 101},
    {"a relay without port", "/relay/websocket?token=relay&ipv6=2001:db8::1", "relay/0.1.0", 101},
    {"a relay without addresses", "/relay/websocket?token=relay&port=3478", "relay/0.1.0", 422},
    {"a relay with an address of the other family", "/relay/websocket?token=relay&ipv4=2001:db8::1", "relay/0.1.0",
     422},
    {"a relay with port 0", "/relay/websocket?token=relay&ipv4=203.0.113.1&port=0", "relay/0.1.0", 422},
    {"a relay with port 65536", "/relay/websocket?token=relay&ipv4=203.0.113.1&port=65536", "relay/0.1.0", 422},
    {"a broken escape in what matters", "/client/websocket?token=%4&external_id=d&public_key=" + std::string(kKey),
     kAgent, 401}};

unsigned login(PortalWorld& world, const Row& row, std::uint64_t id = 1000, const char* source = "192.0.2.7") {
  const auto answer = world.plane->admit(ConnectionId(id),
                                         {.target = row.target,
                                          .user_agent = row.agent,
                                          .authorization = row.authorization,
                                          .source = IpAddress::parse(source).value()},
                                         world.now);
  return answer ? 101 : answer.error().status;
}

TEST(Logins, EachIsJudgedAsThePortalSpecificationSays) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    EXPECT_EQ(login(world, row), row.status);
  }
}

// Peers would be sent there. A host that is relay and portal in one, as in a demo, may name itself.
TEST(Logins, ARelayIsAtAnAddressThatPeersCanReach) {
  struct AddressRow {
    const char* address;
    unsigned status;
    const char* source = "192.0.2.7";
  };
  const AddressRow rows[] = {{"ipv4=203.0.113.1", 101},
                             {"ipv4=10.0.0.1&ipv6=fd00::1", 101},
                             {"ipv4=240.0.0.1", 101},
                             {"ipv4=0.0.0.0", 422},
                             {"ipv4=0.1.2.3", 422},
                             {"ipv4=127.0.0.1", 422},
                             {"ipv4=127.0.0.1", 101, "127.0.0.1"},
                             {"ipv4=127.1.2.3", 101, "::1"},
                             {"ipv4=169.254.1.1", 422},
                             {"ipv4=169.254.1.1", 422, "127.0.0.1"},
                             {"ipv4=224.0.0.1", 422},
                             {"ipv4=239.255.255.255", 422},
                             {"ipv4=255.255.255.255", 422},
                             {"ipv6=2001:db8::1", 101},
                             {"ipv6=::", 422},
                             {"ipv6=::1", 422},
                             {"ipv6=::1", 101, "127.0.0.1"},
                             {"ipv6=::ffff:203.0.113.1", 422},
                             {"ipv6=fe80::1", 422},
                             {"ipv6=febf::1", 422},
                             {"ipv6=ff02::1", 422},
                             {"ipv4=203.0.113.1&ipv6=ff02::1", 422},
                             {"ipv4=0.0.0.0&ipv6=2001:db8::1", 422}};
  for (const AddressRow& row : rows) {
    SCOPED_TRACE(std::string(row.address) + " from " + row.source);
    PortalWorld world;
    const std::string target = std::string("/relay/websocket?token=relay&") + row.address;
    EXPECT_EQ(login(world, {"", target, "relay/0.1.0", 0}, 1000, row.source), row.status);
  }
}

TEST(Logins, TokensEnd) {
  const Row client{"", kClient, kAgent, 101};
  const Timestamp now = PortalWorld::kStart.time_since_epoch().count() / 1'000'000'000;
  struct TokenRow {
    const char* sentence;
    void (*change)(PortalWorld&, Timestamp now);
    unsigned status;
  };
  const TokenRow rows[] = {
      {"expired this second", [](PortalWorld& w, Timestamp t) { w.store.named("alice").expires = t; }, 401},
      {"expires next second", [](PortalWorld& w, Timestamp t) { w.store.named("alice").expires = t + 1; }, 101},
      {"revoked", [](PortalWorld& w, Timestamp t) { w.store.named("alice").revoked = t; }, 401},
      {"of an actor that the policy no longer has",
       [](PortalWorld& w, Timestamp) { w.store.named("alice").owner = policy::id_of("bob"); }, 401},
      {"the database is away: temporary", [](PortalWorld& w, Timestamp) { w.store.broken = true; }, 503}};
  for (const TokenRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    row.change(world, now);
    EXPECT_EQ(login(world, client), row.status);
  }
}

TEST(Logins, TwoGatewaysCannotHaveOneKey) {
  PortalWorld world;
  world.gateway("gw1", "lab", "key");
  EXPECT_EQ(world.connect(Role::gateway, "gw2", "lab", "key"), 422u);
  EXPECT_EQ(world.connect(Role::gateway, "gw1", "lab", "key"), 101u) << "itself, coming back";
}

TEST(Logins, ASourceThatFailsTooOftenIsToldToComeBack) {
  PortalWorld world;
  const Row wrong{"", std::string("/client/websocket?token=guess&external_id=d&public_key=") + kKey, kAgent, 401};
  const Row right{"", kClient, kAgent, 101};
  for (std::uint32_t i = 0; i < kLoginFailuresMax; ++i) EXPECT_EQ(login(world, wrong), 401u);
  EXPECT_EQ(login(world, wrong), 503u);
  EXPECT_EQ(login(world, right), 503u);
  world.pass(kLoginWindow);
  EXPECT_EQ(login(world, right), 101u);
  for (std::uint32_t i = 0; i < kLoginFailuresMax; ++i) EXPECT_EQ(login(world, wrong), 401u);
  EXPECT_EQ(login(world, right), 503u) << "the next window is as long and counts as much";
}

TEST(Logins, WhatMayPassIsNotTheSourcesFault) {
  PortalWorld world;
  const Row right{"", kClient, kAgent, 101};
  world.store.broken = true;
  for (std::uint32_t i = 0; i <= kLoginFailuresMax; ++i) EXPECT_EQ(login(world, right), 503u);
  world.store.broken = false;
  EXPECT_EQ(login(world, right), 101u);
}

IpAddress address(std::size_t number) {
  return IpAddress::parse("10.1." + std::to_string(number / 256) + '.' + std::to_string(number % 256)).value();
}

TEST(Logins, TheLimiterForgetsTheOldestSource) {
  LoginLimiter limiter;
  const Instant now(std::chrono::hours(1));
  for (std::uint32_t i = 0; i < kLoginFailuresMax; ++i) limiter.failed(now, address(0));
  EXPECT_FALSE(limiter.may_try(now, address(0)));
  for (std::size_t n = 1; n <= kLoginSourcesMax; ++n) limiter.failed(now, address(n));
  EXPECT_EQ(limiter.sources(), kLoginSourcesMax);
  EXPECT_TRUE(limiter.may_try(now, address(0)));
}

TEST(Logins, TheLimiterKeepsWhoFailsAgain) {
  LoginLimiter limiter;
  const Instant now(std::chrono::hours(1));
  for (std::size_t n = 0; n < kLoginSourcesMax; ++n) limiter.failed(now, address(n));
  for (std::uint32_t i = 1; i < kLoginFailuresMax; ++i) limiter.failed(now, address(0));
  limiter.failed(now, address(kLoginSourcesMax));
  EXPECT_EQ(limiter.sources(), kLoginSourcesMax);
  EXPECT_FALSE(limiter.may_try(now, address(0))) << "another one went";
}

TEST(Logins, AnIpv6SourceIsItsNetwork) {
  LoginLimiter limiter;
  const Instant now(std::chrono::hours(1));
  for (std::uint32_t i = 0; i < kLoginFailuresMax; ++i) {
    limiter.failed(now, IpAddress::parse("2001:db8:0:1::" + std::to_string(i + 1)).value());
  }
  EXPECT_FALSE(limiter.may_try(now, IpAddress::parse("2001:db8:0:1:ffff::").value()));
  EXPECT_TRUE(limiter.may_try(now, IpAddress::parse("2001:db8:0:2::1").value()));
}

TEST(Logins, ConnectionsAreBounded) {
  PortalWorld world;
  const Row client{"", kClient, kAgent, 101};
  for (std::uint64_t i = 0; i < kConnectionsMax; ++i) ASSERT_EQ(login(world, client, 10'000 + i), 101u);
  EXPECT_EQ(login(world, client, 9'000), 503u);
  world.plane->closed(ConnectionId(10'000), world.now);
  EXPECT_EQ(login(world, client, 9'000), 101u);
}

struct AgentRow {
  const char* sentence;
  const char* agent;
  const char* os_name;
  const char* os_version;
  const char* component;
  const char* version;
};

TEST(ProgramAgent, IsReadAsThePortalSpecificationSays) {
  const AgentRow rows[] = {
      {"a Debian", "Debian/12.0.0 gateway/1.4.19 (x86_64; 6.1.0-25-amd64)", "Debian", "12.0.0", "gateway", "1.4.19"},
      {"a system with a space in its name", "Alpine Linux/3.22.1 headless-client/1.5.5 (x86_64)", "Alpine Linux",
       "3.22.1", "headless-client", "1.5.5"},
      {"the program alone", "headless-client/1.5.5", "", "", "headless-client", "1.5.5"},
      {"a system whose name begins like a program", "gateway-os/1 gateway/1.4.0", "gateway-os", "1", "gateway",
       "1.4.0"}};
  for (const AgentRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto agent = ProgramAgent::parse(row.agent);
    ASSERT_TRUE(agent);
    EXPECT_EQ(agent->os_name, row.os_name);
    EXPECT_EQ(agent->os_version, row.os_version);
    EXPECT_EQ(agent->component, row.component);
    EXPECT_EQ(agent->version, row.version);
  }
}

struct VersionRow {
  const char* sentence;
  const char* client;
  const char* gateway;
  bool fits;
};

TEST(ProgramVersion, GatewaysFitClientsOfNearlyTheirAge) {
  const VersionRow rows[] = {{"the same", "1.5.5", "1.5.5", true},
                             {"a minor version back", "1.5.5", "1.4.0", true},
                             {"two back", "1.5.5", "1.3.99", false},
                             {"a minor version ahead", "1.5.0", "1.6.99", true},
                             {"two ahead", "1.5.0", "1.7.0", false},
                             {"another major version", "2.0.0", "1.9.0", false},
                             {"a client without minor versions before it", "1.0.3", "1.0.0", true},
                             {"a build's suffix", "1.5.5-dev", "1.5.0+42", true},
                             {"two parts are no version", "1.5", "1.5.0", false},
                             {"words are no version", "1.5.5", "one.two.three", false}};
  for (const VersionRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto client = ProgramAgent::parse(std::string("headless-client/") + row.client);
    const auto gateway = ProgramAgent::parse(std::string("gateway/") + row.gateway);
    EXPECT_EQ(gateway_fits(client.value(), gateway.value()), row.fits);
  }
}

// One actor's ever new ids cost the actor's own devices their places, nobody else, and nobody who is connected.
TEST(Logins, ADeviceTooManyTakesThePlaceOfOneThatIsAway) {
  PortalWorld world;
  world.store.owner_max = 2;
  world.gateway();
  world.client("box", "alice");
  world.client("phone", "alice");
  for (const char* name : {"box", "phone"}) world.ask(name, "net");
  world.close("box");
  static_cast<void>(world.lines());
  EXPECT_EQ(world.connect(Role::client, "robot", "robot"), 101u) << "another owner";
  EXPECT_EQ(world.connect(Role::client, "tablet", "alice"), 101u);
  EXPECT_EQ(world.lines(), Lines{"gw1 < reject_access box net"});
  EXPECT_FALSE(world.store.devices.contains("box"));
  EXPECT_TRUE(world.store.devices.contains("phone"));
  EXPECT_EQ(world.connect(Role::client, "box", "alice"), 503u) << "the two others are connected";
  EXPECT_EQ(world.connect(Role::client, "phone.2", "alice"), 101u) << "a known one always may";
}

// Whether a line is up says more than when it was made.
TEST(Logins, ADeviceThatWasConnectedForLongIsNotTheFirstToGo) {
  const auto gone_first = [](bool ends_orderly) {
    PortalWorld world;
    world.store.owner_max = 2;
    world.pass(std::chrono::seconds(30));
    world.restart();  // reviews at half a minute
    world.client("box", "alice");
    world.pass(std::chrono::minutes(24 * 60 - 1));
    world.client("job", "alice");
    world.close("job");
    if (ends_orderly) {
      world.pass(std::chrono::seconds(45));
      world.close("box");
    } else {
      world.pass(std::chrono::hours(2));
      world.restart();
    }
    EXPECT_EQ(world.connect(Role::client, "tablet", "alice"), 101u);
    return world.store.devices.contains("box") ? "job" : "box";
  };
  EXPECT_STREQ(gone_first(true), "job");
  EXPECT_STREQ(gone_first(false), "job") << "by the minute's review";
}

// A state file from before there were shares.
TEST(Logins, AnOwnerFarAboveItsShareIsServedAllTheSame) {
  PortalWorld world;
  world.gateway();
  for (int i = 0; i < 9; ++i) world.client("d" + std::to_string(i), "alice");
  for (int i = 0; i < 9; ++i) world.ask("d" + std::to_string(i), "net");
  for (int i = 0; i < 8; ++i) world.close("d" + std::to_string(i));
  static_cast<void>(world.lines());
  world.store.owner_max = 3;
  EXPECT_EQ(world.connect(Role::client, "new", "alice"), 101u);
  EXPECT_EQ(world.lines().size(), 7u) << "their grants";
  EXPECT_TRUE(world.store.devices.contains("d7"));
  EXPECT_TRUE(world.store.devices.contains("d8"));
}

}  // namespace
}  // namespace fireline::portal
