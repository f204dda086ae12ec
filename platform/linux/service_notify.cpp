#include "platform/linux/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace fireline::platform {
namespace {

constexpr const char* kVariable = "NOTIFY_SOCKET";

}  // namespace

ServiceNotify ServiceNotify::take_environment() {
  const char* value = std::getenv(kVariable);
  std::string socket = value == nullptr ? "" : value;
  ::unsetenv(kVariable);
  return ServiceNotify(std::move(socket));
}

// The manager tells by the time which of several requests this one answers.
std::optional<HostError> ServiceNotify::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

std::optional<HostError> ServiceNotify::status(std::string_view line) const {
  std::string state = "STATUS=";
  state += line.substr(0, line.find('\n'));
  return send(state);
}

std::optional<HostError> ServiceNotify::send(std::string_view state) const {
  if (socket_.empty()) return std::nullopt;
  const std::string what = "notify the service manager at " + socket_;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.front() != '/' && socket_.front() != '@') return host_error(EAFNOSUPPORT, what);
  if (socket_.size() >= sizeof(address.sun_path)) return host_error(ENAMETOOLONG, what);
  socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return host_error(errno, what);
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // MSG_DONTWAIT: a manager that does not read must not hold the program.
  const ssize_t sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), bytes);
  const int code = errno;
  ::close(fd);
  if (sent < 0) return host_error(code, what);
  return std::nullopt;
}

}  // namespace fireline::platform
