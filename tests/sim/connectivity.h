// Which kind of path two hosts can have, from what stands before them: the rules that a scenario is judged by.
//
// Direct over IPv4 behind two NATs. "Predictable" is a NAT with endpoint-independent mapping: the address that the
// relay saw is the one that the peer meets.
//   both predictable               always: each opens its own filter by its checks
//   one predictable                the other one comes from a port that nobody foretold: the predictable side's filter
//                                  must let any port of a known address in
//   none predictable               one side must let anybody in at the mapping that its relay saw, and the answer comes
//                                  from another port of its: the other side's filter must let any port of it in. That
//                                  answer proves nothing; the check to the port that it came from does, provided that
//                                  one of the two keeps its mapping for another port of the same address
// A host without NAT is predictable and unfiltered; behind a firewall it is predictable with the firewall's filter, and
// so always reaches another predictable one. Hosts of one site reach each other without NAT.
//
// Relayed: each side has one relay of its own, any of those that there are. With the peer's relayed address as its
// destination no NAT matters, so all it takes is that both reach every relay and the relays have a family in common.
// Source: RFC 4787, RFC 8445; unit/connectivity_test.cpp compares it with simulated NATs.
// Lifetime: values and pure functions. Threads: any.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "tests/sim/nat.h"

namespace fireline::sim {

enum class Connectivity : std::uint8_t { none, relayed, direct };

struct Surroundings {
  bool v4 = true;
  bool v6 = false;
  std::optional<NatOptions> nat4;
  std::optional<NatOptions> firewall6;
};

struct RelayFamilies {
  bool v4 = true;
  bool v6 = true;
};

[[nodiscard]] bool is_direct_possible(const std::optional<NatOptions>& a, const std::optional<NatOptions>& b) noexcept;

// As is_direct_possible where ports that a NAT preserves come out as luck has it: a port that was free for each
// destination is the one that the peer was told, though nobody could promise it.
[[nodiscard]] bool is_direct_by_luck(const std::optional<NatOptions>& a, const std::optional<NatOptions>& b) noexcept;

[[nodiscard]] bool is_relay_reachable(const Surroundings& host, const RelayFamilies& relay) noexcept;

// Whichever relay each side picks.
[[nodiscard]] bool is_relayed_possible(const Surroundings& a, const Surroundings& b,
                                       std::span<const RelayFamilies> relays) noexcept;

[[nodiscard]] Connectivity expected_connectivity(const Surroundings& a, const Surroundings& b, bool same_site,
                                                 std::span<const RelayFamilies> relays) noexcept;

}  // namespace fireline::sim
