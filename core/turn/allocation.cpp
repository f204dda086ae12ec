#include "core/turn/allocation.h"

#include <algorithm>
#include <array>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"

namespace fireline::turn {
namespace {
using stun::Attribute;

// Looking at thousands of channels with every run of a busy node's timers would cost more than it gains: what is due
// has minutes left.
constexpr Duration kChannelCheckInterval = std::chrono::seconds(1);

constexpr Family other(Family family) noexcept {
  return family == Family::v4 ? Family::v6 : Family::v4;
}
}  // namespace

Allocation::Allocation(Now now, const RelayAddresses& servers, const Credentials& credentials,
                       AllocationOptions options, crypto::Random& random, Counters<TurnCounter>& counters)
    : servers_(servers),
      options_(std::move(options)),
      counters_(counters),
      credentials_(credentials),
      requests_(random) {
  start(now.boot);
  discard_if_dead();
}

bool Allocation::handle_response(Now now, const Endpoint& source, const Endpoint& local, ConstBytes datagram) {
  const auto response = stun::MessageView::parse(datagram);
  if (!response) {
    counters_.add(TurnCounter::drop_malformed);
    return false;
  }
  const bool success = response->message_class() == stun::MessageClass::success;
  if (!success && response->message_class() != stun::MessageClass::error) {
    counters_.add(TurnCounter::drop_no_response);
    return false;
  }
  const Request* asked = requests_.find(response->transaction_id());
  if (asked == nullptr || method_of(asked->kind) != response->method() || servers_.of(asked->server) != source) {
    counters_.add(TurnCounter::drop_unknown);
    return false;
  }
  // What is not trusted must leave the request outstanding: a forger could cancel it otherwise.
  if (!is_trusted(*asked, *response)) return false;

  counters_.add(TurnCounter::responses);
  last_heard_ = now.boot;
  ever_answered_ = true;
  const Request request = requests_.take(*asked);
  slowest_ = std::max(now.boot - request.first_sent, slowest_ - slowest_ / 8);  // forgotten by and by
  if (success) {
    handle_success(now.boot, request, local, *response);
  } else {
    handle_error(now.boot, request, *response);
  }
  discard_if_dead();
  return true;
}

std::optional<ChannelPayload> Allocation::unwrap(Now now, ConstBytes datagram) {
  const auto data = stun::ChannelDataView::parse(datagram);
#ifdef FIRELINE_PLANTED_BUG
  const bool exact = data.has_value();
#else
  const bool exact = data && datagram.size() == stun::kChannelHeaderBytes + data->payload.size();
#endif
  if (!exact) {
    counters_.add(TurnCounter::drop_malformed);
    return std::nullopt;
  }
  const auto peer = channels_.receive(now.boot, data->channel);
  const auto local = peer ? candidates_.relayed(peer->address.family()) : std::nullopt;
  if (!local) {
    counters_.add(TurnCounter::drop_channel_unknown);
    return std::nullopt;
  }
  counters_.add(TurnCounter::channel_data);
  last_heard_ = now.boot;
  return ChannelPayload{.peer = *peer, .local = *local, .payload = data->payload};
}

std::optional<std::uint16_t> Allocation::channel_for(Now now, const Endpoint& peer, ChannelOwner owner) {
  const auto number = channels_.sendable(now.boot, peer);
  if (number) {
    last_sent_ = now.boot;
  } else {
    bind(now, peer, owner);
  }
  return number;
}

std::optional<SendableChannel> Allocation::channel_to(Now now, const Endpoint& peer) const noexcept {
  const auto number = channels_.sendable(now.boot, peer);
  const auto until = channels_.sendable_until(now.boot, peer);
  if (!number || !until) return std::nullopt;
  return SendableChannel{.number = *number, .until = *until};
}

void Allocation::bind(Now now, const Endpoint& peer, ChannelOwner owner) {
  if (discarded_ || is_suspended()) {
    counters_.add(TurnCounter::bind_suspended);
  } else if (!has_allocation()) {
    buffer_peer(peer, owner);
  } else {
    queue_bind(now.boot, peer, owner);
  }
}

void Allocation::refresh(Now now) {
  if (discarded_) return;
  // Nobody may have run timers while the machine slept; a Refresh would die with the lifetime that it is to extend.
  if (lifetime_ && lifetime_->expires <= now.boot) invalidate();
  if (is_suspended()) {
    active_.reset();
    other_family_asked_.reset();
    start(now.boot);
    return;
  }
  refresh_with(now.boot, {.kind = RequestKind::probe});
}

bool Allocation::suspect(Now now) {
  if (discarded_ || now.boot < suspicions_from_) return false;
  if (requests_.has(RequestKind::refresh) || requests_.has(RequestKind::probe)) return false;
  const bool forgotten = now.boot - suspicions_from_ >= kSuspicionPauseMax;
  suspicion_pause_ =
      forgotten ? kSuspicionPauseMin : std::clamp(2 * suspicion_pause_, kSuspicionPauseMin, kSuspicionPauseMax);
  suspicions_from_ = now.boot + suspicion_pause_;
  if (!has_allocation() || lifetime_->expires <= now.boot) {
    const bool asks = has_allocation() || is_suspended();
    refresh(now);
    return asks;
  }
  const Duration budget = std::clamp(kSuspicionAnswers * slowest_, kSuspicionGiveUpMin, kProbeGiveUpAfter);
  return refresh_with(now.boot, {.kind = RequestKind::probe, .suspicion = true, .budget = budget});
}

void Allocation::check(Now now) {
  if (discarded_ || !has_allocation() || requests_.has_binding(*active_)) return;
  queue(now.boot, RequestKind::binding);
  // A relay that was restarted with the same secret answers the former, and knows no allocation.
  refresh_with(now.boot, {.kind = RequestKind::refresh, .check = true});
}

std::optional<Instant> Allocation::poll_timeout() const {
  if (discarded_) return std::nullopt;
  const std::optional<Instant> next = earlier(requests_.next_due(), earlier(keepalive_due(), other_family_due()));
  if (!lifetime_) return next;
  return earlier(earlier(next, lifetime_->refresh), lifetime_->expires);
}

void Allocation::handle_timeout(Now now) {
  if (discarded_) return;
  while (const auto request = requests_.handle_due(now.boot)) given_up(now.boot, *request);

  if (lifetime_ && lifetime_->expires <= now.boot) invalidate();
  if (lifetime_ && lifetime_->refresh && *lifetime_->refresh <= now.boot) {
    refresh_with(now.boot, {.kind = RequestKind::refresh});
  }
  if (const auto due = keepalive_due(); due && *due <= now.boot) {
    last_sent_ = now.boot;
    queue(now.boot, RequestKind::binding);
  }
  if (const auto due = other_family_due(); due && *due <= now.boot) {
    other_family_asked_ = now.boot;
    requests_.add(now.boot, {.kind = RequestKind::binding, .server = other(*active_)});
  }
  refresh_channels(now.boot);
  discard_if_dead();
}

std::optional<Transmit> Allocation::poll_transmit(Bytes out) {
  const Request* request = requests_.next_unsent(!nonce_.empty());
  if (request == nullptr) return std::nullopt;
  counters_.add(request->retransmitted ? TurnCounter::retransmissions : TurnCounter::requests);
  const auto form = options_.accept_unsigned_errors ? RefreshForm::plain : RefreshForm::firezone;
  const bool bare = options_.accept_unsigned_errors && nonce_.empty();
  const Credentials* credentials = bare ? nullptr : &*credentials_;
  const std::size_t bytes = write_request(*request, options_.software, credentials, nonce_, out, form);
  return Transmit{.destination = *servers_.of(request->server), .bytes = bytes};
}

std::optional<Endpoint> Allocation::server() const noexcept {
  return active_ ? servers_.of(*active_) : std::nullopt;
}

bool Allocation::uses(const RelayAddresses& servers, const Credentials& credentials) const noexcept {
  return servers_ == servers && credentials_ == credentials;
}

AllocationState Allocation::state() const noexcept {
  if (discarded_) return AllocationState::discarded;
  if (has_allocation()) return AllocationState::allocated;
  if (is_suspended()) return AllocationState::suspended;
  return active_ ? AllocationState::allocating : AllocationState::starting;
}

AllocationStatus Allocation::status(Now now) const {
  return {.state = state(),
          .server = server(),
          .relayed_v4 = candidates_.relayed(Family::v4),
          .relayed_v6 = candidates_.relayed(Family::v6),
          .expires = lifetime_ ? std::optional(lifetime_->expires) : std::nullopt,
          .bound_channels = channels_.bound(now.boot),
          .outstanding_requests = requests_.size(),
          .waiting_peers = buffered_peers_.size()};
}

void Allocation::start(Instant now) {
  for (const Family family : {Family::v4, Family::v6}) {
    if (servers_.of(family)) requests_.add(now, {.kind = RequestKind::binding, .server = family});
  }
}

void Allocation::queue(Instant now, RequestKind kind) {
  requests_.add(now, {.kind = kind, .server = *active_});
}

bool Allocation::refresh_with(Instant now, Request request) {
  if (!has_allocation() || requests_.has(RequestKind::refresh) || requests_.has(RequestKind::probe)) return false;
  lifetime_->refresh.reset();
  request.server = *active_;
  requests_.add(now, request);
  return true;
}

void Allocation::queue_bind(Instant now, const Endpoint& peer, ChannelOwner owner) {
  if (!candidates_.relayed(peer.address.family())) {
    counters_.add(TurnCounter::bind_wrong_family);
    return;
  }
  if (!channels_.needs_bind(now, peer)) return;
  if (!requests_.room_for_bind()) {
    counters_.add(TurnCounter::bind_too_many);
    return;
  }
  if (channels_.exceeds_share(peer, owner)) {
    counters_.add(TurnCounter::bind_share_used);
    return;
  }
  const auto number = channels_.begin_bind(now, peer, owner);
  if (!number) {
    counters_.add(TurnCounter::bind_no_channel);
    return;
  }
  requests_.add(now, {.kind = RequestKind::channel_bind, .server = *active_, .peer = peer, .channel = *number});
}

void Allocation::buffer_peer(const Endpoint& peer, ChannelOwner owner) {
  if (std::ranges::find(buffered_peers_, peer, &WaitingPeer::peer) != buffered_peers_.end()) return;
  if (buffered_peers_.size() == kBufferedPeersMax) {
    buffered_peers_.pop_front();
    counters_.add(TurnCounter::buffered_overwritten);
  }
  buffered_peers_.push_back({.peer = peer, .owner = owner});
}

bool Allocation::is_trusted(const Request& request, const stun::MessageView& response) {
  if (request.kind == RequestKind::binding) return true;
  switch (stun::check_integrity(response, credentials_->key())) {
    case stun::Check::good:
      return true;
    case stun::Check::wrong:
      counters_.add(TurnCounter::drop_wrong_integrity);
      return false;
    case stun::Check::absent:
      break;
  }
  if (options_.accept_unsigned_errors && response.message_class() == stun::MessageClass::error) return true;
  counters_.add(TurnCounter::drop_unsigned);
  return false;
}

void Allocation::handle_success(Instant now, const Request& request, const Endpoint& local,
                                const stun::MessageView& response) {
  switch (request.kind) {
    case RequestKind::binding:
      return binding_succeeded(now, request, local, response);
    case RequestKind::allocate:
      return allocate_succeeded(now, request, response);
    case RequestKind::refresh:
    case RequestKind::probe:
      return refresh_succeeded(now, response);
    case RequestKind::remove:
      return queue(now, RequestKind::allocate);
    case RequestKind::channel_bind:
      return channels_.confirm(now, request.channel);
  }
}

void Allocation::binding_succeeded(Instant now, const Request& request, const Endpoint& local,
                                   const stun::MessageView& response) {
  const bool moved =
      candidates_.learn(request.server, local, response.find_xor_address(Attribute::xor_mapped_address), events_);
  // To the relay we are somebody else, and the allocation belongs to the address that we had: find out at once.
  if (moved && active_ == request.server) refresh_with(now, {.kind = RequestKind::refresh});
  if (active_ && active_ != request.server) other_family_asked_ = now;
  if (active_) return;
  active_ = request.server;
  last_sent_ = now;
  queue(now, has_allocation() ? RequestKind::refresh : RequestKind::allocate);
}

void Allocation::allocate_succeeded(Instant now, const Request& request, const stun::MessageView& response) {
  std::array<std::optional<Endpoint>, 2> relayed;
  response.for_each([&](Attribute type, ConstBytes value) {
    if (type != Attribute::xor_relayed_address) return;
    const auto address = stun::decode_xor_address(value, response.transaction_id());
    if (!address || !can_be_candidate(*address)) return;
    auto& slot = relayed[address->address.is_v4() ? 0 : 1];
    if (!slot) slot = *address;
  });
  const auto seconds = response.find_u32(Attribute::lifetime);
  if (!seconds || (!relayed[0] && !relayed[1])) {
    counters_.add(TurnCounter::drop_unusable);
    return;
  }
  grant(now, *seconds);
  for (const auto& address : relayed) {
    if (address) candidates_.add_relayed(request.server, *address, events_);
  }
  for (const WaitingPeer& waiting : buffered_peers_) queue_bind(now, waiting.peer, waiting.owner);
  buffered_peers_.clear();
}

void Allocation::refresh_succeeded(Instant now, const stun::MessageView& response) {
  const auto seconds = response.find_u32(Attribute::lifetime);
  if (!seconds) {
    counters_.add(TurnCounter::drop_unusable);
  } else if (*seconds != 0) {
    grant(now, *seconds);
  } else {
    invalidate();
    if (may_resync(now)) queue(now, RequestKind::allocate);
  }
}

void Allocation::handle_error(Instant now, const Request& request, const stun::MessageView& response) {
  const auto error = response.find_error_code();
  const std::uint16_t code = error ? error->code : 0;
  if (request.kind == RequestKind::binding) {
    counters_.add(TurnCounter::error_other);
  } else if (code == 401 || code == 438) {
    challenged(now, request, code, response);
  } else if (code == 437) {
    mismatched(now, request);
  } else if (code == 420) {
    discard(DiscardReason::protocol);
  } else {
    counters_.add(TurnCounter::error_other);
    refused(now, request);
  }
}

void Allocation::challenged(Instant now, const Request& request, std::uint16_t code,
                            const stun::MessageView& response) {
  if (code == 401 && request.nonce_sent) {
    credentials_.reset();
    discard(DiscardReason::authentication);
    return;
  }
  if (const auto nonce = response.find_text(Attribute::nonce)) nonce_ = *nonce;
  if (const auto realm = response.find_text(Attribute::realm); realm && *realm != kRealm) {
    counters_.add(TurnCounter::drop_other_realm);
    if (request.kind == RequestKind::channel_bind) channels_.forget(request.channel);
    return;
  }
  if (request.challenges + 1 >= kChallengesMax) {
    counters_.add(TurnCounter::error_repeated);
    refused(now, request);
    return;
  }
  Request again = request;
  ++again.challenges;
  requests_.add(now, again);
}

// The relay and we disagree about whether there is an allocation: start anew from whatever the relay has.
void Allocation::mismatched(Instant now, const Request& request) {
  invalidate();
  if (!may_resync(now)) {
    buffered_peers_.clear();
    return;
  }
  // Whoever it was for: one is bound anew, and the next ones ask with their owners.
  if (request.kind == RequestKind::channel_bind) buffer_peer(request.peer, ChannelOwner::nobody);
  queue(now, request.kind == RequestKind::allocate ? RequestKind::remove : RequestKind::allocate);
}

void Allocation::refused(Instant now, const Request& request) {
  switch (request.kind) {
    case RequestKind::allocate:
    case RequestKind::remove:
      buffered_peers_.clear();
      break;
    case RequestKind::refresh:
    case RequestKind::probe:
      // Whatever the reason: the relay will let the allocation die, so it is lost already.
      invalidate();
      if (may_resync(now)) queue(now, RequestKind::allocate);
      break;
    case RequestKind::channel_bind:
      channels_.forget(request.channel);
      break;
    case RequestKind::binding:
      break;
  }
}

void Allocation::given_up(Instant now, const Request& request) {
  counters_.add(TurnCounter::requests_given_up);
  if (active_ != request.server) return;
  // What was heard since then proves that the relay lives: under load keepalives may be lost, and so may what asks for
  // the allocation again and again. Whether it knows the allocation is then asked in the usual way.
  const bool asks_early = request.suspicion || request.check;
  const bool may_be_lost = request.kind == RequestKind::binding || asks_early;
  if (may_be_lost && has_allocation() && last_heard_ > request.first_sent) {
    last_sent_ = now;
    if (asks_early) lifetime_->refresh = now;
    return;
  }
  active_.reset();
  other_family_asked_.reset();
  requests_.clear();
  invalidate();
}

// Channel data counts as keepalive: it keeps the NAT's binding, and load cannot fake a dead relay. But only while the
// relay is heard: checks go through channels all the time, and silence must be noticed.
std::optional<Instant> Allocation::keepalive_due() const noexcept {
  if (!has_allocation() || requests_.has_binding(*active_)) return std::nullopt;
  return std::min(last_sent_, last_heard_) + kKeepaliveInterval;
}

// Our address of the other family was told to peers as well. Without a datagram its NAT forgets it, and a connection
// that is made later finds no direct path.
std::optional<Instant> Allocation::other_family_due() const noexcept {
  if (!has_allocation() || !other_family_asked_ || requests_.has_binding(other(*active_))) return std::nullopt;
  return *other_family_asked_ + kKeepaliveInterval;
}

void Allocation::grant(Instant now, std::uint32_t seconds) {
  const Duration granted = std::chrono::seconds(seconds);
  lifetime_ = Lifetime{.expires = now + granted, .refresh = now + granted / 2};
}

bool Allocation::may_resync(Instant now) noexcept {
  if (now - resync_window_start_ >= kResyncWindow) {
    resync_window_start_ = now;
    resyncs_ = 0;
  }
  if (resyncs_ == kResyncsMax) {
    counters_.add(TurnCounter::error_repeated);
    return false;
  }
  ++resyncs_;
  return true;
}

void Allocation::refresh_channels(Instant now) {
  if (!has_allocation() || now - channels_checked_ < kChannelCheckInterval) return;
  channels_checked_ = now;
  while (requests_.room_for_bind()) {
    const auto peer = channels_.refresh_due(now);
    if (!peer) break;
    const auto number = channels_.begin_bind(now, *peer);
    if (!number) break;
    requests_.add(now, {.kind = RequestKind::channel_bind, .server = *active_, .peer = *peer, .channel = *number});
  }
  channels_.prune(now);
}

// The allocation is gone. Bindings stay: they ask for our addresses, which remain.
void Allocation::invalidate() {
  candidates_.invalidate_relayed(events_);
  channels_.clear();
  lifetime_.reset();
  requests_.clear_authenticated();
}

void Allocation::discard(DiscardReason reason) {
  active_.reset();
  requests_.clear();
  buffered_peers_.clear();
  invalidate();
  discarded_ = true;
  events_.push({.kind = EventKind::discarded, .candidate = {}, .reason = reason});
}

void Allocation::discard_if_dead() {
  if (discarded_ || !requests_.empty() || active_) return;
  discard(ever_answered_ ? DiscardReason::lost : DiscardReason::no_response);
}

}  // namespace fireline::turn
