#include "platform/linux/interface_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

namespace fireline::platform {
namespace {

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return IpAddress::from_bytes(std::as_bytes(std::span(&in.sin_addr, 1)));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof in6);
    return IpAddress::from_bytes(std::as_bytes(std::span(&in6.sin6_addr, 1)));
  }
  return std::nullopt;
}

unsigned bits_of(const IpAddress& mask) {
  unsigned bits = 0;
  for (const std::byte byte : mask.bytes())
    bits += static_cast<unsigned>(std::popcount(std::to_integer<unsigned>(byte)));
  return bits;
}

}  // namespace

Result<std::vector<InterfaceAddress>, HostError> interface_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return err(host_error(errno, "list the addresses of this host's interfaces"));
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  std::vector<InterfaceAddress> found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const auto address = address_of(entry->ifa_addr);
    if (!address) continue;
    const auto mask = address_of(entry->ifa_netmask);
    const unsigned bits = mask ? bits_of(*mask) : address->bits();
    const auto prefix = Prefix::make(*address, bits);
    if (prefix) found.push_back({.interface = entry->ifa_name, .address = *address, .prefix = *prefix});
  }
  return found;
}

}  // namespace fireline::platform
