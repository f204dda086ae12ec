// Endpoints as the kernel's socket addresses and back. Values; any thread.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "core/base/endpoint.h"

namespace fireline::io {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

[[nodiscard]] SocketAddress to_socket_address(const Endpoint& endpoint) noexcept;

// Empty for another family than `family`, or when the kernel wrote fewer bytes than that family's address has.
[[nodiscard]] std::optional<Endpoint> to_endpoint(const sockaddr_storage& address, socklen_t length,
                                                  Family family) noexcept;

}  // namespace fireline::io
