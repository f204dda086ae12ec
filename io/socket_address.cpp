#include "io/socket_address.h"

#include <cstring>
#include <span>

namespace fireline::io {

SocketAddress to_socket_address(const Endpoint& endpoint) noexcept {
  SocketAddress result;
  const ConstBytes bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, bytes.data(), sizeof in.sin_addr);
    std::memcpy(&result.storage, &in, sizeof in);
    result.length = sizeof in;
  } else {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    in6.sin6_scope_id = endpoint.scope;
    std::memcpy(&in6.sin6_addr, bytes.data(), sizeof in6.sin6_addr);
    std::memcpy(&result.storage, &in6, sizeof in6);
    result.length = sizeof in6;
  }
  return result;
}

std::optional<Endpoint> to_endpoint(const sockaddr_storage& address, socklen_t length, Family family) noexcept {
  if (family == Family::v4) {
    if (length < sizeof(sockaddr_in) || address.ss_family != AF_INET) return std::nullopt;
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return Endpoint{.address = IpAddress::from_bytes(std::as_bytes(std::span(&in.sin_addr, 1))),
                    .port = ntohs(in.sin_port),
                    .scope = 0};
  }
  if (length < sizeof(sockaddr_in6) || address.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in6;
  std::memcpy(&in6, &address, sizeof in6);
  return Endpoint{.address = IpAddress::from_bytes(std::as_bytes(std::span(&in6.sin6_addr, 1))),
                  .port = ntohs(in6.sin6_port),
                  .scope = in6.sin6_scope_id};
}

}  // namespace fireline::io
