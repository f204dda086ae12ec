#include "core/ice/remote_candidates.h"

#include <algorithm>
#include <utility>

#include "core/ice/check_list.h"
#include "core/ice/priority.h"

namespace fireline::ice {

RemoteCandidates::Added RemoteCandidates::add(const Candidate& candidate, const CheckList& pairs) {
  if (const auto known = add_known(candidate)) return *known;
  return append(candidate, RemoteOrigin::signalled, pairs);
}

const RemoteCandidate* RemoteCandidates::discover(const Endpoint& address, std::uint32_t priority,
                                                  const CheckList& pairs) {
  Candidate candidate;
  candidate.kind = CandidateKind::peer_reflexive;
  candidate.address = candidate.base = address;
  candidate.priority = priority;
  return append(candidate, RemoteOrigin::discovered, pairs).entry;
}

const RemoteCandidate* RemoteCandidates::add_optimistic(const CheckList& pairs) {
  const auto candidate = next_optimistic();
  return candidate ? append(*candidate, RemoteOrigin::optimistic, pairs).entry : nullptr;
}

std::optional<CandidateId> RemoteCandidates::discard(const Candidate& candidate) noexcept {
  for (auto& entry : entries_) {
    if (entry.discarded || !is_same_announcement(entry.candidate, candidate)) continue;
    entry.discarded = true;
    return entry.id;
  }
  return std::nullopt;
}

const RemoteCandidate* RemoteCandidates::find(const Endpoint& address) const noexcept {
  const RemoteCandidate* best = nullptr;
  for (const auto& entry : entries_) {
    if (entry.discarded || entry.candidate.address != address) continue;
    if (best == nullptr || entry.candidate.priority > best->candidate.priority) best = &entry;
  }
  return best;
}

const RemoteCandidate* RemoteCandidates::find(CandidateId id) const noexcept {
  const auto found = std::ranges::find(entries_, id, &RemoteCandidate::id);
  return found == entries_.end() ? nullptr : &*found;
}

bool RemoteCandidates::is_discarded(const Endpoint& address) const noexcept {
  return std::ranges::any_of(entries_, [&](const auto& e) { return e.discarded && e.candidate.address == address; });
}

std::optional<RemoteCandidates::Added> RemoteCandidates::add_known(const Candidate& candidate) noexcept {
  for (auto& entry : entries_) {
    if (!is_same(entry.candidate, candidate)) continue;
    const bool revived = entry.discarded;
    entry.discarded = false;
    // The peer stands behind it from here on, whatever we knew it by.
    const bool signalled = std::exchange(entry.origin, RemoteOrigin::signalled) == RemoteOrigin::signalled;
    if (revived) entry.candidate.priority = candidate.priority;
    return Added{revived ? Outcome::re_enabled : signalled ? Outcome::known : Outcome::replaced, &entry};
  }
  for (auto& entry : entries_) {
    if (entry.discarded || entry.origin == RemoteOrigin::signalled) continue;
    if (entry.candidate.address != candidate.address) continue;
    entry.candidate = candidate;
    entry.origin = RemoteOrigin::signalled;
    return Added{Outcome::replaced, &entry};
  }
  return std::nullopt;
}

std::optional<Candidate> RemoteCandidates::next_optimistic() const noexcept {
  const auto is_source = [](const RemoteCandidate& entry, CandidateKind kind) {
    return !entry.discarded && entry.origin == RemoteOrigin::signalled && entry.candidate.kind == kind &&
           entry.candidate.family() == Family::v4;
  };
  for (const auto& reflexive : entries_) {
    if (!is_source(reflexive, CandidateKind::server_reflexive)) continue;
    for (const auto& host : entries_) {
      if (!is_source(host, CandidateKind::host)) continue;
      Candidate candidate;
      candidate.kind = CandidateKind::server_reflexive;
      candidate.address = {reflexive.candidate.address.address, host.candidate.address.port, 0};
      candidate.base = candidate.address;
      candidate.related = unspecified(Family::v4);
      candidate.priority = candidate_priority(candidate.kind, default_local_preference(Family::v4));
      // Also when it is discarded: what the peer withdrew we do not make up again.
      const bool present =
          std::ranges::any_of(entries_, [&](const auto& e) { return e.candidate.address == candidate.address; });
      if (!present) return candidate;
    }
  }
  return std::nullopt;
}

RemoteCandidates::Added RemoteCandidates::append(const Candidate& candidate, RemoteOrigin origin,
                                                 const CheckList& pairs) {
  if (entries_.size() >= kRemoteCandidatesMax && !make_room(pairs)) return {};
  entries_.push_back({next_id_++, candidate, origin, false});
  return {Outcome::fresh, &entries_.back()};
}

bool RemoteCandidates::make_room(const CheckList& pairs) noexcept {
  auto victim = std::ranges::find_if(entries_, [&](const RemoteCandidate& entry) {
    return entry.origin == RemoteOrigin::discovered && !entry.discarded && !pairs.has_remote(entry.id);
  });
  if (victim == entries_.end()) victim = std::ranges::find_if(entries_, &RemoteCandidate::discarded);
  if (victim == entries_.end()) return false;
  entries_.erase(victim);
  return true;
}

}  // namespace fireline::ice
