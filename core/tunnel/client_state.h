// What the parts of a Client share. A plain record with the few functions that every part needs; the rules stand in:
//   client_packets.h    what becomes of a packet from the TUN, and of a decrypted one
//   client_flows.h      which gateway has which resource: asked for, given, lost
//   client_resources.h  resources come, change and go
//   client_report.h     what the control thread and the user are told
// Lifetime and threads: those of the Client, which owns it and alone lets others near it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "core/node/node.h"
#include "core/tunnel/client.h"
#include "core/tunnel/gateway_table.h"
#include "core/tunnel/latest_value.h"
#include "core/tunnel/pending_flows.h"
#include "core/tunnel/relays_wanted.h"
#include "core/tunnel/resource_table.h"
#include "core/tunnel/site_status.h"
#include "core/tunnel/sticky_gateways.h"
#include "core/tunnel/tun_offer.h"

namespace fireline::tunnel {

// Where packets to one destination go.
struct Route {
  enum class Verdict : std::uint8_t { to_node, hold, drop };
  Verdict verdict = Verdict::drop;
  ClientCounter reason = ClientCounter::drop_tun_no_resource;  // of a drop
  ResourceEntry* resource = nullptr;  // of what is held, and of what goes to a gateway that is silent
};

// Packets come in runs: the last look-ups, until anything changes that they depend on.
struct RouteMemo {
  std::array<std::byte, 16> destination{};
  std::size_t bytes = 0;  // 0: nothing remembered
  Route route;
};
struct SourceMemo {
  crypto::PublicKey peer;
  std::array<std::byte, 16> source{};
  std::size_t bytes = 0;  // 0: nothing remembered
  bool allowed = false;
};

struct ClientState final : wireguard::InnerPolicy {
  ClientState(const ClientOptions& client_options, const crypto::Key& private_key, Now start,
              packet::BufferSource& large, packet::BufferSource& small, crypto::Random& random,
              crypto::Aead& owner_aead);

  void forget_lookups() noexcept { route_memo.bytes = source_memo.bytes = 0; }
  void tell(ClientEvent event);

  [[nodiscard]] bool admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader& header,
                           Bytes packet) override;

  ClientOptions options;
  crypto::Aead& aead;
  Counters<ClientCounter> counters;

  std::optional<portal::Interface> interface;
  ResourceTable resources;
  PendingFlows pending;
  std::optional<policy::ClientResource> removed;  // by the portal's last message, while packets wait for it
  GatewayTable gateways;
  SiteStatus sites;
  StickyGateways sticky;
  RouteMemo route_memo;
  SourceMemo source_memo;
  Instant next_look = Instant::min();  // at the gateways' silence
  RelayAsks relay_asks;

  std::deque<ClientEvent> events;
  bool tun_changed = false;        // what `tun` is made of may have
  bool resources_changed = false;  // likewise
  TunOffer tun;
  LatestValue<ResourceList> resource_list;

  // Released packets go with the next work of the TUN, before its own, or as soon as no work is between plan and
  // commit: works are committed in their order.
  PendingFlows::Packets released;
  std::size_t works_planned = 0;

  node::Node node;
  std::unique_ptr<packet::Work> work;  // for released packets; dropped before the node
};

}  // namespace fireline::tunnel
