// A client alone: packets in by hand, events out, nobody at the other end. Relays are names only, so connections are
// made and never get anywhere.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/tunnel/client.h"
#include "tests/unit/core/tunnel/client_ledger.h"
#include "tests/unit/core/tunnel/client_values.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::tunnel::test {

using namespace std::chrono_literals;
using wireguard::Packet;

class ClientFixture {
 public:
  explicit ClientFixture(ClientOptions options = {})
      : aead(crypto::make_aead(crypto::AeadBackend::libsodium)),
        client(std::make_unique<Client>(std::move(options), crypto::seeded_key(1), now, large, small, random, *aead)),
        work(client->make_work()) {}
  ~ClientFixture() {
    expect_ledger();
    output = {};
    work.reset();
    client.reset();
  }

  void handle(const portal::PortalToClient& message) {
    client->handle(now, message, output);
    collect();
  }
  void init(std::vector<policy::ClientResource> resources, bool with_relays = true) {
    handle(portal::ClientInit{.interface = own_interface(),
                              .resources = std::move(resources),
                              .relays = with_relays ? relays() : portal::RelayEntries{}});
  }
  [[nodiscard]] static portal::RelayEntries relays() {
    turn::RelayEntry entry;
    entry.id = "relay";
    entry.address = Endpoint::parse("203.0.113.1:3478").value();
    entry.username = "user";
    entry.password = "password";
    return {entry};
  }
  // Asks by a packet and answers.
  void connect(const Uuid& resource, const std::string& destination, std::uint8_t gateway, std::uint8_t site = 1) {
    send(udp(destination, 77));
    handle(flow(resource, gateway, site));
  }

  void send(const std::vector<Packet>& packets) {
    packet::TunBatch batch = wireguard::Node::tun_batch(input, packets);
    plan(batch);
  }
  void send(const Packet& packet, packet::Offload offload = {}) {
    packet::TunBatch batch = wireguard::Node::tun_batch(input, {packet});
    batch.packets[0].offload = offload;
    plan(batch);
  }
  void send_super(const Packet& packet, packet::Offload offload) { send(packet, offload); }
  void advance(Duration by) {
    now.boot += by;
    now.wall += by;
  }
  void handle_timeout() {
    client->handle_timeout(now, output);
    collect();
  }
  void reset() {
    client->reset(now, crypto::seeded_key(2), output);
    collect();
  }

  [[nodiscard]] static Packet udp(const std::string& destination, std::uint8_t tag = 0) {
    return wireguard::udp_packet(destination.contains(':') ? kOwn6 : kOwn4, destination, 40, tag);
  }

  // The events of one kind that were told since the last time.
  template <class Event>
  [[nodiscard]] std::vector<Event> take() {
    std::vector<Event> taken;
    std::vector<ClientEvent> others;
    for (ClientEvent& event : events) {
      if (auto* one = std::get_if<Event>(&event)) {
        taken.push_back(std::move(*one));
      } else {
        others.push_back(std::move(event));
      }
    }
    events = std::move(others);
    return taken;
  }
  // Resources for which the portal was asked.
  [[nodiscard]] std::vector<Uuid> asked() {
    std::vector<Uuid> resources;
    for (const auto& intent : take<portal::CreateFlow>()) resources.push_back(intent.resource);
    return resources;
  }
  [[nodiscard]] std::vector<FlowOutcome> outcomes() {
    std::vector<FlowOutcome> all;
    for (const FlowReport& report : take<FlowReport>()) all.push_back(report.outcome);
    return all;
  }
  [[nodiscard]] std::uint64_t count(ClientCounter which) const { return client->counters().get(which); }
  [[nodiscard]] std::uint64_t segments_in_node() const {
    return client->node().device().counters().get(wireguard::DeviceCounter::tun_segments);
  }
  [[nodiscard]] std::optional<Uuid> gateway_of(const Uuid& resource) const {
    for (const ResourceFlow& one : client->status().flows) {
      if (one.resource == resource) return one.gateway;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::size_t pending_of(const Uuid& resource) const {
    for (const ResourceFlow& one : client->status().flows) {
      if (one.resource == resource) return one.pending_packets;
    }
    return 0;
  }
  [[nodiscard]] Reachability status_of(const Uuid& resource) const {
    for (const ResourceView& one : client->status().resources) {
      if (one.id == resource) return one.status;
    }
    ADD_FAILURE() << "no such resource";
    return Reachability::unknown;
  }
  // The ledger of client_counters.h.
  void expect_ledger() const {
    const ClientLedger ledger(client->counters(), client->status().flows);
    EXPECT_EQ(ledger.from_tun, ledger.accounted_for);
    EXPECT_EQ(ledger.held, ledger.ended_or_waiting);
  }

  Now now{.boot = Instant(1000s), .wall = UnixTime(1'790'000'000s)};
  wireguard::HeapBuffers large{packet::kLargeBufferBytes};
  wireguard::HeapBuffers small{packet::kSmallBufferBytes};
  wireguard::HeapBuffers input{packet::kLargeBufferBytes};
  wireguard::SeededRandom random{3};
  std::unique_ptr<crypto::Aead> aead;
  std::unique_ptr<Client> client;
  std::unique_ptr<packet::Work> work;
  packet::Output output;
  std::vector<ClientEvent> events;

 private:
  void plan(packet::TunBatch& batch) {
    client->plan(now, batch, *work);
    aead->seal(work->jobs);
    client->commit(now, *work, output);
    collect();
  }
  void collect() {
    output.udp4.clear();
    output.udp6.clear();
    output.tun.clear();
    while (auto event = client->poll_event()) events.push_back(std::move(*event));
  }
};

}  // namespace fireline::tunnel::test
