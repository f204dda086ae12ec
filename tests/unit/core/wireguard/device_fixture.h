// Two devices back to back on a virtual clock: buffers from the heap, randomness from a seed, datagrams carried by
// hand.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/packet/engine.h"
#include "core/wireguard/device.h"
#include "core/wireguard/messages.h"
#include "tests/unit/core/wireguard/handshake_fixture.h"

namespace fireline::wireguard {

using Packet = std::vector<std::byte>;
using Packets = std::vector<Packet>;

// A pool without a pool: each buffer is an allocation of its own, so that a sanitizer sees every stray access.
class HeapBuffers final : public packet::BufferSource {
 public:
  explicit HeapBuffers(std::size_t bytes) : bytes_(bytes) {}
  ~HeapBuffers() override { EXPECT_EQ(out(), 0u) << "buffers not given back"; }

  [[nodiscard]] packet::Buffer acquire() noexcept override;
  [[nodiscard]] std::size_t buffer_bytes() const noexcept override { return bytes_; }
  [[nodiscard]] std::size_t out() const noexcept { return slots_.size(); }
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }

 protected:
  void release(packet::BufferSlot* slot) noexcept override;

 private:
  struct Owned {
    packet::BufferSlot slot;
    std::vector<std::byte> memory;
  };
  std::size_t bytes_;
  std::size_t limit_ = SIZE_MAX;
  std::map<packet::BufferSlot*, std::unique_ptr<Owned>> slots_;
};

// A datagram on the wire.
struct Datagram {
  Packet bytes;
  packet::Ecn ecn = packet::Ecn::not_ect;
  Endpoint source;
  Endpoint destination;
  packet::LocalAddress local;  // the source address that the sender asked for
  std::size_t train = 0;       // of this sender; datagrams of one train have one number
  std::uint16_t skip = 0;      // as received: bytes of channel header

  [[nodiscard]] bool on_channel() const { return load_u8(bytes, 0) >> 4 == 4; }
  // Without a channel header.
  [[nodiscard]] ConstBytes message() const { return ConstBytes(bytes).subspan(on_channel() ? 4 : 0); }
  [[nodiscard]] std::uint32_t type() const { return load_le32(message(), 0); }
};

// A device with everything around it.
class Node {
 public:
  Node(std::uint64_t seed, const std::string& address, const DeviceOptions& options, Now start);
  ~Node();

  // One packet or many from the TUN, through plan, jobs and commit.
  void send(Now now, const std::vector<Packet>& packets);
  void send(Now now, const Packet& packet, packet::Offload offload = {});
  // Datagrams from the sockets; those of one source and train arrive as one receive buffer.
  void receive(Now now, const std::vector<Datagram>& datagrams);
  // Steps until no handshake waits.
  void step(Now now);
  void handle_timeout(Now now);
  void run(packet::Work& work);
  // Moves `output` into `sent` and `delivered`.
  void collect();

  [[nodiscard]] static packet::TunBatch tun_batch(HeapBuffers& buffers, const std::vector<Packet>& packets);
  [[nodiscard]] packet::UdpBatch udp_batch(const std::vector<Datagram>& datagrams);
  [[nodiscard]] std::uint64_t count(DeviceCounter counter) const { return device.counters().get(counter); }
  [[nodiscard]] std::size_t events(DeviceEvent::Kind kind);
  [[nodiscard]] std::size_t sent_of_type(std::uint32_t type) const;
  // The ledger of device_counters.h.
  void expect_ledger() const;

  crypto::Key private_key;
  crypto::PublicKey public_key;
  Endpoint address;
  Endpoint relayed;           // at the relay
  std::uint16_t channel = 0;  // to the other node
  HeapBuffers large{packet::kLargeBufferBytes};
  HeapBuffers small{packet::kSmallBufferBytes};
  HeapBuffers input{packet::kLargeBufferBytes};
  SeededRandom random;
  std::unique_ptr<crypto::Aead> aead;
  std::unique_ptr<Device> device_owner;
  Device& device;
  packet::Output output;
  std::unique_ptr<packet::Work> work;

  std::vector<Datagram> sent;
  std::vector<Packet> delivered;  // cut again as the kernel would
  std::size_t tun_writes = 0;
  std::vector<DeviceEvent> seen;

 private:
  void collect_trains(packet::UdpSendBatch& batch);
  void collect_writes();
  std::size_t trains_ = 0;
};

// Two nodes, a and b, which are each other's only peer. a is 192.0.2.1 outside and 10.0.0.1, fd00::1 inside; b is
// 192.0.2.2 (or what the options say), 10.0.0.2 and fd00::2. The relay between them is 192.0.2.100, their addresses
// there are 198.51.100.1 and .2.
enum class Link : std::uint8_t { endpoint, none, direct, relayed };

class World {
 public:
  struct Options {
    Profile profile = kPaperProfile;
    std::uint16_t mtu = 1420;
    bool preshared_key = false;
    bool underlay_v6 = false;
    packet::CoalescerOptions tun_offloads = {};
    Link link = Link::endpoint;  // how the peers know each other: configured, or by set_path
    bool queue_without_path = false;
    const ReturnPath* return_path = nullptr;
    InnerPolicy* policy = nullptr;  // of b
  };
  World() : World(Options()) {}
  explicit World(const Options& options);

  // Carries datagrams and steps handshakes until nothing moves.
  void settle();
  // Moves `from`'s datagrams to `to`; false when there were none. `lost` drops them instead.
  bool carry(Node& from, Node& to);
  void lose() { a.sent.clear(), b.sent.clear(); }
  // Lets time pass, with every timer at its exact time. With `deliver` false nothing arrives.
  void advance(Duration duration, bool deliver = true);
  // The path from this node to the other one; Link::direct or relayed.
  [[nodiscard]] PeerPath path_from(const Node& node, Link link) const;
  void set_path(Node& node, Link link);
  // Only this node's timers; its datagrams stay in `sent`.
  void advance_alone(Node& node, Duration duration);
  // a sends a packet to b and the handshake completes; queues are empty afterwards.
  void connect();

  Now now;
  Node a;
  Node b;
};

// IPv4 or IPv6 by the addresses, UDP without checksum (v4) or with (v6); `payload` bytes of a pattern from `tag`.
[[nodiscard]] Packet udp_packet(const std::string& source, const std::string& destination, std::size_t payload,
                                std::uint8_t tag = 0, packet::Ecn ecn = packet::Ecn::not_ect);
// A TCP packet with correct checksums.
[[nodiscard]] Packet tcp_packet(const std::string& source, const std::string& destination, std::uint32_t sequence,
                                std::size_t payload, std::uint8_t tag = 0);
// What the kernel hands over for TSO: checksum field partial, lengths of the whole. `offload` is filled in.
[[nodiscard]] Packet tcp_super_packet(const std::string& source, const std::string& destination, std::size_t payload,
                                      std::uint16_t segment_bytes, packet::Offload& offload);

[[nodiscard]] inline Packet a_to_b(std::size_t payload = 100, std::uint8_t tag = 0) {
  return udp_packet("10.0.0.1", "10.0.0.2", payload, tag);
}
[[nodiscard]] inline Packet b_to_a(std::size_t payload = 100, std::uint8_t tag = 0) {
  return udp_packet("10.0.0.2", "10.0.0.1", payload, tag);
}

[[nodiscard]] inline PeerUpdate peer_update(const crypto::PublicKey& key,
                                            const std::vector<std::string>& allowed = {}) {
  PeerUpdate update;
  update.public_key = key;
  for (const std::string& text : allowed) update.allowed_ips.push_back({.prefix = Prefix::parse(text).value()});
  return update;
}

}  // namespace fireline::wireguard
