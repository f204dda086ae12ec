#include "tools/node/rendezvous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::lab {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json example() {
  const std::string ones(64, '1');
  const std::string twos(64, '2');
  const std::string threes(64, '3');
  return {{"client",
           {{"id", "c"},
            {"private_key", ones},
            {"ice", {{"username", "cccc"}, {"password", "client-password"}}},
            {"addresses", {"100.64.0.1/32", "fd00::1"}}}},
          {"gateway",
           {{"id", "g"},
            {"private_key", twos},
            {"ice", {{"username", "gggg"}, {"password", "gateway-password"}}},
            {"addresses", {"100.64.0.2"}},
            {"routes", {"172.20.0.0/16"}}}},
          {"preshared_key", threes},
          {"relays",
           {{{"id", "r"},
             {"addresses", {"203.0.113.101:3478", "[2001:db8::1]:3478"}},
             {"client", {{"username", "1:cu"}, {"password", "cp"}}},
             {"gateway", {{"username", "1:gu"}, {"password", "gp"}}}}}}};
}

TEST(Rendezvous, SaysWhatAPortalWould) {
  const auto read = parse_rendezvous(example().dump());
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->own(node::NodeRole::gateway).id, "g");
  EXPECT_EQ(read->other(node::NodeRole::gateway).ice.password(), "client-password");
  EXPECT_EQ(read->client.private_key.to_hex(), std::string(64, '1'));
  EXPECT_EQ(read->preshared_key.to_hex(), std::string(64, '3'));
  EXPECT_EQ(read->gateway.allowed_ips(),
            (std::vector{*Prefix::parse("100.64.0.2/32"), *Prefix::parse("172.20.0.0/16")}));
  for (const auto& [role, user] : {std::pair(0U, "1:cu"), std::pair(1U, "1:gu")}) {
    ASSERT_EQ(read->relays[role].size(), 2U) << "one entry per address";
    EXPECT_EQ(read->relays[role][1].address.to_string(), "[2001:db8::1]:3478");
    EXPECT_EQ(read->relays[role][1].username, user);
  }
}

TEST(Rendezvous, NamesThePlaceOfWhatIsWrong) {
  const struct {
    const char* rule;
    const char* place;  // JSON pointer
    json value;         // null: removed
    const char* sentence;
  } rows[] = {
      {"an end is missing", "/client", nullptr, "client is missing"},
      {"a number is no id", "/client/id", 7, "client.id is missing or no string"},
      {"a short key", "/gateway/private_key", "1234", "gateway.private_key is no key of 64 hex digits"},
      {"a colon in the fragment", "/client/ice/username", "a:b", "client.ice are no ICE credentials"},
      {"no address", "/gateway/addresses", json::array(), "gateway.addresses are missing"},
      {"a bad prefix", "/gateway/routes/0", "10.0.0.0/33", "gateway.routes holds \"10.0.0.0/33\""},
      {"a list is wanted", "/client/addresses", "100.64.0.1", "client.addresses is no list"},
      {"a relay without port", "/relays/0/addresses/0", "203.0.113.1", "relays[0].addresses hold \"203.0.113.1\""},
      {"a relay's user is missing", "/relays/0/gateway", nullptr, "relays[0].gateway is missing"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    auto document = example();
    const json::json_pointer place(row.place);
    if (row.value.is_null()) {
      document[place.parent_pointer()].erase(place.back());
    } else {
      document[place] = row.value;
    }
    const auto read = parse_rendezvous(document.dump());
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error(), HasSubstr(row.sentence));
    EXPECT_THAT(read.error(), Not(HasSubstr("-password"))) << "secrets stay out";
  }
  EXPECT_THAT(parse_rendezvous("{").error(), HasSubstr("it is no JSON"));
  EXPECT_EQ(parse_rendezvous("[]").error(), "it is no JSON object");
}

TEST(Rendezvous, TheFileIsForItsOwnerAlone) {
  const io::TemporaryDirectory directory;
  const auto path = directory.path() + "/rendezvous";
  std::ofstream(path) << example().dump();
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_THAT(read_rendezvous(path).error(), HasSubstr("chmod 600"));
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_TRUE(read_rendezvous(path));
  EXPECT_THAT(read_rendezvous(path + "2").error(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace fireline::lab
