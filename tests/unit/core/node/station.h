// What stands around an engine in the simulator's network: one host with its sockets, TUN device and pools. The engine
// is whatever a test wants there: a node, a tunnel's client or gateway.
// Lifetime: queue and network outlive it; what call() and drain are given may not destroy it. Threads: one.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/packet/engine.h"
#include "tests/sim/clock.h"
#include "tests/sim/network.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::node {

inline constexpr std::uint16_t kStationPort = 52625;

class Station : public sim::Receiver {
 public:
  Station(sim::EventQueue& queue, sim::Network& network, std::size_t site, std::optional<IpAddress> v4,
          std::optional<IpAddress> v6, std::uint64_t seed);
  ~Station() override { stop(); }

  // A fresh process with this engine. `drain` is called behind everything that the engine did.
  void run(std::unique_ptr<packet::Engine> engine, std::function<void()> drain);
  // The process is gone: its port is closed.
  void stop();
  [[nodiscard]] bool is_running() const noexcept { return engine_ != nullptr; }

  [[nodiscard]] Now now() const { return sim::now_at(queue_.now(), wall_offset); }
  // An input of the engine's, and whatever it leads to.
  template <class Input>
  auto call(Input&& ask) {
    if constexpr (std::is_void_v<decltype(ask(output))>) {
      ask(output);
      collect();
    } else {
      auto result = ask(output);
      collect();
      return result;
    }
  }
  // From the TUN.
  void send(const wireguard::Packets& packets);
  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout();

  [[nodiscard]] bool is_open(const Endpoint& destination) const override;
  void receive(const sim::Train& train) override;
  void unreachable(const Endpoint& destination) override;

  std::size_t host = 0;
  wireguard::HeapBuffers large{packet::kLargeBufferBytes};
  wireguard::HeapBuffers small{packet::kSmallBufferBytes};
  wireguard::HeapBuffers input{packet::kLargeBufferBytes};
  wireguard::SeededRandom random;
  std::unique_ptr<crypto::Aead> aead;
  packet::Output output;
  wireguard::Packets delivered;  // to the TUN
  Duration wall_offset{};        // of this host's wall clock
  std::function<void(const Endpoint&)> on_unreachable;
  std::function<void(const sim::Train&)> on_send;
  std::function<void(const packet::Work&)> before_commit;  // its jobs are done

 private:
  void commit();
  void collect();
  void send_trains(packet::UdpSendBatch& batch);

  sim::EventQueue& queue_;
  sim::Network& network_;
  std::unique_ptr<packet::Engine> engine_;
  std::unique_ptr<packet::Work> work_;
  std::function<void()> drain_;
};

}  // namespace fireline::node
