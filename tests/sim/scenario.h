// A run of the simulator as data, drawn from one seed: sites and their NATs, nodes, relays, who talks to whom and when,
// and what happens to them. The same seed gives the same scenario; actions can be taken out one by one without moving
// the rest, which is how a failing run is shrunk.
// Lifetime: values. Threads: any.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/connectivity.h"
#include "tests/sim/link.h"
#include "tests/sim/nat.h"

namespace fireline::sim {

struct SiteSpec {
  std::optional<NatOptions> nat4;
  std::optional<NatOptions> firewall6;
  bool v4 = true;
  bool v6 = false;
  LinkOptions up;
  LinkOptions down;
  unsigned inner_network = 0;  // third byte of its private addresses; sites may have the same

  [[nodiscard]] Surroundings surroundings() const { return {v4, v6, nat4, firewall6}; }
  [[nodiscard]] std::string describe() const;
};

struct RelaySpec {
  bool v4 = true;
  bool v6 = true;
};

// Packets at `interval` while it lasts.
struct Talk {
  Duration start{};
  Duration length{};
  Duration interval = std::chrono::seconds(1);
  std::size_t batch = 1;
  std::size_t bytes = 100;
  bool up = true;    // client to gateway
  bool down = true;  // and back
};

struct PairSpec {
  std::size_t client = 0;
  std::size_t gateway = 0;
  std::vector<Talk> talks;  // by start, not overlapping
};

enum class ActionKind : std::uint8_t {
  roam,               // client `subject` moves to site `other`; reset with a new key
  relay_killed,       // the process; its ports answer "unreachable"
  relay_vanished,     // the machine
  relay_returned,     // after either, empty
  relay_replaced,     // restarted with another secret, announced at once
  nat_rebooted,       // of site `subject`
  link_broken,        // of site `subject`, for `length`: up, down or both
  upsert_repeated,    // pair `subject`
  psk_changed,        // pair `subject`, and the flow is authorised again
  client_suspended,   // client `subject` for `length`, then resume
  client_closes,      // pair `subject`: the client says goodbye
  gateway_restarted,  // gateway `subject`, with goodbye or without; back after `length` with another key
  wall_jumped,        // node `subject` (clients, then gateways), by `length`
  peers_parted,       // sites `subject` and `other` for `length`, for good when it is zero: only relays reach both
  portal_slow,        // signalling is held up for `length`
  count_
};
[[nodiscard]] std::string_view name_of(ActionKind kind) noexcept;

struct Action {
  Duration time{};
  ActionKind kind{};
  std::size_t subject = 0;
  std::size_t other = 0;
  Duration length{};
  unsigned variant = 0;  // what it means is said where it is read
};

struct Scenario {
  std::uint64_t seed = 0;
  Duration length{};
  std::vector<SiteSpec> sites;
  std::vector<std::size_t> clients;   // site of each
  std::vector<std::size_t> gateways;  // site of each
  std::vector<RelaySpec> relays;
  std::vector<PairSpec> pairs;
  std::vector<Action> actions;  // by time

  // `length_max` limits the virtual time.
  [[nodiscard]] static Scenario draw(std::uint64_t seed, Duration length_max);
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] std::string describe(const Action& action) const;
};

}  // namespace fireline::sim
