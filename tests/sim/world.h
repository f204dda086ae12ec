// A scenario brought to life: network, relays, nodes, portal, traffic and actions on one virtual clock, and the
// invariants that hold all the time. docs/testing.md lists them.
//
// "Calm" is the time since the last action that may cost a packet ended. While it has been calm for kRecoveryMax, what
// can connect must be connected, and on lines without loss every packet between connected nodes must arrive.
// Lifetime: for one run. Threads: one.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/inner_flow.h"
#include "tests/sim/portal.h"
#include "tests/sim/scenario.h"
#include "tests/sim/violation.h"

namespace fireline::sim {

// From the end of a disturbance, or of a pause in the traffic, to a connection that carries data both ways. The sum of
// what may follow upon each other: a dead relay is noticed after 33.1 s, a connection on it fails 2 s later, the next
// one has 10 s for its candidates, and a handshake that began on a dead path is retried after 5.3 s; a client that
// slept through it all asks again after 2 s. Rounded up.
inline constexpr Duration kRecoveryMax = std::chrono::seconds(60);
// A connection that was idle all the time has noticed by then that its path is gone: the client's 100 s and 2 s, then
// three checks of 25 s on another pair until the gateway leaves the dead one, and one more.
inline constexpr Duration kIdleRecoveryMax = std::chrono::seconds(250);
// A client sends no data into a path that has been dead for so long: the last good check may have been 25 s before,
// idle checks fail 100 s later, and of several dead pairs the next best one is asked once more when its turn comes, 25
// s. What it has to say goes another way, or the connection is gone.
inline constexpr Duration kDeadPathMax = std::chrono::seconds(155);
// A packet between connected nodes arrives within this time; it covers a handshake with one retry.
inline constexpr Duration kDeliveryMax = std::chrono::seconds(7);

struct RunStatistics {
  Duration simulated{};
  std::uint64_t datagrams = 0;
  std::uint64_t payloads_sent = 0;
  std::uint64_t payloads_delivered = 0;
  std::uint64_t payloads_due = 0;  // had to arrive, and did
  std::uint64_t connections = 0;
  Duration longest_recovery{};  // of a pair that was in demand, from calm to data in both directions
};

struct RunResult {
  std::optional<Violation> violation;
  RunStatistics statistics;
};

class World final : public NodeOwner {
 public:
  // `trace` gets a line for everything that matters; may be empty.
  World(const Scenario& scenario, std::function<void(const std::string&)> trace);
  ~World() override;

  [[nodiscard]] RunResult run();

 private:
  struct Pair {
    std::size_t client = 0;  // indices into nodes_
    std::size_t gateway = 0;
    InnerFlow up;
    InnerFlow down;
    std::optional<Instant> wanted_since;  // first tick of talks that follow each other without a long pause
    Instant last_tick{};
    std::optional<Instant> recovering_since;
    std::uint64_t up_seen = 0, down_seen = 0;  // deliveries before the recovery began
  };

  // NodeOwner
  void deliver(SimNode& node, ConstBytes packet, std::uint64_t datagram) override;
  void handle_event(SimNode& node, const node::NodeEvent& event) override;

  void build();
  void schedule();
  void step();
  // Addresses for a node at a site.
  void place(std::size_t node, std::size_t site);

  void tick(std::size_t pair, const Talk& talk, Instant end);
  void send(Pair& pair, bool up, const Talk& talk);
  void expect_arrival(std::size_t pair, bool up, std::uint64_t number);
  void watch();  // once a second

  void act(const Action& action);
  void roam(const Action& action);
  void relay_goes(const Action& action);
  void break_link(const Action& action);
  void suspend_client(const Action& action);
  void restart_gateway(const Action& action);
  void disturb(Duration length = Duration::zero());

  [[nodiscard]] bool is_lossless() const;
  [[nodiscard]] Connectivity expected(const Pair& pair) const;
  [[nodiscard]] bool may_be_direct(const Pair& pair) const;  // where nothing promises it
  [[nodiscard]] bool must_arrive(const Pair& pair) const;
  void check_connected(Pair& pair);
  void check_kind(const Pair& pair) const;
  void check_relays(SimNode& node, std::size_t index);
  void note_recovery(Pair& pair);
  void check_dead_path(const Train& train, Duration dead) const;
  [[nodiscard]] std::size_t index_of(const SimNode& node) const;
  [[noreturn]] void fail(const std::string& invariant, const std::string& text) const;
  void log(const std::string& text) const;
  [[nodiscard]] crypto::Key new_key() { return dice_.key(); }

  const Scenario& scenario_;
  std::function<void(const std::string&)> trace_;
  EventQueue queue_;
  Network network_;
  Dice dice_;
  Portal portal_;
  std::vector<std::unique_ptr<RelayHost>> relays_;
  std::vector<std::unique_ptr<SimNode>> nodes_;  // clients, then gateways
  std::vector<std::size_t> place_of_;            // site of each node
  std::vector<Pair> pairs_;
  std::vector<Instant> without_relay_since_;
  std::vector<Instant> awake_since_;
  Instant calm_since_ = kBootStart;
  unsigned next_address_ = 4;
  RunStatistics statistics_;
};

}  // namespace fireline::sim
