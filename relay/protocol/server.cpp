#include "relay/protocol/server.h"

#include <algorithm>

#include "core/stun/attribute.h"
#include "core/stun/message_writer.h"
#include "relay/protocol/request_handler.h"
#include "relay/protocol/server_state.h"

namespace fireline::relay {
namespace {

constexpr std::uint16_t kMaxChannelOfRfc5766 = 0x7FFF;
// IPv4's: what an IPv6 socket could send longer, no path carries.
constexpr std::size_t kUdpPayloadMax = 65507;

}  // namespace

ServerState::ServerState(ServerConfig config, Host& the_host, crypto::Random& random)
    : public_ip4(config.public_ip4),
      public_ip6(config.public_ip6),
      lowest_port(config.lowest_port),
      highest_port(config.highest_port),
      limits(config.limits),
      host(the_host),
      authenticator(std::move(config.credentials), limits, counters, random),
      permissions(!authenticator.is_firezone()),
      max_channel(permissions ? kMaxChannelOfRfc5766 : stun::kMaxChannel),
      responder(std::move(config.software), std::string(authenticator.realm()), limits, host, counters, responses,
                random),
      registry(lowest_port, highest_port, random),
      ports(lowest_port, highest_port, random),
      lifetimes(registry, ports, host, counters, permissions) {
  random.fill(next_indication);
  set_rules(std::move(config.peers));
}

void ServerState::set_rules(PeerRules new_rules) {
  rules = std::move(new_rules);
  for (const auto& address : {public_ip4, public_ip6}) {
    if (address) rules.own_addresses.push_back(*address);
  }
  rules.lowest_port = lowest_port;
  rules.highest_port = highest_port;
}

Server::Server(ServerConfig config, Host& host, crypto::Random& random)
    : state_(std::make_unique<ServerState>(std::move(config), host, random)) {}
Server::~Server() = default;

void Server::handle_control(Now now, const Endpoint& client, std::span<const std::byte> datagram) {
  // A deadline that has come has passed, whether the loop was in time or not.
  state_->lifetimes.expire(now.boot);
  RequestHandler(*state_, now, client).handle(datagram);
}

std::optional<Server::ToPeer> Server::from_client(const Endpoint& client, std::span<const std::byte> channel_data) {
  ServerState& state = *state_;
  const auto drop = [&](ServerCounter why) {
    state.counters.add(why);
    return std::nullopt;
  };
  state.counters.add(ServerCounter::client_datagrams);
  if (channel_data.size() < kChannelHeaderBytes) return drop(ServerCounter::drop_client_short);
  const std::uint16_t number = load_be16(channel_data, 0);
  if (number < stun::kMinChannel || number > state.max_channel) return drop(ServerCounter::drop_client_bad_channel);
  const std::size_t bytes = load_be16(channel_data, 2);
#ifdef FIRELINE_PLANTED_BUG
  if (bytes > channel_data.size()) return drop(ServerCounter::drop_client_short);
#else
  if (bytes > channel_data.size() - kChannelHeaderBytes) return drop(ServerCounter::drop_client_short);
#endif

  const std::uint32_t found = state.registry.find_channel(client, number);
  if (found == kNoRecord) return drop(ServerCounter::drop_client_unknown_channel);
  const Channel& channel = state.registry.channel(found);
  if (!channel.bound) return drop(ServerCounter::drop_client_cooling_down);
  if (!channel.permitted) return drop(ServerCounter::drop_client_no_permission);
  state.counters.add(ServerCounter::to_peer);
  state.counters.add(ServerCounter::client_bytes, bytes);
  // With --auth firezone what is padded never gets here past a fast path, which drops it.
  const bool padded = bytes < channel_data.size() - kChannelHeaderBytes;
  if (padded && state.permissions) state.lifetimes.keep_in_user_space(found);
  return ToPeer{channel.port, channel.peer, bytes};
}

std::optional<Server::ToClient> Server::from_peer(std::uint16_t port, const Endpoint& peer, std::size_t bytes,
                                                  std::size_t datagrams) {
  ServerState& state = *state_;
  const auto drop = [&](ServerCounter why) {
    state.counters.add(why, datagrams);
    return std::nullopt;
  };
  state.counters.add(ServerCounter::peer_datagrams, datagrams);
  const std::uint32_t found = state.registry.find_channel(port, peer);
  if (found != kNoRecord && state.registry.channel(found).bound) {
    const Channel& channel = state.registry.channel(found);
    if (!channel.permitted) return drop(ServerCounter::drop_peer_no_permission);
    state.counters.add(ServerCounter::to_client, datagrams);
    state.counters.add(ServerCounter::peer_bytes, bytes);
    return ToClient{channel.client, channel.number};
  }
  const std::uint32_t allocation = state.registry.find_allocation_of(port);
  if (allocation == kNoRecord) return drop(ServerCounter::drop_peer_no_allocation);
  if (!state.permissions || state.registry.find_permission(port, peer.address) == kNoRecord) {
    return drop(ServerCounter::drop_peer_unknown);
  }
  return ToClient{state.registry.allocation(allocation).client, 0};
}

std::size_t Server::write_data_indication(const ToClient&, const Endpoint& peer, std::span<const std::byte> data,
                                          std::span<std::byte> out) {
  ServerState& state = *state_;
  store_be64(state.next_indication, 4, load_be64(state.next_indication, 4) + 1);
  stun::MessageWriter writer(out.first(std::min(out.size(), kUdpPayloadMax)), stun::MessageClass::indication,
                             stun::Method::data, state.next_indication);
  writer.add_xor_address(stun::Attribute::xor_peer_address, peer);
  writer.add(stun::Attribute::data, data);
  const std::size_t written = writer.message().size();
  if (written == 0) {
    state.counters.add(ServerCounter::drop_peer_too_big);
    return 0;
  }
  state.counters.add(ServerCounter::to_client_indication);
  state.counters.add(ServerCounter::peer_bytes, data.size());
  return written;
}

std::optional<Instant> Server::poll_timeout() const {
  return state_->lifetimes.next();
}

void Server::handle_timeout(Now now) {
  state_->lifetimes.expire(now.boot);
}

void Server::set_credentials(Credentials credentials) {
  state_->authenticator.set_credentials(std::move(credentials));
}

void Server::set_peer_rules(PeerRules rules) {
  state_->set_rules(std::move(rules));
  state_->lifetimes.apply(state_->rules);
}

const Counters<ServerCounter>& Server::counters() const noexcept {
  return state_->counters;
}

const ResponseCounters& Server::responses() const noexcept {
  return state_->responses;
}

ServerGauges Server::gauges() const noexcept {
  const Registry& registry = state_->registry;
  return {.allocations = registry.allocations(),
          .bound_channels = registry.bound_channels(),
          .cooling_channels = registry.channels() - registry.bound_channels(),
          .permissions = registry.permissions(),
          .nonces = state_->authenticator.nonces(),
          .answer_sources = state_->responder.sources(),
          .unusable_ports = state_->lifetimes.unusable_ports()};
}

void Server::for_each_allocation(const std::function<void(const AllocationStatus&)>& visit) const {
  const Registry& registry = state_->registry;
  registry.for_each_allocation([&](std::uint32_t number) {
    const Allocation& allocation = registry.allocation(number);
    visit({.client = allocation.client,
           .port = allocation.port,
           .families = allocation.families,
           .username = *allocation.username,
           .expires = allocation.expires,
           .bound_channels = allocation.bound_channels,
           .permissions = allocation.permissions});
  });
}

}  // namespace fireline::relay
