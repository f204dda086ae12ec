// The pairs of an agent and when each is checked. Source: RFC 8445 section 6.1.2; as in the Firezone baseline nothing
// is frozen, every pair is checked as soon as it exists, and all of them for as long as they answer: a pair that is not
// used is what a connection falls back to without any signalling.
//
// Lifetime: a pointer or span is good until the next call that adds or removes. Threads: one owner.
// Limits: kPairsMax. Allocates up to that and no more.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/ice/local_candidates.h"
#include "core/ice/priority.h"
#include "core/ice/remote_candidates.h"
#include "core/ice/request_history.h"

namespace fireline::ice {

inline constexpr std::size_t kPairsMax = 100;  // RFC 8445 section 6.1.2.5

// How many USE-CANDIDATE requests on another pair show that the peer has left this one; see nomination.h.
inline constexpr std::size_t kDesertedRequests = 3;

// Unanswered requests after which a pair that never answered makes room in a full list: 0.75 s at least.
inline constexpr std::uint32_t kSilentRequests = 3;

enum class PairState : std::uint8_t { waiting, in_progress, succeeded };

using PairId = std::uint32_t;

// One local base and one remote address. Its identity outlives a better candidate at either end.
struct Pair {
  PairId id = 0;
  CandidateId local = 0;
  CandidateId remote = 0;
  Endpoint source;
  Endpoint destination;
  std::uint64_t priority = 0;
  std::uint32_t check_priority = 0;  // the PRIORITY attribute
  bool signalled = false;            // its remote candidate: neither discovered nor made up

  PairState state = PairState::waiting;
  bool answered = false;          // a check of this source and destination succeeded, perhaps under other candidates
  bool nominated = false;         // as controlling: by us; as controlled: by the peer. Never taken back
  bool announce = false;          // nominated, and no request has been sent since
  std::optional<Duration> rtt{};  // of the last answered request
  Endpoint mapped{};              // our address as the peer saw it
  RequestHistory requests{};
  Instant next_check{};
  // As controlled: the last kDesertedRequests times at which USE-CANDIDATE arrived, newest first.
  std::array<std::optional<Instant>, kDesertedRequests> use_candidate{};
};

class CheckList {
 public:
  explicit CheckList(Role role) : role_(role), timing_(timing_of(role, Pace::active)) {}

  enum class Outcome : std::uint8_t {
    added,
    replaced,      // took the place of a pair of lower priority between the same addresses, its nomination included
    redundant,     // such a pair exists and is at least as good; of the same two candidates it gets the new priority
    other_family,  // never paired
    full,          // kPairsMax that are worth more exist
  };
  Outcome add(Instant now, const LocalCandidate& local, const RemoteCandidate& remote);

  void remove_local(CandidateId id);
  void remove_remote(CandidateId id);
  // Removes what failed by `now`; returns how many.
  std::size_t remove_failed(Instant now);

  // Makes the pairs with that destination, or all of them, due, but those about to fail. Returns how many.
  std::size_t hasten(Instant now, const std::optional<Endpoint>& destination) noexcept;

  // Takes effect on all pairs at once.
  void set_timing(Instant now, const Timing& timing);

  // The next pair to check by `now`: a nomination to be announced first, then the longest overdue; null for none.
  [[nodiscard]] Pair* due(Instant now) noexcept;
  void record_request(Instant now, Pair& pair, RequestId id);
  // False when no pair sent such a request.
  bool record_answer(Instant now, RequestId id, const Endpoint& mapped);
  void nominate(Instant now, Pair& pair) noexcept;

  // The next check or failure.
  [[nodiscard]] std::optional<Instant> next_time() const noexcept;

  [[nodiscard]] Pair* find(const Endpoint& source, const Endpoint& destination) noexcept;
  [[nodiscard]] Pair* find(PairId id) noexcept;
  [[nodiscard]] const Pair* find(PairId id) const noexcept;
  // The one that sent such a request.
  [[nodiscard]] const Pair* find_by_request(RequestId id) const noexcept;
  [[nodiscard]] bool has_remote(CandidateId id) const noexcept;
  // By descending priority.
  [[nodiscard]] std::span<const Pair> pairs() const noexcept { return pairs_; }
  [[nodiscard]] std::span<Pair> pairs() noexcept { return pairs_; }

 private:
  void insert(Pair&& pair);
  // False: none of the pairs may go for the newcomer.
  [[nodiscard]] bool make_room(const Pair& newcomer) noexcept;
  void lower(Pair& pair, std::uint64_t priority);
  void plan(Instant now, Pair& pair) noexcept;
  [[nodiscard]] Pair make_pair(Instant now, const LocalCandidate& local, const RemoteCandidate& remote) const;

  Role role_;
  Timing timing_;
  PairId next_id_ = 1;
  std::vector<Pair> pairs_;
};

}  // namespace fireline::ice
