#include "tools/relay/options.h"

#include <gmock/gmock.h>

#include <utility>

#include "tests/unit/tools/relay/option_fixture.h"

namespace fireline::relay {
namespace {

using ::testing::HasSubstr;

TEST_F(RelayOptionsTest, Defaults) {
  const auto options = parse({"--public-ip4-addr", "203.0.113.10"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->public_ip4, IpAddress::parse("203.0.113.10"));
  EXPECT_EQ(options->public_ip6, std::nullopt);
  EXPECT_EQ(options->listen_port, 3478);
  EXPECT_EQ(options->lowest_port, 49152);
  EXPECT_EQ(options->highest_port, 65535);
  EXPECT_EQ(options->auth, AuthKind::firezone);
  EXPECT_EQ(options->health, Endpoint::parse("0.0.0.0:8080"));
  EXPECT_EQ(options->control, Endpoint::parse("127.0.0.1:9999"));
  EXPECT_FALSE(options->offload);
  EXPECT_EQ(options->log_filter.level_of("relay"), spdlog::level::info);
  EXPECT_TRUE(options->gso);
  EXPECT_TRUE(options->notes.empty());
}

TEST_F(RelayOptionsTest, TheEnvironmentOfAFirezoneRelay) {
  setenv("PUBLIC_IP4_ADDR", "203.0.113.10", 1);
  setenv("PUBLIC_IP6_ADDR", "2001:db8::10", 1);
  setenv("LISTEN_PORT", "4478", 1);
  setenv("LOWEST_PORT", "50000", 1);
  setenv("HIGHEST_PORT", "50100", 1);
  setenv("LOG_FORMAT", "json", 1);
  setenv("RUST_LOG", "debug,wire=trace", 1);
  setenv("HEALTH_CHECK_ADDR", "0.0.0.0:8081", 1);
  setenv("CONTROL_ENDPOINT", "127.0.0.1:9998", 1);
  setenv("BIND_IP4_ADDR", "0.0.0.0", 1);
  setenv("BIND_IP6_ADDR", "::", 1);
  setenv("NUM_WORKER_THREADS", "2", 1);
  setenv("FIREZONE_NAME", "relay-1", 1);
  setenv("EBPF_OFFLOADING", "eth0", 1);
  setenv("EBPF_ATTACH_MODE", "generic", 1);
  setenv("EBPF_INT4_ADDR", "10.0.0.5", 1);
  const auto options = parse({"--listen-port", "3479"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->listen_port, 3479) << "the flag wins";
  EXPECT_EQ(options->lowest_port, 50000);
  EXPECT_EQ(options->highest_port, 50100);
  EXPECT_EQ(options->log_format, RelayLogFormat::json);
  EXPECT_EQ(options->log_filter.level_of("wire"), spdlog::level::trace);
  EXPECT_EQ(options->log_filter.level_of("relay"), spdlog::level::debug);
  ASSERT_TRUE(options->offload);
  EXPECT_EQ(options->offload->interface, "eth0");
  EXPECT_EQ(options->offload->mode, AttachMode::generic);
  EXPECT_EQ(options->offload->interface4, IpAddress::parse("10.0.0.5"));
  EXPECT_EQ(options->notes.size(), 2u) << "the name and the number of threads have no effect, which is said";
}

TEST_F(RelayOptionsTest, WhatIsWrongGetsASentence) {
  struct Row {
    std::vector<const char*> arguments;
    const char* sentence;
  };
  const char* const ip = "--public-ip4-addr=203.0.113.10";
  const Row rows[] = {
      {{}, "no public address is given"},
      {{"--public-ip4-addr", "2001:db8::1"}, "use an IPv4 address"},
      {{"--public-ip6-addr", "203.0.113.10"}, "use an IPv6 address"},
      {{"--public-ip4-addr", "0.0.0.0"}, "must be the address that clients use"},
      {{ip, "--listen-port", "0"}, "from 1 to 65535"},
      {{ip, "--listen-port", "65536"}, "from 1 to 65535"},
      {{ip, "--listen-port", "34x"}, "from 1 to 65535"},
      {{ip, "--lowest-port", "60000", "--highest-port", "50000"}, "--lowest-port 60000 is above --highest-port 50000"},
      {{ip, "--listen-port", "50000"}, "lies among the allocation ports"},
      {{ip, "--bind-ip6-addr", "2001:db8::1"}, "needs --public-ip6-addr"},
      {{ip, "--auth", "none"}, "use firezone or static"},
      {{ip, "--auth", "static"}, "needs --users FILE"},
      {{ip, "--users", "f"}, "--users belongs to --auth static"},
      {{ip, "--realm", "x"}, "--realm belongs to --auth static"},
      {{ip, "--allow-peer", "10.0.0.0/8"}, "--allow-peer belongs to --auth static"},
      {{ip, "--auth", "static", "--users", "f", "--secret-file", "g"}, "--secret-file belongs to --auth firezone"},
      {{ip, "--deny-peer", "10.0.0.0/33"}, "use ADDRESS/LENGTH"},
      {{ip, "--max-channels", "4097"}, "from 1 to 4096"},
      {{ip, "--max-allocations", "0"}, "from 1 to 65536"},
      {{ip, "--log-format", "xml"}, "use human or json"},
      {{ip, "--log-level", "loud"}, "no log directive"},
      {{ip, "--log-file-level", "debug"}, "needs --log-file"},
      {{ip, "--health-check-addr", "8080"}, "use ADDRESS:PORT"},
      {{ip, "--control-endpoint", "localhost:1"}, "use ADDRESS:PORT"},
      {{ip, "--rng-seed", "abc"}, "use a number"},
      {{ip, "--ebpf-attach-mode", "fast"}, "use driver or generic"},
      {{ip, "--ebpf-int4-addr", "10.0.0.1"}, "need --ebpf-offloading"},
      {{ip, "--ebpf-offloading", "eth0", "--ebpf-int4-addr", "::1"}, "use an IPv4 address"},
      {{ip, "--no-such-flag"}, "see fireline-relay --help"},
      {{ip, "--realm=", "--deny-peer=198.51.100.0/24"}, "--realm= has no value: see fireline-relay --help"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_THAT(refusal_of(row.arguments), HasSubstr(row.sentence));
  }
}

TEST_F(RelayOptionsTest, WhatFirezonesContainersSetEndsNothing) {
  const std::pair<const char*, const char*> set[] = {{"PUBLIC_IP4_ADDR", "203.0.113.10"},
                                                     {"LOG_FORMAT", "google-cloud"},
                                                     {"OTLP_GRPC_ENDPOINT", "127.0.0.1:4317"},
                                                     {"GOOGLE_CLOUD_PROJECT_ID", "project"},
                                                     {"FIREZONE_TELEMETRY", "true"}};
  for (const auto& [name, value] : set) setenv(name, value, 1);
  const auto options = parse({});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->log_format, RelayLogFormat::json);
  EXPECT_EQ(options->notes.size(), 4u) << "each is said to have no effect, or another one";
}

TEST_F(RelayOptionsTest, WhoHasItsAddressesFoundByAScriptIsToldToGiveThem) {
  setenv("LISTEN_ADDRESS_DISCOVERY_METHOD", "gce_metadata", 1);
  EXPECT_THAT(refusal_of({}), HasSubstr("LISTEN_ADDRESS_DISCOVERY_METHOD=gce_metadata is not served: set PUBLIC_IP4"));
  EXPECT_TRUE(parse({"--public-ip4-addr", "203.0.113.10"}));
}

TEST_F(RelayOptionsTest, XdpServesTheBindAddressUnlessItIsToldAnother) {
  struct Row {
    const char* rule;
    std::vector<const char*> arguments;
    std::optional<IpAddress> interface4;
    std::optional<IpAddress> interface6;
  };
  for (const Row& row : {
           Row{"none: the interface's first", {}, {}, {}},
           Row{"all of them: the interface's first", {"--bind-ip4-addr", "0.0.0.0", "--bind-ip6-addr", "::"}, {}, {}},
           Row{"the ones that sockets are bound to",
               {"--bind-ip4-addr", "10.0.0.6", "--bind-ip6-addr", "fd00::6"},
               IpAddress::parse("10.0.0.6"),
               IpAddress::parse("fd00::6")},
           Row{"told another",
               {"--bind-ip4-addr", "10.0.0.6", "--ebpf-int4-addr", "10.0.0.7"},
               IpAddress::parse("10.0.0.7"),
               {}},
       }) {
    SCOPED_TRACE(row.rule);
    std::vector<const char*> arguments{"--public-ip4-addr", "203.0.113.10",      "--public-ip6-addr",
                                       "2001:db8::10",      "--ebpf-offloading", "eth0"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const auto options = parse(arguments);
    ASSERT_TRUE(options) << options.error().text;
    EXPECT_EQ(options->offload->interface4, row.interface4);
    EXPECT_EQ(options->offload->interface6, row.interface6);
  }
}

TEST_F(RelayOptionsTest, PrefixesRepeatAndLimitsMove) {
  const auto options = parse({"--public-ip6-addr", "2001:db8::10", "--auth", "static", "--users", "users",
                              "--allow-peer", "10.0.0.0/8", "--allow-peer", "fd00::/8", "--deny-peer", "10.1.0.0/16",
                              "--max-user-allocations", "7", "--max-answers-source", "10"});
  ASSERT_TRUE(options) << options.error().text;
  ASSERT_EQ(options->allow_peers.size(), 2u);
  EXPECT_EQ(options->allow_peers[1], *Prefix::parse("fd00::/8"));
  EXPECT_EQ(options->deny_peers.size(), 1u);
  EXPECT_EQ(options->limits.allocations_per_user, 7u);
  EXPECT_EQ(options->limits.answers_per_second_source, 10u);
  EXPECT_EQ(options->limits.answers_burst_source, 40u) << "the burst keeps its proportion";
}

}  // namespace
}  // namespace fireline::relay
