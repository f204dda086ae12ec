#include "io/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace fireline::io {
namespace {

// As many connections as the servers hold at once; more are refused by the kernel until some are accepted.
constexpr int kBacklog = 64;

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

std::optional<sockaddr_un> address_of(const std::string& path) noexcept {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  return address;
}

int bind_to(int fd, const sockaddr_un& address) noexcept {
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

// Those above the file, whatever the umask allows.
std::error_code make_directories(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const auto directory = path.substr(0, slash);
    if (::mkdir(directory.c_str(), 0755) != 0) {
      if (errno == EEXIST) continue;
      return last_error();
    }
    if (::chmod(directory.c_str(), 0755) != 0) return last_error();
  }
  return {};
}

// Removes the file of a socket whose process is gone.
std::error_code remove_stale(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? std::error_code() : last_error();
  if (!S_ISSOCK(status.st_mode)) return std::make_error_code(std::errc::file_exists);
  // With no time to wait, a living process whose backlog is full answers EAGAIN.
  const auto living = connect_unix(path, std::chrono::microseconds(1));
  if (living || living.error().value() != ECONNREFUSED) return std::make_error_code(std::errc::address_in_use);
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? std::error_code() : last_error();
}

}  // namespace

Result<UnixListener, std::error_code> UnixListener::listen(const std::string& path, mode_t mode) {
  const auto address = address_of(path);
  if (!address) return err(std::make_error_code(std::errc::filename_too_long));
  if (const auto error = make_directories(path)) return err(error);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return err(last_error());
  // The file takes its mode from the socket, so that there is no moment in which others may connect.
  if (::fchmod(socket.get(), mode) != 0) return err(last_error());
  if (bind_to(socket.get(), *address) != 0) {
    if (errno != EADDRINUSE) return err(last_error());
    if (const auto refusal = remove_stale(path)) return err(refusal);
    if (bind_to(socket.get(), *address) != 0) return err(last_error());
  }
  UnixListener listener(std::move(socket), path);
  // The process's umask may have taken bits away.
  if (::chmod(path.c_str(), mode) != 0) return err(last_error());
  if (::listen(listener.fd(), kBacklog) != 0) return err(last_error());
  return listener;
}

UnixListener::UnixListener(FileDescriptor socket, std::string path) noexcept
    : socket_(std::move(socket)), path_(std::move(path)) {
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::move(other.socket_);
    path_ = std::move(other.path_);
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

bool UnixListener::is_in_place() const noexcept {
  struct stat status{};
  return ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

void UnixListener::close() noexcept {
  if (!socket_) return;
  if (is_in_place()) ::unlink(path_.c_str());
  socket_.reset();
}

Result<FileDescriptor, std::error_code> connect_unix(const std::string& path, Duration patience) {
  const auto address = address_of(path);
  if (!address) return err(std::make_error_code(std::errc::filename_too_long));
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return err(last_error());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  timeval limit{};
  limit.tv_sec = static_cast<time_t>(seconds.count());
  limit.tv_usec = static_cast<suseconds_t>(std::chrono::ceil<std::chrono::microseconds>(patience - seconds).count());
  for (const int option : {SO_SNDTIMEO, SO_RCVTIMEO}) {
    if (::setsockopt(socket.get(), SOL_SOCKET, option, &limit, sizeof(limit)) != 0) return err(last_error());
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return err(last_error());
  }
  return socket;
}

}  // namespace fireline::io
