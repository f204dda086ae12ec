#include "tools/common/line_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace fireline {
namespace {

constexpr mode_t kSocketMode = 0660;
constexpr Duration kPatience = std::chrono::seconds(5);

class LineSession final : public io::StreamSession {
 public:
  explicit LineSession(LineServer::Handler& handler) noexcept : handler_(handler) {}

  Step take(std::string_view input, bool ended, io::SecretBuffer& output) override {
    const auto newline = input.find('\n');
    if (newline == std::string_view::npos) return {.consumed = 0, .close = ended};
    io::append(output, handler_(input.substr(0, newline)));
    return {.consumed = newline + 1, .close = true};
  }
  [[nodiscard]] bool is_idle() const override { return false; }

 private:
  LineServer::Handler& handler_;
};

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

}  // namespace

Result<std::unique_ptr<LineServer>, std::string> LineServer::start(io::EventLoop& loop, const std::string& path,
                                                                   Handler handler, io::StreamLimits limits) {
  auto listener = io::UnixListener::listen(path, kSocketMode);
  if (!listener) return err(explain_socket_error(path, listener.error()));
  std::unique_ptr<LineServer> server(new LineServer(std::move(*listener), std::move(handler)));
  server->server_ = std::make_unique<io::StreamServer>(loop, server->listener_.fd(), limits, [self = server.get()] {
    return std::make_unique<LineSession>(self->handler_);
  });
  if (!server->server_->is_serving()) return err(fmt::format("cannot serve {}: too many descriptors", path));
  return server;
}

Result<std::string, std::error_code> ask_line(const std::string& path, std::string_view line) {
  const auto socket = io::connect_unix(path, kPatience);
  if (!socket) return err(socket.error());
  const auto request = std::string(line) + '\n';
  const auto sent = ::send(socket->get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0) return err(last_error());
  if (static_cast<std::size_t>(sent) != request.size()) return err(std::make_error_code(std::errc::io_error));
  std::string answer;
  std::array<char, 65536> chunk;
  while (answer.size() < kAnswerBytesMax) {
    const auto bytes = ::recv(socket->get(), chunk.data(), chunk.size(), 0);
    if (bytes == 0) return answer;
    if (bytes < 0) return err(last_error());
    answer.append(chunk.data(), static_cast<std::size_t>(bytes));
  }
  return err(std::make_error_code(std::errc::value_too_large));
}

std::string explain_socket_error(const std::string& path, std::error_code error) {
  if (error == std::errc::address_in_use) {
    return fmt::format("cannot listen on {}: another process serves this name: end it, or choose another name", path);
  }
  if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted ||
      error == std::errc::read_only_file_system) {
    return fmt::format("cannot create {}: {}: run as root, or give this user write access to the directory", path,
                       error.message());
  }
  if (error == std::errc::file_exists) {
    return fmt::format("cannot create {}: a file that is no socket has this name: remove it", path);
  }
  return fmt::format("cannot listen on {}: {}", path, error.message());
}

}  // namespace fireline
