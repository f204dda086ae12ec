// One relay as a client sees it: our addresses, an allocation of relayed addresses, and channels to peers through it.
// Speaks the dialect of Firezone's nodes and relays: both families in one allocation, realm "firezone", and every
// answer but a Binding's signed, errors included.
//
//   starting ──first Binding answer──▶ allocating ──success──▶ allocated ──lifetime over──▶ suspended
//   suspended ──refresh()──▶ starting       any state ──silence, wrong credentials, 420──▶ discarded
//
// Timers: retransmissions (request.h), keepalive, refresh at half of the lifetime, expiry, and with each run the
// channels that want to be bound again.
//
// Rule of use: after each call drain poll_transmit() and then poll_event() until they are empty, before sending channel
// data: the ChannelBind must leave first. After the event `discarded` nothing happens any more.
// Lifetime: until destroyed; it sends nothing when it goes. Threads: one. Sans-I/O.
// Limits: kBufferedPeersMax, kChallengesMax, kResyncsMax, and those of request.h and channels.h.
// Source: RFC 8489, RFC 8656 and the behaviour of Firezone's nodes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/crypto/random.h"
#include "core/stun/message_view.h"
#include "core/turn/channels.h"
#include "core/turn/credentials.h"
#include "core/turn/event_queue.h"
#include "core/turn/known_candidates.h"
#include "core/turn/relay_addresses.h"
#include "core/turn/request.h"
#include "core/turn/request_message.h"
#include "core/turn/turn_counters.h"

namespace fireline::turn {

inline constexpr Duration kKeepaliveInterval = std::chrono::seconds(25);
// Peers that wait for the allocation: more than the candidates of a few connections that start at once.
inline constexpr std::size_t kBufferedPeersMax = 100;
// A relay that answers every new nonce with another challenge would keep us busy for ever. A nonce lasts for thousands
// of requests, so a second challenge in a row is a race and an eighth one a fault.
inline constexpr std::uint8_t kChallengesMax = 8;
// Likewise a relay that loses each allocation at once: so many new starts within the window, then we wait to be told.
inline constexpr std::uint8_t kResyncsMax = 8;
inline constexpr Duration kResyncWindow = std::chrono::minutes(1);
// Between suspicions that are followed: each pause is twice as long as the one before, until none was raised for the
// longest. Each costs a relay that lives a little of the chance to stay: that its answers are lost.
inline constexpr Duration kSuspicionPauseMin = std::chrono::seconds(1);
inline constexpr Duration kSuspicionPauseMax = std::chrono::minutes(10);

struct AllocationOptions {
  std::string software = "fireline";  // at most 127 characters
  // Accept errors without MESSAGE-INTEGRITY, as other TURN servers send them, and speak as RFC 8656 has it where such a
  // server understands nothing else: no credentials before its NONCE, a Refresh without the Allocate's attributes.
  // Anybody who sees a transaction id can then end the allocation: for tests against such servers alone.
  bool accept_unsigned_errors = false;
};

enum class AllocationState : std::uint8_t { starting, allocating, allocated, suspended, discarded };

struct Transmit {
  Endpoint destination;
  std::size_t bytes = 0;
};

struct ChannelPayload {
  Endpoint peer;
  Endpoint local;  // our relayed address of the peer's family
  ConstBytes payload;
};

struct SendableChannel {
  std::uint16_t number = 0;
  Instant until;  // ask again by then
};

struct AllocationStatus {
  AllocationState state = AllocationState::starting;
  std::optional<Endpoint> server;  // the address in use
  std::optional<Endpoint> relayed_v4;
  std::optional<Endpoint> relayed_v6;
  std::optional<Instant> expires;
  std::size_t bound_channels = 0;
  std::size_t outstanding_requests = 0;
  std::size_t waiting_peers = 0;
};

class Allocation {
 public:
  // Starts at once. The user name has at most stun::kMaxUsernameBytes.
  Allocation(Now now, const RelayAddresses& servers, const Credentials& credentials, AllocationOptions options,
             crypto::Random& random, Counters<TurnCounter>& counters);
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  // A datagram from one of the relay's addresses that looks like a message; `local` is where it arrived. True when it
  // answered one of our requests; everything else is counted.
  bool handle_response(Now now, const Endpoint& source, const Endpoint& local, ConstBytes datagram);
  // A datagram of channel data from the relay. Empty: counted. The payload borrows the datagram. O(1).
  [[nodiscard]] std::optional<ChannelPayload> unwrap(Now now, ConstBytes datagram);

  // The channel on which data for the peer may be sent to server(), right now; the data counts as sent. Empty: drop it;
  // a binding has been started where that makes sense, on behalf of the owner. O(1).
  [[nodiscard]] std::optional<std::uint16_t> channel_for(Now now, const Endpoint& peer,
                                                         ChannelOwner owner = ChannelOwner::nobody);
  // The same question without binding or counting: for data that others send. Checks that go through the channel keep
  // it and stand for the data here.
  [[nodiscard]] std::optional<SendableChannel> channel_to(Now now, const Endpoint& peer) const noexcept;
  // Makes sure that the peer's data can reach us: binds a channel now, or as soon as there is an allocation. Nothing
  // happens when the owner has as many channels as he may have (channels.h).
  void bind(Now now, const Endpoint& peer, ChannelOwner owner = ChannelOwner::nobody);
  // Asks the relay whether the allocation still exists, and believes silence after a second. Starts anew when
  // suspended.
  void refresh(Now now);
  // The same where ICMP says that nobody listens at the relay's address. The relay alone is believed, but its silence
  // sooner: after four times what its slowest answer of late took, at least 250 ms. Data from it meanwhile proves that
  // it lives. False: ignored, too soon after another (kSuspicionPauseMin) or while the relay is being asked.
  bool suspect(Now now);

  // Sends a keepalive and a Refresh at once: nothing came back through it for a moment. An answer from elsewhere than
  // before brings another allocation, and so does a relay that knows this one no more; silence ends it after the usual
  // retransmissions. Where anything was heard meanwhile, a Refresh without an answer brings another one at once.
  void check(Now now);

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout(Now now);
  // Writes one request into at least kMaxRequestBytes.
  [[nodiscard]] std::optional<Transmit> poll_transmit(Bytes out);
  [[nodiscard]] std::optional<Event> poll_event() noexcept { return events_.pop(); }

  // The relay's address in use, to which channel data goes.
  [[nodiscard]] std::optional<Endpoint> server() const noexcept;
  [[nodiscard]] const RelayAddresses& servers() const noexcept { return servers_; }
  [[nodiscard]] const KnownCandidates& candidates() const noexcept { return candidates_; }
  [[nodiscard]] bool uses(const RelayAddresses& servers, const Credentials& credentials) const noexcept;
  [[nodiscard]] AllocationState state() const noexcept;
  [[nodiscard]] AllocationStatus status(Now now) const;

 private:
  struct WaitingPeer {
    Endpoint peer;
    ChannelOwner owner = ChannelOwner::nobody;
  };
  struct Lifetime {
    Instant expires;
    std::optional<Instant> refresh;  // empty while a Refresh is on its way, and when one failed to tell a lifetime
  };

  void start(Instant now);
  void queue(Instant now, RequestKind kind);
  bool refresh_with(Instant now, Request request);  // unless one is on its way
  void queue_bind(Instant now, const Endpoint& peer, ChannelOwner owner);
  void buffer_peer(const Endpoint& peer, ChannelOwner owner);

  [[nodiscard]] bool is_trusted(const Request& request, const stun::MessageView& response);
  void handle_success(Instant now, const Request& request, const Endpoint& local, const stun::MessageView& response);
  void binding_succeeded(Instant now, const Request& request, const Endpoint& local, const stun::MessageView& response);
  void allocate_succeeded(Instant now, const Request& request, const stun::MessageView& response);
  void refresh_succeeded(Instant now, const stun::MessageView& response);
  void handle_error(Instant now, const Request& request, const stun::MessageView& response);
  void challenged(Instant now, const Request& request, std::uint16_t code, const stun::MessageView& response);
  void mismatched(Instant now, const Request& request);
  void refused(Instant now, const Request& request);
  void given_up(Instant now, const Request& request);

  [[nodiscard]] bool has_allocation() const noexcept { return lifetime_.has_value(); }
  [[nodiscard]] bool is_suspended() const noexcept { return !has_allocation() && requests_.empty(); }
  [[nodiscard]] std::optional<Instant> keepalive_due() const noexcept;
  [[nodiscard]] std::optional<Instant> other_family_due() const noexcept;
  void grant(Instant now, std::uint32_t seconds);
  // Counts a new start; false when there were too many of them.
  [[nodiscard]] bool may_resync(Instant now) noexcept;
  void refresh_channels(Instant now);
  void invalidate();
  void discard(DiscardReason reason);
  void discard_if_dead();

  const RelayAddresses servers_;
  const AllocationOptions options_;
  Counters<TurnCounter>& counters_;

  std::optional<Credentials> credentials_;  // empty once the relay has refused them
  std::string nonce_;                       // empty: none known
  Requests requests_;
  Channels channels_;
  KnownCandidates candidates_;
  EventQueue events_;
  std::deque<WaitingPeer> buffered_peers_;

  std::optional<Family> active_;  // of the server address in use: the first that answered
  std::optional<Lifetime> lifetime_;
  // When the address of the other family, which has answered, was last asked how it sees us.
  std::optional<Instant> other_family_asked_;
  Duration slowest_{};    // answer of late, from the first transmission on
  Instant last_sent_{};   // keepalive or channel data
  Instant last_heard_{};  // anything from the relay that was meant for us
  Instant channels_checked_{};
  Instant suspicions_from_{};  // until then they are ignored
  Duration suspicion_pause_{};
  Instant resync_window_start_{};
  std::uint8_t resyncs_ = 0;
  bool ever_answered_ = false;
  bool discarded_ = false;
};

}  // namespace fireline::turn
