// One client or gateway in the simulated network: a node::Node with the real cipher, its pools, a TUN of inner flows
// and the network as sockets. Drives it as a packet thread would: plan, jobs, commit, handshake steps, timers exactly
// at poll_timeout. Works may wait between plan and commit while other input comes, as with cipher threads.
//
// What leaves the node is checked here: trains stay whole, take the path that held when they were planned, buffers come
// back, ledgers balance, timers make progress.
// Lifetime: queue, network and owner must outlive it. Threads: one.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/node/node.h"
#include "tests/sim/clock.h"
#include "tests/sim/counted_buffers.h"
#include "tests/sim/dice.h"
#include "tests/sim/network.h"

namespace fireline::sim {

inline constexpr std::uint16_t kNodePort = 52625;

class SimNode;

// What a node tells the world around it.
class NodeOwner {
 public:
  virtual ~NodeOwner() = default;
  // `datagram`: the number under which the packet's datagram left its sender; 0 when that is not known.
  virtual void deliver(SimNode& node, ConstBytes packet, std::uint64_t datagram) = 0;
  virtual void handle_event(SimNode& node, const node::NodeEvent& event) = 0;
};

class SimNode final : public Receiver {
 public:
  SimNode(EventQueue& queue, Network& network, NodeOwner& owner, std::string name, node::NodeRole role, Dice dice);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::size_t host() const noexcept { return host_; }
  [[nodiscard]] node::NodeRole role() const noexcept { return role_; }

  void start(const crypto::Key& private_key);
  void stop(bool goodbye);
  [[nodiscard]] bool is_running() const noexcept { return node_ != nullptr; }
  [[nodiscard]] const node::Node& node() const noexcept { return *node_; }
  void set_suspended(bool suspended);
  [[nodiscard]] bool is_suspended() const noexcept { return suspended_; }
  void jump_wall(Duration by) noexcept { wall_offset_ += by; }

  // The portal and the operator; only while it runs.
  void update_relays(const std::vector<std::string>& removed, const std::vector<turn::RelayEntry>& connected);
  [[nodiscard]] node::UpsertOutcome upsert(const node::ConnectionParameters& parameters);
  void add_remote_candidates(const std::string& id, const std::vector<std::string>& candidates);
  void invalidate_remote_candidates(const std::string& id, const std::vector<std::string>& candidates);
  void close(const std::string& id);
  void reset(const crypto::Key& private_key);
  void resume();

  // Packets of equal length of one flow, in one batch, to the connection `id`.
  void send_packets(const std::string& id, const std::vector<std::vector<std::byte>>& packets);

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout();

  [[nodiscard]] std::optional<node::ConnectionStatus> connection(const std::string& id) const;
  // Ledgers, buffers and limits at rest; throws a Violation.
  void check_at_rest() const;

  // Receiver
  [[nodiscard]] bool is_open(const Endpoint& destination) const override;
  void receive(const Train& train) override;
  void unreachable(const Endpoint& destination) override;

  std::function<void(const std::string&)> trace;  // empty: none

 private:
  struct Planned {
    std::unique_ptr<packet::Work> work;
    std::vector<std::uint64_t> datagrams{};  // of a received train
    // Of a batch from the TUN: how it must leave. Empty: no expectation.
    std::optional<node::PathState> path;
    std::size_t message_bytes = 0;
  };

  [[nodiscard]] Now now() const noexcept { return now_at(queue_.now(), wall_offset_); }
  [[nodiscard]] std::unique_ptr<packet::Work> take_work();
  void plan_or_commit(Planned planned);
  void commit_all();
  void commit(Planned& planned);
  // Everything that an input can have led to.
  void settle(std::span<const std::uint64_t> datagrams = {}, const Planned* expectation = nullptr);
  void send(packet::UdpSendBatch& batch, const Planned* expectation);
  void write_tun(std::span<const std::uint64_t> datagrams);
  void check_path(const packet::UdpTrain& train, const Planned& expectation, bool relayed) const;
  [[noreturn]] void fail(const std::string& invariant, const std::string& text) const;

  EventQueue& queue_;
  Network& network_;
  NodeOwner& owner_;
  const std::string name_;
  const node::NodeRole role_;
  Dice dice_;
  const std::size_t host_;
  CountedBuffers large_;
  CountedBuffers small_;
  CountedBuffers input_;
  CountedBuffers tun_input_;
  std::unique_ptr<crypto::Aead> aead_;
  std::unique_ptr<node::Node> node_;
  std::deque<Planned> planned_;
  std::vector<std::unique_ptr<packet::Work>> spare_works_;
  packet::Output output_;
  Duration wall_offset_{};
  bool suspended_ = false;
  std::uint64_t life_ = 0;  // which process
  std::uint64_t next_datagram_ = 1;
  Instant busy_since_{};
  unsigned busy_turns_ = 0;
};

}  // namespace fireline::sim
