#include "tools/wg/status_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "tools/wg/uapi_server.h"

namespace fireline::wg {
namespace {

constexpr mode_t kSocketMode = 0660;
constexpr std::string_view kJsonRequest = "status\n";
constexpr std::string_view kTextRequest = "status text\n";
constexpr Duration kPatience = std::chrono::seconds(5);
// 65,536 peers with ten allowed IPs each stay below it.
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;

class StatusSession final : public io::StreamSession {
 public:
  explicit StatusSession(WgBackend& backend) noexcept : backend_(backend) {}

  Step take(std::string_view input, bool ended, io::SecretBuffer& output) override {
    const auto newline = input.find('\n');
    if (newline == std::string_view::npos) return {.consumed = 0, .close = ended};
    const auto line = input.substr(0, newline + 1);
    if (line == kJsonRequest) {
      io::append(output, status_json(backend_.report()));
    } else if (line == kTextRequest) {
      io::append(output, status_text(backend_.report()));
    } else {
      io::append(output, "{\"error\": \"unknown request: ask for status or status text\"}\n");
    }
    return {.consumed = newline + 1, .close = true};
  }
  [[nodiscard]] bool is_idle() const override { return false; }

 private:
  WgBackend& backend_;
};

}  // namespace

Result<std::unique_ptr<StatusServer>, std::string> StatusServer::start(io::EventLoop& loop, WgBackend& backend,
                                                                       const std::string& interface_name,
                                                                       const std::string& directory,
                                                                       io::StreamLimits limits) {
  const auto path = socket_path(directory, interface_name);
  auto listener = io::UnixListener::listen(path, kSocketMode);
  if (!listener) return err(explain_socket_error(path, listener.error()));
  std::unique_ptr<StatusServer> server(new StatusServer(std::move(*listener)));
  server->server_ = std::make_unique<io::StreamServer>(loop, server->listener_.fd(), limits,
                                                       [&backend] { return std::make_unique<StatusSession>(backend); });
  if (!server->server_->is_serving()) return err(fmt::format("cannot serve {}: too many descriptors", path));
  return server;
}

Result<std::string, std::string> fetch_status(const std::string& interface_name, bool json,
                                              const std::string& directory) {
  const auto path = socket_path(directory, interface_name);
  const auto socket = io::connect_unix(path, kPatience);
  if (!socket) {
    const auto error = socket.error();
    if (error == std::errc::no_such_file_or_directory || error == std::errc::connection_refused) {
      return err(
          fmt::format("no fireline-wg serves {}: start it with: fireline-wg {}", interface_name, interface_name));
    }
    const bool denied = error == std::errc::permission_denied;
    return err(fmt::format("cannot ask {}: {}{}", path, error.message(),
                           denied ? ": run as root or as a member of the socket's group" : ""));
  }
  const auto request = json ? kJsonRequest : kTextRequest;
  if (::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return err(fmt::format("cannot ask {}: {}", path, std::strerror(errno)));
  }
  std::string answer;
  std::array<char, 65536> chunk;
  while (answer.size() < kAnswerBytesMax) {
    const auto bytes = ::recv(socket->get(), chunk.data(), chunk.size(), 0);
    if (bytes == 0) return answer;
    if (bytes < 0) return err(fmt::format("{} does not answer: {}", path, std::strerror(errno)));
    answer.append(chunk.data(), static_cast<std::size_t>(bytes));
  }
  return err(fmt::format("{} answers with more than {} bytes", path, kAnswerBytesMax));
}

}  // namespace fireline::wg
