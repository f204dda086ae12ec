// One ICE agent: finds, checks and chooses the path between this node and one peer. Sans-I/O. Source: RFC 8445, reduced
// to what the Firezone baseline does: full trickle, one component, UDP, no freezing, no role conflicts, no indications.
//
//   inputs   add_*, invalidate_*, handle_binding, handle_timeout, set_timing: each says what time it is
//   outputs  poll_transmit, poll_event until empty after each input; then poll_timeout says when to call handle_timeout
//
// A datagram to send names its source: a host candidate's address, or a relayed one, through whose relay it goes. What
// cannot be sent (no channel yet) may be dropped: checks are repeated.
// The agent keeps what it was told for as long as it lives; a connection with other credentials is another agent.
//
// Lifetime: random and counters must outlive it. Threads: one owner.
// Limits: kLocalCandidatesMax, kRemoteCandidatesMax, kPairsMax, kResponsesMax. No allocation per datagram once the
// tables have grown.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/ice/addressee.h"
#include "core/ice/agent_counters.h"
#include "core/ice/candidate.h"
#include "core/ice/candidate_text.h"
#include "core/ice/check_list.h"
#include "core/ice/credentials.h"
#include "core/ice/local_candidates.h"
#include "core/ice/nomination.h"
#include "core/ice/remote_candidates.h"
#include "core/ice/timing.h"
#include "core/stun/message_view.h"

namespace fireline::ice {

// Room for a check: header 20, USERNAME 4 + 512, role 12, PRIORITY 8, USE-CANDIDATE 4, integrity 24, FINGERPRINT 8.
inline constexpr std::size_t kTransmitBytesMax = 592;

// Requests in a row that a path leaves unanswered until it counts as silent: after the two checks that silence starts
// (core/node/node_timeout.h) and one more, so that a second without any answer has passed.
inline constexpr std::uint32_t kSilentPathRequests = 3;

// Answers that wait to be fetched: one per handle_binding when the caller drains, some more when it handles a batch
// first.
inline constexpr std::size_t kResponsesMax = 16;

enum class AgentState : std::uint8_t {
  fresh,         // no candidate yet
  checking,      // nothing nominated, something is possible or candidates are missing
  connected,     // a pair is nominated, and others that never were are kept alive
  completed,     // a pair is nominated, and there is no other
  disconnected,  // nothing nominated, and nothing possible; a new candidate leads back to checking
};
[[nodiscard]] std::string_view name_of(AgentState state) noexcept;

struct AgentSettings {
  Role role = Role::controlling;
  Credentials local;
  Credentials remote;
  AgentTag tag = 0;
};

// Where data goes. The kinds are for status alone: two paths are the same when source and destination are.
struct Path {
  Endpoint source;
  CandidateKind source_kind = CandidateKind::host;
  Endpoint destination;
  CandidateKind destination_kind = CandidateKind::host;

  [[nodiscard]] bool is_same(const Path& other) const noexcept {
    return source == other.source && destination == other.destination;
  }
};

struct AgentEvent {
  enum class Kind : std::uint8_t {
    state_changed,
    path_changed,               // `path` carries data from here on; never reported for the path that did before
    peer_reflexive_discovered,  // `remote` may need a channel at the relay
  };
  Kind kind = Kind::state_changed;
  AgentState state = AgentState::fresh;
  Path path;
  Endpoint remote;
};

struct AgentTransmit {
  Endpoint source;
  CandidateKind source_kind = CandidateKind::host;
  Endpoint destination;
  std::size_t bytes = 0;
};

enum class RemoteOutcome : std::uint8_t {
  added,
  re_enabled,
  replaced,  // takes the place of a discovered or optimistic candidate
  known,
  full,
  other_component,
  other_transport,
  other_ufrag,  // not the peer's: of an earlier connection
  unusable_address,
};

class Agent {
 public:
  // The tie-breaker is drawn from `random`, as are the transaction ids.
  Agent(const AgentSettings& settings, crypto::Random& random, Counters<AgentCounter>& counters);

  // What is to be signalled to the peer, with the priority it has here; empty for what is redundant or does not fit.
  std::optional<Candidate> add_local(Instant now, const Candidate& candidate);
  // What is to be signalled as invalid; empty for a host or relayed candidate that was never announced.
  std::optional<Candidate> invalidate_local(Instant now, const Candidate& candidate);

  RemoteOutcome add_remote(Instant now, const CandidateText& text);
  // False when no such candidate was announced or it is invalid already.
  bool invalidate_remote(Instant now, const Candidate& candidate);

  // Whether the message is this agent's: by both user name fragments and MESSAGE-INTEGRITY, or by transaction id.
  [[nodiscard]] bool accepts(const stun::MessageView& message) const noexcept;
  // `destination`: where it arrived, for relayed ones our relayed address. False when dropped; exactly one counter says
  // why.
  bool handle_binding(Instant now, const Endpoint& source, const Endpoint& destination,
                      const stun::MessageView& message);

  // Checks the pairs with that destination, or all of them, at once; failures come in their own time. Returns how many.
  std::size_t probe(Instant now, const std::optional<Endpoint>& destination);

  void set_timing(Instant now, Pace pace);
  [[nodiscard]] Pace timing() const noexcept { return pace_; }

  void handle_timeout(Instant now);
  // A time in the past while something waits in poll_transmit. Empty without pairs.
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept;

  // The next datagram, written into `out` (at least kTransmitBytesMax; aborts otherwise): answers before checks, checks
  // back to back.
  [[nodiscard]] std::optional<AgentTransmit> poll_transmit(Bytes out);
  [[nodiscard]] std::optional<AgentEvent> poll_event() noexcept;

  [[nodiscard]] AgentState state() const noexcept { return state_; }
  // The nominated path that is best now; empty while there is none, though data may still use the one reported last.
  [[nodiscard]] std::optional<Path> path() const noexcept;
  [[nodiscard]] const Pair* selected_pair() const noexcept;
  // None of the paths that ever worked answers at present: the peer is gone, or every way to it. Long before the pairs
  // fail, and no more than a suspicion: loss looks alike.
  [[nodiscard]] bool is_silent() const noexcept;
  [[nodiscard]] std::span<const Pair> pairs() const noexcept { return list_.pairs(); }
  [[nodiscard]] std::span<const LocalCandidate> local_candidates() const noexcept { return local_.entries(); }
  [[nodiscard]] std::span<const RemoteCandidate> remote_candidates() const noexcept { return remote_.entries(); }
  // Whether the peer was ever heard of: by a signalled candidate, also a withdrawn one, or by a valid check.
  [[nodiscard]] bool has_remote_candidate() const noexcept { return remote_.any(); }
  [[nodiscard]] const AgentSettings& settings() const noexcept { return settings_; }

  // What is valid and was to be signalled, for an upsert that signals everything again. visit(const Candidate&), by
  // descending priority.
  template <class Visit>
  void for_each_signalled(Visit&& visit) const {
    for (const auto& candidate : signalled()) visit(candidate);
  }

 private:
  struct Response {
    Endpoint source;
    CandidateKind source_kind;
    Endpoint destination;
    stun::TransactionId id;
  };

  bool handle_request(Instant now, const Endpoint& source, const Endpoint& destination,
                      const stun::MessageView& message);
  bool handle_success(Instant now, const Endpoint& source, const Endpoint& destination,
                      const stun::MessageView& message);
  bool drop(AgentCounter reason) noexcept;
  void use_candidate(Instant now, Pair& pair) noexcept;
  void pair_local(Instant now, const LocalCandidate& local);
  void pair_remote(Instant now, const RemoteCandidate& remote);
  void add_pair(Instant now, const LocalCandidate& local, const RemoteCandidate& remote);
  void settle(Instant now);
  [[nodiscard]] AgentState state_of_pairs() const noexcept;
  [[nodiscard]] Path path_of(const Pair& pair) const noexcept;
  [[nodiscard]] AgentTransmit write_response(const Response& response, Bytes out) const noexcept;
  [[nodiscard]] AgentTransmit write_request(Pair& pair, Bytes out);
  [[nodiscard]] std::vector<Candidate> signalled() const;
  [[nodiscard]] std::uint64_t random_u64() noexcept;

  AgentSettings settings_;
  crypto::Random& random_;
  Counters<AgentCounter>& counters_;
  std::uint64_t tie_breaker_;
  Pace pace_ = Pace::active;
  Instant now_{};  // of the last input

  LocalCandidates local_;
  RemoteCandidates remote_;
  CheckList list_;
  Nomination nomination_;
  AgentState state_ = AgentState::fresh;

  std::array<Response, kResponsesMax> responses_{};
  std::size_t responses_waiting_ = 0;

  // What poll_event told last; it reports differences.
  AgentState reported_state_ = AgentState::fresh;
  std::optional<Path> reported_path_;
  CandidateId reported_remote_ = 0;
};

}  // namespace fireline::ice
