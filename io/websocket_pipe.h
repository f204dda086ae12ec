// One WebSocket once its handshake is done, of either side: reads whole messages with limits, writes a bounded queue in
// order, closes within a bounded time. Boost.Beast's stream behind it.
//
// Lifetime: make_shared; operations in flight keep it alive. Of `message` and `ended` the latter is the last and comes
// exactly once after start(), unless abort() was called; what they capture lives until then.
// Threads: the WebSocketThread's; reserve(), unsent_bytes() and delivered() from any. Limits: Limits; messages that
// nobody has taken yet stop the reading. Included by io/websocket*.cpp and their private headers alone.
#pragma once
#include <utility>  // Boost 1.74's Asio needs it first in C++23

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/time.h"
#include "io/outgoing_text.h"
#include "io/secret_buffer.h"
#include "io/websocket_transport.h"

namespace fireline::io {

enum class PipeEnd : std::uint8_t {
  closed_by_peer,  // close frame, end of stream or its failure
  protocol_error,  // frames against RFC 6455, or a limit
  idle,            // nothing came for the time given to start()
  slow,            // the queue of what is to be sent overflowed
  closed,          // close() was called
};

class WebSocketPipe : public std::enable_shared_from_this<WebSocketPipe> {
 public:
  // Messages of either side stay below 10 KiB in practice; a few may wait for a busy loop, one may be of any size.
  static constexpr std::size_t kUndeliveredMax = std::size_t{256} << 10;

  // Each `pace`, of what is unsent: who owes little need not be fast, and all together are done in a bounded time.
  static constexpr std::size_t kPaceShare = 32;

  // Of all pipes of a server.
  struct Load {
    std::atomic<std::size_t> unsent{0};    // what they together hold
    std::atomic<bool> others_wait{false};  // messages wait for less of it
  };

  using Stream = boost::beast::websocket::stream<WebSocketTransport, false>;
  struct Limits {
    std::size_t frame_bytes;
    std::size_t message_bytes;
    std::size_t queue_bytes;  // unsent
    // At a time one message of more than a quarter of queue_bytes may wait beside them if it is no larger; zero: none.
    std::size_t large_bytes = 0;
    std::size_t undelivered_bytes = kUndeliveredMax;
    // While it has that much unsent it is not read: it would ask for more. One side of a connection alone may have it.
    std::size_t unsent_pause = SIZE_MAX;
    // `slow` when the peer takes nothing for that long; zero: never.
    Duration stall = Duration::zero();
    // `slow` when, with others waiting at both ends of that time, the peer has not taken a kPaceShare of what it had
    // to take, never all of it, and its kernel's buffer is full; zero: never.
    Duration pace = Duration::zero();
    // Outlives the pipes. Null: nobody counts, nobody waits.
    Load* load = nullptr;
  };
  struct Events {
    std::move_only_function<void(SecretBuffer message)> message;
    std::move_only_function<void(PipeEnd, const std::string& text)> ended;  // text: "connection reset by peer"
    std::move_only_function<void()> sent{};                                 // a whole message; may be empty
  };

  WebSocketPipe(WebSocketTransport::Socket socket, Limits limits);
  ~WebSocketPipe();
  WebSocketPipe(const WebSocketPipe&) = delete;
  WebSocketPipe& operator=(const WebSocketPipe&) = delete;

  // For the handshakes.
  [[nodiscard]] Stream& stream() noexcept { return stream_; }
  [[nodiscard]] WebSocketTransport& transport() noexcept { return stream_.next_layer(); }

  // Behind a successful handshake. Zero: never idle.
  void start(Events events, Duration idle = Duration::zero());

  // Any thread, before queue(): false when the message does not fit.
  [[nodiscard]] bool reserve(const OutgoingText& message) noexcept;
  // A message for which reserve() was called.
  void queue(OutgoingText message);
  // Any thread: of what was reserved.
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return queued_bytes_.load() + large_bytes_.load(); }
  // Any thread: the message is done with.
  void delivered(std::size_t bytes) noexcept;

  // Behind what is queued; over after kClosePatience.
  void close();
  // As close(), at once and as `slow`.
  void give_up_slow();
  // At once and in silence.
  void abort();

 private:
  using Error = boost::system::error_code;

  void read();
  void on_read(Error error, std::size_t bytes);
  void hand_over();
  [[nodiscard]] bool may_read() const noexcept;
  void resume();
  void write();
  void watch_writing();
  void watch_pace();
  [[nodiscard]] bool others_wait() const noexcept;
  void on_written(Error error);
  void send_close();
  void wait_idle();
  void end(PipeEnd why, const std::string& text);
  void end_by(Error error);

  Stream stream_;
  const Limits limits_;
  Events events_;
  SecretBuffer incoming_;
  std::size_t incoming_bytes_ = 0;  // of it, what has arrived
  std::deque<OutgoingText> outgoing_;
  bool started_ = false;
  bool writing_ = false;
  bool closing_ = false;     // close() was called
  bool close_sent_ = false;  // at most once: Beast insists
  bool over_ = false;
  std::atomic<std::size_t> queued_bytes_{0};
  std::atomic<std::size_t> large_bytes_{0};  // of the one that waits beside them
  std::atomic<std::size_t> cost_{0};         // its part of Load::unsent
  std::atomic<std::size_t> undelivered_bytes_{0};
  std::atomic<bool> paused_{false};
  boost::asio::steady_timer idle_timer_;
  boost::asio::steady_timer close_timer_;
  boost::asio::steady_timer stall_timer_;
  boost::asio::steady_timer pace_timer_;
  bool watching_ = false;           // the stall timer runs
  std::uint64_t taken_before_ = 0;  // when it was set
  // When the pace timer was set, while it runs.
  struct Pace {
    std::uint64_t taken = 0;
    std::size_t owed = 0;
    bool waiting = false;
    bool drained = false;  // nothing was left to send since
  };
  std::optional<Pace> pace_;
  std::chrono::steady_clock::time_point last_arrival_;
  Duration idle_{0};
};

}  // namespace fireline::io
