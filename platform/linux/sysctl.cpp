#include "platform/linux/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace fireline::platform {
namespace {

std::string path_of(const std::string& root, std::string_view name) {
  std::string path(name);
  for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  return root + "/" + path;
}

}  // namespace

std::optional<std::string> read_sysctl(const std::string& root, std::string_view name) {
  const int fd = ::open(path_of(root, name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 256> bytes;  // the settings used here are numbers
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  ::close(fd);
  if (count < 0) return std::nullopt;
  std::string_view text(bytes.data(), static_cast<std::size_t>(count));
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

int write_sysctl(const std::string& root, std::string_view name, std::string_view value) {
  const int fd = ::open(path_of(root, name).c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC);
  if (fd < 0) return errno;
  const ssize_t count = ::write(fd, value.data(), value.size());
  const int code = count < 0 ? errno : 0;
  ::close(fd);
  return code;
}

}  // namespace fireline::platform
