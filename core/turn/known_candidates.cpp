#include "core/turn/known_candidates.h"

#include <algorithm>

namespace fireline::turn {
namespace {
constexpr std::size_t slot_of(Family family) noexcept {
  return family == Family::v4 ? 0 : 1;
}

bool can_be_candidate_v4(ConstBytes address) noexcept {
  const std::uint8_t first = load_u8(address, 0);
  if (first == 169 && load_u8(address, 1) == 254) return false;
  if (first >= 224 && first <= 239) return false;
  return load_be32(address, 0) != 0xFFFF'FFFF;
}
}  // namespace

bool can_be_candidate(const Endpoint& endpoint) noexcept {
  if (endpoint.port == 0 || endpoint.address.is_unspecified()) return false;
  const ConstBytes address = endpoint.address.bytes();
  return endpoint.address.is_v4() ? can_be_candidate_v4(address) : load_u8(address, 0) != 0xFF;
}

bool KnownCandidates::learn(Family server, const Endpoint& local, const std::optional<Endpoint>& mapped,
                            EventQueue& events) {
  if (!can_be_candidate(local)) return false;
  const Candidate host{.kind = CandidateKind::host, .address = local, .base = local, .server_family = server};
  replace(host_[slot_of(local.address.family())], host, events);

  if (!mapped || !can_be_candidate(*mapped)) return false;
  if (mapped->address.family() != local.address.family()) return false;
  const Candidate reflexive{
      .kind = CandidateKind::server_reflexive, .address = *mapped, .base = local, .server_family = server};
  auto& slot = server_reflexive_[slot_of(server)];
  const bool moved = slot && slot->address != reflexive.address;
  replace(slot, reflexive, events);
  return moved;
}

void KnownCandidates::add_relayed(Family server, const Endpoint& relayed, EventQueue& events) {
  const Candidate candidate{
      .kind = CandidateKind::relayed, .address = relayed, .base = relayed, .server_family = server};
  replace(relayed_[slot_of(relayed.address.family())], candidate, events);
}

void KnownCandidates::invalidate_relayed(EventQueue& events) {
  for (auto& slot : relayed_) {
    if (slot) events.push({.kind = EventKind::candidate_invalidated, .candidate = *slot});
    slot.reset();
  }
}

std::optional<Endpoint> KnownCandidates::relayed(Family family) const noexcept {
  const auto& slot = relayed_[slot_of(family)];
  if (!slot) return std::nullopt;
  return slot->address;
}

void KnownCandidates::replace(std::optional<Candidate>& slot, const Candidate& candidate, EventQueue& events) {
  if (slot == candidate) return;
  const std::optional<Candidate> previous = slot;
  slot = candidate;
  events.push({.kind = EventKind::candidate_added, .candidate = candidate});
  // A peer knows neither bases nor servers: invalidating the same address would take away what was just announced.
  if (!previous || previous->address == candidate.address) return;
  events.push({.kind = EventKind::candidate_invalidated, .candidate = *previous});
}

}  // namespace fireline::turn
