// The filter of fireline-wg in a child process: what `wg` may ask of a running device goes on, what an intruder would
// do fails with EPERM. What the program holds in the end is read from /proc by tests/system/wg_privileges.py.
#include "tools/wg/privileges.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>

#include <filesystem>
#include <fstream>

#include "io/udp_open.h"
#include "platform/linux/privileges.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/common/confined.h"

namespace fireline::wg {
namespace {

using test::error_of;

bool install() {
  return !allow_device_calls(false);
}
bool install_with_io_uring() {
  return !allow_device_calls(true);
}

TEST(DevicePrivileges, WhatAnIntruderWouldDoIsRefused) {
  test::expect_refused(install, test::intrusions());
  test::expect_refused(install,
                       {{"make an io_uring", [] { return error_of(::syscall(SYS_io_uring_setup, 0, nullptr)); }},
                        {"remove a directory", [] { return error_of(::rmdir("/nowhere")); }},
                        {"rename a file", [] { return error_of(::rename("/nowhere", "/nowhere")); }}});
}

TEST(DevicePrivileges, WhatLibrariesDoGoesOn) {
  test::expect_habits_left(install);
}

TEST(DevicePrivileges, BindThreadsThatAreThereAlready) {
  test::expect_threads_bound(install);
}

TEST(DevicePrivileges, SocketsAreBoundAnewWithTheBackendThatWasChosen) {
  const auto backend = [](io::UdpIo io) {
    return [io] {
      const auto pair = io::open_udp_pair({.io = io});
      if (!pair) return pair.error().code;
      return pair->v4 && pair->v4->backend() == io::name_of(io) ? 0 : EPERM;
    };
  };
  EXPECT_EQ(test::confined(install, backend(io::UdpIo::syscall)), 0);
  EXPECT_EQ(test::confined(install, backend(io::UdpIo::io_uring)), EPERM);
  if (backend(io::UdpIo::io_uring)() != 0) GTEST_SKIP() << "this machine has no io_uring";
  EXPECT_EQ(test::confined(install_with_io_uring, backend(io::UdpIo::io_uring)), 0);
}

TEST(DevicePrivileges, TheZoneOfAnEndpointIsFoundAndTheSocketsFileRemoved) {
  const io::TemporaryDirectory directory;
  const auto path = directory.path() + "/wg0.sock";
  std::ofstream(path).put('x');
  const auto end = [&] {
    if (::if_nametoindex("lo") == 0) return errno;
    // Some architectures have but the second.
    if (error_of(::unlinkat(AT_FDCWD, "/nowhere", 0)) != ENOENT) return EPERM;
    return error_of(::unlink(path.c_str()));
  };
  EXPECT_EQ(test::confined(install, end), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(DevicePrivileges, TheDeviceKeepsTwoCapabilitiesAndTheLogNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: others have no capabilities to keep";
  const auto kept = [](void (*drop)()) {
    return test::in_child([drop] {
      drop();
      return (platform::has_capability(CAP_NET_ADMIN) ? 1 : 0) +
             (platform::has_capability(CAP_NET_BIND_SERVICE) ? 2 : 0) +
             (platform::has_capability(CAP_DAC_OVERRIDE) ? 4 : 0) + (platform::has_capability(CAP_SYS_ADMIN) ? 8 : 0);
    });
  };
  EXPECT_EQ(kept([] { static_cast<void>(keep_device_capabilities()); }), 1 + 2);
  EXPECT_EQ(kept(keep_no_capabilities), 0);
}

}  // namespace
}  // namespace fireline::wg
