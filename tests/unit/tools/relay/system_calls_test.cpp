// The relay's filter of system calls in a child process: what a relay does goes on, what an intruder would do fails
// with EPERM. Each refusal is tried without the filter first: there the kernel must have another answer.
#include "tools/relay/system_calls.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/unit/tools/common/confined.h"

namespace fireline::relay {
namespace {

using test::error_of;

std::function<bool()> install(bool fast_path, bool portal) {
  return [=] { return !platform::allow_only(platform::common_calls(), relay_calls(fast_path, portal)); };
}

int confined(bool fast_path, bool portal, const std::function<int()>& body) {
  return test::confined(install(fast_path, portal), body);
}

TEST(RelaySystemCalls, WhatAnIntruderWouldDoIsRefused) {
  test::expect_refused(install(true, true), test::intrusions());
  test::expect_refused(install(false, false), test::intrusions());
  test::expect_refused(install(true, true),
                       {{"remove a file", [] { return error_of(::unlink("/nowhere/file")); }},
                        {"make an io_uring", [] { return error_of(::syscall(SYS_io_uring_setup, 0, nullptr)); }}});
}

TEST(RelaySystemCalls, ConnectionsAreForThePortalAlone) {
  const auto attempt = [] { return error_of(::connect(-1, nullptr, 0)); };
  EXPECT_EQ(confined(true, false, attempt), EPERM);
  EXPECT_EQ(confined(true, true, attempt), EBADF);
}

// What the portal's name is looked up with: getaddrinfo on a thread that starts behind the filter.
TEST(RelaySystemCalls, AThreadLooksTheNameUp) {
  const auto look_up = [] {
    int answer = test::kNoFilter;
    try {
      std::thread([&answer] {
        ::pthread_setname_np(::pthread_self(), "resolver");
        addrinfo* found = nullptr;
        answer = ::getaddrinfo("localhost", nullptr, nullptr, &found);
        if (answer == 0) ::freeaddrinfo(found);
      }).join();
    } catch (const std::system_error& error) {
      return error.code().value();
    }
    return answer;
  };
  EXPECT_EQ(confined(false, true, look_up), 0);
  EXPECT_EQ(confined(false, false, look_up), EPERM) << "no thread starts";
}

TEST(RelaySystemCalls, TheMapsAreTheFastPathsAlone) {
  for (const int command : {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM}) {
    const auto attempt = [command] {
      bpf_attr attributes{};
      attributes.map_fd = 1'000'000;
      return error_of(::syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
    };
    EXPECT_EQ(confined(true, false, attempt), EBADF) << command;
    EXPECT_EQ(confined(false, true, attempt), EPERM) << command;
  }
}

// An allocation's socket, a datagram to itself, the loop's readiness, a file that is read again.
TEST(RelaySystemCalls, WhatTheRelayDoesGoesOn) {
  const auto relays = [] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    const int size = 1 << 16;
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), bytes) != 0) return 1;
    if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) != 0) return 2;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 3;
    if (::sendto(socket, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), bytes) != 1) return 4;
    mmsghdr message{};
    if (::recvmmsg(socket, &message, 1, 0, nullptr) != 1) return 5;
    const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    std::array<char, 16> text{};
    if (file < 0 || ::read(file, text.data(), text.size()) <= 0 || ::close(file) != 0) return 6;
    const int netlink = ::socket(AF_NETLINK, SOCK_RAW, 0);
    if (netlink < 0) return 7;
    const std::vector<char> memory(std::size_t{64} << 20, 'x');  // more than malloc keeps: from mmap
    return memory.back() == 'x' ? 0 : 8;
  };
  EXPECT_EQ(confined(false, false, relays), 0);
  EXPECT_EQ(confined(true, true, relays), 0);
  test::expect_habits_left(install(false, false));
}

TEST(RelaySystemCalls, BindThreadsThatAreThereAlready) {
  test::expect_threads_bound(install(false, false));
}

}  // namespace
}  // namespace fireline::relay
