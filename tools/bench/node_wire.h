// A real wire for the gateway of a NodeWorld, so that what a packet costs it has the system calls in it: a UDP socket
// and a TUN device, and behind them all its clients and the hosts of its network.
//
//   namespace a: gateway 198.51.100.7, 2001:db8:2::  TUN 100.95.255.254/10 ── veth ── namespace b: clients 10.x.y.z,
//   inside a socket behind the TUN: what comes out, what goes in           2001:db8:1::N, a socket a family for all
//
// What the gateway sends is swallowed behind its own network stack: the receiving host is not its cost. Needs root.
// Threads: one. Lifetime: namespaces and pools are its own.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/packet/batch.h"
#include "io/file_descriptor.h"
#include "io/pool.h"
#include "io/tun_device.h"
#include "io/udp_socket.h"
#include "tools/bench/namespace_pair.h"

namespace fireline::bench {

class NodeWire {
 public:
  // Throws BenchError.
  NodeWire();

  // The clients' side, at no cost of the gateway's. `bytes` holds the trains one behind the other.
  void send_to_gateway(std::span<const packet::ReceivedDatagrams> trains, std::span<const std::byte> bytes,
                       Instant now);
  // Behind the TUN: `count` packets of `bytes`, a train of a flow of its own, each other one with another ECN: no two
  // trains to the same client make a longer one. They wait for send_into_tun().
  void queue_packets(std::uint32_t to, std::size_t count, std::size_t bytes);
  void send_into_tun(Instant now);
  // What came out of the TUN.
  void discard();

  // The gateway's side. False: nothing waits. Both throw BenchError on errors.
  [[nodiscard]] bool receive(packet::UdpBatch& batch, packet::BufferSource& large);
  [[nodiscard]] bool read(packet::TunBatch& batch, packet::BufferSource& large);
  // Empty the batch; what the kernel does not take at once is an error.
  void write(packet::TunWriteBatch& batch);
  void send(packet::UdpSendBatch& batch, Instant now);

 private:
  using Sockets = std::array<std::unique_ptr<io::UdpSocket>, 2>;  // by family

  [[nodiscard]] static io::UdpSocket& of(Sockets& sockets, Family family);
  void route();

  NamespacePair lab_;
  io::BufferPool large_;
  std::unique_ptr<io::TunDevice> tun_;
  Sockets gateway_;
  Sockets clients_;
  std::unique_ptr<io::UdpSocket> inside_;
  io::FileDescriptor swallowing_;
  std::vector<std::byte> zeros_;
  packet::UdpSendBatch queued_;
};

}  // namespace fireline::bench
