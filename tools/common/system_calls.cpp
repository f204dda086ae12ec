#include "tools/common/system_calls.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace fireline {
namespace {

using platform::AllowedCall;

constexpr std::uint64_t kLow = 0xFFFF'FFFF;

constexpr AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr AllowedCall family(int value) {
  return {.name = "socket", .argument = 0, .mask = kLow, .value = static_cast<std::uint64_t>(value)};
}

constexpr AllowedCall control(std::uint64_t request) {
  return {.name = "ioctl", .argument = 1, .mask = kLow, .value = request};
}

// `argument`: where the flags are.
constexpr AllowedCall sends(const char* name, int argument) {
  return {.name = name, .argument = argument, .mask = MSG_FASTOPEN, .value = 0};
}

constexpr std::array kSending{sends("sendto", 3), sends("sendmsg", 2), sends("sendmmsg", 3)};

constexpr std::array kConnection{
    // netlink and Unix sockets are how getaddrinfo learns which families the host has, and asks a name service
    family(AF_INET),       family(AF_INET6),  family(AF_NETLINK), family(AF_UNIX),   any("bind"),
    any("connect"),        any("accept4"),    any("accept"),      any("shutdown"),   any("getsockname"),
    any("getpeername"),    any("setsockopt"), any("getsockopt"),  any("recvmsg"),    any("recvmmsg"),
    any("recvfrom"),       control(FIONBIO),  control(FIONREAD),  any("eventfd2"),   any("epoll_create1"),
    any("timerfd_create"), any("access"),     any("faccessat"),   any("faccessat2"), any("readlink"),
    any("readlinkat"),     any("sysinfo")};

constexpr std::array kDevice{control(SIOCGIFINDEX), control(SIOCGIFNAME), any("unlink"), any("unlinkat"), any("lstat")};

// clone() says in its first argument what it makes.
constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::array kThread{
    AllowedCall{.name = "clone", .argument = 0, .mask = CLONE_THREAD | kNamespaces, .value = CLONE_THREAD},
    // Its arguments lie in memory, where no filter looks; without it glibc uses clone.
    AllowedCall{.name = "clone3", .refusal = ENOSYS},
    // the thread's name
    AllowedCall{.name = "prctl", .argument = 0, .mask = kLow, .value = PR_SET_NAME}};

constexpr std::array kIoUring{any("io_uring_setup"), any("io_uring_enter"), any("io_uring_register")};

}  // namespace

std::span<const AllowedCall> sending_calls() noexcept {
  return kSending;
}

std::span<const AllowedCall> connection_calls() noexcept {
  return kConnection;
}

std::span<const AllowedCall> device_calls() noexcept {
  return kDevice;
}

std::span<const AllowedCall> thread_calls() noexcept {
  return kThread;
}

std::span<const AllowedCall> io_uring_calls() noexcept {
  return kIoUring;
}

std::vector<AllowedCall> join_calls(std::initializer_list<std::span<const AllowedCall>> lists) {
  std::vector<AllowedCall> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace fireline
