// A gateway node, many client nodes and a relay in one process on a virtual clock: no thread, no NAT, and no socket but
// those of a NodeWire, which the gateway's data may take (tools/bench/node_wire.h). Every datagram and every word of
// the portal takes kWireDelay. All hosts have both address families and public addresses, so that each connection has a
// direct path per family and its relayed ones, which are checked like it.
//
//   clients 10.x.y.z, 2001:db8:1::N ────┐
//                                       ├── relay 203.0.113.1, 2001:db8::1
//   gateway 198.51.100.7, 2001:db8:2:: ─┘
//
// What the gateway's own calls cost is metered: CPU time of this thread without that of reading the clock. What it
// holds is what the process has less when it is gone. Threads: one. Lifetime: the pools of a world are its own.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/node/node.h"
#include "io/pool.h"
#include "relay/protocol/server.h"

namespace fireline::bench {

class NodeWire;

class NodeWorld final : public relay::Host {
 public:
  // Allocates at the relay and connects one after the other, below the rate at which handshakes cost cookies.
  explicit NodeWorld(std::size_t clients);
  ~NodeWorld() override;
  NodeWorld(const NodeWorld&) = delete;
  NodeWorld& operator=(const NodeWorld&) = delete;

  void run_for(Duration duration);
  void set_metered(bool metered) noexcept { metered_ = metered; }

  // Of the gateway's metered calls since the last time it was asked.
  [[nodiscard]] double take_cpu_nanoseconds() noexcept;
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }

  // Ends the gateway; returns the bytes that it held. The world is of no use any more.
  [[nodiscard]] std::int64_t end_gateway();

  struct Census {
    std::size_t connections = 0;
    std::size_t idle = 0;
    std::size_t direct = 0;
    std::size_t pairs = 0;  // of all
  };
  [[nodiscard]] Census census() const;

  // What clients sent, to be given to the gateway later: their work between its turns would empty its caches.
  struct Upload {
    std::vector<std::byte> bytes;
    std::vector<packet::ReceivedDatagrams>
        trains;  // of their bytes the length counts; `bytes` holds them in this order
  };
  // `count` inner packets of `bytes` from each of the clients, a train of each, of a flow of its own. One that is named
  // again sends again.
  [[nodiscard]] Upload make_upload(std::span<const std::size_t> clients, std::size_t count, std::size_t bytes);
  // One batch of the gateway's. Metered: its turn, cipher included; with a wire the system calls as well. Returns how
  // many packets reached its TUN.
  std::size_t send_up(const Upload& upload, NodeWire* wire = nullptr);
  // As many from the gateway's TUN; returns how many were sealed. They reach nobody.
  std::size_t send_down(std::span<const std::size_t> clients, std::size_t count, std::size_t bytes,
                        NodeWire* wire = nullptr);

 private:
  struct Party;
  struct Flight {
    Instant arrives;
    Endpoint source;
    Endpoint destination;
    std::vector<std::byte> bytes;  // a datagram; empty: the portal's word, candidates of `client` or for it
    std::vector<std::string> candidates;
    std::size_t client = 0;
    bool to_gateway = false;
  };
  struct Due {
    Instant time;
    std::size_t client;
    friend bool operator>(const Due& a, const Due& b) noexcept { return a.time > b.time; }
  };

  // relay::Host
  [[nodiscard]] Opened open_port(std::uint16_t, relay::Families) override { return Opened::done; }
  void close_port(std::uint16_t) override {}
  void send_control(const Endpoint& to, std::span<const std::byte> message) override;
  void send_peer(std::uint16_t, const Endpoint&, std::span<const std::byte>) override {}
  [[nodiscard]] Offload offload(const relay::ChannelBinding&) override { return Offload::not_offloaded; }
  void prolong(const relay::ChannelBinding&) override {}
  void withdraw(const relay::ChannelBinding&) override {}

  [[nodiscard]] Now now() const noexcept;
  [[nodiscard]] std::unique_ptr<Party> make_party(node::NodeRole role, std::string id, std::size_t index);
  void connect(std::size_t index);

  void deliver(const Flight& flight);
  void deliver_candidates(const Flight& flight);
  void deliver_to_relay(const Flight& flight);
  void receive(Party& party, const Flight& flight);
  void run_timers(Party& party);

  // An input of the party; passes on what comes out.
  template <class Call>
  void call(Party& party, Call&& input);
  template <class Call>
  void meter(const Party& party, Call&& input);
  template <class Batch>
  void run_turn(Party& party, Batch& batch);
  void collect(Party& party);
  void pass_on(const Party& party, packet::UdpSendBatch& batch);
  void post(const Endpoint& source, const Endpoint& destination, ConstBytes bytes);
  void schedule(Party& party);
  struct InnerFlow {
    std::uint32_t source = 0;
    std::uint32_t destination = 0;
    std::uint16_t from = 0;  // port
  };
  void add_packets(packet::TunBatch& batch, const InnerFlow& flow, std::size_t count, std::size_t bytes);

  bool metered_ = false;
  double cpu_nanoseconds_ = 0;
  double clock_nanoseconds_;
  std::uint64_t calls_ = 0;

  Instant now_;
  crypto::SystemRandom random_;
  std::unique_ptr<crypto::Aead> aead_;
  io::BufferPool large_;
  io::BufferPool small_;
  crypto::Key preshared_key_;
  std::string relay_secret_;
  std::unique_ptr<relay::Server> relay_;
  std::unique_ptr<Party> gateway_;
  std::vector<std::unique_ptr<Party>> clients_;
  std::deque<Flight> flights_;  // in order: all take as long
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
};

}  // namespace fireline::bench
