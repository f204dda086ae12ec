#include "core/node/connection_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/core/node/node_fixture.h"

namespace fireline::node {
namespace {

class ConnectionTableTest : public testing::Test {
 protected:
  Connection& add(const std::string& id) {
    crypto::PublicKey key;
    random_.fill(key.bytes);
    ConnectionParameters parameters{.id = id,
                                    .peer_key = key,
                                    .preshared_key = {},
                                    .local = ice::Credentials::make("llqe", "jio6xwffz6i3ixgub3h4n5").value(),
                                    .remote = ice::Credentials::make("nk46", "yiuijlligg2km2kweghata").value(),
                                    .allowed_ips = {}};
    return table_.insert(
        std::make_unique<Connection>(parameters, ice::Role::controlled, ++tags_, Instant(), random_, counters_));
  }
  void lead(Connection& connection, const std::string& destination) {
    PathState path;
    path.destination = endpoint(destination);
    table_.set_path(connection, path);
  }
  [[nodiscard]] std::vector<std::string> ids(const std::string& destination) const {
    std::vector<std::string> ids;
    table_.for_destination(endpoint(destination), [&](const Connection& one) { ids.push_back(one.parameters.id); });
    std::ranges::sort(ids);
    return ids;
  }

  ConnectionTable table_;

 private:
  wireguard::SeededRandom random_{1};
  Counters<ice::AgentCounter> counters_;
  ice::AgentTag tags_ = 0;
};

using Ids = std::vector<std::string>;

TEST_F(ConnectionTableTest, FindsByWhereThePathLeadsNow) {
  Connection& first = add("first");
  Connection& second = add("second");
  add("without a path");
  lead(first, "198.51.100.4:1");
  lead(second, "198.51.100.4:2");
  EXPECT_EQ(ids("198.51.100.4:1"), Ids{"first"});
  lead(first, "198.51.100.4:2");
  EXPECT_EQ(ids("198.51.100.4:1"), Ids());
  EXPECT_EQ(ids("198.51.100.4:2"), (Ids{"first", "second"}));
  lead(first, "198.51.100.4:2");
  EXPECT_EQ(ids("198.51.100.4:2"), (Ids{"first", "second"})) << "each once";
  table_.erase(first);
  EXPECT_EQ(ids("198.51.100.4:2"), Ids{"second"});
  EXPECT_EQ(ids("[2001:db8::4]:2"), Ids());
}

TEST_F(ConnectionTableTest, LooksAtAFewOfManyThatShareADestination) {
  for (std::size_t i = 0; i < 2 * kSharedDestinationMax; ++i) lead(add(std::to_string(i)), "198.51.100.4:1");
  EXPECT_EQ(ids("198.51.100.4:1").size(), kSharedDestinationMax);
}

}  // namespace
}  // namespace fireline::node
