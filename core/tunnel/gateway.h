// The gateway's end of the tunnel: grants that the portal gives, and the packets that they let through. A node
// (core/node/node.h) with the clients' grants in front of it. Sans-I/O; see core/packet/engine.h for the seam.
// Source: tunnel specification 5 and 6, portal specification 4; docs/gateway.md says what happens to a packet.
//
// Packets from clients are judged as they are committed, packets from the TUN before the node plans them; a change of
// grants holds for the next packet. What a client may not reach is answered through its tunnel, behind the commit.
// Grants outlive the connection: the client may come back believing that it has access.
//
// Every input with an `output` appends to it what it leads to; events are fetched with poll_event() behind it.
//
// Lifetime: buffers, random and aead must outlive the gateway; every Work must be dropped before it.
// Threads: one owner thread (the packet thread); jobs alone run elsewhere. Counters may be read from any thread.
// Limits: core/tunnel/client_table.h and node_options.h. Allocates for grants and connections, not for packets.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/counters.h"
#include "core/node/node.h"
#include "core/packet/engine.h"
#include "core/portal/gateway_messages.h"
#include "core/tunnel/gateway_counters.h"
#include "core/tunnel/gateway_event.h"
#include "core/tunnel/gateway_status.h"

namespace fireline::tunnel {

struct GatewayState;

// Events that nobody fetched; further ones of the node wait there, within its limits.
inline constexpr std::size_t kGatewayEventsMax = 4096;
// Between two looks at what has expired. Packets are judged by the exact time.
inline constexpr Duration kExpiryTick = std::chrono::seconds(1);

class Gateway final : public packet::Engine {
 public:
  // Arguments as node::Node's; role and policy of the options are the gateway's to set.
  Gateway(node::NodeOptions options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
          packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead);
  ~Gateway() override;

  // From the portal, in the order of arrival; each may come any number of times. Setting up the TUN and its routes
  // after GatewayInit is the caller's.
  void handle(Now now, const portal::PortalToGateway& message, packet::Output& output);

  // This host's own addresses, which the Internet resource must not reach; it reaches nothing before they are
  // known. Whenever they change.
  void set_host_addresses(std::vector<IpAddress> addresses);
  // A goodbye to each client, before the program ends.
  void close_all(Now now, packet::Output& output);

  // As node::Node's.
  void resume(Now now, packet::Output& output);
  void handle_unreachable(Now now, const Endpoint& destination, packet::Output& output);
  void set_ports(std::uint16_t v4, std::uint16_t v6);
  void set_tun_offloads(packet::CoalescerOptions offloads);

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  [[nodiscard]] std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;
  void stop_merging() override;

  [[nodiscard]] std::optional<GatewayEvent> poll_event();

  [[nodiscard]] GatewayStatus status() const;
  [[nodiscard]] const Counters<GatewayCounter>& counters() const noexcept;
  [[nodiscard]] const node::Node& node() const noexcept;

 private:
  std::unique_ptr<GatewayState> state_;
};

}  // namespace fireline::tunnel
