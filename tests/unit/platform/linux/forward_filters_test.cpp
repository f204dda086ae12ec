#include "platform/linux/firewall/forward_filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fireline::platform {
namespace {

using ::testing::HasSubstr;

constexpr const char* kDropChain =
    R"({"chain":{"family":"ip","table":"filter","name":"FORWARD","type":"filter","hook":"forward","prio":0,"policy":"drop"}})";
constexpr const char* kOpenChain =
    R"({"chain":{"family":"ip","table":"filter","name":"FORWARD","type":"filter","hook":"forward","prio":0,"policy":"accept"}})";

std::string rule(const std::string& statements, const std::string& chain = "FORWARD",
                 const std::string& table = "filter") {
  return R"({"rule":{"family":"ip","table":")" + table + R"(","chain":")" + chain + R"(","expr":[)" + statements +
         "]}}";
}

const std::string kOurAccept =
    R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"tun0"}},{"counter":{"packets":0,"bytes":0}},{"accept":null})";

struct Row {
  const char* rule;
  std::string objects;
  std::size_t obstacles;
};

const Row kRows[] = {
    {"an empty list", "", 0},
    {"a policy that drops, as Docker sets it", kDropChain, 1},
    {"a policy that accepts", kOpenChain, 0},
    {"a last rule that rejects everything, as firewalld's",
     kOpenChain + std::string(",") + rule(R"({"counter":{}},{"reject":{"type":"icmpx"}})"), 1},
    {"a last rule that drops some packets alone",
     kOpenChain + std::string(",") +
         rule(R"({"match":{"op":"in","left":{"ct":{"key":"state"}},"right":"invalid"}},{"drop":null})"),
     0},
    {"the table accepts the tunnel", kDropChain + std::string(",") + rule(kOurAccept), 0},
    {"the table accepts the tunnel in a chain of the user's",
     kDropChain + std::string(",") + rule(kOurAccept, "DOCKER-USER"), 0},
    {"another table's accept does not help", kDropChain + std::string(",") + rule(kOurAccept, "x", "other"), 1},
    {"an accept for a set of interfaces",
     kDropChain + std::string(",") +
         rule(
             R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":{"set":["eth7","tun0"]}}},{"accept":null})"),
     0},
    {"an accept for every other interface",
     kDropChain + std::string(",") +
         rule(R"({"match":{"op":"!=","left":{"meta":{"key":"iifname"}},"right":"tun0"}},{"accept":null})"),
     1},
    {"our own table is none of others",
     R"({"chain":{"family":"inet","table":"own","name":"forward","hook":"forward","policy":"drop"}})", 0},
    {"another hook's drop",
     R"({"chain":{"family":"ip","table":"filter","name":"INPUT","hook":"input","policy":"drop"}})", 0},
    {"objects of the wrong type", R"(7,{"chain":7},{"rule":{"expr":7}},{"rule":[]},{"chain":{"hook":7}})", 0},
};

TEST(ForwardFilters, FindsChainsThatDropWhatTheTunnelForwards) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(forward_obstacles("{\"nftables\":[" + row.objects + "]}", "tun0", "own").size(), row.obstacles);
  }
  EXPECT_TRUE(forward_obstacles("not JSON", "tun0", "own").empty());
}

TEST(ForwardFilters, SaysWhichAndWhatToDo) {
  const auto sentences = forward_obstacles(std::string("{\"nftables\":[") + kDropChain + "]}", "tun0", "own");
  ASSERT_EQ(sentences.size(), 1u);
  EXPECT_THAT(sentences[0], HasSubstr("`ip filter FORWARD` drops forwarded packets"));
  EXPECT_THAT(sentences[0], HasSubstr("`nft insert rule ip filter FORWARD iifname tun0 accept`"));
}

}  // namespace
}  // namespace fireline::platform
