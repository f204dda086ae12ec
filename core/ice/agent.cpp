// Timers, all in the pairs: the next check and the failure of each (check_list.h), and the moment at which the pair in
// use counts as left by the controlling side (nomination.h).
#include "core/ice/agent.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"

namespace fireline::ice {

using stun::Attribute;
using stun::MessageClass;
using stun::Method;

std::string_view name_of(AgentState state) noexcept {
  switch (state) {
    case AgentState::fresh:
      return "new";
    case AgentState::checking:
      return "checking";
    case AgentState::connected:
      return "connected";
    case AgentState::completed:
      return "completed";
    case AgentState::disconnected:
      return "disconnected";
  }
  return "";
}

Agent::Agent(const AgentSettings& settings, crypto::Random& random, Counters<AgentCounter>& counters)
    : settings_(settings),
      random_(random),
      counters_(counters),
      tie_breaker_(random_u64()),
      list_(settings.role),
      nomination_(settings.role) {}

std::optional<Candidate> Agent::add_local(Instant now, const Candidate& candidate) {
  const auto added = local_.add(candidate);
  if (added.outcome == LocalCandidates::Outcome::full) counters_.add(AgentCounter::candidates_refused);
  if (added.entry == nullptr || added.outcome == LocalCandidates::Outcome::redundant) return std::nullopt;
  const Candidate signal = added.entry->candidate;
  if (added.entry->is_paired()) pair_local(now, *added.entry);
  settle(now);
  return signal;
}

std::optional<Candidate> Agent::invalidate_local(Instant now, const Candidate& candidate) {
  const auto entry = local_.discard(candidate);
  if (!entry) {
    // Peers are told of every reflexive address that is gone, as an earlier agent may have announced it.
    if (candidate.kind != CandidateKind::server_reflexive) return std::nullopt;
    Candidate signal = candidate;
    signal.priority = candidate_priority(candidate.kind, default_local_preference(candidate.family()));
    return signal;
  }
  list_.remove_local(entry->id);
  settle(now);
  return entry->candidate;
}

RemoteOutcome Agent::add_remote(Instant now, const CandidateText& text) {
  if (text.component != 1) return RemoteOutcome::other_component;
  if (text.transport != Transport::udp) return RemoteOutcome::other_transport;
  if (!text.ufrag.empty() && text.ufrag != settings_.remote.ufrag()) return RemoteOutcome::other_ufrag;
  if (!is_usable(text.candidate.address)) return RemoteOutcome::unusable_address;

  const auto added = remote_.add(text.candidate, list_);
  if (added.entry == nullptr) {
    counters_.add(AgentCounter::candidates_refused);
    return RemoteOutcome::full;
  }
  const bool is_checked = added.outcome == RemoteCandidates::Outcome::known && list_.has_remote(added.entry->id);
  if (!is_checked) pair_remote(now, *added.entry);
  for (std::size_t i = 0; i < kOptimisticCandidatesMax; ++i) {
    const RemoteCandidate* const optimistic = remote_.add_optimistic(list_);
    if (optimistic == nullptr) break;
    pair_remote(now, *optimistic);
  }
  settle(now);
  switch (added.outcome) {
    case RemoteCandidates::Outcome::fresh:
      return RemoteOutcome::added;
    case RemoteCandidates::Outcome::re_enabled:
      return RemoteOutcome::re_enabled;
    case RemoteCandidates::Outcome::replaced:
      return RemoteOutcome::replaced;
    case RemoteCandidates::Outcome::known:
    case RemoteCandidates::Outcome::full:
      break;
  }
  return RemoteOutcome::known;
}

bool Agent::invalidate_remote(Instant now, const Candidate& candidate) {
  const auto discarded = remote_.discard(candidate);
  if (!discarded) return false;
  list_.remove_remote(*discarded);
  // A host with a public address announces it twice; what is left of it is still good.
  if (const RemoteCandidate* const other = remote_.find(candidate.address)) pair_remote(now, *other);
  settle(now);
  return true;
}

bool Agent::accepts(const stun::MessageView& message) const noexcept {
  const auto addressee = addressed_to(message);
  if (const auto* const response = std::get_if<ToTag>(&addressee)) {
    return response->tag == settings_.tag && list_.find_by_request(request_of(message.transaction_id())) != nullptr;
  }
  const auto* const request = std::get_if<ToFragments>(&addressee);
  if (request == nullptr) return false;
  return request->receiver == settings_.local.ufrag() && request->sender == settings_.remote.ufrag() &&
         stun::check_integrity(message, stun::short_term_key(settings_.local.password())) == stun::Check::good;
}

bool Agent::handle_binding(Instant now, const Endpoint& source, const Endpoint& destination,
                           const stun::MessageView& message) {
  now_ = now;
  bool used = false;
  if (message.method() != Method::binding) {
    used = drop(AgentCounter::drop_not_binding);
  } else if (message.message_class() == MessageClass::request) {
    used = handle_request(now, source, destination, message);
  } else if (message.message_class() == MessageClass::success) {
    used = handle_success(now, source, destination, message);
  } else {
    used = drop(message.message_class() == MessageClass::error ? AgentCounter::drop_error_response
                                                               : AgentCounter::drop_indication);
  }
  settle(now);
  return used;
}

std::size_t Agent::probe(Instant now, const std::optional<Endpoint>& destination) {
  const std::size_t count = list_.hasten(now, destination);
  settle(now);
  return count;
}

void Agent::set_timing(Instant now, Pace pace) {
  pace_ = pace;
  list_.set_timing(now, timing_of(settings_.role, pace));
  nomination_.set_pace(now, pace);
  settle(now);
}

void Agent::handle_timeout(Instant now) {
  settle(now);
}

std::optional<Instant> Agent::poll_timeout() const noexcept {
  if (responses_waiting_ > 0) return now_;
  const auto check = list_.next_time();
  const auto desertion = nomination_.next_time(now_, list_);
  if (check && desertion) return std::min(*check, *desertion);
  return check ? check : desertion;
}

std::optional<AgentTransmit> Agent::poll_transmit(Bytes out) {
  if (out.size() < kTransmitBytesMax) std::abort();
  if (responses_waiting_ > 0) {
    const Response response = responses_.front();
    std::ranges::rotate(responses_, responses_.begin() + 1);
    --responses_waiting_;
    return write_response(response, out);
  }
  if (Pair* const pair = list_.due(now_)) return write_request(*pair, out);
  return std::nullopt;
}

std::optional<AgentEvent> Agent::poll_event() noexcept {
  for (const auto& entry : remote_.entries()) {
    if (entry.id <= reported_remote_ || entry.origin != RemoteOrigin::discovered) continue;
    reported_remote_ = entry.id;
    return AgentEvent{AgentEvent::Kind::peer_reflexive_discovered, state_, {}, entry.candidate.address};
  }
  if (const auto current = path(); current && !(reported_path_ && reported_path_->is_same(*current))) {
    reported_path_ = current;
    return AgentEvent{AgentEvent::Kind::path_changed, state_, *current, current->destination};
  }
  if (std::exchange(reported_state_, state_) != state_) {
    return AgentEvent{AgentEvent::Kind::state_changed, state_, {}, {}};
  }
  return std::nullopt;
}

std::optional<Path> Agent::path() const noexcept {
  const Pair* const pair = selected_pair();
  if (pair == nullptr) return std::nullopt;
  return path_of(*pair);
}

const Pair* Agent::selected_pair() const noexcept {
  return nomination_.selected() ? list_.find(*nomination_.selected()) : nullptr;
}

bool Agent::is_silent() const noexcept {
  bool any = false;
  for (const Pair& pair : list_.pairs()) {
    if (!pair.answered) continue;
    if (pair.requests.unanswered() < kSilentPathRequests) return false;
    any = true;
  }
  return any;
}

bool Agent::handle_request(Instant now, const Endpoint& source, const Endpoint& destination,
                           const stun::MessageView& message) {
  const auto addressee = addressed_to(message);
  const auto* const fragments = std::get_if<ToFragments>(&addressee);
  if (fragments == nullptr) return drop(AgentCounter::drop_no_username);
  if (fragments->receiver != settings_.local.ufrag() || fragments->sender != settings_.remote.ufrag()) {
    return drop(AgentCounter::drop_wrong_username);
  }
  const auto priority = message.find_u32(Attribute::priority);
  if (!priority) return drop(AgentCounter::drop_no_priority);
  const auto check = stun::check_integrity(message, stun::short_term_key(settings_.local.password()));
  if (check == stun::Check::absent) return drop(AgentCounter::drop_no_integrity);
  if (check == stun::Check::wrong) return drop(AgentCounter::drop_wrong_integrity);
  const bool nominates = message.has(Attribute::use_candidate);
  if (nominates && settings_.role == Role::controlling) return drop(AgentCounter::drop_role);
  if (responses_waiting_ == kResponsesMax) return drop(AgentCounter::drop_responses_full);

  const LocalCandidate* const local = local_.find_paired(destination);
  if (local == nullptr) return drop(AgentCounter::drop_unknown_destination);
  const RemoteCandidate* remote = remote_.find(source);
  if (remote == nullptr) {
    if (remote_.is_discarded(source)) return drop(AgentCounter::drop_discarded_source);
    if (!is_usable(source) || source.address.family() != destination.address.family()) {
      return drop(AgentCounter::drop_unusable_source);
    }
    remote = remote_.discover(source, *priority, list_);
    if (remote == nullptr) return drop(AgentCounter::drop_candidates_full);
  }
  if (list_.find(destination, source) == nullptr) add_pair(now, *local, *remote);
  Pair* const pair = list_.find(destination, source);
  if (nominates && pair != nullptr) use_candidate(now, *pair);

  responses_[responses_waiting_++] = {destination, local->candidate.kind, source, message.transaction_id()};
  counters_.add(AgentCounter::requests_received);
  return true;
}

bool Agent::handle_success(Instant now, const Endpoint& source, const Endpoint& destination,
                           const stun::MessageView& message) {
  const RequestId id = request_of(message.transaction_id());
  const Pair* const pair = tag_of(message.transaction_id()) == settings_.tag ? list_.find_by_request(id) : nullptr;
  if (pair == nullptr) return drop(AgentCounter::drop_unknown_transaction);
  const auto mapped = message.find_xor_address(Attribute::xor_mapped_address);
  if (!mapped) return drop(AgentCounter::drop_no_mapped_address);
  const auto check = stun::check_integrity(message, stun::short_term_key(settings_.remote.password()));
  if (check == stun::Check::absent) return drop(AgentCounter::drop_no_integrity);
  if (check == stun::Check::wrong) return drop(AgentCounter::drop_wrong_integrity);
  if (source != pair->destination || destination != pair->source) return drop(AgentCounter::drop_asymmetric);
  list_.record_answer(now, id, *mapped);
  counters_.add(AgentCounter::responses_received);
  return true;
}

bool Agent::drop(AgentCounter reason) noexcept {
  counters_.add(reason);
  return false;
}

void Agent::use_candidate(Instant now, Pair& pair) noexcept {
  std::ranges::rotate(pair.use_candidate, pair.use_candidate.end() - 1);
  pair.use_candidate.front() = now;
  if (!pair.nominated) list_.nominate(now, pair);
}

void Agent::pair_local(Instant now, const LocalCandidate& local) {
  for (const auto& remote : remote_.entries()) {
    if (!remote.discarded) add_pair(now, local, remote);
  }
}

void Agent::pair_remote(Instant now, const RemoteCandidate& remote) {
  for (const auto& local : local_.entries()) {
    if (local.is_paired()) add_pair(now, local, remote);
  }
}

void Agent::add_pair(Instant now, const LocalCandidate& local, const RemoteCandidate& remote) {
  if (list_.add(now, local, remote) == CheckList::Outcome::full) counters_.add(AgentCounter::pairs_refused);
}

// After every input: what failed by then goes, then the choice is made anew, then the state follows.
void Agent::settle(Instant now) {
  now_ = now;
  counters_.add(AgentCounter::pairs_failed, list_.remove_failed(now));
  nomination_.update(now, list_);
  state_ = state_of_pairs();
}

AgentState Agent::state_of_pairs() const noexcept {
  const bool both_sides = local_.any() && remote_.any();
  const auto pairs = list_.pairs();
  const bool possible = !both_sides || !std::ranges::all_of(pairs, &Pair::nominated);
  if (std::ranges::any_of(pairs, &Pair::nominated)) return possible ? AgentState::connected : AgentState::completed;
  if (!local_.any() && !remote_.any()) return AgentState::fresh;
  return possible ? AgentState::checking : AgentState::disconnected;
}

Path Agent::path_of(const Pair& pair) const noexcept {
  Path path{pair.source, CandidateKind::host, pair.destination, CandidateKind::host};
  if (const auto* const local = local_.find(pair.local)) path.source_kind = local->candidate.kind;
  if (const auto* const remote = remote_.find(pair.remote)) path.destination_kind = remote->candidate.kind;
  return path;
}

AgentTransmit Agent::write_response(const Response& response, Bytes out) const noexcept {
  stun::MessageWriter writer(out, MessageClass::success, Method::binding, response.id);
  writer.add_xor_address(Attribute::xor_mapped_address, response.destination);
  writer.add_integrity(stun::short_term_key(settings_.local.password()));
  writer.add_fingerprint();
  counters_.add(AgentCounter::responses_sent);
  return {response.source, response.source_kind, response.destination, writer.message().size()};
}

AgentTransmit Agent::write_request(Pair& pair, Bytes out) {
  const bool controlling = settings_.role == Role::controlling;
  const RequestId id = random_u64();
  std::array<char, 2 * kUfragBytesMax + 1> username;
  auto end = std::ranges::copy(settings_.remote.ufrag(), username.begin()).out;
  *end++ = ':';
  end = std::ranges::copy(settings_.local.ufrag(), end).out;

  // The order of the attributes is the baseline's.
  stun::MessageWriter writer(out, MessageClass::request, Method::binding, transaction_id(settings_.tag, id));
  writer.add_text(Attribute::username, {username.data(), static_cast<std::size_t>(end - username.begin())});
  writer.add_u64(controlling ? Attribute::ice_controlling : Attribute::ice_controlled, tie_breaker_);
  writer.add_u32(Attribute::priority, pair.check_priority);
  if (controlling && pair.nominated) writer.add_flag(Attribute::use_candidate);
  writer.add_integrity(stun::short_term_key(settings_.remote.password()));
  writer.add_fingerprint();
  list_.record_request(now_, pair, id);
  counters_.add(AgentCounter::requests_sent);
  return {pair.source, path_of(pair).source_kind, pair.destination, writer.message().size()};
}

std::vector<Candidate> Agent::signalled() const {
  std::vector<Candidate> result;
  for (const auto& entry : local_.entries()) {
    if (!entry.discarded) result.push_back(entry.candidate);
  }
  std::ranges::sort(result, [](const Candidate& a, const Candidate& b) {
    return std::pair(b.priority, a.address) < std::pair(a.priority, b.address);
  });
  return result;
}

std::uint64_t Agent::random_u64() noexcept {
  std::array<std::byte, 8> bytes;
  random_.fill(bytes);
  return load_be64(bytes, 0);
}

}  // namespace fireline::ice
