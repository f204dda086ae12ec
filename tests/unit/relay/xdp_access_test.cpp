// What keeps the program from being loaded, or its maps from being written later, is a sentence at start.
#include <gtest/gtest.h>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "platform/linux/seccomp.h"
#include "relay/xdp_program.h"
#include "tests/unit/relay/xdp_runner.h"

namespace fireline::relay {
namespace {

XdpSettings few_entries() {
  XdpSettings settings;
  settings.binding_entries = 4;
  return settings;
}

// What a process of its own prints before it ends.
void load_without_sys() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::umount2("/sys", MNT_DETACH) != 0) {
    std::fprintf(stderr, "cannot hide /sys: %s\n", std::strerror(errno));
    std::exit(1);
  }
  const auto program = XdpProgram::load(few_entries());
  std::fprintf(stderr, "%s\n", program ? "loaded" : program.error().sentence.c_str());
  std::exit(0);
}

// libbpf finds out once in a process, so that it must be a fresh one.
TEST(XdpAccess, WithoutSysItDoesNotLoad) {
  if (::geteuid() != 0) GTEST_SKIP() << "run as root: /sys is hidden in a mount namespace";
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(load_without_sys(), ::testing::ExitedWithCode(0),
              "cannot count the CPUs for the XDP program: .*: mount /sys");
  ::testing::GTEST_FLAG(death_test_style) = "fast";
}

void tell_access(const XdpProgram& program, bool refused) {
  if (refused && platform::allow_only(platform::common_calls(), {})) std::exit(1);
  const auto wrong = program.check_access();
  std::fprintf(stderr, "%s\n", wrong ? wrong->sentence.c_str() : "granted");
  std::_Exit(0);  // the search for leaks, which exit() does, needs what is not allowed any more
}

// A kernel that asks for CAP_BPF at every call refuses them once it is dropped.
TEST(XdpAccess, MapsThatCannotBeWrittenAnyMoreAreToldBeforeTheFirstAllocation) {
  FIRELINE_LOAD_OR_SKIP(program, few_entries());
  EXPECT_EXIT(tell_access(*program, false), ::testing::ExitedWithCode(0), "granted");
  EXPECT_EXIT(tell_access(*program, true), ::testing::ExitedWithCode(0),
              "cannot write the maps of the XDP program without CAP_BPF: Operation not permitted: use Linux 5.19 or "
              "newer, or set kernel.unprivileged_bpf_disabled to 0");
}

}  // namespace
}  // namespace fireline::relay
