#include "core/policy/document_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "core/policy/evaluate.h"
#include "tests/unit/core/policy/times.h"

namespace fireline::policy {
namespace {

// A small document with one part exchanged.
struct Parts {
  std::string account = R"({"name": "A", "slug": "a"})";
  std::string dns = "{}";
  std::string sites = R"([{"name": "lab"}])";
  std::string resources = R"([{"name": "net", "type": "cidr", "address": "10.0.0.0/8", "sites": ["lab"]}])";
  std::string groups = R"([{"name": "staff"}])";
  std::string actors = R"([{"name": "alice", "groups": ["staff"]}])";
  std::string policies = R"([{"name": "p", "groups": ["staff"], "resources": ["net"]}])";

  [[nodiscard]] std::string text() const {
    return R"({"account": )" + account + R"(, "dns": )" + dns + R"(, "sites": )" + sites + R"(, "resources": )" +
           resources + R"(, "groups": )" + groups + R"(, "actors": )" + actors + R"(, "policies": )" + policies + "}";
  }
};

std::string resource(std::string_view members) {
  return Parts{.resources = R"([{"name": "net", )" + std::string(members) + "}]"}.text();
}
std::string cidr(std::string_view address) {
  return resource(R"("type": "cidr", "sites": ["lab"], "address": ")" + std::string(address) + "\"");
}
std::string dns_name(std::string_view address) {
  return resource(R"("type": "dns", "sites": ["lab"], "address": ")" + std::string(address) + "\"");
}
std::string filters(std::string_view list) {
  return resource(R"("type": "cidr", "address": "10.0.0.0/8", "sites": ["lab"], "filters": )" + std::string(list));
}
std::string conditions(std::string_view members) {
  return Parts{.policies = R"([{"name": "p", "groups": ["staff"], "resources": ["net"], "conditions": {)" +
                           std::string(members) + "}}]"}
      .text();
}

std::string derived(std::string_view kind, std::string_view name) {
  return derived_id(account_id("a"), kind, name).to_string();
}

std::string all_of(const std::vector<PolicyError>& errors) {
  std::string all;
  for (const PolicyError& error : errors) all += error.to_string("f") + "\n";
  return all;
}

Document must_read(std::string_view text) {
  auto document = read_document(text);
  if (document) return std::move(*document);
  ADD_FAILURE() << all_of(document.error());
  return {};
}

TEST(DocumentReader, ReadsTheExampleOfTheManual) {
  std::ifstream file(FIRELINE_SOURCE_DIR "/docs/examples/policy.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const Document document = must_read(text);
  ASSERT_EQ(document.resources.size(), 4U);
  EXPECT_EQ(document.account.slug, "example");
  EXPECT_EQ(document.dns.servers.size(), 2U);
  EXPECT_EQ(document.dns.search_domain, "corp.example");
  EXPECT_EQ(document.resources[0].network, Prefix::parse("172.20.0.0/16"));
  EXPECT_TRUE(document.resources[0].filters.permits_everything());
  EXPECT_EQ(document.resources[1].kind, ResourceKind::dns);
  EXPECT_EQ(document.resources[1].pattern, "*.git.example");
  EXPECT_EQ(document.resources[1].description, "https://www.git.example") << "no comment within a string";
  EXPECT_EQ(document.resources[2].network, Prefix::parse("172.30.0.9/32"));
  EXPECT_EQ(document.resources[2].filters.filters,
            (std::vector<Filter>{{.protocol = FilterProtocol::tcp, .first_port = 631, .last_port = 631},
                                 {.protocol = FilterProtocol::udp, .first_port = 5000, .last_port = 5010}}));
  EXPECT_EQ(document.resources[3].kind, ResourceKind::internet);
  ASSERT_EQ(document.groups.size(), 3U);
  EXPECT_EQ(document.groups[0].name, "everyone");
  ASSERT_NE(document.actor_named("backup"), nullptr);
  EXPECT_EQ(document.actor_named("backup")->kind, ActorKind::service_account);

  const auto sees = [&](const char* actor, UnixSeconds now, const char* source) {
    return visible_resources(document, *document.actor_named(actor), {.now = now, .source = *IpAddress::parse(source)});
  };
  EXPECT_EQ(sees("alice", at(6), "203.0.113.1"), (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(sees("bob", at(0, 9), "198.51.100.7"), (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(sees("bob", at(0, 19), "198.51.100.7"), (std::vector<std::size_t>{2}));
  EXPECT_EQ(sees("bob", at(0, 9), "203.0.113.1"), (std::vector<std::size_t>{2}));
  EXPECT_EQ(sees("backup", at(0, 9), "203.0.113.1"), (std::vector<std::size_t>{2}));
}

TEST(DocumentReader, AnAccountAloneIsAPolicy) {
  const Document document = must_read(R"({"account": {"name": "A", "slug": "a"}})");
  EXPECT_EQ(document.account.id, account_id("a"));
  EXPECT_EQ(document.groups.size(), 1U);
  EXPECT_TRUE(document.resources.empty());
}

struct Accepted {
  const char* sentence;
  std::string text;
};

TEST(DocumentReader, Accepts) {
  const Accepted rows[] = {
      {"the whole of a small document", Parts{}.text()},
      {"comments of both kinds, and spaces", "// first\n /* second\n third */ " + Parts{}.text() + " // last"},
      {"an editor's byte order mark", "\xEF\xBB\xBF" + Parts{}.text()},
      {"comment marks within strings", Parts{.account = R"({"name": "a // b /* c", "slug": "a"})"}.text()},
      {"an escaped quote before comment marks", Parts{.account = R"({"name": "a\" // b", "slug": "a"})"}.text()},
      {"a name with letters of any script", Parts{.account = R"({"name": "Büro 東京", "slug": "a"})"}.text()},
      {"an IPv6 network", cidr("2001:db8::/32")},
      {"a network next to the reserved ones", cidr("100.128.0.0/10")},
      {"wildcards in every label but the last", dns_name("**.a?b.*.example")},
      {"capital letters of a name", dns_name("WWW.Example")},
      {"one IP stack", resource(R"("type": "dns", "sites": ["lab"], "address": "a.b", "ip_stack": "ipv6_only")")},
      {"every kind of filter", filters(R"(["tcp", "udp", "icmp", "tcp/1", "udp/65535", "tcp/1-65535"])")},
      {"the Internet", resource(R"("type": "internet", "sites": ["lab"])")},
      {"a whole day", conditions(R"("time": [{"days": ["sunday"]}])")},
      {"a leap day", conditions(R"("expires": "2028-02-29T00:00:00Z")")},
      {"a single address as source", conditions(R"("source": ["::1"])")},
      {"a group that is listed and everyone",
       Parts{.actors = R"([{"name": "a", "groups": ["everyone", "staff"]}])"}.text()},
      {"an actor of no group", Parts{.actors = R"([{"name": "a", "groups": []}])"}.text()},
  };
  for (const Accepted& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Document document = must_read(row.text);
    for (const Actor& actor : document.actors) EXPECT_EQ(actor.groups.front(), 0U);
  }
}

struct Refused {
  const char* sentence;
  std::string text;
  const char* error;  // a part of the messages
};

TEST(DocumentReader, RefusesWithASentence) {
  const Refused rows[] = {
      {"nothing", "", "expected an object, found nothing"},
      {"comments alone", "// {}", "expected an object, found nothing"},
      {"a list", "[]", "f:1:1: expected an object, found a list"},
      {"a list behind a byte order mark, which is no column", "\xEF\xBB\xBF[]",
       "f:1:1: expected an object, found a list"},
      {"two of them", "\xEF\xBB\xBF\xEF\xBB\xBF[]", "f:1:1: "},
      {"a number", "12", "f:1:1: expected an object"},
      {"an object that does not end", R"({"account": {)", "f:1:14: not JSON"},
      {"a comma too many", R"({"account": {},})", "f:1:16: not JSON"},
      {"a comma too few", "{\"account\": {}\n \"sites\": []}", "f:2:2: not JSON"},
      {"something behind the end", R"({"account": {"name": "A", "slug": "a"}} 1)", "not JSON"},
      {"a comment that does not end", "{ /* ", "f:1:3: a comment that does not end"},
      {"a string that does not end", "{\n  \"account: {}\n}", "f:2:3: a string that does not end on its line"},
      {"bytes that are not UTF-8", "{\n\"\xff\": 1}", "f:2:1: a line that is not UTF-8"},
      {"a bad escape", R"({"account": {"name": "\q", "slug": "a"}})", "f:1:22: expected a string without bad escapes"},
      {"a word that is no literal", R"({"account": nil})", "f:1:13: "},
      {"lists within each other without end", R"({"account": )" + std::string(100, '[') + std::string(100, ']') + "}",
       "nested deeper"},
      {"no account", "{}", "f:1:1: expected a key \"account\""},
      {"an unknown key", R"({"acount": {}})", "f:1:2: unknown key \"acount\"; did you mean \"account\"?"},
      {"a key twice", R"({"account": {"name": "A", "slug": "a", "slug": "b"}})", "\"slug\" comes twice"},
      {"an unknown key far from all", Parts{.account = R"({"name": "A", "slug": "a", "colour": 1})"}.text(),
       "unknown key \"colour\"\n"},
      {"a number for a name", Parts{.account = R"({"name": 12, "slug": "a"})"}.text(),
       "account.name: expected a string of 1 to 255 bytes without control characters, found 12"},
      {"an empty name", Parts{.sites = R"([{"name": "lab"}, {"name": ""}])"}.text(),
       "sites[1].name: expected a string"},
      {"a name of 256 bytes", Parts{.account = R"({"name": ")" + std::string(256, 'a') + R"(", "slug": "a"})"}.text(),
       "account.name: expected a string of 1 to 255"},
      {"a control character in a name", Parts{.account = R"({"name": "a\u001bb", "slug": "a"})"}.text(),
       "found \"a?b\""},
      {"a slug with a capital letter", Parts{.account = R"({"name": "A", "slug": "A"})"}.text(),
       "account.slug: expected"},
      {"no UUID as id", Parts{.account = R"({"id": "1", "name": "A", "slug": "a"})"}.text(),
       "account.id: expected a UUID"},
      {"the zero id",
       Parts{.account = R"({"id": "00000000-0000-0000-0000-000000000000", "name": "A", "slug": "a"})"}.text(),
       "account.id: expected a UUID"},
      {"one id twice",
       Parts{.sites = R"([{"name": "lab", "id": "11111111-1111-4111-8111-111111111111"},
                          {"name": "b", "id": "11111111-1111-4111-8111-111111111111"}])"}
           .text(),
       "sites[1].id: something else has this id"},
      {"an id that another actor's name leads to",
       Parts{.actors = R"([{"name": "alice.old", "groups": ["staff"], "id": ")" + derived("actor", "alice") +
                       R"("}, {"name": "alice"}])"}
           .text(),
       "actors[1].name: something else has the id that follows from this name; give it an \"id\"\n"},
      {"an id that another site's name leads to",
       Parts{.sites = R"([{"name": "b", "id": ")" + derived("site", "lab") + R"("}, {"name": "lab"}])"}.text(),
       "sites[1].name: something else has the id"},
      {"an id that a later resource's name leads to",
       Parts{.sites = R"([{"name": "lab", "id": ")" + derived("resource", "net") + R"("}])"}.text(),
       "resources[0].name: something else has the id"},
      {"the id of everyone",
       Parts{.sites = R"([{"name": "lab", "id": ")" + derived("group", "everyone") + R"("}])"}.text(),
       "sites[0].id: something else has this id"},
      {"one name twice", Parts{.sites = R"([{"name": "lab"}, {"name": "lab"}])"}.text(),
       "sites[1].name: another site has the name \"lab\""},
      {"a resource without a type", resource(R"("address": "10.0.0.0/8", "sites": ["lab"])"),
       "expected a key \"type\""},
      {"an unknown type", resource(R"("type": "net", "sites": ["lab"])"), "resources[0].type: expected \"dns\""},
      {"no site", resource(R"("type": "cidr", "address": "10.0.0.0/8")"), "expected a key \"sites\""},
      {"an empty list of sites", resource(R"("type": "cidr", "address": "10.0.0.0/8", "sites": [])"),
       "expected at least one entry, found an empty list"},
      {"an unknown site", resource(R"("type": "cidr", "address": "10.0.0.0/8", "sites": ["lap"])"),
       "the name of a site in this file; did you mean \"lab\"?, found \"lap\""},
      {"a site twice", resource(R"("type": "cidr", "address": "10.0.0.0/8", "sites": ["lab", "lab"])"), "comes twice"},
      {"a network with host bits", cidr("10.1.2.3/8"), "without host bits, here \"10.0.0.0/8\", found \"10.1.2.3/8\""},
      {"a network without its length", cidr("10.0.0.0"), "a network with its prefix length"},
      {"a network too long", cidr("10.0.0.0/33"), "a network with its prefix length"},
      {"all of IPv4", cidr("0.0.0.0/0"), "there is the type \"internet\""},
      {"all of IPv6", cidr("::/0"), "there is the type \"internet\""},
      {"a network within the reserved one", cidr("100.100.0.0/16"), "apart from the tunnels' own"},
      {"a network around the reserved one", cidr("96.0.0.0/4"), "apart from the tunnels' own"},
      {"a reserved IPv6 network", cidr("fd00:2021:1111:8000::/64"), "apart from the tunnels' own"},
      {"a reserved address", resource(R"("type": "ip", "address": "100.64.0.1", "sites": ["lab"])"),
       "apart from the tunnels' own"},
      {"a network as one address", resource(R"("type": "ip", "address": "10.0.0.0/8", "sites": ["lab"])"),
       "one address"},
      {"a name that ends with a wildcard", dns_name("git.*"), "expected a DNS name, with wildcards"},
      {"a wildcard alone", dns_name("**"), "expected a DNS name, with wildcards"},
      {"a name with an empty label", dns_name("a..b"), "expected a DNS name"},
      {"a name with a space", dns_name("a b.c"), "expected a DNS name"},
      {"a label of 64 bytes", dns_name(std::string(64, 'a') + ".b"), "expected a DNS name"},
      {"an address as a name", dns_name("10.0.0.1"), "an address is of the type \"ip\""},
      {"an unknown IP stack", resource(R"("type": "dns", "sites": ["lab"], "address": "a.b", "ip_stack": 4)"),
       "ip_stack: expected \"dual\""},
      {"an IP stack of a network",
       resource(R"("type": "cidr", "sites": ["lab"], "address": "10.0.0.0/8", "ip_stack": "dual")"),
       "is for resources of the type \"dns\" alone"},
      {"an Internet with filters", resource(R"("type": "internet", "sites": ["lab"], "filters": ["tcp"])"),
       "\"filters\" is not for a resource of the type \"internet\""},
      {"two Internets",
       Parts{.resources = R"([{"name": "net", "type": "internet", "sites": ["lab"]},
                              {"name": "b", "type": "internet", "sites": ["lab"]}])"}
           .text(),
       "expected one resource of the type \"internet\""},
      {"an empty list of filters", filters("[]"), "filters: expected at least one entry, found an empty list"},
      {"an unknown protocol", filters(R"(["sctp"])"), "expected \"tcp\""},
      {"ports of ICMP", filters(R"(["icmp/8"])"), "expected \"tcp\""},
      {"no port behind the slash", filters(R"(["tcp/"])"), "expected ports from 1 to 65535"},
      {"port 0", filters(R"(["tcp/0"])"), "expected ports"},
      {"port 65536", filters(R"(["tcp/65536"])"), "expected ports"},
      {"ports the wrong way round", filters(R"(["tcp/2-1"])"), "expected ports"},
      {"a range without end", filters(R"(["tcp/2-"])"), "expected ports"},
      {"a port that is a number", filters("[443]"), "filters: expected a string, found 443"},
      {"everyone as a group of the file", Parts{.groups = R"([{"name": "staff"}, {"name": "everyone"}])"}.text(),
       "groups[1].name: \"everyone\" is there by itself"},
      {"an unknown type of actor", Parts{.actors = R"([{"name": "a", "type": "robot"}])"}.text(),
       "actors[0].type: expected \"user\""},
      {"an unknown group", Parts{.actors = R"([{"name": "a", "groups": ["stuff"]}])"}.text(),
       "did you mean \"staff\"?"},
      {"a policy of no group", Parts{.policies = R"([{"name": "p", "groups": [], "resources": ["net"]}])"}.text(),
       "policies[0].groups: expected at least one entry"},
      {"an unknown resource", Parts{.policies = R"([{"name": "p", "groups": ["staff"], "resources": ["nat"]}])"}.text(),
       "the name of a resource in this file; did you mean \"net\"?"},
      {"no time at all", conditions(R"("time": [])"), "policies[0].conditions.time: expected at least one entry"},
      {"a time of no day", conditions(R"("time": [{"from": "08:00"}])"), "expected a key \"days\""},
      {"an unknown day", conditions(R"("time": [{"days": ["mon"]}])"), "time[0].days: expected a day from \"monday\""},
      {"a time over midnight", conditions(R"("time": [{"days": ["monday"], "from": "22:00", "to": "06:00"}])"),
       "what goes on after midnight is an entry of its own"},
      {"a minute 60", conditions(R"("time": [{"days": ["monday"], "from": "08:60"}])"), "expected a time of the day"},
      {"a time after 24:00", conditions(R"("time": [{"days": ["monday"], "to": "24:01"}])"),
       "expected a time of the day"},
      {"no source at all", conditions(R"("source": [])"), "conditions.source: expected at least one entry"},
      {"a source that is a name", conditions(R"("source": ["a.example"])"), "expected an address or a network"},
      {"a day that is not", conditions(R"("expires": "2027-02-29T00:00:00Z")"), "expected a day that there is"},
      {"a time with an offset", conditions(R"("expires": "2027-02-28T00:00:00+01:00")"), "expected a time in UTC"},
      {"a time as a number", conditions(R"("expires": 1800000000)"), "expires: expected a string, found 1800000000"},
      {"a name as DNS server", Parts{.dns = R"({"servers": ["dns.example"]})"}.text(),
       "dns.servers: expected an address"},
      {"a sentinel as DNS server", Parts{.dns = R"({"servers": ["100.100.111.1"]})"}.text(), "an address outside of"},
      {"a wildcard as search domain", Parts{.dns = R"({"search_domain": "*.example"})"}.text(),
       "expected a DNS name such"},
      {"seventeen DNS servers",
       Parts{.dns = R"({"servers": ["::1","::2","::3","::4","::5","::6","::7","::8","::9","::a","::b","::c","::d","::e",
             "::f","::10","::11"]})"}
           .text(),
       "expected at most 16 entries"},
  };
  for (const Refused& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto document = read_document(row.text);
    ASSERT_FALSE(document.has_value());
    EXPECT_NE(all_of(document.error()).find(row.error), std::string::npos) << all_of(document.error());
  }
}

TEST(DocumentReader, SaysAllMistakesInTheOrderOfTheFile) {
  const auto document = read_document("{\n  \"policies\": [{}],\n  // a comment keeps its place\n  \"acount\": {}\n}");
  ASSERT_FALSE(document.has_value());
  EXPECT_EQ(all_of(document.error()),
            "f:1:1: expected a key \"account\"\n"
            "f:2:16: policies[0]: expected a key \"name\"\n"
            "f:2:16: policies[0]: expected a key \"groups\"\n"
            "f:2:16: policies[0]: expected a key \"resources\"\n"
            "f:4:3: unknown key \"acount\"; did you mean \"account\"?\n");
}

TEST(DocumentReader, SaysTheFirstTwenty) {
  std::string text = "{";
  for (int i = 0; i < 100; ++i) text += "\"key" + std::to_string(i) + "\": 1,\n";
  const auto document = read_document(text + "\"account\": 1}");
  ASSERT_FALSE(document.has_value());
  ASSERT_EQ(document.error().size(), kPolicyErrorsMax);
  EXPECT_EQ(document.error().back().line, 20U);
}

TEST(DocumentReader, SuggestsForWhatItSays) {
  std::string resources;
  std::string policies;
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    resources += (i == 0 ? "" : ",") +
                 (R"({"name": "lan-)" + number + R"(", "type": "cidr", "address": "10.0.0.0/8", "sites": ["lab"]})");
    policies += (i == 0 ? "" : ",") +
                (R"({"name": "p)" + number + R"(", "groups": ["everyone"], "resources": ["lam-)" + number + R"("]})");
  }
  const auto document =
      read_document(R"({"account": {"name": "A", "slug": "a"}, "sites": [{"name": "lab"}], "resources": [)" +
                    resources + R"(], "policies": [)" + policies + "]}");
  ASSERT_FALSE(document.has_value());
  ASSERT_EQ(document.error().size(), kPolicyErrorsMax);
  for (std::size_t i = 0; i < kPolicyErrorsMax; ++i) {
    EXPECT_THAT(document.error()[i].to_string("f"), testing::HasSubstr("lan-" + std::to_string(i))) << i;
  }
}

TEST(DocumentReader, RefusesATextThatIsTooLong) {
  const auto document = read_document(std::string(kPolicyBytesMax + 1, ' '));
  ASSERT_FALSE(document.has_value());
  EXPECT_EQ(document.error().front().text, "expected at most 16777216 bytes");
}

TEST(DerivedId, IsOfVersion8AndDependsOnEveryPart) {
  const Uuid account = account_id("example");
  const Uuid id = derived_id(account, "site", "lab");
  EXPECT_EQ(id, derived_id(account, "site", "lab"));
  EXPECT_NE(id, derived_id(account, "group", "lab"));
  EXPECT_NE(id, derived_id(account, "site", "Lab"));
  EXPECT_NE(id, derived_id(account_id("other"), "site", "lab"));
  EXPECT_EQ(id.bytes[6] >> 4, 8);
  EXPECT_EQ(id.bytes[8] >> 6, 2);
}

TEST(DerivedId, AGivenIdReplacesIt) {
  const Document document =
      must_read(Parts{.sites = R"([{"name": "lab", "id": "{11111111-1111-4111-8111-11111111111A}"}])"}.text());
  ASSERT_EQ(document.sites.size(), 1U);
  EXPECT_EQ(document.sites[0].id.to_string(), "11111111-1111-4111-8111-11111111111a");
  EXPECT_EQ(document.resources[0].sites[0].id, document.sites[0].id);
  EXPECT_EQ(document.resources[0].id, derived_id(document.account.id, "resource", "net"));
}

}  // namespace
}  // namespace fireline::policy
