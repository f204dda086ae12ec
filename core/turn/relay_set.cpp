#include "core/turn/relay_set.h"

#include <algorithm>

#include "core/stun/channel_data.h"

namespace fireline::turn {
namespace {
// Whether the bytes are what relays send: a whole message, or channel data of exactly its length.
bool looks_relayed(ConstBytes datagram) noexcept {
  switch (stun::kind_of(datagram)) {
    case stun::DatagramKind::message:
      return stun::Header::parse(datagram).has_value();
    case stun::DatagramKind::channel_data: {
      const auto data = stun::ChannelDataView::parse(datagram);
      return data && datagram.size() == stun::kChannelHeaderBytes + data->payload.size();
    }
    case stun::DatagramKind::empty:
    case stun::DatagramKind::other:
      break;
  }
  return false;
}
}  // namespace

void RelaySet::update(Now now, std::span<const std::string> removed, std::span<const RelayEntry> connected) {
  for (const std::string& id : removed) {
    if (const auto position = position_of(id); position != relays_.end()) (void)lose(position, DiscardReason::none);
  }
  const std::vector<RelayOffer> offers = merge_entries(connected, counters_);
  const auto is_offered = [&](const Relay& relay) {
    return std::ranges::find(offers, relay.id, &RelayOffer::id) != offers.end();
  };
  for (auto relay = relays_.begin(); relay != relays_.end();) {
    const RelayAddresses& servers = relay->allocation->servers();
    const bool is_replaced = !is_offered(*relay) && std::ranges::any_of(offers, [&](const RelayOffer& offer) {
      return (offer.addresses.v4 && servers.contains(*offer.addresses.v4)) ||
             (offer.addresses.v6 && servers.contains(*offer.addresses.v6));
    });
    relay = is_replaced ? lose(relay, DiscardReason::none) : relay + 1;
  }
  for (Relay& relay : relays_) {
    if (!is_offered(relay)) relay.allocation->refresh(now);
  }
  for (const RelayOffer& offer : offers) connect(now, offer);
  // Relays may have replaced the last one that was lost.
  if (!relays_.empty()) std::erase_if(events_, [](const auto& e) { return e.kind == RelayEventKind::none_left; });
}

void RelaySet::refresh(Now now) {
  for (Relay& relay : relays_) relay.allocation->refresh(now);
}

bool RelaySet::suspect(Now now, const Endpoint& server) {
  Allocation* allocation = find_by_server(server);
  if (allocation == nullptr) return false;
  // The relay is asked at the address that answers; that the other one cannot be reached says nothing about it.
  return allocation->server().value_or(server) == server && allocation->suspect(now);
}

void RelaySet::reset() {
  for (const Relay& relay : relays_) remember(*relay.allocation);
  relays_.clear();
  events_.clear();
}

Received RelaySet::receive(Now now, const Endpoint& source, const Endpoint& local, ConstBytes datagram) {
  Allocation* allocation = find_by_server(source);
  if (allocation == nullptr && origin_of(source) == Origin::unknown) return {};
  if (!looks_relayed(datagram)) return {};
  if (allocation == nullptr) {
    counters_.add(TurnCounter::drop_former_relay);
    return {.verdict = Verdict::consumed, .data = {}};
  }
  if (stun::kind_of(datagram) == stun::DatagramKind::message) {
    allocation->handle_response(now, source, local, datagram);
    return {.verdict = Verdict::consumed, .data = {}};
  }
  const auto data = allocation->unwrap(now, datagram);
  if (!data) return {.verdict = Verdict::consumed, .data = {}};
  return {.verdict = Verdict::payload, .data = *data};
}

Origin RelaySet::origin_of(const Endpoint& source) const noexcept {
  if (find_by_server(source) != nullptr) return Origin::relay;
  const bool former = source.port == kRelayPort && former_.contains(source.address);
  return former ? Origin::former_relay : Origin::unknown;
}

std::optional<std::string_view> RelaySet::sample() {
  std::array<const Relay*, kRelaysMax> usable{};
  std::size_t count = 0;
  for (const Relay& relay : relays_) {
    if (relay.allocation->state() != AllocationState::discarded) usable[count++] = &relay;
  }
  if (count == 0) return std::nullopt;
  const auto drawn = static_cast<std::size_t>(std::uint64_t{random_.u32()} * count >> 32);
  return usable[drawn]->id;
}

Allocation* RelaySet::find(std::string_view id) noexcept {
  const auto position = position_of(id);
  return position == relays_.end() ? nullptr : position->allocation.get();
}

std::optional<Instant> RelaySet::poll_timeout() const {
  std::optional<Instant> earliest;
  for (const Relay& relay : relays_) {
    const auto next = relay.allocation->poll_timeout();
    if (next && (!earliest || *next < *earliest)) earliest = next;
  }
  return earliest;
}

void RelaySet::handle_timeout(Now now) {
  for (Relay& relay : relays_) relay.allocation->handle_timeout(now);
}

std::optional<Transmit> RelaySet::poll_transmit(Bytes out) {
  for (Relay& relay : relays_) {
    if (const auto transmit = relay.allocation->poll_transmit(out)) return transmit;
  }
  return std::nullopt;
}

std::optional<RelayEvent> RelaySet::poll_event() {
  for (auto relay = relays_.begin(); events_.empty() && relay != relays_.end(); ++relay) {
    const auto event = relay->allocation->poll_event();
    if (!event) continue;
    if (event->kind != EventKind::discarded) {
      push(relay->id, *event);
    } else {
      counters_.add(TurnCounter::relays_discarded);
      (void)lose(relay, event->reason);
    }
    break;
  }
  if (events_.empty()) return std::nullopt;
  RelayEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

RelaySet::Position RelaySet::position_of(std::string_view id) noexcept {
  return std::ranges::find(relays_, id, &Relay::id);
}

Allocation* RelaySet::find_by_server(const Endpoint& source) const noexcept {
  for (const Relay& relay : relays_) {
    if (relay.allocation->servers().contains(source)) return relay.allocation.get();
  }
  return nullptr;
}

void RelaySet::connect(Now now, const RelayOffer& offer) {
  auto position = position_of(offer.id);
  if (position != relays_.end()) {
    const AllocationState state = position->allocation->state();
    if (state != AllocationState::discarded && position->allocation->uses(offer.addresses, offer.credentials)) {
      // What waits to be asked for would wait for ever: every list may name this relay.
      if (state == AllocationState::suspended) position->allocation->refresh(now);
      return;
    }
    drop(*position);
  } else if (relays_.size() == kRelaysMax) {
    counters_.add(TurnCounter::entries_ignored);
    return;
  } else {
    relays_.push_back({.id = offer.id, .allocation = nullptr});
    position = relays_.end() - 1;
  }
  position->allocation =
      std::make_unique<Allocation>(now, offer.addresses, offer.credentials, options_, random_, counters_);
}

void RelaySet::drop(Relay& relay) {
  while (const auto event = relay.allocation->poll_event()) {
    if (event->kind != EventKind::discarded) push(relay.id, *event);
  }
  relay.allocation->candidates().for_each([&](const Candidate& candidate) {
    if (candidate.kind != CandidateKind::relayed) return;
    push(relay.id, {.kind = EventKind::candidate_invalidated, .candidate = candidate});
  });
  remember(*relay.allocation);
}

RelaySet::Position RelaySet::lose(Position position, DiscardReason reason) {
  drop(*position);
  events_.push_back({.kind = RelayEventKind::lost, .id = position->id, .candidate = {}, .reason = reason});
  position = relays_.erase(position);
  if (relays_.empty()) events_.push_back({.kind = RelayEventKind::none_left, .id = {}, .candidate = {}});
  return position;
}

void RelaySet::remember(const Allocation& allocation) noexcept {
  for (const Family family : {Family::v4, Family::v6}) {
    if (const auto& server = allocation.servers().of(family)) former_.remember(server->address);
  }
}

void RelaySet::push(const std::string& id, const Event& event) {
  const auto kind = event.kind == EventKind::candidate_added ? RelayEventKind::candidate_added
                                                             : RelayEventKind::candidate_invalidated;
  events_.push_back({.kind = kind, .id = id, .candidate = event.candidate});
}

}  // namespace fireline::turn
