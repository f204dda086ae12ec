// What a node is told once, and its limits. Values. Threads: any.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>

#include "core/base/time.h"
#include "core/ice/priority.h"
#include "core/packet/coalescer.h"
#include "core/wireguard/inner_policy.h"

namespace fireline::node {

// The client controls ICE and starts the first handshake; only it can connect anew, so it gives up soon.
enum class NodeRole : std::uint8_t { client, gateway };

[[nodiscard]] constexpr ice::Role ice_role(NodeRole role) noexcept {
  return role == NodeRole::client ? ice::Role::controlling : ice::Role::controlled;
}

inline constexpr std::uint16_t kTunnelMtu = 1280;
// A gateway of a large site; ten times what one of Firezone's is told to serve. 32 KiB each make 2 GiB.
inline constexpr std::size_t kConnectionsMax = 65536;
// Ends of connections that nobody fetched: one for each connection there may be.
inline constexpr std::size_t kEndedEventsMax = kConnectionsMax;
// Candidates of one message of the portal: what an agent keeps of the peer's, with room for repetitions.
inline constexpr std::size_t kCandidatesPerMessageMax = 256;

// Without any candidate of the peer: from the connection's creation to its failure.
inline constexpr Duration kNoCandidatesTimeout = std::chrono::seconds(10);
// Fresh local candidates may still arrive after a change of network.
inline constexpr Duration kDisconnectedGrace = std::chrono::seconds(2);
// Without an IP packet, before the checks slow down. Longer than the client's ICE timeout.
inline constexpr Duration kIdleAfter = std::chrono::seconds(20);
// A tunnel still alive after it has proved that the last proactive handshake worked: the attempt time is 15 s.
inline constexpr Duration kProactiveHandshakeInterval = std::chrono::seconds(20);
// Late messages of a connection that is gone are expected for so long, and counted apart.
inline constexpr Duration kStragglerTime = std::chrono::seconds(5);
// Between hints from ICMP about one connection's path that are followed.
inline constexpr Duration kHintInterval = std::chrono::seconds(1);

struct NodeOptions {
  NodeRole role = NodeRole::client;
  std::uint16_t mtu = kTunnelMtu;
  // Of the bound sockets: where a datagram arrived is its destination address and this port.
  std::uint16_t port_v4 = 0;
  std::uint16_t port_v6 = 0;
  packet::CoalescerOptions tun_offloads = {};
  std::string software = "fireline";    // in requests to relays
  bool accept_unsigned_errors = false;  // turn::AllocationOptions: for tests against foreign TURN servers alone
  std::size_t connections_max = kConnectionsMax;
  wireguard::InnerPolicy* policy = nullptr;  // null: a source must be among its connection's allowed IPs
  std::pmr::memory_resource* memory = std::pmr::new_delete_resource();  // of the tunnels
};

}  // namespace fireline::node
