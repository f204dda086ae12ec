// Timers: handshake and join (deadline_), heartbeat (next_beat_), the next attempt (deadline_ and resolve_until_).
#include "core/portal/channel.h"

#include <algorithm>
#include <utility>

namespace fireline::portal {
namespace {

constexpr int kRequestTimeout = 408;
constexpr int kTooManyRequests = 429;
constexpr std::size_t kBodyCharactersMax = 200;

// Texts of a server go into logs: one line, nothing unprintable, not long.
std::string printable(std::string_view text) {
  std::string kept;
  for (const char c : text.substr(0, kBodyCharactersMax)) kept += c >= ' ' && c <= '~' ? c : '?';
  return kept;
}

// What a person can do about a login that no attempt will change.
std::string_view fix_of(int status) noexcept {
  switch (status) {
    case 401:
    case 403:
      return ": give it a token of this kind of program that is neither revoked nor expired";
    case 404:
      return ": does the URL name a portal, with the path that it has there?";
    case 422:
      return ": change the name, id or addresses that it objects to";
    default:
      return "";
  }
}

}  // namespace

std::string_view name_of(ChannelState state) noexcept {
  switch (state) {
    case ChannelState::closed:
      return "closed";
    case ChannelState::resolving:
      return "resolving";
    case ChannelState::connecting:
      return "connecting";
    case ChannelState::joining:
      return "joining";
    case ChannelState::joined:
      return "joined";
    case ChannelState::waiting:
      return "waiting";
    case ChannelState::ended:
      break;
  }
  return "ended";
}

std::string_view name_of(ChannelCounter counter) noexcept {
  switch (counter) {
    case ChannelCounter::connections:
      return "portal.connections";
    case ChannelCounter::joins:
      return "portal.joins";
    case ChannelCounter::losses:
      return "portal.losses";
    case ChannelCounter::pushes:
      return "portal.pushes";
    case ChannelCounter::sent:
      return "portal.sent";
    case ChannelCounter::drop_not_json:
      return "portal.drop.not_json";
    case ChannelCounter::drop_bad_frame:
      return "portal.drop.bad_frame";
    case ChannelCounter::drop_stray:
      return "portal.drop.stray";
    case ChannelCounter::drop_refused:
      return "portal.drop.refused";
    case ChannelCounter::drop_overflow:
      return "portal.drop.overflow";
    case ChannelCounter::drop_duplicate:
      return "portal.drop.duplicate";
    case ChannelCounter::drop_abandoned:
      return "portal.drop.abandoned";
    case ChannelCounter::drop_not_started:
      return "portal.drop.not_started";
    case ChannelCounter::count_:
      break;
  }
  return "";
}

Channel::Channel(ChannelOptions options, crypto::Random& random) : options_(std::move(options)), random_(random) {}

void Channel::start(Now now, LoginUrl url) {
  if (state_ != ChannelState::closed) return;
  have_addresses_ = url.portal().address().has_value();
  url_ = std::move(url);
  since_ = now.boot;
  resolve_or_connect(now);
}

void Channel::reconnect(Now now, LoginUrl url) {
  if (state_ == ChannelState::closed || state_ == ChannelState::ended) return;
  if (state_ != ChannelState::joined && url == *url_) return;
  counters_.add(ChannelCounter::drop_abandoned, queue_.clear());
  backoff_.reset();
  have_addresses_ = have_addresses_ || url.portal().address().has_value();
  url_ = std::move(url);
  resolve_or_connect(now);
}

void Channel::resume(Now now) {
  if (state_ == ChannelState::joined) return reconnect(now, LoginUrl(*url_));
  backoff_.reset();
  if (state_ == ChannelState::waiting) resolve_or_connect(now);
}

void Channel::stop(Now now, bool gracefully) {
  if (state_ == ChannelState::ended) return;
  if (gracefully && is_open()) {
    actions_.emplace_back(CloseGracefully{});
  } else {
    actions_.emplace_back(Drop{});
  }
  end(now);
}

void Channel::send(Now, std::string_view event, std::string_view payload) {
  if (state_ == ChannelState::closed || state_ == ChannelState::ended) {
    counters_.add(ChannelCounter::drop_not_started);
    return;
  }
  if (queue_.holds(event, payload)) {
    counters_.add(ChannelCounter::drop_duplicate);
    return;
  }
  std::size_t displaced =
      queue_.push({.event = std::string(event), .payload = crypto::SecretText(payload), .ref = next_ref()},
                  state_ == ChannelState::joined ? kBurstMax : kWaitingMax);
  if (displaced > 0 && in_flight_ == InFlight::message) {
    in_flight_ = InFlight::displaced;
    --displaced;
  }
  counters_.add(ChannelCounter::drop_overflow, displaced);
  send_next();
}

void Channel::resolved(Now now, bool usable) {
  if (!resolving_) return;
  look_for_sleep(now);
  resolving_ = false;
  have_addresses_ = usable;
  if (state_ == ChannelState::resolving || (state_ == ChannelState::waiting && now.boot >= deadline_)) try_again(now);
}

void Channel::opened(Now now) {
  if (state_ != ChannelState::connecting) return;
  look_for_sleep(now);
  begin_join(now);
}

void Channel::text(Now now, std::string_view message) {
  if (!is_open()) {
    counters_.add(ChannelCounter::drop_stray);
    return;
  }
  look_for_sleep(now);
  auto frame = read_server_frame(message);
  if (frame) {
    take_frame(now, std::move(*frame));
  } else if (frame.error() == FrameError::not_json) {
    counters_.add(ChannelCounter::drop_not_json);
  } else {
    counters_.add(ChannelCounter::drop_bad_frame);
  }
}

void Channel::written(Now) {
  if (in_flight_ == InFlight::nothing) return;
  if (in_flight_ == InFlight::message) queue_.pop();
  if (in_flight_ == InFlight::message || in_flight_ == InFlight::displaced) counters_.add(ChannelCounter::sent);
  in_flight_ = InFlight::nothing;
  send_next();
}

void Channel::closed(Now now, std::string_view sentence, bool bad_certificate) {
  if (state_ != ChannelState::connecting && !is_open()) return;
  look_for_sleep(now);
  if (bad_certificate) {
    return fail(now,
                "the portal's certificate is not valid: " + printable(sentence) +
                    ": name its issuer with --ca-file, or correct the URL or the clock",
                false);
  }
  lose(now, printable(sentence));
}

void Channel::http_refused(Now now, int status, std::string_view body, std::optional<Duration> retry_after) {
  if (state_ != ChannelState::connecting) return;
  look_for_sleep(now);
  const std::string answer = std::to_string(status) + " " + printable(body);
  const bool temporary = status == kRequestTimeout || status == kTooManyRequests;
  if (status >= 400 && status < 500 && !temporary) {
    const std::string sentence = "the portal refused the login: " + answer + std::string(fix_of(status));
    return fail(now, sentence, status == 401 || status == 403);
  }
  lose(now, "the portal answered " + answer, retry_after);
}

void Channel::handle_timeout(Now now) {
  const auto due = poll_timeout();
  if (!due || now.boot < *due) return;
  look_for_sleep(now);
  switch (state_) {
    case ChannelState::resolving:
    case ChannelState::waiting:
      resolving_ = false;
      try_again(now);
      break;
    case ChannelState::connecting:
      lose(now, "the portal did not complete the WebSocket handshake within 15 s");
      break;
    case ChannelState::joining:
      lose(now, "the portal did not answer the join within 5 s");
      break;
    case ChannelState::joined:
      beat(now);
      break;
    case ChannelState::closed:
    case ChannelState::ended:
      break;
  }
}

std::optional<Instant> Channel::poll_timeout() const noexcept {
  switch (state_) {
    case ChannelState::resolving:
      return resolve_until_;
    case ChannelState::connecting:
    case ChannelState::joining:
      return deadline_;
    case ChannelState::joined:
      return next_beat_;
    case ChannelState::waiting:
      return resolving_ ? std::max(deadline_, resolve_until_) : deadline_;
    case ChannelState::closed:
    case ChannelState::ended:
      break;
  }
  return std::nullopt;
}

std::optional<ChannelAction> Channel::poll_action() {
  if (actions_.empty()) return std::nullopt;
  std::optional<ChannelAction> action(std::move(actions_.front()));
  actions_.pop_front();
  return action;
}

void Channel::resolve_or_connect(Now now) {
  if (have_addresses_) return connect(now);
  forget_connection();
  set_state(now, ChannelState::resolving);
  resolve(now);
}

void Channel::resolve(Now now) {
  resolving_ = true;
  resolve_until_ = now.boot + (have_addresses_ ? kResolvePatience : kFirstResolvePatience);
  actions_.emplace_back(Resolve{.host = url_->portal().host(), .first = !have_addresses_});
}

void Channel::connect(Now now) {
  forget_connection();
  resolving_ = false;
  deadline_ = now.boot + kHandshakeTimeout;
  counters_.add(ChannelCounter::connections);
  set_state(now, ChannelState::connecting);
  actions_.emplace_back(Connect{*url_});
}

void Channel::try_again(Now now) {
  if (have_addresses_) return connect(now);
  lose(now, "the portal's name does not resolve to an address");
}

// Nothing else is sent before the answer: the portal loses what comes early.
void Channel::begin_join(Now now) {
  join_ref_ = next_ref();
  join_unsent_ = true;
  deadline_ = now.boot + kJoinTimeout;
  set_state(now, ChannelState::joining);
  send_next();
}

// The time asleep is none of trying: it does not count towards giving up, nor does the pause before it.
void Channel::look_for_sleep(Now now) {
  if (const auto due = poll_timeout(); due && now.boot - *due >= kTimerLate) backoff_.reset();
}

void Channel::take_frame(Now now, ServerFrame frame) {
  if (const auto* reply = std::get_if<Reply>(&frame)) return take_reply(now, *reply);
  if (auto* push = std::get_if<Push>(&frame)) {
    counters_.add(ChannelCounter::pushes);
    actions_.emplace_back(Message{.event = std::move(push->event), .payload = crypto::SecretText(push->payload)});
    crypto::wipe(std::as_writable_bytes(std::span(push->payload)));
    return;
  }
  if (std::holds_alternative<TokenExpired>(frame))
    return fail(now, "the portal says that the token has expired: give it a new one", true);
  const bool crashed = std::holds_alternative<ChannelError>(frame);
  lose(now, crashed ? "the portal's end of the channel failed" : "the portal closed the channel");
}

void Channel::take_reply(Now now, const Reply& reply) {
  if (join_ref_) {
    if (reply.ref == *join_ref_) return take_join_reply(now, reply);
    counters_.add(ChannelCounter::drop_stray);  // of the time before a second join
    return;
  }
  if (std::ranges::find(unanswered_beats_, reply.ref) != unanswered_beats_.end()) {
    forget_beats();  // an answer to a later one says the same of the earlier ones
    return;
  }
  if (reply.ok) return;
  counters_.add(ChannelCounter::drop_refused);
  if (reply.reason == kUnmatchedTopic) begin_join(now);  // the portal's end is gone and nobody said so
}

void Channel::take_join_reply(Now now, const Reply& reply) {
  if (!reply.ok) return fail(now, "the portal refused the join: " + printable(reply.reason), false);
  join_ref_.reset();
  backoff_.reset();
  forget_beats();
  joined_at_ = now.boot;
  next_beat_ = now.boot + kHeartbeatInterval;
  counters_.add(ChannelCounter::joins);
  set_state(now, ChannelState::joined);
  actions_.emplace_back(Joined{});
  send_next();
}

// One that waits behind a slow write goes with them: its number is theirs.
void Channel::forget_beats() noexcept {
  beat_unsent_ = false;
  unanswered_beats_.clear();
}

// On busy connections too: portals dropped busy peers that sent none. A write that hangs counts as unanswered.
void Channel::beat(Now now) {
  if (unanswered_beats_.size() > kHeartbeatsUnansweredMax) {
    return lose(now, "the portal did not answer " + std::to_string(unanswered_beats_.size()) + " heartbeats");
  }
  unanswered_beats_.push_back(next_ref());
  beat_unsent_ = true;
  next_beat_ = now.boot + kHeartbeatInterval;
  send_next();
}

void Channel::send_next() {
  if (in_flight_ != InFlight::nothing || !is_open()) return;
  const auto emit = [this](InFlight kind, std::string text) {
    in_flight_ = kind;
    actions_.emplace_back(SendText{crypto::SecretText(text)});
    crypto::wipe(std::as_writable_bytes(std::span(text)));
  };
  const std::string_view topic = name_of(options_.role);
  if (std::exchange(join_unsent_, false)) {
    emit(InFlight::join, write_frame(topic, kJoinEvent, options_.join_payload.view(), *join_ref_));
  } else if (state_ != ChannelState::joined) {
    return;
  } else if (std::exchange(beat_unsent_, false)) {
    emit(InFlight::beat, write_frame(kHeartbeatTopic, kHeartbeatEvent, kEmptyObject, unanswered_beats_.back()));
  } else if (!queue_.empty()) {
    const auto& message = queue_.front();
    emit(InFlight::message, write_frame(topic, message.event, message.payload.view(), message.ref));
  }
}

void Channel::lose(Now now, std::string_view sentence, std::optional<Duration> retry_after) {
  counters_.add(ChannelCounter::losses);
  const auto delay = delay_after_loss(now, retry_after);
  if (!delay) {
    return fail(now,
                "gave up after too many attempts: " + std::string(sentence) +
                    ": does the portal run, and does the URL name it?",
                false);
  }
  if (state_ == ChannelState::connecting || is_open()) actions_.emplace_back(Drop{});
  forget_connection();
  set_state(now, ChannelState::waiting);
  deadline_ = now.boot + *delay;
  actions_.emplace_back(Lost{.sentence = std::string(sentence), .delay = *delay});
  if (!url_->portal().address()) resolve(now);
}

std::optional<Duration> Channel::delay_after_loss(Now now, std::optional<Duration> retry_after) {
  const bool settled = state_ != ChannelState::joined || now.boot - joined_at_ >= kSettledAfter;
  const bool first = !backoff_;
  if (first) backoff_.emplace(now.boot, options_.give_up_after);
  // Zero, or a date that has passed, asks for no pause: what the series has is kept then.
  if (retry_after && *retry_after > Duration::zero())
    return backoff_->allows(now.boot, *retry_after) ? retry_after : std::nullopt;
  if (first && settled) return Duration::zero();
  return backoff_->next(now.boot, random_);
}

void Channel::fail(Now now, std::string sentence, bool authentication) {
  actions_.emplace_back(Drop{});
  actions_.emplace_back(Fatal{.sentence = std::move(sentence), .authentication = authentication});
  end(now);
}

void Channel::end(Now now) {
  forget_connection();
  resolving_ = false;
  counters_.add(ChannelCounter::drop_abandoned, queue_.clear());
  set_state(now, ChannelState::ended);
}

void Channel::forget_connection() noexcept {
  join_ref_.reset();
  join_unsent_ = false;
  forget_beats();
  in_flight_ = InFlight::nothing;
}

void Channel::set_state(Now now, ChannelState state) noexcept {
  if ((state == ChannelState::joined) != (state_ == ChannelState::joined)) since_ = now.boot;
  state_ = state;
}

}  // namespace fireline::portal
