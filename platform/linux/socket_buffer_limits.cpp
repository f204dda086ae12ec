#include "platform/linux/socket_buffer_limits.h"

#include <cerrno>
#include <optional>

#include "platform/linux/sysctl.h"

namespace fireline::platform {
namespace {

// What is to be said about one limit.
std::string raise(const std::string& root, const char* name, std::uint64_t wanted) {
  const auto present = read_sysctl(root, name);
  if (!present) return std::string(name) + " cannot be read";
  std::uint64_t value = 0;
  for (const char c : *present) {
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value >= wanted) return std::string(name) + " is " + *present + " already";
  if (const int code = write_sysctl(root, name, std::to_string(wanted)); code != 0) {
    return std::string(name) + " stays " + *present + " (" + host_error(code, "write it").sentence + ")";
  }
  return std::string(name) + " is " + std::to_string(wanted) + " instead of " + *present;
}

}  // namespace

std::string raise_socket_buffer_limits(const std::string& sysctl_root) {
  return "socket buffer limits: " + raise(sysctl_root, "net.core.rmem_max", kReceiveBufferLimit) + ", " +
         raise(sysctl_root, "net.core.wmem_max", kSendBufferLimit);
}

}  // namespace fireline::platform
