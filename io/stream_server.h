// A server of stream connections (Unix or TCP) for the control thread: many clients at once, none of which can block
// it.
//
// Each connection has a session that takes input and gives output. Input is read only while no output waits, so a
// client that does not read its answer gets no further one. Output is whole answers: its size is the session's.
// Lifetime: loop and everything that sessions capture must outlive the server. Threads: the loop's.
// Limits: StreamLimits; each has a reason where it is set.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/secret_buffer.h"

namespace fireline::io {

class StreamSession {
 public:
  struct Step {
    std::size_t consumed = 0;  // bytes of the input that are dealt with
    bool close = false;        // close once the output is written
  };

  virtual ~StreamSession() = default;
  // Called with all input not yet consumed whenever some arrived, and again while it consumes something and leaves no
  // output. With `ended` the client sends nothing more. A session that consumes nothing of a full buffer is closed.
  virtual Step take(std::string_view input, bool ended, SecretBuffer& output) = 0;
  // Between two requests: the longer patience applies.
  [[nodiscard]] virtual bool is_idle() const = 0;
};

struct StreamLimits {
  std::size_t clients_max;  // further clients wait in the kernel's backlog
  std::size_t input_bytes;  // unconsumed input of one client
  Duration stall;           // for a whole request, and for the whole of its answer
  Duration idle;            // between two requests
  // At clients_max a new client takes the place of the one that has sent no whole request for longest, so that idle
  // connections of strangers keep nobody out. It waits where all of them have an answer to read.
  bool displace = false;
};

class StreamServer {
 public:
  using SessionFactory = std::move_only_function<std::unique_ptr<StreamSession>()>;

  // `listener` is a non-blocking listening socket; the caller keeps it open longer than the server.
  StreamServer(EventLoop& loop, int listener, StreamLimits limits, SessionFactory make_session);
  ~StreamServer();
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  // False when the loop had no place for the listener.
  [[nodiscard]] bool is_serving() const noexcept { return listening_ != EventLoop::Id::none; }
  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  // Clients that were closed because they ran out of time.
  [[nodiscard]] std::uint64_t timed_out() const noexcept { return timed_out_; }
  // Clients that were closed because a new one took their place.
  [[nodiscard]] std::uint64_t displaced() const noexcept { return displaced_; }

 private:
  struct Client {
    FileDescriptor socket;
    std::unique_ptr<StreamSession> session;
    SecretBuffer input;
    SecretBuffer output;
    std::size_t written = 0;  // of output
    bool ended = false;
    bool closing = false;
    bool busy = false;         // which patience the timer was set for
    bool renew_timer = false;  // a request or an answer was completed since
    std::uint64_t since = 0;   // order of its accept or last whole request, the later of both
    EventLoop::Id watch = EventLoop::Id::none;
    EventLoop::Id timer = EventLoop::Id::none;
  };
  enum class Progress : std::uint8_t { made, blocked, over };

  void accept_all();
  bool accept_one(FileDescriptor socket);
  [[nodiscard]] std::optional<std::uint64_t> who_gives_way() const noexcept;
  void pause_accepting();
  void serve(std::uint64_t key, EventLoop::Events events);
  Progress read_some(Client& client);
  Progress hand_over(Client& client);
  Progress write_some(Client& client);
  void set_timer(std::uint64_t key, Client& client);
  void drop(std::uint64_t key);

  EventLoop& loop_;
  int listener_;
  StreamLimits limits_;
  SessionFactory make_session_;
  EventLoop::Id listening_ = EventLoop::Id::none;
  EventLoop::Id resume_ = EventLoop::Id::none;
  std::uint64_t last_key_ = 0;
  std::uint64_t last_since_ = 0;
  std::uint64_t timed_out_ = 0;
  std::uint64_t displaced_ = 0;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace fireline::io
