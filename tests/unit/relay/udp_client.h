// A client or peer on loopback, for tests of the relay's loop.
#pragma once
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

#include "core/base/endpoint.h"
#include "io/file_descriptor.h"
#include "io/socket_address.h"

namespace fireline::relay {

inline const Endpoint kLoopback{*IpAddress::parse("127.0.0.1"), 0, 0};

class UdpClient {
 public:
  UdpClient() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const auto address = io::to_socket_address(kLoopback);
    EXPECT_EQ(::bind(fd_.get(), address.get(), address.length), 0);
  }
  void send(std::uint16_t port, const std::string& bytes) const {
    Endpoint to = kLoopback;
    to.port = port;
    const auto address = io::to_socket_address(to);
    EXPECT_EQ(::sendto(fd_.get(), bytes.data(), bytes.size(), 0, address.get(), address.length),
              static_cast<ssize_t>(bytes.size()));
  }
  // Empty when nothing waits.
  [[nodiscard]] std::string receive() const {
    std::array<char, 2048> buffer;
    const auto bytes = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    return bytes < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(bytes));
  }
  [[nodiscard]] std::uint16_t port() const {
    io::SocketAddress address;
    address.length = sizeof address.storage;
    EXPECT_EQ(::getsockname(fd_.get(), address.get(), &address.length), 0);
    return io::to_endpoint(address.storage, address.length, Family::v4)->port;
  }

 private:
  io::FileDescriptor fd_;
};

}  // namespace fireline::relay
