// A list of the system calls that a program may still make, enforced by the kernel (seccomp(2), libseccomp). Everything
// else fails with EPERM: a bug that an attacker can use does not start programs, open files for writing, trace
// processes or load kernel code.
//
// Every thread of the process is bound, those that exist as well as later ones, and children; there is no way back.
// Call it last in the set-up, after drop_privileges(): it sets no_new_privs where that was not done. Which calls glibc
// makes for a function differs between versions: a list names all forms of a call.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fireline::platform {

// A call, or with `argument` the call with one kind of argument alone: (argument & mask) == value.
struct AllowedCall {
  const char* name = nullptr;  // one that this CPU or libseccomp does not know is left out
  int argument = -1;           // 0 to 5; -1: any
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
  int refusal = 0;  // an errno other than EPERM: the call is refused with it, so that libraries do without
};

// What every daemon of ours needs: memory (none that is executable), threads, clocks, signals, readiness, reading and
// writing descriptors, opening files for reading.
[[nodiscard]] std::span<const AllowedCall> common_calls() noexcept;

// Allows both lists, signals to threads of the calling process, and nothing else: call it behind the last fork(), since
// a child could not abort(). A sentence when the kernel or libseccomp refuses; the process is free then.
[[nodiscard]] std::optional<std::string> allow_only(std::span<const AllowedCall> common,
                                                    std::span<const AllowedCall> own);

}  // namespace fireline::platform
