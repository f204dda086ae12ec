// The filter of gateway and client in a child process: what they do goes on, what an intruder would do fails with
// EPERM.
#include "tools/tunnel/system_calls.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netdb.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/sink.h>
#include <sys/eventfd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "io/data_plane.h"
#include "io/udp_open.h"
#include "platform/linux/interface_addresses.h"
#include "platform/linux/link_limits.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/common/confined.h"
#include "tools/common/log_folder.h"

namespace fireline::tunnel {
namespace {

using test::Attempt;
using test::error_of;

bool install() {
  return !allow_program_calls(false, false);
}
bool install_with_log_folder() {
  return !allow_program_calls(true, false);
}
bool install_with_io_uring() {
  return !allow_program_calls(false, true);
}

TEST(ProgramSystemCalls, WhatAnIntruderWouldDoIsRefused) {
  test::expect_refused(install, test::intrusions());
}

TEST(ProgramSystemCalls, BindThreadsThatAreThereAlready) {
  test::expect_threads_bound(install);
}

// Sockets bound anew behind a roam, with threads of their own.
int roam() {
  const int socket = ::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  const int on = 1;
  if (::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return errno;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno;
  int failed = 0;
  try {
    std::thread([&failed] { failed = error_of(::pthread_setname_np(::pthread_self(), "UDP IPv6")); }).join();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return failed;
}

// The kernel's answers about routes and addresses, an interface by its name, a sysctl.
int look_at_host() {
  if (!platform::interface_addresses()) return 1;
  if (::if_nametoindex("lo") == 0) return errno;
  static_cast<void>(platform::forwards_packets());
  return std::ifstream("/proc/sys/net/ipv4/ip_forward").good() ? 0 : 2;
}

int look_name_up() {
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo("localhost", nullptr, nullptr, &found);
  if (failed == 0) ::freeaddrinfo(found);
  return failed;
}

TEST(ProgramSystemCalls, WhatTheProgramsDoGoesOn) {
  const Attempt rows[]{
      {"roam", roam},
      {"look at the host", look_at_host},
      {"look a name up", look_name_up},
      {"tell systemd", [] { return ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ? errno : 0; }},
      {"wait for an answer of another thread", [] { return ::eventfd(0, EFD_CLOEXEC) < 0 ? errno : 0; }}};
  for (const Attempt& row : rows) EXPECT_EQ(test::confined(install, row.attempt), 0) << row.what;
  test::expect_habits_left(install);
}

TEST(ProgramSystemCalls, LogFilesAreMadeWhereThereIsALogFolderAlone) {
  const io::TemporaryDirectory directory;
  const auto log = [&] {
    const auto sink = open_log_folder(directory.path(), "program");
    if (!sink) return 1;
    (*sink)->log({"fireline", spdlog::level::info, "hello"});
    return std::filesystem::exists(directory.path() + "/latest") ? 0 : EPERM;
  };
  EXPECT_EQ(test::confined(install, log), EPERM);
  EXPECT_EQ(test::confined(install_with_log_folder, log), 0);
}

// A socket bound anew, with what the backend needs to receive.
TEST(ProgramSystemCalls, RingsAreMadeWhereTheyWereChosenAlone) {
  const auto backend = [](io::UdpIo io) {
    return [io] {
      const auto port = io::open_udp({.family = Family::v4, .io = io});
      return port && (*port)->backend() == io::name_of(io) ? 0 : EPERM;
    };
  };
  EXPECT_EQ(test::confined(install, backend(io::UdpIo::syscall)), 0);
  EXPECT_EQ(test::confined(install, backend(io::UdpIo::io_uring)), EPERM);
  if (backend(io::UdpIo::io_uring)() != 0) GTEST_SKIP() << "this machine has no io_uring";
  EXPECT_EQ(test::confined(install_with_io_uring, backend(io::UdpIo::io_uring)), 0);
  test::expect_refused(install_with_io_uring,
                       {{"write a file", [] { return error_of(::open("/nowhere/file", O_WRONLY | O_CLOEXEC)); }}});
}

}  // namespace
}  // namespace fireline::tunnel
