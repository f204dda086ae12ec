// Tries what a filter of system calls (platform/linux/seccomp.h) leaves and what it refuses, in child processes: for
// the tests of each program's list. Threads: none but the test's.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>
#include <vector>

namespace fireline::test {

// The body's answer: an errno, 0 for none.
inline int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline constexpr int kNoFilter = 250;

// In a child behind the filter; `install` says whether it is on.
inline int confined(const std::function<bool()>& install, const std::function<int()>& body) {
  return in_child([&] { return install() ? body() : kNoFilter; });
}

inline int error_of(long result) {
  return result < 0 ? errno : 0;
}

struct Attempt {
  const char* what;
  std::function<int()> attempt;
};

// What an intruder would do and no program of ours does.
inline std::vector<Attempt> intrusions() {
  return {
      {"start a program", [] { return error_of(::syscall(SYS_execve, "/nowhere", nullptr, nullptr)); }},
      {"make a process", [] { return error_of(::syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0)); }},
      {"make a thread elsewhere",
       [] { return error_of(::syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)); }},
      {"write a file", [] { return error_of(::open("/nowhere/file", O_WRONLY | O_CLOEXEC)); }},
      {"make a file", [] { return error_of(::open("/nowhere/file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); }},
      {"see every frame", [] { return error_of(::socket(AF_PACKET, SOCK_RAW, 0x7000)); }},
      {"listen", [] { return error_of(::listen(-1, 1)); }},
      {"end another process", [] { return error_of(::kill(::getpid(), 0)); }},
      {"end another process by its thread",
       [] { return error_of(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)); }},
      {"have another process signalled", [] { return error_of(::fcntl(-1, F_SETOWN, ::getppid())); }},
      {"have a thread signalled", [] { return error_of(::fcntl(-1, F_SETOWN_EX, nullptr)); }},
      {"choose what signal", [] { return error_of(::fcntl(-1, F_SETSIG, SIGKILL)); }},
      {"be told of a folder's files", [] { return error_of(::fcntl(-1, F_NOTIFY, DN_CREATE)); }},
      {"make others wait to open a file", [] { return error_of(::fcntl(-1, F_SETLEASE, F_WRLCK)); }},
      {"seal memory", [] { return error_of(::fcntl(-1, F_ADD_SEALS, F_SEAL_WRITE)); }},
      {"take memory for a pipe", [] { return error_of(::fcntl(-1, F_SETPIPE_SZ, 1 << 20)); }},
      {"lock a file", [] { return error_of(::fcntl(-1, F_SETLK, nullptr)); }},
      {"connect by sending", [] { return error_of(::sendto(-1, "x", 1, MSG_FASTOPEN, nullptr, 0)); }},
      {"connect by a message",
       [] {
         const msghdr message{};
         return error_of(::sendmsg(-1, &message, MSG_FASTOPEN | MSG_NOSIGNAL));
       }},
      {"connect by messages",
       [] {
         mmsghdr message{};
         return error_of(::sendmmsg(-1, &message, 1, MSG_FASTOPEN | MSG_DONTWAIT));
       }},
      {"trace a process", [] { return error_of(::ptrace(PTRACE_ATTACH, -1, nullptr, nullptr)); }},
      {"read another process", [] { return error_of(::syscall(SYS_process_vm_readv, -1, 0, 0, 0, 0, 0)); }},
      {"load a BPF program", [] { return error_of(::syscall(SYS_bpf, BPF_PROG_LOAD, nullptr, 0)); }},
      {"become somebody", [] { return error_of(::setuid(::getuid())); }},
      {"mount", [] { return error_of(::mount(nullptr, nullptr, nullptr, 0, nullptr)); }},
      {"enter a namespace", [] { return error_of(::syscall(SYS_setns, -1, 0)); }},
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
}

// Each is refused behind the filter; without it the kernel has another answer, or the test would prove nothing.
inline void expect_refused(const std::function<bool()>& install, const std::vector<Attempt>& attempts) {
  for (const Attempt& row : attempts) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(confined(install, row.attempt), EPERM);
    if (::geteuid() == 0) {
      EXPECT_NE(in_child(row.attempt), EPERM) << "without the filter the answer is the same";
    }
  }
}

// What libraries do in all of our programs goes on: abort()'s signal to its own thread, flags of descriptors, copies of
// them, sending without connecting.
inline void expect_habits_left(const std::function<bool()>& install) {
  const std::vector<Attempt> habits{
      {"raise a signal", [] { return ::raise(SIGURG) == 0 ? 0 : EPERM; }},
      {"signal a thread", [] { return ::pthread_kill(::pthread_self(), SIGURG); }},
      {"read flags", [] { return error_of(::fcntl(STDERR_FILENO, F_GETFL)); }},
      {"set flags", [] { return error_of(::fcntl(STDERR_FILENO, F_SETFL, ::fcntl(STDERR_FILENO, F_GETFL))); }},
      {"read a descriptor's flags", [] { return error_of(::fcntl(STDERR_FILENO, F_GETFD)); }},
      {"set a descriptor's flags", [] { return error_of(::fcntl(STDERR_FILENO, F_SETFD, FD_CLOEXEC)); }},
      {"copy a descriptor", [] { return error_of(::fcntl(STDERR_FILENO, F_DUPFD, 3)); }},
      {"copy a descriptor for itself", [] { return error_of(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)); }},
      {"send", [] { return error_of(::sendto(-1, "x", 1, MSG_NOSIGNAL, nullptr, 0)) == EBADF ? 0 : EPERM; }},
  };
  for (const Attempt& row : habits) EXPECT_EQ(confined(install, row.attempt), 0) << row.what;
}

// A thread that exists is bound as well.
inline void expect_threads_bound(const std::function<bool()>& install) {
  const int error = in_child([&] {
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    int answer = 0;
    std::thread other([&] {
      char byte = 0;
      if (::read(ends[0], &byte, 1) == 1) answer = error_of(::syscall(SYS_setns, -1, 0));
    });
    const bool filtered = install();
    static_cast<void>(!::write(ends[1], "x", 1));
    other.join();
    return filtered ? answer : kNoFilter;
  });
  EXPECT_EQ(error, EPERM);
}

}  // namespace fireline::test
