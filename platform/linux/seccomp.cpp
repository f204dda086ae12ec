#include "platform/linux/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIRELINE_ADDRESS_SANITIZER
#endif
#endif

namespace fireline::platform {
namespace {

constexpr AllowedCall any(const char* name) {
  return {.name = name};
}

constexpr std::uint64_t kLow = 0xFFFF'FFFF;

constexpr AllowedCall command(std::uint64_t value) {
  return {.name = "fcntl", .argument = 1, .mask = kLow, .value = value};
}

// Memory that is executable is what injected code needs; the loader has done its work.
constexpr AllowedCall not_executable(const char* name) {
  return {.name = name, .argument = 2, .mask = PROT_EXEC, .value = 0};
}

constexpr std::array kCommon{
    // memory
    any("brk"),
    not_executable("mmap"),
    not_executable("mprotect"),
    any("munmap"),
    any("mremap"),
    any("madvise"),
    // threads and the end
    any("futex"),
    any("sched_yield"),
    any("sched_getaffinity"),
    any("gettid"),
    any("getpid"),
    any("set_robust_list"),
    any("rseq"),
    any("membarrier"),
    any("exit"),
    any("exit_group"),
    any("restart_syscall"),
    // signals
    any("rt_sigaction"),
    any("rt_sigprocmask"),
    any("rt_sigreturn"),
    any("sigaltstack"),
    // clocks
    any("clock_gettime"),
    any("clock_nanosleep"),
    any("nanosleep"),
    any("gettimeofday"),
    any("timerfd_settime"),
    // random numbers
    any("getrandom"),
    // descriptors that are open
    any("read"),
    any("readv"),
    any("pread64"),
    any("write"),
    any("writev"),
    any("lseek"),
    any("close"),
    // flags and copies; other commands have processes signalled (F_SETOWN) or make them wait (F_SETLEASE, locks)
    command(F_GETFL),
    command(F_SETFL),
    command(F_GETFD),
    command(F_SETFD),
    command(F_DUPFD),
    command(F_DUPFD_CLOEXEC),
    any("fstat"),
    any("fsync"),
    AllowedCall{.name = "ioctl", .argument = 1, .mask = kLow, .value = TCGETS},  // is it a terminal?
    // readiness
    any("poll"),
    any("ppoll"),
    any("epoll_wait"),
    any("epoll_pwait"),
    any("epoll_pwait2"),
    any("epoll_ctl"),
    // files, for reading: configuration that is loaded again, /proc, time zones
    AllowedCall{.name = "openat", .argument = 2, .mask = O_ACCMODE | O_CREAT | O_TRUNC, .value = O_RDONLY},
    AllowedCall{.name = "open", .argument = 1, .mask = O_ACCMODE | O_CREAT | O_TRUNC, .value = O_RDONLY},
    any("newfstatat"),
    any("stat"),
    any("statx"),
    any("getdents64"),
    // who we are: libraries ask
    any("uname"),
    any("getuid"),
    any("geteuid"),
    any("getgid"),
    any("getegid"),
#ifdef FIRELINE_ADDRESS_SANITIZER
    // how UBSan finds out whether an object's memory can be read; refused, it takes every object for a broken one
    any("pipe"),
    any("pipe2"),
#endif
};

// abort() and raise(): a signal to a thread of this process. Asked for when the filter is made: a program may have gone
// to the background before.
AllowedCall own_threads_signalled() {
  return {.name = "tgkill", .argument = 0, .mask = kLow, .value = static_cast<std::uint64_t>(::getpid())};
}

std::string failure(const char* what, int code) {
  return std::string("cannot ") + what + " the system call filter: " + std::strerror(code);
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {}
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  [[nodiscard]] bool made() const noexcept { return context_ != nullptr; }
  // 0 or an errno.
  [[nodiscard]] int allow(const AllowedCall& call) const noexcept {
    const int number = seccomp_syscall_resolve_name(call.name);
    if (number == __NR_SCMP_ERROR) return 0;
    const std::uint32_t action =
        call.refusal == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<std::uint32_t>(call.refusal));
    if (call.argument < 0) return -seccomp_rule_add_array(context_, action, number, 0, nullptr);
    const scmp_arg_cmp comparison{.arg = static_cast<unsigned>(call.argument),
                                  .op = SCMP_CMP_MASKED_EQ,
                                  .datum_a = call.mask,
                                  .datum_b = call.value};
    return -seccomp_rule_add_array(context_, action, number, 1, &comparison);
  }
  [[nodiscard]] int load() const noexcept {
    // All threads or none.
    if (const int failed = seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1); failed != 0) return -failed;
    // A search tree: a filter is run on each call.
    static_cast<void>(seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    return -seccomp_load(context_);
  }

 private:
  scmp_filter_ctx context_;
};

}  // namespace

std::span<const AllowedCall> common_calls() noexcept {
  return kCommon;
}

std::optional<std::string> allow_only(std::span<const AllowedCall> common, std::span<const AllowedCall> own) {
  const Filter filter;
  if (!filter.made()) return failure("make", ENOMEM);
  const std::array self{own_threads_signalled()};
  for (const auto& list : {common, own, std::span<const AllowedCall>(self)}) {
    for (const AllowedCall& call : list) {
      if (const int failed = filter.allow(call); failed != 0) return failure(call.name, failed);
    }
  }
  if (const int failed = filter.load(); failed != 0) return failure("load", failed);
  return std::nullopt;
}

}  // namespace fireline::platform
