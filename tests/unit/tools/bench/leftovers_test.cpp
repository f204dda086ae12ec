// What a benchmark leaves behind where something fails on its way. Needs root: it makes network namespaces.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tools/bench/namespace_pair.h"
#include "tools/bench/node_pair.h"
#include "tools/bench/process.h"
#include "tools/bench/udp_generator.h"

namespace fireline::bench {
namespace {

std::size_t own_folders() {
  const std::string start = "flbench-" + std::to_string(getpid()) + "-";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::temp_directory_path())) {
    if (entry.path().filename().string().starts_with(start)) ++count;
  }
  return count;
}

TEST(Leftovers, ASendThatFailsEndsItsReceiver) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const NamespacePair lab(Underlay::plain);
  const UdpPath path{lab.a(), lab.b(), "203.0.113.1"};  // no route leads there
  EXPECT_THROW((void)run_udp(path, {}), BenchError);
}

TEST(Leftovers, NodesThatDoNotStartLeaveNeitherFolderNorRoutes) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const NamespacePair lab(Underlay::plain, Joint::bridge);
  const std::array<NodeEnd, 2> ends{NodeEnd{"flx0", "10.98.0.1"}, NodeEnd{"flx0", "10.98.0.2"}};
  EXPECT_THROW(NodePair("/nowhere/fireline-lab-node", lab, true, 1280, ends), BenchError);
  EXPECT_EQ(own_folders(), 0u);
  EXPECT_NO_THROW(run_in(lab.a(), std::string("ip route get ") + kUnderlayB));
}

}  // namespace
}  // namespace fireline::bench
