// A Unix socket that answers one line with one text and closes, and its client: status and commands of a program.
//
// Lifetime: loop, and what the handler captures, outlive the server. Threads: the server on the loop's; the client on
// any. Limits: kLineLimits; an answer of kAnswerBytesMax.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/stream_server.h"
#include "io/unix_socket.h"

namespace fireline {

// Somebody may watch it with a loop in a shell; requests are a line, answers are written at once.
inline constexpr io::StreamLimits kLineLimits{
    .clients_max = 8, .input_bytes = 64, .stall = std::chrono::seconds(5), .idle = std::chrono::seconds(5)};
// 65,536 WireGuard peers with ten allowed IPs each stay below it.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;

class LineServer {
 public:
  // The answer to a line, which comes without its end.
  using Handler = std::move_only_function<std::string(std::string_view line)>;

  // Mode 0660. The error is one sentence for the person who started the program.
  [[nodiscard]] static Result<std::unique_ptr<LineServer>, std::string> start(io::EventLoop& loop,
                                                                              const std::string& path, Handler handler,
                                                                              io::StreamLimits limits = kLineLimits);

  [[nodiscard]] const std::string& path() const noexcept { return listener_.path(); }

 private:
  LineServer(io::UnixListener listener, Handler handler) noexcept
      : listener_(std::move(listener)), handler_(std::move(handler)) {}

  io::UnixListener listener_;
  Handler handler_;
  std::unique_ptr<io::StreamServer> server_;
};

// Sends one line and gives the whole answer. Waits for at most a few seconds. no_such_file_or_directory and
// connection_refused mean that nobody serves there; value_too_large an answer beyond the limit.
[[nodiscard]] Result<std::string, std::error_code> ask_line(const std::string& path, std::string_view line);

// The sentence for a socket that could not be made: name taken, no permission, or the errno.
[[nodiscard]] std::string explain_socket_error(const std::string& path, std::error_code error);

}  // namespace fireline
