#include "relay/protocol/request_handler.h"

#include <algorithm>
#include <string_view>

#include "relay/protocol/limits.h"

namespace fireline::relay {
namespace {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

// Granted and returned; 0 is taken literally.
std::uint32_t lifetime_of(const stun::MessageView& message) noexcept {
  const auto asked = message.find_u32(Attribute::lifetime);
  if (!asked) return static_cast<std::uint32_t>(kAllocationDefault.count());
  return std::min(*asked, static_cast<std::uint32_t>(kAllocationMax.count()));
}

// Of a derived user name, <expiry>:<salt>: made of the peer's public key.
std::string_view salt_of(std::string_view username) noexcept {
  return username.substr(std::min(username.find(':'), username.size()));
}

bool is_served(Method method) noexcept {
  return method == Method::binding || method == Method::allocate || method == Method::refresh ||
         method == Method::create_permission || method == Method::channel_bind;
}

}  // namespace

void RequestHandler::handle(ConstBytes datagram) {
  state_.counters.add(ServerCounter::control_datagrams);
  if (client_.port == 0) return drop(ServerCounter::drop_control_source_port_zero);
  const auto message = stun::MessageView::parse(datagram, state_.max_channel);
  if (!message) return handle_unreadable(datagram, message.error());

  question_ = {client_, message->header(), datagram.size()};
  if (message->message_class() == MessageClass::request) return handle_request(*message);
  if (state_.permissions && message->is(MessageClass::indication, Method::send)) {
    return handle_send_indication(*message);
  }
  drop(ServerCounter::drop_control_no_request);
}

// Requests alone are answered: two servers that answered each other's errors would never stop.
void RequestHandler::handle_unreadable(ConstBytes datagram, stun::ParseError error) {
  const bool broken = error == stun::ParseError::malformed;
  if (!broken && error != stun::ParseError::illegal_value) return drop(ServerCounter::drop_control_not_stun);
  const auto header = stun::Header::parse(datagram);
  if (!header) return drop(ServerCounter::drop_control_not_stun);
  if (header->message_class != MessageClass::request) return drop(ServerCounter::drop_control_malformed);
  question_ = {client_, *header, datagram.size()};
  refuse_unsigned(broken ? 500 : 400);
}

void RequestHandler::handle_request(const stun::MessageView& message) {
  if (!is_served(message.method()) || !is_complete(message)) return refuse_unsigned(400);
  if (message.method() == Method::binding) {
    if (!may_answer_unauthenticated()) return;
    state_.responder.send_unauthenticated(question_, {.mapped = client_});
    return state_.host.report({.kind = EventKind::binding_answered, .client = client_});
  }

  verdict_ = state_.authenticator.check(now_, client_, message);
  if (verdict_.error_code != 0) return refuse_unauthenticated();
  switch (message.method()) {
    case Method::allocate:
      return allocate(message);
    case Method::refresh:
      return refresh(message);
    case Method::create_permission:
      return create_permission(message);
    default:
      return channel_bind(message);
  }
}

void RequestHandler::handle_send_indication(const stun::MessageView& message) {
  const auto peer = message.find_xor_address(Attribute::xor_peer_address);
  const auto data = message.find(Attribute::data);
  if (!peer || !data) return drop(ServerCounter::drop_control_malformed);
  const std::uint32_t number = state_.registry.find_allocation(client_);
  if (number == kNoRecord) return drop(ServerCounter::drop_control_no_allocation);
  const Allocation& allocation = state_.registry.allocation(number);
  if (check_peer(allocation, *peer) != 0) return drop(ServerCounter::drop_control_refused_peer);
  if (state_.registry.find_permission(allocation.port, peer->address) == kNoRecord) {
    return drop(ServerCounter::drop_control_no_permission);
  }
  state_.counters.add(ServerCounter::sent_indications);
  state_.counters.add(ServerCounter::client_bytes, data->size());
  state_.host.send_peer(allocation.port, *peer, *data);
}

void RequestHandler::allocate(const stun::MessageView& message) {
  if (state_.registry.find_allocation(client_) != kNoRecord) return refuse(437);
  if (state_.ports.empty() || state_.registry.allocations() >= state_.limits.allocations) {
    drop(ServerCounter::limit_allocations);
    return refuse(508);
  }
  if (message.find_transport() != stun::kTransportUdp) return refuse(400);
  const auto families = relayed_families(message);
  if (!families) return refuse(families.error());

  if (state_.permissions) {
    if (state_.registry.allocations_of(verdict_.username) >= state_.limits.allocations_per_user) {
      drop(ServerCounter::limit_user_allocations);
      return refuse(486);
    }
  } else if (const std::uint32_t older = state_.registry.find_allocation_of(verdict_.username); older != kNoRecord) {
    // The same peer from another socket: a NAT that flips ports would leave it with two allocations.
    drop(ServerCounter::allocations_replaced);
    state_.lifetimes.delete_allocation(older, EventKind::allocation_deleted);
  }

  const std::uint32_t lifetime = lifetime_of(message);
  const std::uint32_t number =
      state_.lifetimes.create_allocation(now_.boot, client_, *families, verdict_.username, lifetime);
  if (number == kNoRecord) return refuse(508);
  const std::uint16_t port = state_.registry.allocation(number).port;
  Answer answer{.mapped = client_, .lifetime_seconds = lifetime};
  if (families->v4) answer.first_relayed = Endpoint{.address = *state_.public_ip4, .port = port};
  if (families->v6) {
    (families->v4 ? answer.second_relayed : answer.first_relayed) =
        Endpoint{.address = *state_.public_ip6, .port = port};
  }
  succeed(answer);
}

void RequestHandler::refresh(const stun::MessageView& message) {
  const std::uint32_t lifetime = lifetime_of(message);
  const auto number = own_allocation(lifetime == 0 ? Use::remove : Use::keep);
  if (!number) return;
  if (lifetime == 0) {
    state_.lifetimes.delete_allocation(*number, EventKind::allocation_deleted);
  } else {
    state_.lifetimes.refresh_allocation(now_.boot, *number, lifetime);
  }
  succeed({.lifetime_seconds = lifetime});
}

void RequestHandler::create_permission(const stun::MessageView& message) {
  // All peers of the request or none: what could fail is looked at first.
  const auto for_each_peer = [&](auto&& visit) {
    message.for_each([&](Attribute type, ConstBytes value) {
      if (type != Attribute::xor_peer_address) return;
      if (const auto peer = stun::decode_xor_address(value, message.transaction_id())) visit(*peer);
    });
  };
  if (!state_.permissions) {
    bool refused = false;
    for_each_peer([&](const Endpoint& peer) { refused = refused || state_.rules.refuses({.address = peer.address}); });
    if (!refused) return succeed();
    drop(ServerCounter::refused_peers);
    return refuse(403);
  }

  const auto number = own_allocation(Use::keep);
  if (!number) return;
  const Allocation& allocation = state_.registry.allocation(*number);
  std::size_t peers = 0;
  std::size_t fresh = 0;
  std::uint16_t code = 0;
  for_each_peer([&](const Endpoint& peer) {
    ++peers;
    if (code == 0) code = check_peer(allocation, {.address = peer.address});
    if (state_.registry.find_permission(allocation.port, peer.address) == kNoRecord) ++fresh;
  });
  if (peers == 0) return refuse(400);
  if (code != 0) return refuse(code);
  if (allocation.permissions + fresh > state_.limits.permissions_per_allocation) {
    drop(ServerCounter::limit_permissions);
    return refuse(508);
  }
  for_each_peer([&](const Endpoint& peer) { state_.lifetimes.permit(now_.boot, *number, peer.address); });
  succeed();
}

void RequestHandler::channel_bind(const stun::MessageView& message) {
  const auto number = own_allocation(Use::keep);
  if (!number) return;
  const Allocation& allocation = state_.registry.allocation(*number);
  const std::uint16_t channel = *message.find_channel_number();
  const Endpoint peer = *message.find_xor_address(Attribute::xor_peer_address);
  if (const std::uint16_t code = check_peer(allocation, peer); code != 0) return refuse(code);

  const std::uint32_t of_peer = state_.registry.find_channel(allocation.port, peer);
  const std::uint32_t of_number = state_.registry.find_channel(client_, channel);
  if (of_peer != of_number) return refuse(400);  // either is another combination's, bound or cooling down
  if (of_number == kNoRecord) {
    if (const auto limit = channel_limit(allocation)) {
      drop(*limit);
      return refuse(508);
    }
  }
  if (state_.permissions) {
    const bool known = state_.registry.find_permission(allocation.port, peer.address) != kNoRecord;
    if (!known && allocation.permissions >= state_.limits.permissions_per_allocation) {
      drop(ServerCounter::limit_permissions);
      return refuse(508);
    }
    state_.lifetimes.permit(now_.boot, *number, peer.address);
  }
  if (!state_.lifetimes.bind_channel(now_.boot, *number, channel, peer)) return refuse(508);
  succeed();
}

bool RequestHandler::is_complete(const stun::MessageView& message) noexcept {
  switch (message.method()) {
    case Method::allocate:
      return message.has(Attribute::requested_transport);
    case Method::channel_bind:
      return message.has(Attribute::channel_number) && message.has(Attribute::xor_peer_address);
    default:
      return true;
  }
}

Result<Families, std::uint16_t> RequestHandler::relayed_families(const stun::MessageView& message) const noexcept {
  const auto requested = message.find_family(Attribute::requested_address_family);
  const auto additional = message.find_family(Attribute::additional_address_family);
  const Families relay = state_.families();
  if (additional) {
    if (requested || *additional == Family::v4) return err(std::uint16_t{400});
    return relay;  // what there is of both
  }
  const Family family = requested.value_or(Family::v4);
  if (!relay.has(family)) return err(std::uint16_t{440});
  return Families{.v4 = family == Family::v4, .v6 = family == Family::v6};
}

std::optional<std::uint32_t> RequestHandler::own_allocation(Use use) {
  const std::uint32_t number = state_.registry.find_allocation(client_);
  if (number == kNoRecord) {
    refuse(437);
    return std::nullopt;
  }
  const std::string_view owner = *state_.registry.allocation(number).username;
  if (state_.permissions && owner != verdict_.username) {
    refuse(441);
    return std::nullopt;
  }
  // A peer of Firezone may come back with new credentials: the same key behind another expiry. With another key it is a
  // stranger, to whom a NAT gave the endpoint of somebody who left: it may delete what stands in its way, which 437
  // makes it do, and must not take over an allocation of whose channels it knows nothing.
  if (!state_.permissions && use == Use::keep && salt_of(owner) != salt_of(verdict_.username)) {
    refuse(437);
    return std::nullopt;
  }
  return number;
}

std::uint16_t RequestHandler::check_peer(const Allocation& allocation, const Endpoint& peer) {
  if (!allocation.families.has(peer.address.family())) return 443;
  return refuses(peer) ? 403 : 0;
}

std::optional<ServerCounter> RequestHandler::channel_limit(const Allocation& allocation) const {
  if (allocation.channels >= state_.limits.channels_per_allocation) return ServerCounter::limit_channels;
  if (state_.registry.channels_of(*allocation.username) >= state_.limits.channels_per_user) {
    return ServerCounter::limit_user_channels;
  }
  if (state_.registry.channels() >= state_.limits.channels) return ServerCounter::limit_all_channels;
  return std::nullopt;
}

bool RequestHandler::refuses(const Endpoint& peer) {
  if (!state_.rules.refuses(peer)) return false;
  state_.counters.add(ServerCounter::refused_peers);
  return true;
}

void RequestHandler::succeed(Answer answer) {
  answer.key = verdict_.key;
  state_.responder.send(question_, answer);
}

void RequestHandler::refuse(std::uint16_t code) {
  state_.responder.send(question_, {.error_code = code, .key = verdict_.key});
  report(code);
}

// Strangers, also those behind its address, do not take the answers of who has an allocation.
bool RequestHandler::may_answer_unauthenticated() {
  const std::uint32_t number = state_.registry.find_allocation(client_);
  if (number != kNoRecord) {
    AnswerPace& pace = state_.registry.allocation(number).answers;
    if (pace.has_room(now_.boot, kClientAnswerInterval, kClientAnswerBurst)) {
      pace.take(now_.boot, kClientAnswerInterval);
      return true;
    }
  }
  return state_.responder.may_answer_unauthenticated(now_.boot, client_);
}

void RequestHandler::refuse_unsigned(std::uint16_t code) {
  if (!may_answer_unauthenticated()) return;
  state_.responder.send_unauthenticated(question_, {.error_code = code});
  report(code);
}

void RequestHandler::refuse_unauthenticated() {
  if (verdict_.silent) {
    drop(ServerCounter::drop_control_username);
    return state_.host.report({.kind = EventKind::request_unanswered, .client = client_, .method = question_.method()});
  }
  // Before a nonce is made and remembered for who may be nobody.
  if (!may_answer_unauthenticated()) return;
  const Nonce nonce = state_.authenticator.issue_nonce(client_, verdict_);
  state_.responder.send_unauthenticated(question_,
                                        {.error_code = verdict_.error_code, .key = verdict_.key, .nonce = nonce});
  report(verdict_.error_code);
}

void RequestHandler::report(std::uint16_t code) {
  state_.host.report(
      {.kind = EventKind::request_refused, .client = client_, .method = question_.method(), .error_code = code});
}

}  // namespace fireline::relay
