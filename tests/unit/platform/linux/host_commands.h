// What programs that share no code with ours say about the host, and interfaces made with them. Commands run in the
// calling thread's network namespace.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/unit/io/network_namespace.h"

namespace fireline::platform {

// Both outputs of a shell command, whatever its exit code.
inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text.push_back(static_cast<char>(c));
  ::pclose(pipe);
  return text;
}

// The test fails when the command does.
inline void run(const std::string& command) {
  const std::string text = output_of(command + "; echo =$?");
  ASSERT_TRUE(text.ends_with("=0\n")) << command << ": " << text;
}

// The interface lives as long as its descriptor.
inline io::FileDescriptor make_tun(const std::string& name) {
  io::FileDescriptor tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(tun) << std::strerror(errno);
  ifreq request = io::interface_request(name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  EXPECT_EQ(::ioctl(tun.get(), TUNSETIFF, &request), 0) << std::strerror(errno);
  return tun;
}

// The next question on each netlink socket of this process but one fails; sockets opened later work.
inline void break_netlink_but(int kept) {
  const io::FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd = 0; fd < 1024; ++fd) {
    int domain = AF_UNSPEC;
    socklen_t length = sizeof domain;
    if (fd == kept || ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_NETLINK) continue;
    ASSERT_EQ(::dup3(nothing.get(), fd, O_CLOEXEC), fd) << std::strerror(errno);
  }
}

// Readable within the patience of a failing test.
inline bool becomes_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 5000) == 1;
}

}  // namespace fireline::platform
