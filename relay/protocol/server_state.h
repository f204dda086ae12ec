// The parts of a Server, in the order in which they are built. Threads: one owner.
#pragma once
#include <array>
#include <cstdint>

#include "core/base/counters.h"
#include "core/stun/attribute.h"
#include "core/stun/header.h"
#include "relay/protocol/authenticator.h"
#include "relay/protocol/host.h"
#include "relay/protocol/lifetimes.h"
#include "relay/protocol/peer_rules.h"
#include "relay/protocol/port_pool.h"
#include "relay/protocol/registry.h"
#include "relay/protocol/responder.h"
#include "relay/protocol/server_config.h"
#include "relay/protocol/server_counters.h"

namespace fireline::relay {

struct ServerState {
  ServerState(ServerConfig config, Host& host, crypto::Random& random);

  // The relay's own addresses and ports enter the rules here: no caller can forget them.
  void set_rules(PeerRules rules);
  [[nodiscard]] Families families() const noexcept { return {public_ip4.has_value(), public_ip6.has_value()}; }

  std::optional<IpAddress> public_ip4;
  std::optional<IpAddress> public_ip6;
  std::uint16_t lowest_port;
  std::uint16_t highest_port;
  Limits limits;
  Host& host;
  PeerRules rules;
  Counters<ServerCounter> counters;
  ResponseCounters responses;
  Authenticator authenticator;
  // --auth static: permissions, indications, several allocations per user, and RFC 5766's channel numbers.
  bool permissions;
  std::uint16_t max_channel;
  Responder responder;
  Registry registry;
  PortPool ports;
  Lifetimes lifetimes;
  // Indications need no answer, so that their transaction ids need not be hard to guess: they count from one draw.
  stun::TransactionId next_indication{};
};

}  // namespace fireline::relay
