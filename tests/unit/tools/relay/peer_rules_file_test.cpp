#include "tools/relay/peer_rules_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/io/few_descriptors.h"

namespace fireline::relay {
namespace {

TEST(PeerRulesFile, LinesAllowAndDeny) {
  const auto rules =
      parse_peer_rules("# a comment\n\n  deny\t192.0.2.0/24 \r\nallow 10.0.0.0/8\ndeny 2001:db8::/32", AuthKind::fixed);
  ASSERT_TRUE(rules) << rules.error();
  EXPECT_THAT(rules->allow, ::testing::ElementsAre(*Prefix::parse("10.0.0.0/8")));
  EXPECT_THAT(rules->deny, ::testing::ElementsAre(*Prefix::parse("192.0.2.0/24"), *Prefix::parse("2001:db8::/32")));
  EXPECT_TRUE(parse_peer_rules("", AuthKind::firezone).has_value());
  EXPECT_TRUE(parse_peer_rules("\xEF\xBB\xBF"
                               "deny 192.0.2.0/24\n",
                               AuthKind::firezone)
                  .has_value())
      << "a byte order mark is skipped";
}

TEST(PeerRulesFile, TheFirstWrongLineIsNamed) {
  struct Row {
    const char* rule;
    const char* text;
    const char* sentence;
  };
  for (const Row& row : {
           Row{"another word", "deny 10.0.0.0/8\nrefuse 10.0.0.0/8\n", "line 2: write allow PREFIX or deny PREFIX"},
           Row{"no prefix", "deny\n", "line 1: \"\" is no prefix: write ADDRESS/LENGTH, for example 10.0.0.0/8"},
           Row{"no address", "\n\ndeny ten/8\n",
               "line 3: \"ten/8\" is no prefix: write ADDRESS/LENGTH, for example 10.0.0.0/8"},
           Row{"two prefixes", "deny 10.0.0.0/8 10.0.0.0/8\n",
               "line 1: \"10.0.0.0/8 10.0.0.0/8\" is no prefix: write ADDRESS/LENGTH, for example 10.0.0.0/8"},
           Row{"allow where private peers are allowed", "allow 10.0.0.0/8\n",
               "line 1: allow belongs to --auth static: with --auth firezone private peers are allowed already"},
       }) {
    SCOPED_TRACE(row.rule);
    const auto rules = parse_peer_rules(row.text, AuthKind::firezone);
    ASSERT_FALSE(rules);
    EXPECT_EQ(rules.error(), row.sentence);
  }
}

// Rules without them would let clients reach every service of this host.
TEST(PeerRulesFile, WithoutTheHostsAddressesThereAreNoRules) {
  ASSERT_TRUE(read_peer_rules({}).has_value());
  const auto rules = [] {
    const io::FewDescriptors none(0);
    return read_peer_rules({});
  }();
  ASSERT_FALSE(rules);
  EXPECT_THAT(rules.error(), ::testing::StartsWith("cannot list the addresses of this host's interfaces: "));
}

TEST(PeerRulesFile, HoldsALimitedNumber) {
  std::string text;
  for (std::size_t i = 0; i < kPeerPrefixesMax; ++i) text += "deny 10.0.0.0/8\n";
  EXPECT_TRUE(parse_peer_rules(text, AuthKind::firezone));
  const auto more = parse_peer_rules(text + "deny 10.0.0.0/8\n", AuthKind::firezone);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error(), "line 1025: there are more than 1024 prefixes");
}

}  // namespace
}  // namespace fireline::relay
