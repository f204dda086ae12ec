// The candidates of this node as one agent has them: what is paired, what is only signalled, what is discarded.
// Server reflexive ones are signalled but never paired: checks leave from their base anyway.
// Lifetime: a pointer or span is good until the next non-const call. Threads: one owner.
// Limits: kLocalCandidatesMax, then the oldest discarded one is forgotten.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ice/candidate.h"

namespace fireline::ice {

using CandidateId = std::uint32_t;

// Ten relays with a host, a reflexive and a relayed candidate per family, all at once.
inline constexpr std::size_t kLocalCandidatesMax = 64;

struct LocalCandidate {
  CandidateId id = 0;
  Candidate candidate;
  bool discarded = false;

  [[nodiscard]] bool is_paired() const noexcept {
    return !discarded && candidate.kind != CandidateKind::server_reflexive;
  }
};

class LocalCandidates {
 public:
  enum class Outcome : std::uint8_t {
    fresh,
    re_enabled,  // was discarded; keeps its old priority
    redundant,   // same address and base as one that is at least as good
    full,
  };
  struct Added {
    Outcome outcome = Outcome::full;
    const LocalCandidate* entry = nullptr;  // null when full; when redundant the one that is there
  };

  // Gives it its priority.
  Added add(const Candidate& candidate);

  // Empty when it is not known or discarded already.
  std::optional<LocalCandidate> discard(const Candidate& candidate);

  // The one that a datagram sent to `address` arrived on.
  [[nodiscard]] const LocalCandidate* find_paired(const Endpoint& address) const noexcept;
  [[nodiscard]] const LocalCandidate* find(CandidateId id) const noexcept;
  [[nodiscard]] std::span<const LocalCandidate> entries() const noexcept { return entries_; }
  // Whether a host or relayed candidate was ever added, discarded ones included.
  [[nodiscard]] bool any() const noexcept { return any_; }

 private:
  [[nodiscard]] bool make_room();

  std::vector<LocalCandidate> entries_;
  CandidateId next_id_ = 1;
  std::uint32_t earlier_[4][2] = {};  // candidates ever added, by kind and family
  bool any_ = false;
};

}  // namespace fireline::ice
