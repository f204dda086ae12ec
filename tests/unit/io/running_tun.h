// A real TUN device for tests, with the kernel's IP stack behind it. Inside in_network_namespace().
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/tun_device.h"
#include "tests/unit/io/network_namespace.h"

namespace fireline::io {

inline std::unique_ptr<TunDevice> open_tun_device(const std::string& name, const TunOptions& options = {}) {
  auto tun = TunDevice::open(name, options);
  if (!tun.has_value()) {
    ADD_FAILURE() << tun.error().to_string();
    return nullptr;
  }
  return std::move(*tun);
}

// With an address, up, and the path 10.7.<n>.0/24 through it.
inline std::unique_ptr<TunDevice> running_tun(const std::string& name, const char* address,
                                              const TunOptions& options = {}) {
  auto tun = open_tun_device(name, options);
  if (tun) {
    set_interface_address(name, address);
    set_interface_up(name);
  }
  return tun;
}

// A UDP datagram to 10.7.0.9, which is behind a running_tun() with an address of 10.7.0.0/24.
inline void send_into_tun(int socket, const std::vector<std::uint8_t>& payload) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  ASSERT_EQ(::inet_pton(AF_INET, "10.7.0.9", &to.sin_addr), 1);
  ASSERT_GT(::sendto(socket, payload.data(), payload.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
}

}  // namespace fireline::io
