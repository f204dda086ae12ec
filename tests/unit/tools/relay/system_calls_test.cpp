// The relay's filter of system calls in a child process: what a relay does goes on, what an intruder would do fails
// with EPERM. Each refusal is tried without the filter first: there the kernel must have another answer.
#include "tools/relay/system_calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace fireline::relay {
namespace {

// Runs in a child; the errno that it reports, 0 for none.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kNoFilter = 250;

int confined(bool fast_path, bool portal, const std::function<int()>& body) {
  return in_child([&] {
    if (platform::allow_only(platform::common_calls(), relay_calls(fast_path, portal)).has_value()) return kNoFilter;
    return body();
  });
}

int error_of(long result) {
  return result < 0 ? errno : 0;
}

struct Row {
  const char* rule;
  std::function<int()> attempt;
};

const std::vector<Row>& intrusions() {
  static const std::vector<Row> rows{
      {"start a program", [] { return error_of(::syscall(SYS_execve, "/nowhere", nullptr, nullptr)); }},
      {"make a process", [] { return error_of(::syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0)); }},
      {"make a thread elsewhere",
       [] { return error_of(::syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)); }},
      {"write a file", [] { return error_of(::open("/nowhere/file", O_WRONLY | O_CLOEXEC)); }},
      {"make a file", [] { return error_of(::open("/nowhere/file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); }},
      {"remove a file", [] { return error_of(::unlink("/nowhere/file")); }},
      {"see every frame", [] { return error_of(::socket(AF_PACKET, SOCK_RAW, 0x7000)); }},
      {"listen", [] { return error_of(::listen(-1, 1)); }},
      {"end another process", [] { return error_of(::kill(::getpid(), 0)); }},
      {"trace a process", [] { return error_of(::ptrace(PTRACE_ATTACH, -1, nullptr, nullptr)); }},
      {"read another process", [] { return error_of(::syscall(SYS_process_vm_readv, -1, 0, 0, 0, 0, 0)); }},
      {"load a BPF program", [] { return error_of(::syscall(SYS_bpf, BPF_PROG_LOAD, nullptr, 0)); }},
      {"become somebody", [] { return error_of(::setuid(::getuid())); }},
      {"mount", [] { return error_of(::mount(nullptr, nullptr, nullptr, 0, nullptr)); }},
      {"enter a namespace", [] { return error_of(::syscall(SYS_setns, -1, 0)); }},
      {"make an io_uring", [] { return error_of(::syscall(SYS_io_uring_setup, 0, nullptr)); }},
      {"use the key store", [] { return error_of(::syscall(SYS_keyctl, -1, 0, 0, 0, 0)); }},
      {"measure the kernel", [] { return error_of(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)); }},
      {"map memory that is executable",
       [] {
         void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page == MAP_FAILED ? errno : 0;
       }},
      {"make memory executable",
       [] {
         void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return page == MAP_FAILED ? 0 : error_of(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
       }},
  };
  return rows;
}

TEST(RelaySystemCalls, WhatAnIntruderWouldDoIsRefused) {
  const bool privileged = ::geteuid() == 0;
  for (const Row& row : intrusions()) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(confined(true, true, row.attempt), EPERM);
    if (privileged) {
      EXPECT_NE(in_child(row.attempt), EPERM) << "it proves nothing: without the filter the answer is the same";
    }
  }
}

TEST(RelaySystemCalls, ConnectionsAreForThePortalAlone) {
  const auto attempt = [] { return error_of(::connect(-1, nullptr, 0)); };
  EXPECT_EQ(confined(true, false, attempt), EPERM);
  EXPECT_EQ(confined(true, true, attempt), EBADF);
}

// What the portal's name is looked up with: getaddrinfo on a thread that starts behind the filter.
TEST(RelaySystemCalls, AThreadLooksTheNameUp) {
  const auto look_up = [] {
    int answer = kNoFilter;
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
}

TEST(RelaySystemCalls, BindThreadsThatAreThereAlready) {
  const int error = in_child([] {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return 1;
    int answer = 0;
    std::thread other([&] {
      char byte = 0;
      if (::read(ends[0], &byte, 1) == 1) answer = error_of(::unlink("/nowhere/file"));
    });
    const bool filtered = !platform::allow_only(platform::common_calls(), relay_calls(false, false)).has_value();
    static_cast<void>(!::write(ends[1], "x", 1));
    other.join();
    return filtered ? answer : kNoFilter;
  });
  EXPECT_EQ(error, EPERM);
}

}  // namespace
}  // namespace fireline::relay
