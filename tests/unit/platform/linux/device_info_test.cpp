#include "platform/linux/device_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

struct Row {
  const char* rule;
  const char* text;
  const char* name;
  const char* version;
};

const Row kRows[] = {
    {"a known system has its usual name", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n", "Debian", "12"},
    {"the order of the lines is no matter", "VERSION_ID=24.04\nID=ubuntu\nNAME=Ubuntu", "Ubuntu", "24.04"},
    {"names may have spaces", "ID=alpine\nVERSION_ID=3.20.3\n", "Alpine Linux", "3.20.3"},
    {"an unknown one has its own name", "NAME='Own OS'\nID=own\nVERSION_ID=\"7\"\n", "Own OS", "7"},
    {"a name ends at a slash: the portal splits there", "NAME=\"Own GNU/Linux\"\nID=own\nVERSION_ID=7\n", "Own GNU",
     "7"},
    {"a version has no space: the portal splits there", "ID=own\nNAME=Own\nVERSION_ID=\"7 beta\"\n", "Own", "7beta"},
    {"a rolling system has a build", "ID=arch\nBUILD_ID=rolling\n", "Arch Linux", "rolling"},
    {"escapes are undone", "NAME=\"Own \\\"OS\\\"\"\nVERSION_ID=1\n", "Own \"OS\"", "1"},
    {"control and foreign characters go", "NAME=\"O\xc3\xa9wn\x01\"\nVERSION_ID=1\r\n", "Own", "1"},
    {"comments are none", "#ID=debian\n# NAME=x\nVERSION_ID=1\n", "Linux", "1"},
    {"nothing is known", "", "Linux", "unknown"},
    {"garbage is nothing", "=\n\n====\nID\n", "Linux", "unknown"},
};

TEST(DeviceInfo, ReadsOsRelease) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    const OsRelease release = read_os_release(row.text);
    EXPECT_EQ(release.name, row.name);
    EXPECT_EQ(release.version, row.version);
  }
}

void write_file(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

TEST(DeviceInfo, ReadsTheMachine) {
  const io::TemporaryDirectory root;
  const DeviceInfo bare = device_info(root.path());
  EXPECT_EQ(bare.os_name, "Linux");
  EXPECT_FALSE(bare.serial);
  EXPECT_FALSE(bare.uuid);
  utsname kernel{};
  ASSERT_EQ(::uname(&kernel), 0);
  EXPECT_EQ(bare.architecture, kernel.machine);
  EXPECT_EQ(bare.kernel, kernel.release);

  write_file(root.path() + "/usr/lib/os-release", "ID=debian\nVERSION_ID=11\n");
  EXPECT_EQ(device_info(root.path()).os_version, "11");
  write_file(root.path() + "/etc/os-release", "ID=debian\nVERSION_ID=12\n");
  write_file(root.path() + "/sys/class/dmi/id/product_serial", " C02XY\n");
  write_file(root.path() + "/sys/class/dmi/id/product_uuid", "7AD24D94-7C53-4A15-9DF3-638E5B05F570\n");
  const DeviceInfo full = device_info(root.path());
  EXPECT_EQ(full.os_version, "12");
  EXPECT_EQ(full.serial, "C02XY");
  EXPECT_EQ(full.uuid, "7AD24D94-7C53-4A15-9DF3-638E5B05F570");
}

TEST(DeviceInfo, APlaceholderOrABlankIsNoSerial) {
  for (const char* text : {"123456789\n", "  \n", ""}) {
    const io::TemporaryDirectory root;
    write_file(root.path() + "/sys/class/dmi/id/product_serial", text);
    EXPECT_FALSE(device_info(root.path()).serial) << text;
  }
}

TEST(DeviceInfo, KnowsTheHost) {
  EXPECT_EQ(host_name() + "\n", output_of("uname -n"));
  EXPECT_GT(uptime_seconds(), 0);
}

}  // namespace
}  // namespace fireline::platform
