#include "core/base/endpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace fireline {
namespace {

struct AddressRow {
  const char* rule;
  const char* text;
  const char* canonical;  // null: refused
};

const AddressRow kAddressRows[] = {
    {"a dotted quad", "192.0.2.1", "192.0.2.1"},
    {"zero is an address", "0.0.0.0", "0.0.0.0"},
    {"the last IPv4 address", "255.255.255.255", "255.255.255.255"},
    {"IPv6 is printed shortest", "2001:db8:0:0:0:0:0:1", "2001:db8::1"},
    {"capitals are read", "2001:DB8::A", "2001:db8::a"},
    {"the unspecified IPv6 address", "::", "::"},
    {"all groups", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
    {"an IPv4 tail", "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"empty", "", nullptr},
    {"three numbers", "192.0.2", nullptr},
    {"a number above 255", "192.0.2.256", nullptr},
    {"a leading zero may mean octal", "192.0.2.01", nullptr},
    {"hexadecimal", "0x7f.0.0.1", nullptr},
    {"a trailing dot", "192.0.2.1.", nullptr},
    {"a blank", " 192.0.2.1", nullptr},
    {"a name", "localhost", nullptr},
    {"nine groups", "1:2:3:4:5:6:7:8:9", nullptr},
    {"two gaps", "1::2::3", nullptr},
    {"a group of five digits", "2001:0db80::1", nullptr},
    {"brackets", "[::1]", nullptr},
    {"a zone", "fe80::1%1", nullptr},
    {"longer than any address", "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000", nullptr},
};

TEST(IpAddress, ParsesTextAndPrintsTheCanonicalForm) {
  for (const auto& row : kAddressRows) {
    SCOPED_TRACE(row.rule);
    const auto address = IpAddress::parse(row.text);
    ASSERT_EQ(address.has_value(), row.canonical != nullptr);
    if (address) {
      EXPECT_EQ(address->to_string(), row.canonical);
      EXPECT_EQ(IpAddress::parse(address->to_string()), address);
      EXPECT_EQ(IpAddress::from_bytes(address->bytes()), *address);
    }
  }
}

TEST(IpAddress, ANulInsideIsRefused) {
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)).has_value());
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)).has_value());
}

TEST(IpAddress, FamilyBytesAndBits) {
  const auto v4 = *IpAddress::parse("192.0.2.1");
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.family(), Family::v4);
  EXPECT_EQ(v4.bits(), 32u);
  EXPECT_EQ(load_be32(v4.bytes(), 0), 0xC000'0201u);
  const auto v6 = *IpAddress::parse("2001:db8::1");
  EXPECT_EQ(v6.family(), Family::v6);
  EXPECT_EQ(v6.bits(), 128u);
  EXPECT_EQ(v6.bytes().size(), 16u);
  EXPECT_EQ(load_be32(v6.bytes(), 0), 0x2001'0DB8u);
}

TEST(IpAddress, TheDefaultIsUnspecified) {
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_EQ(IpAddress(), *IpAddress::parse("0.0.0.0"));
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("::1")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
}

TEST(IpAddress, FamiliesAreNeverEqual) {
  EXPECT_NE(*IpAddress::parse("0.0.0.0"), *IpAddress::parse("::"));
  EXPECT_NE(*IpAddress::parse("192.0.2.1"), *IpAddress::parse("c000:201::"));
  EXPECT_LT(*IpAddress::parse("255.255.255.255"), *IpAddress::parse("::"));
  EXPECT_LT(*IpAddress::parse("10.0.0.2"), *IpAddress::parse("10.0.0.10"));
}

TEST(IpAddress, HashesByValue) {
  const std::unordered_set<IpAddress> set = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"),
                                             *IpAddress::parse("::1"), *IpAddress::parse("10.0.0.1")};
  EXPECT_EQ(set.size(), 3u);
  EXPECT_TRUE(set.contains(*IpAddress::parse("::1")));
}

TEST(IpAddressDeathTest, OtherLengthsAbort) {
  const std::array<std::byte, 5> five{};
  EXPECT_DEATH((void)IpAddress::from_bytes(five), "");
  EXPECT_DEATH((void)IpAddress::from_bytes({}), "");
}

struct PrefixRow {
  const char* rule;
  const char* text;
  const char* canonical;  // null: refused
};

const PrefixRow kPrefixRows[] = {
    {"a network", "10.0.0.0/8", "10.0.0.0/8"},
    {"host bits are cleared", "10.1.2.3/8", "10.0.0.0/8"},
    {"also inside a byte", "10.255.0.0/9", "10.128.0.0/9"},
    {"everything", "1.2.3.4/0", "0.0.0.0/0"},
    {"one address", "10.1.2.3/32", "10.1.2.3/32"},
    {"without a slash the whole address", "10.1.2.3", "10.1.2.3/32"},
    {"IPv6", "fd00::1234/64", "fd00::/64"},
    {"IPv6 inside a byte", "fd00:2021:1111:8000::/51", "fd00:2021:1111:8000::/51"},
    {"IPv6 everything", "ffff::/0", "::/0"},
    {"one IPv6 address", "fd00::1", "fd00::1/128"},
    {"33 bits of IPv4", "10.0.0.0/33", nullptr},
    {"129 bits of IPv6", "::/129", nullptr},
    {"no length behind the slash", "10.0.0.0/", nullptr},
    {"a negative length", "10.0.0.0/-1", nullptr},
    {"a length with a sign", "10.0.0.0/+8", nullptr},
    {"a mask", "10.0.0.0/255.0.0.0", nullptr},
    {"a blank", "10.0.0.0/8 ", nullptr},
    {"256 does not wrap", "10.0.0.0/256", nullptr},
    {"two slashes", "10.0.0.0/8/8", nullptr},
    {"no address", "/8", nullptr},
};

TEST(Prefix, ParsesTextAndClearsHostBits) {
  for (const auto& row : kPrefixRows) {
    SCOPED_TRACE(row.rule);
    const auto prefix = Prefix::parse(row.text);
    ASSERT_EQ(prefix.has_value(), row.canonical != nullptr);
    if (prefix) {
      EXPECT_EQ(prefix->to_string(), row.canonical);
      EXPECT_EQ(Prefix::parse(prefix->to_string()), prefix);
    }
  }
}

struct ContainsRow {
  const char* prefix;
  const char* address;
  bool contained;
};

const ContainsRow kContainsRows[] = {
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.128.0.0/9", "10.127.255.255", false},
    {"10.128.0.0/9", "10.128.0.0", true},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::", false},
    {"::/0", "0.0.0.0", false},
    {"::/0", "ffff::", true},
    {"fd00::/64", "fd00::ffff:ffff:ffff:ffff", true},
    {"fd00::/64", "fd00:0:0:1::", false},
    {"10.1.2.3/32", "10.1.2.3", true},
    {"10.1.2.3/32", "10.1.2.2", false},
};

TEST(Prefix, Contains) {
  for (const auto& row : kContainsRows) {
    EXPECT_EQ(Prefix::parse(row.prefix)->contains(*IpAddress::parse(row.address)), row.contained)
        << row.prefix << " " << row.address;
  }
}

TEST(Prefix, MakeRefusesMoreBitsThanTheFamilyHas) {
  EXPECT_TRUE(Prefix::make(*IpAddress::parse("1.2.3.4"), 32).has_value());
  EXPECT_FALSE(Prefix::make(*IpAddress::parse("1.2.3.4"), 33).has_value());
  EXPECT_TRUE(Prefix::make(*IpAddress::parse("::"), 128).has_value());
  EXPECT_FALSE(Prefix::make(*IpAddress::parse("::"), 129).has_value());
  EXPECT_EQ(Prefix::make(*IpAddress::parse("1.2.3.4"), 24)->length(), 24u);
}

struct EndpointRow {
  const char* rule;
  const char* text;
  const char* canonical;  // null: refused
};

const EndpointRow kEndpointRows[] = {
    {"IPv4", "192.0.2.1:51820", "192.0.2.1:51820"},
    {"IPv6 in brackets", "[2001:db8::1]:51820", "[2001:db8::1]:51820"},
    {"a numeric zone", "[fe80::1%3]:51820", "[fe80::1%3]:51820"},
    {"the last port", "192.0.2.1:65535", "192.0.2.1:65535"},
    {"port zero", "192.0.2.1:0", "192.0.2.1:0"},
    {"no port", "192.0.2.1", nullptr},
    {"an empty port", "192.0.2.1:", nullptr},
    {"a port above 65,535", "192.0.2.1:65536", nullptr},
    {"a negative port", "192.0.2.1:-1", nullptr},
    {"a port with more behind it", "192.0.2.1:1 ", nullptr},
    {"IPv6 without brackets", "2001:db8::1:51820", nullptr},
    {"IPv4 in brackets", "[192.0.2.1]:51820", nullptr},
    {"a bracket that is not closed", "[2001:db8::1:51820", nullptr},
    {"a zone by name", "[fe80::1%eth0]:51820", nullptr},
    {"an empty zone", "[fe80::1%]:51820", nullptr},
    {"a zone of more than 32 bits", "[fe80::1%4294967296]:51820", nullptr},
    {"a zone without brackets", "192.0.2.1%3:51820", nullptr},
    {"no address", ":51820", nullptr},
    {"empty brackets", "[]:51820", nullptr},
    {"one bracket for both", "[:51820", nullptr},
    {"empty", "", nullptr},
    {"a name", "example.com:51820", nullptr},
};

TEST(Endpoint, ParsesTextAndPrintsIt) {
  for (const auto& row : kEndpointRows) {
    SCOPED_TRACE(row.rule);
    const auto endpoint = Endpoint::parse(row.text);
    ASSERT_EQ(endpoint.has_value(), row.canonical != nullptr);
    if (endpoint) {
      EXPECT_EQ(endpoint->to_string(), row.canonical);
      EXPECT_EQ(Endpoint::parse(endpoint->to_string()), endpoint);
    }
  }
}

TEST(Endpoint, ComparesAllThreeFields) {
  const auto base = *Endpoint::parse("[fe80::1%3]:51820");
  EXPECT_EQ(base.scope, 3u);
  EXPECT_EQ(base.port, 51820);
  EXPECT_NE(base, *Endpoint::parse("[fe80::1%4]:51820"));
  EXPECT_NE(base, *Endpoint::parse("[fe80::1%3]:51821"));
  EXPECT_NE(base, *Endpoint::parse("[fe80::2%3]:51820"));
}

TEST(Endpoint, HashesByAddressAndPort) {
  const std::hash<Endpoint> hash;
  const auto base = *Endpoint::parse("198.51.100.4:1");
  EXPECT_EQ(hash(base), hash(*Endpoint::parse("198.51.100.4:1")));
  EXPECT_NE(hash(base), hash(*Endpoint::parse("198.51.100.4:2")));
  EXPECT_NE(hash(base), hash(*Endpoint::parse("198.51.100.5:1")));
}

}  // namespace
}  // namespace fireline
