// The configuration socket /var/run/wireguard/INTERFACE.sock: framing and answers; uapi.h has the text.
// Several operations per connection; an unknown operation, a line over the limit or an end within a request is
// answered with an errno and ends the connection; a bad value is answered and the connection goes on.
//
// Lifetime: loop and backend outlive the server. Threads: the loop's.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/file_watch.h"
#include "io/stream_server.h"
#include "io/unix_socket.h"
#include "tools/wg/wg_backend.h"

namespace fireline::wg {

// One connection. Sans-I/O but for the backend it calls.
class UapiSession final : public io::StreamSession {
 public:
  explicit UapiSession(WgBackend& backend) noexcept;
  Step take(std::string_view input, bool ended, io::SecretBuffer& output) override;
  [[nodiscard]] bool is_idle() const override { return state_ == State::operation; }

 private:
  enum class State : std::uint8_t { operation, get, set };
  Step take_line(std::string_view line, io::SecretBuffer& output);
  void answer_get(io::SecretBuffer& output);
  void answer_set(io::SecretBuffer& output);
  [[nodiscard]] Step refuse(int code, std::string_view sentence, io::SecretBuffer& output);

  WgBackend& backend_;
  State state_ = State::operation;
  UapiSetParser parser_;
};

// wg opens one connection per command; a few dashboards hold one open. Input: some lines, see kUapiLineBytesMax.
// Stall: a request of 16 MiB takes less than a second from a program; a person with netcat gets half a minute.
inline constexpr io::StreamLimits kUapiLimits{
    .clients_max = 16, .input_bytes = 8192, .stall = std::chrono::seconds(30), .idle = std::chrono::minutes(10)};

class UapiServer {
 public:
  static constexpr const char* kDirectory = "/var/run/wireguard";

  // `removed` is called once when somebody takes the socket's file away: the way wg-quick and people end a userspace
  // device. The error is one sentence for the person who started the program.
  [[nodiscard]] static Result<std::unique_ptr<UapiServer>, std::string> start(io::EventLoop& loop, WgBackend& backend,
                                                                              const std::string& interface_name,
                                                                              std::move_only_function<void()> removed,
                                                                              const std::string& directory = kDirectory,
                                                                              io::StreamLimits limits = kUapiLimits);

  [[nodiscard]] const std::string& path() const noexcept { return listener_.path(); }
  [[nodiscard]] const io::StreamServer& clients() const noexcept { return *server_; }

 private:
  explicit UapiServer(io::UnixListener listener) noexcept : listener_(std::move(listener)) {}

  io::UnixListener listener_;
  std::unique_ptr<io::FileWatch> watch_;
  std::unique_ptr<io::StreamServer> server_;
};

// A directory of sockets with the file INTERFACE.sock in it.
[[nodiscard]] std::string socket_path(const std::string& directory, const std::string& interface_name);

}  // namespace fireline::wg
