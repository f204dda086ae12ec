// The status socket /var/run/fireline/INTERFACE.sock, mode 0660, and its client, fireline-wg --status.
// A request is one line: "status" for JSON, "status text" for a person. The answer ends with the connection.
//
// Lifetime: loop and backend outlive the server. Threads: the server on the loop's; the client on any.
#pragma once
#include <memory>
#include <string>

#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/stream_server.h"
#include "io/unix_socket.h"
#include "tools/wg/wg_backend.h"

namespace fireline::wg {

// Somebody may watch it with a loop in a shell; requests are a line, answers are written at once.
inline constexpr io::StreamLimits kStatusLimits{
    .clients_max = 8, .input_bytes = 64, .stall = std::chrono::seconds(5), .idle = std::chrono::seconds(5)};
inline constexpr const char* kStatusDirectory = "/var/run/fireline";

class StatusServer {
 public:
  // The error is one sentence for the person who started the program.
  [[nodiscard]] static Result<std::unique_ptr<StatusServer>, std::string> start(
      io::EventLoop& loop, WgBackend& backend, const std::string& interface_name,
      const std::string& directory = kStatusDirectory, io::StreamLimits limits = kStatusLimits);

  [[nodiscard]] const std::string& path() const noexcept { return listener_.path(); }

 private:
  explicit StatusServer(io::UnixListener listener) noexcept : listener_(std::move(listener)) {}

  io::UnixListener listener_;
  std::unique_ptr<io::StreamServer> server_;
};

// Asks the process that serves the interface; gives its answer, or one sentence. Waits for at most a few seconds.
[[nodiscard]] Result<std::string, std::string> fetch_status(const std::string& interface_name, bool json,
                                                            const std::string& directory = kStatusDirectory);

}  // namespace fireline::wg
