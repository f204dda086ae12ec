// Sockets that cannot be opened are opened when they can be.
#include "tools/tunnel/data_path.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <span>
#include <vector>

#include "tests/unit/io/data_plane_parts.h"
#include "tests/unit/io/few_descriptors.h"
#include "tests/unit/io/running_tun.h"

namespace fireline::tunnel {
namespace {

// Tries again in the loop's next turn.
struct World {
  TunnelOptions options{.tun = "fl-path", .udp_io = io::UdpIo::syscall};
  std::unique_ptr<Devices> devices = Devices::open(options).value();
  io::TestSocket peer;
  io::PassOn engine{peer.endpoint()};
  std::unique_ptr<io::EventLoop> loop = io::EventLoop::make().value();
  std::vector<PortPair> bound;
  DataPath path{options,
                *devices,
                engine,
                *loop,
                {.bound = [this](PortPair ports) { bound.push_back(ports); },
                 .unreachable = [](std::span<const Endpoint>) {},
                 .failed = [](std::string) {}},
                Duration::zero()};

  void turn() { loop->turn(Duration::zero()); }
};

TEST(DataPath, SocketsThatCouldNotBeOpenedAreTriedAgain) {
  io::in_network_namespace([] {
    World world;
    {
      const io::FewDescriptors none(0);
      EXPECT_NE(world.path.bind(), "");
      world.turn();
      EXPECT_TRUE(world.bound.empty());
    }
    world.turn();
    ASSERT_EQ(world.bound.size(), 1u);
    EXPECT_NE(world.bound[0].v4, 0);
    EXPECT_NE(world.bound[0].v6, 0);
    world.turn();
    EXPECT_EQ(world.bound.size(), 1u);
  });
}

TEST(DataPath, AFamilyThatLacksADescriptorComesLater) {
  io::in_network_namespace([] {
    World world;
    spdlog::info("the log's types are known: {}", 1);  // few_descriptors.h
    {
      const io::FewDescriptors one(1);
      EXPECT_EQ(world.path.bind(), "");
      world.turn();
      ASSERT_EQ(world.bound.size(), 1u) << "the socket that works stays";
      EXPECT_NE(world.bound[0].v4, 0);
      EXPECT_EQ(world.bound[0].v6, 0);
    }
    world.turn();
    ASSERT_EQ(world.bound.size(), 2u);
    EXPECT_EQ(world.bound[1].v4, world.bound[0].v4) << "peers know it";
    EXPECT_NE(world.bound[1].v6, 0);
  });
}

}  // namespace
}  // namespace fireline::tunnel
