#include "core/ice/local_candidates.h"

#include <algorithm>
#include <utility>

#include "core/ice/priority.h"

namespace fireline::ice {

namespace {

// The base of a reflexive one is nothing that the peer knows, and it is in no pair: with another base it is the same.
bool is_known_as(const Candidate& entry, const Candidate& candidate) noexcept {
  const bool paired = candidate.kind != CandidateKind::server_reflexive;
  return paired ? is_same(entry, candidate) : is_same_announcement(entry, candidate);
}

}  // namespace

LocalCandidates::Added LocalCandidates::add(const Candidate& candidate) {
  const auto known = std::ranges::find_if(entries_, [&](const auto& e) { return is_known_as(e.candidate, candidate); });
  if (known != entries_.end()) {
    known->candidate.base = candidate.base;
    if (!std::exchange(known->discarded, false)) return {Outcome::redundant, &*known};
    return {Outcome::re_enabled, &*known};
  }

  Candidate added = candidate;
  const bool paired = candidate.kind != CandidateKind::server_reflexive;
  if (paired) {
    added.priority = candidate_priority(
        candidate.kind, local_preference(candidate.kind, candidate.family(),
                                         earlier_[std::to_underlying(candidate.kind)][candidate.family() == Family::v6],
                                         candidate.crosses_families));
    for (auto& entry : entries_) {
      const bool same_place =
          entry.is_paired() && entry.candidate.address == added.address && entry.candidate.base == added.base;
      if (!same_place) continue;
      if (entry.candidate.priority >= added.priority) return {Outcome::redundant, &entry};
      entry.discarded = true;
    }
  } else {
    added.priority = candidate_priority(candidate.kind, default_local_preference(candidate.family()));
  }
  if (!make_room()) return {};
  if (paired) ++earlier_[std::to_underlying(candidate.kind)][candidate.family() == Family::v6];
  any_ = any_ || paired;
  entries_.push_back({next_id_++, added, false});
  return {Outcome::fresh, &entries_.back()};
}

std::optional<LocalCandidate> LocalCandidates::discard(const Candidate& candidate) {
  for (auto& entry : entries_) {
    if (entry.discarded || !is_known_as(entry.candidate, candidate)) continue;
    entry.discarded = true;
    return entry;
  }
  return std::nullopt;
}

const LocalCandidate* LocalCandidates::find_paired(const Endpoint& address) const noexcept {
  for (const auto& entry : entries_) {
    if (entry.is_paired() && entry.candidate.address == address) return &entry;
  }
  return nullptr;
}

const LocalCandidate* LocalCandidates::find(CandidateId id) const noexcept {
  const auto found = std::ranges::find(entries_, id, &LocalCandidate::id);
  return found == entries_.end() ? nullptr : &*found;
}

bool LocalCandidates::make_room() {
  if (entries_.size() < kLocalCandidatesMax) return true;
  const auto oldest = std::ranges::find_if(entries_, &LocalCandidate::discarded);
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

}  // namespace fireline::ice
