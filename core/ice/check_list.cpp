#include "core/ice/check_list.h"

#include <algorithm>
#include <utility>

namespace fireline::ice {
namespace {

void keep_earlier(std::optional<Instant>& earliest, Instant time) noexcept {
  if (!earliest || time < *earliest) earliest = time;
}

}  // namespace

CheckList::Outcome CheckList::add(Instant now, const LocalCandidate& local, const RemoteCandidate& remote) {
  if (local.candidate.family() != remote.candidate.family()) return Outcome::other_family;
  Pair pair = make_pair(now, local, remote);

  if (Pair* const existing = find(pair.source, pair.destination)) {
    if (pair.priority <= existing->priority) {
      existing->signalled |= pair.signalled;
      if (existing->local == pair.local && existing->remote == pair.remote) lower(*existing, pair.priority);
      return Outcome::redundant;
    }
    pair.id = existing->id;
    pair.nominated = pair.announce = existing->nominated;
    // The addresses are the same, so that data may stay on them while the new pair is checked.
    pair.answered = existing->answered && existing->nominated;
    pair.use_candidate = existing->use_candidate;
    std::erase_if(pairs_, [&](const Pair& one) { return one.id == pair.id; });
    insert(std::move(pair));
    return Outcome::replaced;
  }

  if (pairs_.size() >= kPairsMax && !make_room(pair)) return Outcome::full;
  pair.id = next_id_++;
  insert(std::move(pair));
  return Outcome::added;
}

// The same candidates: the peer has announced what was discovered, and ranks it lower than its checks did (PRIORITY
// speaks of a peer-reflexive candidate, be it a relayed one).
void CheckList::lower(Pair& pair, std::uint64_t priority) {
  Pair lowered = std::move(pair);
  lowered.priority = priority;
  std::erase_if(pairs_, [&](const Pair& one) { return one.id == lowered.id; });
  insert(std::move(lowered));
}

void CheckList::remove_local(CandidateId id) {
  std::erase_if(pairs_, [id](const Pair& pair) { return pair.local == id; });
}

void CheckList::remove_remote(CandidateId id) {
  std::erase_if(pairs_, [id](const Pair& pair) { return pair.remote == id; });
}

std::size_t CheckList::remove_failed(Instant now) {
  return std::erase_if(pairs_, [&](const Pair& pair) {
    const auto failure = pair.requests.fails_at(timing_);
    return failure && *failure <= now;
  });
}

std::size_t CheckList::hasten(Instant now, const std::optional<Endpoint>& destination) noexcept {
  std::size_t count = 0;
  for (auto& pair : pairs_) {
    if (destination && pair.destination != *destination) continue;
    // All of its requests are out, and it fails when the last one's time is over: one more would only put that off.
    if (pair.requests.fails_at(timing_)) continue;
    pair.next_check = std::min(pair.next_check, now);
    ++count;
  }
  return count;
}

void CheckList::set_timing(Instant now, const Timing& timing) {
  timing_ = timing;
  for (auto& pair : pairs_) plan(now, pair);
}

Pair* CheckList::due(Instant now) noexcept {
  Pair* best = nullptr;
  for (auto& pair : pairs_) {
    if (pair.next_check > now) continue;
    const bool better = best == nullptr || (pair.announce && !best->announce) ||
                        (pair.announce == best->announce && pair.next_check < best->next_check);
    if (better) best = &pair;
  }
  return best;
}

void CheckList::record_request(Instant now, Pair& pair, RequestId id) {
  pair.requests.record(now, id, timing_);
  pair.announce = false;
  if (pair.state == PairState::waiting) pair.state = PairState::in_progress;
  plan(now, pair);
}

bool CheckList::record_answer(Instant now, RequestId id, const Endpoint& mapped) {
  for (auto& pair : pairs_) {
    const auto rtt = pair.requests.answer(now, id);
    if (!rtt) continue;
    pair.state = PairState::succeeded;
    pair.answered = true;
    pair.rtt = rtt;
    pair.mapped = mapped;
    plan(now, pair);
    return true;
  }
  return false;
}

void CheckList::nominate(Instant now, Pair& pair) noexcept {
  pair.nominated = true;
  pair.announce = true;
  plan(now, pair);
}

std::optional<Instant> CheckList::next_time() const noexcept {
  std::optional<Instant> earliest;
  for (const auto& pair : pairs_) {
    keep_earlier(earliest, pair.next_check);
    if (const auto failure = pair.requests.fails_at(timing_)) keep_earlier(earliest, *failure);
  }
  return earliest;
}

Pair* CheckList::find(const Endpoint& source, const Endpoint& destination) noexcept {
  const auto found = std::ranges::find_if(
      pairs_, [&](const Pair& pair) { return pair.source == source && pair.destination == destination; });
  return found == pairs_.end() ? nullptr : &*found;
}

Pair* CheckList::find(PairId id) noexcept {
  const auto found = std::ranges::find(pairs_, id, &Pair::id);
  return found == pairs_.end() ? nullptr : &*found;
}

const Pair* CheckList::find(PairId id) const noexcept {
  const auto found = std::ranges::find(pairs_, id, &Pair::id);
  return found == pairs_.end() ? nullptr : &*found;
}

const Pair* CheckList::find_by_request(RequestId id) const noexcept {
  const auto found = std::ranges::find_if(pairs_, [id](const Pair& pair) { return pair.requests.has(id); });
  return found == pairs_.end() ? nullptr : &*found;
}

bool CheckList::has_remote(CandidateId id) const noexcept {
  return std::ranges::any_of(pairs_, [id](const Pair& pair) { return pair.remote == id; });
}

Pair CheckList::make_pair(Instant now, const LocalCandidate& local, const RemoteCandidate& remote) const {
  Pair pair;
  pair.local = local.id;
  pair.remote = remote.id;
  pair.source = local.candidate.base;
  pair.destination = remote.candidate.address;
  pair.signalled = remote.origin == RemoteOrigin::signalled;
  const bool controlling = role_ == Role::controlling;
  pair.priority = pair_priority(controlling ? local.candidate.priority : remote.candidate.priority,
                                controlling ? remote.candidate.priority : local.candidate.priority);
  pair.check_priority = check_priority(local.candidate.priority);
  pair.next_check = now;
  return pair;
}

// NATs that map every port anew fill the list with pairs that lead nowhere, for each check of a discovered one leads to
// the discovery of another one, and a relayed pair, the only one that works there, ranks below them all. So a
// discovered newcomer never takes the place of what was signalled. For a signalled one goes, in this order: a
// discovered one that has not answered, the most often asked; a signalled one that was asked for a while and never
// answered; the lowest of all, if the newcomer is better. What is nominated carries data; it goes only when everything
// is.
bool CheckList::make_room(const Pair& newcomer) noexcept {
  auto victim = pairs_.end();
  const auto choose_silent = [&](bool signalled, std::uint32_t asked) {
    for (auto pair = pairs_.begin(); pair != pairs_.end(); ++pair) {
      if (pair->signalled != signalled || pair->nominated || pair->answered) continue;
      if (pair->requests.unanswered() < asked) continue;
      victim = pair;  // of several the lowest
      if (newcomer.signalled) asked = pair->requests.unanswered();
    }
  };
  bool must_be_better = !newcomer.signalled;
  choose_silent(false, 0);
  if (newcomer.signalled && victim == pairs_.end()) choose_silent(true, kSilentRequests);
  if (victim == pairs_.end()) {
    if (!newcomer.signalled) return false;
    const auto lowest = std::ranges::find(pairs_.rbegin(), pairs_.rend(), false, &Pair::nominated);
    victim = std::prev(lowest == pairs_.rend() ? pairs_.end() : lowest.base());
    must_be_better = true;
  }
  if (must_be_better && newcomer.priority <= victim->priority) return false;
  pairs_.erase(victim);
  return true;
}

void CheckList::plan(Instant now, Pair& pair) noexcept {
  pair.next_check = pair.announce ? now : pair.requests.next(now, timing_);
}

void CheckList::insert(Pair&& pair) {
  const auto place = std::ranges::find_if(pairs_, [&](const Pair& other) { return other.priority < pair.priority; });
  pairs_.insert(place, std::move(pair));
}

}  // namespace fireline::ice
