#include "io/websocket_pipe.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/websocket/error.hpp>

#include "io/websocket_client.h"

namespace fireline::io {
namespace {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

// What one read may bring: small, for most connections say little; large messages grow by doubling.
constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kReadBytesMax = std::size_t{256} << 10;
// Of a message that nobody has taken yet, beside its text: one without any has a letter in the mailbox all the same.
constexpr std::size_t kMessageCost = 64;

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 123)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

bool is_protocol_error(boost::system::error_code error) {
  return error == websocket::condition::protocol_violation || error == websocket::error::message_too_big ||
         error == websocket::error::buffer_overflow;
}

}  // namespace

WebSocketPipe::WebSocketPipe(WebSocketTransport::Socket socket, Limits limits)
    : stream_(std::move(socket)),
      limits_(limits),
      idle_timer_(stream_.get_executor()),
      close_timer_(stream_.get_executor()),
      stall_timer_(stream_.get_executor()),
      pace_timer_(stream_.get_executor()) {
  stream_.auto_fragment(false);  // portal specification 1.13: one frame for a message
  stream_.text(true);
}

WebSocketPipe::~WebSocketPipe() {
  if (limits_.load != nullptr) limits_.load->unsent.fetch_sub(cost_.load());
}

void WebSocketPipe::start(Events events, Duration idle) {
  events_ = std::move(events);
  idle_ = idle;
  started_ = true;
  last_arrival_ = std::chrono::steady_clock::now();
  // A ping or a pong is a sign of life as well.
  stream_.control_callback(
      [this](websocket::frame_type, boost::beast::string_view) { last_arrival_ = std::chrono::steady_clock::now(); });
  if (idle_ > Duration::zero()) wait_idle();
  read();
}

bool WebSocketPipe::reserve(const OutgoingText& message) noexcept {
  const std::size_t bytes = message.view().size();
  std::size_t none = 0;
  const bool beside = bytes > limits_.queue_bytes / 4 && bytes <= limits_.large_bytes &&
                      large_bytes_.compare_exchange_strong(none, bytes);
  if (!beside && queued_bytes_.fetch_add(bytes) + bytes > limits_.queue_bytes) {
    queued_bytes_.fetch_sub(bytes);
    return false;
  }
  if (limits_.load != nullptr) {
    cost_.fetch_add(message.cost());
    limits_.load->unsent.fetch_add(message.cost());
  }
  return true;
}

void WebSocketPipe::queue(OutgoingText message) {
  if (over_ || closing_) return;
  outgoing_.push_back(std::move(message));
  if (!writing_) write();
}

void WebSocketPipe::delivered(std::size_t bytes) noexcept {
  undelivered_bytes_.fetch_sub(bytes + kMessageCost);
  if (paused_.load()) asio::post(stream_.get_executor(), [self = shared_from_this()] { self->resume(); });
}

void WebSocketPipe::close() {
  if (over_ || closing_) return;
  closing_ = true;
  close_timer_.expires_after(kClosePatience);
  close_timer_.async_wait([self = shared_from_this()](Error error) {
    if (!error) self->end(PipeEnd::closed, "the other side did not answer the close frame");
  });
  if (outgoing_.empty()) send_close();
}

void WebSocketPipe::give_up_slow() {
  end(PipeEnd::slow, "it does not read what it is sent");
}

void WebSocketPipe::abort() {
  over_ = true;
  idle_timer_.cancel();
  close_timer_.cancel();
  stall_timer_.cancel();
  pace_timer_.cancel();
  stream_.control_callback();
  transport().close();
  // Not here: this may be one of its functions that runs, and their captures may hold this object.
  asio::post(stream_.get_executor(), [self = shared_from_this(), events = std::move(events_)] {});
}

// ---- reading ----

void WebSocketPipe::read() {
  if (over_) return;
  // Beast knows one limit, for the message so far and the frame that begins: moved along, it limits each frame.
  stream_.read_message_max(std::min(limits_.message_bytes, incoming_bytes_ + limits_.frame_bytes));
  const std::size_t room = std::clamp(incoming_bytes_, kReadBytes, kReadBytesMax);
  if (incoming_.size() < incoming_bytes_ + room) incoming_.resize(incoming_bytes_ + room);
  stream_.async_read_some(asio::buffer(incoming_.data() + incoming_bytes_, room),
                          [self = shared_from_this()](Error error, std::size_t bytes) { self->on_read(error, bytes); });
}

void WebSocketPipe::on_read(Error error, std::size_t bytes) {
  if (over_) return;
  last_arrival_ = std::chrono::steady_clock::now();
  incoming_bytes_ += bytes;
  if (error) return end_by(error);
  if (!stream_.is_message_done()) return read();
  hand_over();
}

void WebSocketPipe::hand_over() {
  SecretBuffer message = std::move(incoming_);
  message.resize(incoming_bytes_);
  incoming_ = {};
  incoming_bytes_ = 0;
  // While it closes nobody wants more, but the peer's close frame must be read.
  if (closing_) return read();
  undelivered_bytes_.fetch_add(message.size() + kMessageCost);
  events_.message(std::move(message));
  if (over_) return;
  if (may_read()) return read();
  // Whoever of delivered() and this comes second sees what the other did.
  paused_.store(true);
  resume();
}

bool WebSocketPipe::may_read() const noexcept {
  return undelivered_bytes_.load() < limits_.undelivered_bytes && unsent_bytes() < limits_.unsent_pause;
}

void WebSocketPipe::resume() {
  if (may_read() && paused_.exchange(false)) read();
}

// ---- writing ----

void WebSocketPipe::write() {
  writing_ = true;
  watch_writing();
  watch_pace();
  const std::string_view message = outgoing_.front().view();
  stream_.async_write(asio::buffer(message.data(), message.size()),
                      [self = shared_from_this()](Error error, std::size_t) { self->on_written(error); });
}

void WebSocketPipe::on_written(Error error) {
  writing_ = false;
  if (over_) return;
  if (error) return end_by(error);
  // Of two that are as long it does not matter which one is beside the queue: the first frees the place.
  const std::size_t bytes = outgoing_.front().view().size();
  std::size_t large = bytes;
  if (!large_bytes_.compare_exchange_strong(large, 0)) queued_bytes_.fetch_sub(bytes);
  if (limits_.load != nullptr) {
    cost_.fetch_sub(outgoing_.front().cost());
    limits_.load->unsent.fetch_sub(outgoing_.front().cost());
  }
  outgoing_.pop_front();
  if (paused_.load()) resume();
  if (events_.sent) events_.sent();
  if (!outgoing_.empty()) return write();
  if (pace_) pace_->drained = true;
  if (closing_) send_close();
}

// Bytes count, not messages: one message may take a slow line longer than that. They are those that the peer has
// acknowledged, as below.
void WebSocketPipe::watch_writing() {
  if (watching_ || limits_.stall == Duration::zero()) return;
  watching_ = true;
  taken_before_ = transport().acknowledged_bytes();
  stall_timer_.expires_after(limits_.stall);
  stall_timer_.async_wait([self = shared_from_this()](Error error) {
    self->watching_ = false;
    if (error || self->over_ || !self->writing_) return;
    if (self->transport().acknowledged_bytes() == self->taken_before_) return self->give_up_slow();
    self->watch_writing();
  });
}

// A few who read a little at a time would keep everybody waiting. What the peer has acknowledged counts: the kernel
// takes more in large steps, which may be longer apart than the pace.
void WebSocketPipe::watch_pace() {
  if (pace_ || limits_.pace == Duration::zero()) return;
  pace_ = Pace{.taken = transport().acknowledged_bytes(), .owed = unsent_bytes(), .waiting = others_wait()};
  pace_timer_.expires_after(limits_.pace);
  pace_timer_.async_wait([self = shared_from_this()](Error error) {
    const Pace before = *std::exchange(self->pace_, std::nullopt);
    if (error || self->over_ || !self->writing_) return;
    const auto due = before.owed / kPaceShare;
    const bool behind = !before.drained && self->transport().acknowledged_bytes() < before.taken + due;
    if (behind && before.waiting && self->others_wait() && !self->transport().is_writable()) {
      return self->give_up_slow();
    }
    self->watch_pace();
  });
}

bool WebSocketPipe::others_wait() const noexcept {
  return limits_.load != nullptr && limits_.load->others_wait.load();
}

// ---- the end ----

void WebSocketPipe::send_close() {
  if (std::exchange(close_sent_, true)) return;
  stream_.async_close(websocket::close_code::normal,
                      [self = shared_from_this()](Error) { self->end(PipeEnd::closed, ""); });
}

void WebSocketPipe::wait_idle() {
  idle_timer_.expires_at(last_arrival_ + idle_);
  idle_timer_.async_wait([self = shared_from_this()](Error error) {
    if (error || self->over_) return;
    const bool paused = self->paused_.load();  // our own slowness is not the peer's
    if (paused) self->last_arrival_ = std::chrono::steady_clock::now();
    if (self->last_arrival_ + self->idle_ > std::chrono::steady_clock::now()) return self->wait_idle();
    self->end(PipeEnd::idle, "nothing came from it in time");
  });
}

void WebSocketPipe::end(PipeEnd why, const std::string& text) {
  if (over_) return;
  Events events = std::move(events_);
  abort();
  if (started_) events.ended(why, text);
}

void WebSocketPipe::end_by(Error error) {
  if (closing_) return end(PipeEnd::closed, "");
  if (error == websocket::error::closed) {
    const auto& reason = stream_.reason();
    std::string text = "close frame";
    if (reason.code != websocket::close_code::none) text += " " + std::to_string(reason.code);
    const std::string words = printable({reason.reason.data(), reason.reason.size()});
    if (!words.empty()) text += " \"" + words + "\"";
    return end(PipeEnd::closed_by_peer, text);
  }
  if (is_protocol_error(error)) return end(PipeEnd::protocol_error, error.message());
  if (error == asio::error::eof) return end(PipeEnd::closed_by_peer, "end of the stream");
  end(PipeEnd::closed_by_peer, error.message());
}

}  // namespace fireline::io
