#include "platform/linux/socket_buffer_limits.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::platform {
namespace {

struct Row {
  const char* rule;
  const char* receive;  // none: no such setting
  const char* send;
  const char* receive_after;
  const char* send_after;
  const char* sentence;
};

const Row kRows[] = {
    {"both are raised", "212992\n", "212992\n", "134217728", "16777216",
     "socket buffer limits: net.core.rmem_max is 134217728 instead of 212992, net.core.wmem_max is 16777216 instead of "
     "212992"},
    {"a higher one stays", "999999999\n", "212992\n", "999999999", "16777216",
     "socket buffer limits: net.core.rmem_max is 999999999 already, net.core.wmem_max is 16777216 instead of 212992"},
    {"one that is missing does not stop the other", nullptr, "212992\n", nullptr, "16777216",
     "socket buffer limits: net.core.rmem_max cannot be read, net.core.wmem_max is 16777216 instead of 212992"},
};

TEST(SocketBufferLimits, AreRaisedAndNeverLoweredWithOneSentence) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    const io::TemporaryDirectory root;
    const std::string folder = root.path() + "/net/core";
    std::filesystem::create_directories(folder);
    if (row.receive != nullptr) std::ofstream(folder + "/rmem_max") << row.receive;
    std::ofstream(folder + "/wmem_max") << row.send;
    EXPECT_EQ(raise_socket_buffer_limits(root.path()), row.sentence);
    EXPECT_EQ(read_sysctl(root.path(), "net.core.wmem_max"), row.send_after);
    if (row.receive != nullptr) {
      EXPECT_EQ(read_sysctl(root.path(), "net.core.rmem_max"), row.receive_after);
    }
  }
}

}  // namespace
}  // namespace fireline::platform
