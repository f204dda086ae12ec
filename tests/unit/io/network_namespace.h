// Runs a piece of a test in a fresh network namespace with its own loopback, on a thread of its own, so that the rest
// of the process stays where it is. Needs CAP_SYS_ADMIN; without it the test is skipped with the reason.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "io/file_descriptor.h"

namespace fireline::io {

inline ifreq interface_request(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

inline void set_interface_up(const std::string& name, bool up = true) {
  const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request = interface_request(name);
  ASSERT_EQ(::ioctl(control.get(), SIOCGIFFLAGS, &request), 0) << std::strerror(errno);
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  ASSERT_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
}

inline void set_interface_mtu(const std::string& name, int mtu) {
  const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request = interface_request(name);
  request.ifr_mtu = mtu;
  ASSERT_EQ(::ioctl(control.get(), SIOCSIFMTU, &request), 0) << std::strerror(errno);
}

// A /24.
inline void set_interface_address(const std::string& name, const char* address) {
  const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
  const auto set = [&](unsigned long what, const char* text) {
    ifreq request = interface_request(name);
    sockaddr_in in{};
    in.sin_family = AF_INET;
    ASSERT_EQ(::inet_pton(AF_INET, text, &in.sin_addr), 1);
    std::memcpy(&request.ifr_addr, &in, sizeof in);
    ASSERT_EQ(::ioctl(control.get(), what, &request), 0) << std::strerror(errno);
  };
  set(SIOCSIFADDR, address);
  set(SIOCSIFNETMASK, "255.255.255.0");
}

template <class Body>
void in_network_namespace(Body body) {
  int refused = 0;
  std::thread thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      refused = errno;
      return;
    }
    set_interface_up("lo");
    body();
  });
  thread.join();
  if (refused != 0) GTEST_SKIP() << "no network namespace: " << std::strerror(refused) << " (run as root)";
}

}  // namespace fireline::io
