// Candidates: what is one, when two are the same, and the foundation's digits.
#include "core/ice/candidate.h"

#include <gtest/gtest.h>

#include "core/ice/priority.h"

namespace fireline::ice {
namespace {

Endpoint at(const char* text) {
  return *Endpoint::parse(text);
}

struct AddressRow {
  const char* rule;
  const char* address;
  bool usable;
};

constexpr AddressRow kAddresses[] = {
    {"an ordinary IPv4 address", "192.0.2.1:1", true},
    {"a private IPv4 address", "10.0.0.1:52625", true},
    {"IPv4 loopback is not filtered", "127.0.0.1:52625", true},
    {"IPv4 link-local", "169.254.1.1:52625", false},
    {"just outside of link-local", "169.253.1.1:52625", true},
    {"IPv4 broadcast", "255.255.255.255:52625", false},
    {"the lowest IPv4 multicast address", "224.0.0.1:52625", false},
    {"the highest IPv4 multicast address", "239.255.255.255:52625", false},
    {"unspecified IPv4", "0.0.0.0:52625", false},
    {"an ordinary IPv6 address", "[2001:db8::1]:52625", true},
    {"IPv6 loopback is not filtered", "[::1]:52625", true},
    {"IPv6 link-local is not filtered", "[fe80::1]:52625", true},
    {"IPv6 multicast", "[ff02::1]:52625", false},
    {"unspecified IPv6", "[::]:52625", false},
    {"port 0", "192.0.2.1:0", false},
};

TEST(Candidate, AddressesThatCanBeOne) {
  for (const auto& row : kAddresses) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(is_usable(at(row.address)), row.usable);
    EXPECT_EQ(Candidate::host(at(row.address)).has_value(), row.usable);
    EXPECT_EQ(Candidate::relayed(at(row.address), Family::v4).has_value(), row.usable);
  }
}

TEST(Candidate, MustNotBeOfMixedFamily) {
  const auto mixed = Candidate::server_reflexive(at("203.0.113.9:40000"), at("[2001:db8::1]:52625"));
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error(), CandidateError::mixed_families);
}

TEST(Candidate, RelatedAddressIsUnspecifiedForReflexiveAndRelayedOnes) {
  EXPECT_EQ(Candidate::host(at("10.0.0.4:1"))->related, std::nullopt);
  EXPECT_EQ(Candidate::server_reflexive(at("203.0.113.9:1"), at("10.0.0.4:1"))->related, at("0.0.0.0:0"));
  EXPECT_EQ(Candidate::relayed(at("[2001:db8::7]:1"), Family::v4)->related, at("[::]:0"));
}

TEST(Candidate, AnnouncementIsKindAddressAndRelatedAddress) {
  const auto announced = *Candidate::server_reflexive(at("203.0.113.9:1"), at("10.0.0.4:1"));
  auto other = announced;
  other.priority = 7;
  other.base = other.address;
  EXPECT_TRUE(is_same_announcement(announced, other)) << "priority and base are not part of it";
  EXPECT_FALSE(is_same(announced, other));
  other.related = at("10.0.0.4:1");
  EXPECT_FALSE(is_same_announcement(announced, other));
  other = announced;
  other.kind = CandidateKind::host;
  EXPECT_FALSE(is_same_announcement(announced, other));
}

TEST(Candidate, FoundationStartsWithThePriorityInLittleEndian) {
  struct Row {
    std::uint32_t priority;
    const char* prefix;
  };
  constexpr Row kRows[] = {{2130706431, "ffffff7e"}, {2130706175, "fffeff7e"}, {2130705663, "fffcff7e"},
                           {1694498815, "ffffff64"}, {1694498559, "fffeff64"}, {37748735, "ffff3f02"},
                           {37748479, "fffe3f02"},   {37492735, "ff173c02"},   {37492479, "ff163c02"}};
  for (const auto& row : kRows) {
    auto candidate = *Candidate::host(at("10.0.0.4:52625"));
    candidate.priority = row.priority;
    const Foundation foundation(candidate);
    EXPECT_EQ(foundation.text().substr(0, 8), row.prefix);
    EXPECT_EQ(foundation.text().size(), 24u);
  }
}

TEST(Candidate, FoundationIsSharedByPortsAndNotByKindsOrAddresses) {
  const auto tail = [](const Candidate& candidate) { return std::string(Foundation(candidate).text().substr(8)); };
  const auto host = *Candidate::host(at("10.0.0.4:52625"));
  EXPECT_EQ(tail(host), tail(*Candidate::host(at("10.0.0.4:1"))));
  EXPECT_NE(tail(host), tail(*Candidate::host(at("10.0.0.5:52625"))));
  EXPECT_NE(tail(host), tail(*Candidate::relayed(at("10.0.0.4:52625"), Family::v4)));
}

}  // namespace
}  // namespace fireline::ice
