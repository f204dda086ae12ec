// The rule of connectivity.h as a table over all pairs of NAT kinds, and against simulated NATs that two hosts probe as
// ICE does: each sends to what its relay told about the other, then to every address from which something came.
#include "tests/sim/connectivity.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <string_view>

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;
using enum Dependence;

struct Kind {
  std::string_view name;
  std::optional<NatOptions> nat;
};

constexpr NatOptions behind(Dependence mapping, Dependence filtering) {
  NatOptions options;
  options.mapping = mapping;
  options.filtering = filtering;
  return options;
}

// Names: mapping, filtering; E independent of the endpoint, A of the address, P of address and port.
const std::array<Kind, 10> kKinds{{
    {"none", std::nullopt},
    {"EE", behind(endpoint_independent, endpoint_independent)},
    {"EA", behind(endpoint_independent, address_dependent)},
    {"EP", behind(endpoint_independent, address_and_port_dependent)},
    {"AE", behind(address_dependent, endpoint_independent)},
    {"AA", behind(address_dependent, address_dependent)},
    {"AP", behind(address_dependent, address_and_port_dependent)},
    {"PE", behind(address_and_port_dependent, endpoint_independent)},
    {"PA", behind(address_and_port_dependent, address_dependent)},
    {"PP", behind(address_and_port_dependent, address_and_port_dependent)},
}};

// Row and column as above; d: direct, r: only through a relay.
constexpr std::array<std::string_view, 10> kTable{
    "dddddddddd",  // none
    "dddddddddd",  // EE: anybody may come in
    "dddddddddd",  // EA: any port of the peer's address
    "ddddrrrrrr",  // EP: an unforeseen port stays out
    "dddrddrddr",  // AE: reachable where the relay saw it; its answer needs a tolerant peer
    "dddrdrrdrr",  // AA
    "dddrrrrrrr",  // AP
    "dddrddrrrr",  // PE: between two of P every answer comes from yet another port
    "dddrdrrrrr",  // PA
    "dddrrrrrrr",  // PP
};

TEST(Connectivity, EveryPairOfNatKindsIsAsTheTableSays) {
  for (std::size_t a = 0; a < kKinds.size(); ++a) {
    for (std::size_t b = 0; b < kKinds.size(); ++b) {
      EXPECT_EQ(is_direct_possible(kKinds[a].nat, kKinds[b].nat), kTable[a][b] == 'd')
          << kKinds[a].name << " and " << kKinds[b].name;
    }
  }
}

// A host and what it knows of the other one.
struct Prober {
  Prober(const std::optional<NatOptions>& options, const Endpoint& inside_, const IpAddress& outside,
         std::uint64_t seed)
      : inside(inside_) {
    if (options) nat.emplace(*options, outside, Dice(seed));
  }
  Endpoint leave(Instant now, const Endpoint& destination) {
    return nat ? *nat->outbound(now, inside, destination) : inside;
  }
  bool admits(Instant now, const Endpoint& destination, const Endpoint& source) {
    if (!nat) return destination == inside;
    return nat->inbound(now, destination, source).refusal == Nat::Refusal::none;
  }

  Endpoint inside;
  std::optional<Nat> nat;
  std::set<Endpoint> targets;  // signalled, and learned from checks that came in
};

// One round of checks; true when one of them was answered.
bool probe(Instant now, Prober& from, Prober& to) {
  bool answered = false;
  for (const Endpoint& target : std::set<Endpoint>(from.targets)) {
    const Endpoint seen = from.leave(now, target);
    if (!to.admits(now, target, seen)) continue;
    to.targets.insert(seen);
    const Endpoint answers_from = to.leave(now, seen);
    answered |= answers_from == target && from.admits(now, seen, answers_from);
  }
  return answered;
}

bool connects(const Kind& a, const Kind& b) {
  constexpr Instant kNow{1000s};
  const Endpoint relay = *Endpoint::parse("203.0.113.9:3478");
  const auto outside_a = *IpAddress::parse("192.0.2.1");
  const auto outside_b = *IpAddress::parse("192.0.2.2");
  Prober left(a.nat, a.nat ? *Endpoint::parse("10.0.0.4:52625") : Endpoint{outside_a, 52625}, outside_a, 1);
  Prober right(b.nat, b.nat ? *Endpoint::parse("10.1.0.4:52625") : Endpoint{outside_b, 52625}, outside_b, 2);
  right.targets.insert(left.leave(kNow, relay));
  left.targets.insert(right.leave(kNow, relay));
  bool left_answered = false;
  for (int round = 0; round < 8; ++round) {
    left_answered |= probe(kNow, left, right);
    static_cast<void>(probe(kNow, right, left));
  }
  return left_answered;  // the client alone nominates
}

TEST(Connectivity, TheRuleAgreesWithSimulatedNats) {
  for (const Kind& a : kKinds) {
    for (const Kind& b : kKinds) {
      EXPECT_EQ(is_direct_possible(a.nat, b.nat), connects(a, b)) << a.name << " and " << b.name;
    }
  }
}

TEST(Connectivity, FamiliesAndRelaysDecideTheRest) {
  const std::optional<NatOptions> symmetric = behind(address_and_port_dependent, address_and_port_dependent);
  const Surroundings v4{.v4 = true, .v6 = false, .nat4 = symmetric, .firewall6 = {}};
  const Surroundings v6{.v4 = false, .v6 = true, .nat4 = {}, .firewall6 = symmetric};
  const Surroundings both{.v4 = true, .v6 = true, .nat4 = symmetric, .firewall6 = symmetric};
  const RelayFamilies dual{}, only_v4{true, false}, only_v6{false, true};
  struct Row {
    const Surroundings& a;
    const Surroundings& b;
    bool same_site;
    std::vector<RelayFamilies> relays;
    Connectivity expected;
    std::string_view rule;
  };
  const Row rows[] = {
      {v4, v4, false, {dual}, Connectivity::relayed, "two symmetric NATs need the relay"},
      {v4, v4, true, {dual}, Connectivity::direct, "hosts of one site reach each other"},
      {v4, v6, false, {dual}, Connectivity::relayed, "different families meet at a relay with both"},
      {v4, v6, false, {only_v4}, Connectivity::none, "an IPv6 host does not reach an IPv4 relay"},
      {v6, v6, false, {dual}, Connectivity::direct, "firewalls foretell their addresses"},
      {both, both, false, {dual}, Connectivity::direct, "IPv6 makes symmetric IPv4 harmless"},
      {both, both, false, {only_v4}, Connectivity::relayed, "nobody learns its IPv6 address from an IPv4 relay"},
      {both, v4, false, {only_v4, only_v6}, Connectivity::none, "the relay that was picked may be the other one"},
      {both, both, false, {only_v6}, Connectivity::direct, "one family is enough"},
      {v4, v4, false, {}, Connectivity::none, "no relay, no candidate"},
      {v4, v4, true, {}, Connectivity::none, "also within one site"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(expected_connectivity(row.a, row.b, row.same_site, row.relays), row.expected) << row.rule;
    EXPECT_EQ(expected_connectivity(row.b, row.a, row.same_site, row.relays), row.expected) << row.rule << ", mirrored";
  }
}

}  // namespace
}  // namespace fireline::sim
