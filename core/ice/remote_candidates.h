// The peer's candidates as one agent knows them: signalled ones, those discovered by a check (temporary peer
// reflexive), and those made up from what was signalled (optimistic: a port forwarded on a symmetric NAT). Lifetime: a
// pointer or span is good until the next non-const call. Threads: one owner. Limits: kRemoteCandidatesMax; then
// discovered ones without a pair are forgotten first, then discarded ones.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ice/candidate.h"
#include "core/ice/local_candidates.h"

namespace fireline::ice {

// More than the pairs that an agent has: a gateway's connection lives for weeks, and each rebinding of the peer's NAT
// leaves a candidate behind.
inline constexpr std::size_t kRemoteCandidatesMax = 128;

// New ones per received candidate, IPv4 only: without a limit they grow with the square of what is signalled.
inline constexpr std::size_t kOptimisticCandidatesMax = 2;

class CheckList;

enum class RemoteOrigin : std::uint8_t { signalled, discovered, optimistic };

struct RemoteCandidate {
  CandidateId id = 0;
  Candidate candidate;
  RemoteOrigin origin = RemoteOrigin::signalled;
  bool discarded = false;
};

class RemoteCandidates {
 public:
  enum class Outcome : std::uint8_t {
    fresh,
    re_enabled,  // was discarded
    replaced,    // took the place of a discovered or optimistic one at its address, and its id
    known,
    full,
  };
  struct Added {
    Outcome outcome = Outcome::full;
    const RemoteCandidate* entry = nullptr;  // null when full
  };

  // `pairs`: what is in one of them is not forgotten for want of room.
  Added add(const Candidate& candidate, const CheckList& pairs);

  // A valid check came from an address that no candidate has. Null when full.
  const RemoteCandidate* discover(const Endpoint& address, std::uint32_t priority, const CheckList& pairs);

  // One more of each reflexive IPv4 address with each host port, if there is one that is new; else null.
  const RemoteCandidate* add_optimistic(const CheckList& pairs);

  // The one that an invalidation names; empty when it is not known or discarded already.
  std::optional<CandidateId> discard(const Candidate& candidate) noexcept;

  // The best one that is not discarded at this address.
  [[nodiscard]] const RemoteCandidate* find(const Endpoint& address) const noexcept;
  [[nodiscard]] const RemoteCandidate* find(CandidateId id) const noexcept;
  // Nothing but a new announcement revives such an address.
  [[nodiscard]] bool is_discarded(const Endpoint& address) const noexcept;
  [[nodiscard]] std::span<const RemoteCandidate> entries() const noexcept { return entries_; }
  // Whether there ever was one, discarded and discovered ones included.
  [[nodiscard]] bool any() const noexcept { return next_id_ > 1; }

 private:
  [[nodiscard]] std::optional<Added> add_known(const Candidate& candidate) noexcept;
  [[nodiscard]] std::optional<Candidate> next_optimistic() const noexcept;

  [[nodiscard]] Added append(const Candidate& candidate, RemoteOrigin origin, const CheckList& pairs);
  [[nodiscard]] bool make_room(const CheckList& pairs) noexcept;

  std::vector<RemoteCandidate> entries_;
  CandidateId next_id_ = 1;
};

}  // namespace fireline::ice
