// The control channel of a program: one topic on one WebSocket, joined, kept alive, reconnected. Sans-I/O.
//
//   closed ──start──▶ resolving ──▶ connecting ──opened──▶ joining ──ok──▶ joined
//                        ▲               ▲ any transient error  │            │
//                        └── waiting ◀───┴──────────────────────┴────────────┘   (and `ended` after a fatal one)
//
// Source: portal specification 1.7 to 1.12 and 10. Rules of use: one owner thread; after each input drain poll_action()
// until it is empty; call handle_timeout() at poll_timeout(). An action `Connect` replaces any connection there was and
// `Drop` ends one; after either no input of the earlier connection may be passed on.
// One text is in flight: after `SendText` the owner calls written() when the socket has taken it, and until then no
// other comes; a connection that is lost before has the message sent again on the next one.
// Limits: kWaitingMax messages wait; the constants below. Every frame that is dropped adds to one counter.
// Secrets: LoginUrl wipes itself; payloads are wiped when they were sent or handed out.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/crypto/secret_text.h"
#include "core/portal/backoff.h"
#include "core/portal/frame.h"
#include "core/portal/login_url.h"
#include "core/portal/outgoing_queue.h"
#include "core/portal/role.h"

namespace fireline::portal {

// TCP, TLS and WebSocket handshake together: a load balancer may accept and never answer.
inline constexpr Duration kHandshakeTimeout = std::chrono::seconds(15);
inline constexpr Duration kJoinTimeout = std::chrono::seconds(5);
// Sent on busy connections too. One more than kHeartbeatsUnansweredMax unanswered and the next is a reconnect.
inline constexpr Duration kHeartbeatInterval = std::chrono::seconds(10);
inline constexpr std::size_t kHeartbeatsUnansweredMax = 3;
// A resolver that does not answer keeps nobody from the addresses known before.
inline constexpr Duration kResolvePatience = std::chrono::seconds(5);
// Without any address there is nothing to go on with, and asking anew ends the question under way: the system's
// resolver gives a dead name server 5 s, twice, and may have three.
inline constexpr Duration kFirstResolvePatience = std::chrono::seconds(30);
// A connection that was joined for less gets no free first attempt: a portal that accepts and drops at once would be
// called in a loop.
inline constexpr Duration kSettledAfter = std::chrono::seconds(1);
// A timer that comes this late comes behind a sleep, of which nobody may have told yet.
inline constexpr Duration kTimerLate = std::chrono::seconds(10);

enum class ChannelState : std::uint8_t { closed, resolving, connecting, joining, joined, waiting, ended };
[[nodiscard]] std::string_view name_of(ChannelState state) noexcept;

enum class ChannelCounter : std::uint8_t {
  connections,       // connection attempts
  joins,             // joins that were accepted
  losses,            // transient errors, each followed by another attempt
  pushes,            // messages handed out
  sent,              // messages given to the socket and taken by it
  drop_not_json,     // frames cut off or malformed
  drop_bad_frame,    // frames of wrong shape, too large, or with an unknown reason
  drop_stray,        // replies that nobody waits for, texts without a connection
  drop_refused,      // our messages that the portal answered with an error
  drop_overflow,     // our messages that waited when the queue was full
  drop_duplicate,    // our messages that waited already
  drop_abandoned,    // our messages that waited at an explicit reconnect or at the end
  drop_not_started,  // our messages before start() or after the end
  count_
};
[[nodiscard]] std::string_view name_of(ChannelCounter counter) noexcept;  // "portal.joins"

// The host's addresses are wanted; resolved() answers. A later one takes its place. Addresses are not asked for when
// the host is one. `first`: there were none before, so that the tunnel is not up
// and the system's resolver may be asked.
struct Resolve {
  std::string host;
  bool first = false;
};
struct Connect {
  LoginUrl url;
};
struct SendText {
  crypto::SecretText text;
};
// Ends the connection without a close frame; nothing happens when there is none.
struct Drop {};
// Ends it with a close frame: after stop().
struct CloseGracefully {};
struct Joined {};
// Transient. `delay` until the next attempt at the earliest.
struct Lost {
  std::string sentence;
  Duration delay{};
};
struct Message {
  std::string event;
  crypto::SecretText payload;  // JSON
};
// The program ends; nothing follows. `authentication`: the token is not good.
struct Fatal {
  std::string sentence;
  bool authentication = false;
};
using ChannelAction = std::variant<Resolve, Connect, SendText, Drop, CloseGracefully, Joined, Lost, Message, Fatal>;

struct ChannelOptions {
  Role role = Role::client;
  crypto::SecretText join_payload{"null"};  // JSON; relays: write_relay_join()
  std::optional<Duration> give_up_after;    // empty: never
};
// Gateways and relays, since the first error of a series.
inline constexpr Duration kGiveUpAfter = std::chrono::minutes(15);

class Channel {
 public:
  Channel(ChannelOptions options, crypto::Random& random);

  // Resolves and connects. Once.
  void start(Now now, LoginUrl url);
  // Logs in anew: with another key, or because no relay is left. Forgets waiting messages and the backoff and connects
  // at once to the addresses that are known. Nothing happens when a connection with the same URL is under way already,
  // the waiting between two attempts included.
  void reconnect(Now now, LoginUrl url);
  // The machine slept, and nothing was tried meanwhile: a new series of attempts, the first of them at once. A joined
  // channel connects anew, as by reconnect(); an attempt under way goes on.
  void resume(Now now);
  // Ends for good; what waits is not sent any more. The data plane's goodbyes are the owner's.
  void stop(Now now, bool gracefully);

  // Each message is JSON, `event` any but Phoenix's own. It may wait for the next join.
  void send(Now now, std::string_view event, std::string_view payload);

  // After `Resolve`, whatever came of it. `usable`: there is an address to try, an earlier one included.
  void resolved(Now now, bool usable);
  void opened(Now now);
  void text(Now now, std::string_view message);
  // The last SendText was taken by the socket.
  void written(Now now);
  // Could not connect, or was lost. A certificate that does not verify is fatal.
  void closed(Now now, std::string_view sentence, bool bad_certificate = false);
  // An answer other than 101. `retry_after` replaces the computed delay unless it is zero.
  void http_refused(Now now, int status, std::string_view body, std::optional<Duration> retry_after = std::nullopt);

  void handle_timeout(Now now);
  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept;
  [[nodiscard]] std::optional<ChannelAction> poll_action();

  [[nodiscard]] ChannelState state() const noexcept { return state_; }
  // Since when the state is joined, or is not.
  [[nodiscard]] Instant since() const noexcept { return since_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }
  [[nodiscard]] const Counters<ChannelCounter>& counters() const noexcept { return counters_; }

 private:
  void resolve_or_connect(Now now);
  void resolve(Now now);
  void connect(Now now);
  void try_again(Now now);
  void begin_join(Now now);
  void look_for_sleep(Now now);
  void take_frame(Now now, ServerFrame frame);
  void take_reply(Now now, const Reply& reply);
  void take_join_reply(Now now, const Reply& reply);
  void forget_beats() noexcept;
  void beat(Now now);
  void send_next();
  void lose(Now now, std::string_view sentence, std::optional<Duration> retry_after = std::nullopt);
  [[nodiscard]] std::optional<Duration> delay_after_loss(Now now, std::optional<Duration> retry_after);
  void fail(Now now, std::string sentence, bool authentication);
  void end(Now now);
  void forget_connection() noexcept;
  void set_state(Now now, ChannelState state) noexcept;
  [[nodiscard]] bool is_open() const noexcept {
    return state_ == ChannelState::joining || state_ == ChannelState::joined;
  }
  [[nodiscard]] std::uint64_t next_ref() noexcept { return next_ref_++; }

  ChannelOptions options_;
  crypto::Random& random_;
  std::optional<LoginUrl> url_;
  ChannelState state_ = ChannelState::closed;
  Instant since_{};
  Instant joined_at_{};

  std::uint64_t next_ref_ = 0;  // of the process: goes on over reconnects
  std::optional<std::uint64_t> join_ref_;
  bool join_unsent_ = false;
  bool beat_unsent_ = false;
  std::vector<std::uint64_t> unanswered_beats_;  // at most kHeartbeatsUnansweredMax + 1

  // The text that written() will be about; `displaced`: a message that has left the queue meanwhile.
  enum class InFlight : std::uint8_t { nothing, join, beat, message, displaced } in_flight_ = InFlight::nothing;

  OutgoingQueue queue_;
  std::optional<Backoff> backoff_;
  bool have_addresses_ = false;
  bool resolving_ = false;
  Instant deadline_{};       // of handshake or join; of waiting the earliest next attempt
  Instant resolve_until_{};  // while resolving_
  Instant next_beat_{};      // while joined

  std::deque<ChannelAction> actions_;
  Counters<ChannelCounter> counters_;
};

}  // namespace fireline::portal
