// The requests of one allocation that are to be sent or wait for an answer, by transaction id, and when each is sent
// again. Transmissions at 0, 1, 2.5 and 4.75 s; given up at 8.125 s, the first timeout after 8 s.
// An authenticated request is signed anew, under a new transaction id, whenever it is sent: an answer to an earlier
// transmission is unknown. A Binding keeps its id, and so does a suspicion's probe.
//
// Lifetime: owned by an allocation. Threads: one. Allocates up to the largest number ever outstanding, then never.
// Limits: kChannelBindsMax; of the other kinds the allocation keeps one each at most, of Bindings one per address.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/stun/header.h"

namespace fireline::turn {

inline constexpr Duration kFirstTimeout = std::chrono::seconds(1);
inline constexpr Duration kGiveUpAfter = std::chrono::seconds(8);
inline constexpr Duration kProbeGiveUpAfter = std::chrono::seconds(1);  // sent once
// Of a probe that ICMP asked for: so many times what the slowest answer of late took, and at least what a busy relay
// may take; at most kProbeGiveUpAfter. It is sent again at half of that, or whoever forges errors would make a single
// lost datagram the loss of the relay, and has the other half after that, however late the owner is.
inline constexpr int kSuspicionAnswers = 4;
inline constexpr Duration kSuspicionGiveUpMin = std::chrono::milliseconds(250);
// Finding a request is a linear search; five times the peers that can wait for an allocation keeps that under a
// microsecond or two, and whoever finds no room asks again with the next packet.
inline constexpr std::size_t kChannelBindsMax = 512;

enum class RequestKind : std::uint8_t {
  binding,
  allocate,
  refresh,
  probe,   // a Refresh that asks whether the allocation still exists: sent once
  remove,  // a Refresh with lifetime 0
  channel_bind,
};

[[nodiscard]] constexpr stun::Method method_of(RequestKind kind) noexcept {
  switch (kind) {
    case RequestKind::binding:
      return stun::Method::binding;
    case RequestKind::allocate:
      return stun::Method::allocate;
    case RequestKind::refresh:
    case RequestKind::probe:
    case RequestKind::remove:
      return stun::Method::refresh;
    case RequestKind::channel_bind:
      break;
  }
  return stun::Method::channel_bind;
}

struct Request {
  RequestKind kind = RequestKind::binding;
  Family server = Family::v4;   // to which of the relay's addresses
  Endpoint peer{};              // of a ChannelBind
  std::uint16_t channel = 0;    // of a ChannelBind
  std::uint8_t challenges = 0;  // how often the relay asked for another nonce
  bool suspicion = false;       // of a probe: ICMP said that nobody listens there
  bool check = false;           // of a Refresh: it came before its time, because nothing came back for a moment
  bool nonce_sent = false;      // the last transmission carried one
  bool retransmitted = false;
  bool to_send = true;  // waits for next_unsent()
  stun::TransactionId id{};
  Instant first_sent{};
  Instant due{};  // of the next transmission, or of giving up
  Duration timeout = kFirstTimeout;
  Duration budget = kGiveUpAfter;  // set by add() but for a suspicion
};

class Requests {
 public:
  explicit Requests(crypto::Random& random) noexcept : random_(random) {}

  // Starts with a full budget. Aborts beyond kChannelBindsMax ChannelBinds: ask room_for_bind() first.
  void add(Instant now, Request request);
  [[nodiscard]] bool room_for_bind() const noexcept { return binds_ < kChannelBindsMax; }

  [[nodiscard]] const Request* find(const stun::TransactionId& id) const noexcept;
  // Removes one that find() returned.
  Request take(const Request& request);

  // The oldest request that is to be sent, for the caller to write; it then waits for its answer. The pointer is good
  // until the next call.
  [[nodiscard]] const Request* next_unsent(bool has_nonce) noexcept;

  // Of the earliest retransmission or give-up.
  [[nodiscard]] std::optional<Instant> next_due() const noexcept;
  // Queues what is due for sending; takes and returns one request that has run out of its budget. Repeat until empty.
  [[nodiscard]] std::optional<Request> handle_due(Instant now);

  [[nodiscard]] bool has(RequestKind kind) const noexcept;
  [[nodiscard]] bool has_binding(Family server) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return requests_.size(); }
  [[nodiscard]] bool empty() const noexcept { return requests_.empty(); }
  void clear() noexcept;
  void clear_authenticated() noexcept;  // all but Bindings

 private:
  Request take_at(std::size_t position);
  [[nodiscard]] stun::TransactionId new_id() noexcept;

  crypto::Random& random_;
  std::vector<Request> requests_;  // in the order in which they were made
  std::size_t unsent_ = 0;
  std::size_t binds_ = 0;
};

}  // namespace fireline::turn
