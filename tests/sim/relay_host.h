// A relay in the simulated network: the real relay::Server behind a control port and the allocation ports that it asks
// for. It can die with its process (ports answer "unreachable"), vanish with its machine (silence), come back empty,
// and come back with another secret, which is what makes other credentials. Lifetime: network and queue must outlive
// it. Threads: one.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/turn/relay_entries.h"
#include "relay/protocol/server.h"
#include "tests/sim/dice.h"
#include "tests/sim/network.h"

namespace fireline::sim {

inline constexpr std::uint16_t kRelayPort = 3478;

class RelayHost final : public Receiver, public relay::Host {
 public:
  RelayHost(EventQueue& queue, Network& network, std::string id, std::size_t site, std::optional<IpAddress> v4,
            std::optional<IpAddress> v6, Dice dice);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] bool is_running() const noexcept { return server_ != nullptr && powered_; }
  // A fresh process; nothing of the one before is left but, unless `new_secret`, the secret.
  void start(bool new_secret);
  void kill();  // the process
  void set_powered(bool powered);

  // What the relay tells the portal, as 64 hex digits.
  [[nodiscard]] const std::string& secret() const noexcept { return secret_; }
  // What the portal tells a node whose key has that name: one entry per address, next to each other.
  [[nodiscard]] std::vector<turn::RelayEntry> entries_for(std::string_view key_name) const;
  [[nodiscard]] bool has(Family family) const noexcept {
    return family == Family::v4 ? v4_.has_value() : v6_.has_value();
  }
  [[nodiscard]] const std::optional<IpAddress>& v4() const noexcept { return v4_; }
  [[nodiscard]] const std::optional<IpAddress>& v6() const noexcept { return v6_; }

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout();
  // Empty while it does not run.
  [[nodiscard]] const relay::Server* server() const noexcept { return server_.get(); }
  // A datagram that a client sent on a channel that had expired, before the relay answered its new binding: who does so
  // trusts the network to bring the binding first. Empty: there was none.
  [[nodiscard]] const std::optional<std::string>& sent_on_lapsed_channel() const noexcept { return premature_; }

  // Outside addresses changed owners: who sends from one now may have bound other channels from another.
  void forget_lapses() noexcept { lapses_.clear(); }

  // Receiver
  [[nodiscard]] bool is_open(const Endpoint& destination) const override;
  void receive(const Train& train) override;

 private:
  // relay::Host
  [[nodiscard]] Opened open_port(std::uint16_t port, relay::Families families) override;
  void close_port(std::uint16_t port) override;
  void send_control(const Endpoint& to, std::span<const std::byte> message) override;
  void send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) override;
  [[nodiscard]] Offload offload(const relay::ChannelBinding&) override { return Offload::not_offloaded; }
  void prolong(const relay::ChannelBinding&) override {}
  void withdraw(const relay::ChannelBinding&) override {}
  void report(const relay::Event& event) override;

  void forward_to_peers(const Train& train);
  void forward_to_client(const Train& train);
  void flush(Train& train);
  void judge(const Train& train, std::uint16_t channel);
  [[nodiscard]] Now now() const;

  EventQueue& queue_;
  Network& network_;
  std::string id_;
  std::optional<IpAddress> v4_;
  std::optional<IpAddress> v6_;
  Dice dice_;
  std::size_t host_;
  std::string secret_;
  bool powered_ = true;
  std::set<std::uint16_t> ports_;
  std::unique_ptr<relay::Server> server_;

  struct Lapse {
    Instant expired;
    std::optional<Instant> revived;
  };
  std::size_t asking_ = kNoHost;                                       // who sent the request at hand
  std::map<std::pair<Endpoint, std::uint16_t>, std::size_t> binders_;  // a NAT may give the endpoint to another host
  std::map<std::pair<Endpoint, std::uint16_t>, Lapse> lapses_;         // by client and channel
  std::optional<std::string> premature_;
};

}  // namespace fireline::sim
