// Which filters hold for an address: tunnel specification 5.2, and its vector V13.
#include "core/policy/filter_table.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fireline::policy {
namespace {

using enum FilterProtocol;
using enum FilterTable::Verdict;

constexpr std::uint8_t kTcp = 6, kUdp = 17;

struct Rules {
  std::vector<std::pair<std::string, FilterList>> all;

  [[nodiscard]] FilterTable table() const {
    std::vector<FilterTable::Rule> rules;
    for (const auto& [network, filters] : all) {
      rules.push_back({.network = Prefix::parse(network).value(), .filters = &filters});
    }
    FilterTable table;
    table.assign(rules);
    return table;
  }
};

struct Row {
  const char* sentence;
  Rules rules;
  const char* address;
  std::uint8_t protocol;
  std::uint16_t port;
  FilterTable::Verdict verdict;
};

const FilterList kAll{};
const FilterList kWeb{.filters = {{tcp, 80, 80}}};
const FilterList kNames{.filters = {{udp, 53, 53}}};
const Rules kV13{{{"10.0.0.0/8", kWeb}, {"10.0.0.0/16", kNames}}};

const Row kRows[] = {
    {"nothing covers anything", {}, "10.0.0.1", kTcp, 80, not_covered},
    {"V13: the wider network's filter holds in the narrower one", kV13, "10.0.1.1", kTcp, 80, permitted},
    {"V13: and the narrower one's own", kV13, "10.0.1.1", kUdp, 53, permitted},
    {"V13: outside of the narrower one its filter does not", kV13, "10.1.0.1", kUdp, 53, filtered},
    {"V13: without the wider one its filter is gone", {{{"10.0.0.0/16", kNames}}}, "10.0.1.1", kTcp, 80, filtered},
    {"outside of both", kV13, "11.0.0.1", kTcp, 80, not_covered},
    {"equal networks permit what either does",
     {{{"10.0.0.0/8", kWeb}, {"10.0.0.0/8", kNames}}},
     "10.0.0.1",
     kUdp,
     53,
     permitted},
    {"a single address", {{{"10.0.0.5/32", kWeb}}}, "10.0.0.5", kTcp, 80, permitted},
    {"beside a single address", {{{"10.0.0.5/32", kWeb}}}, "10.0.0.4", kTcp, 80, not_covered},
    {"the last address of a network", {{{"10.0.0.0/9", kAll}}}, "10.127.255.255", kTcp, 1, permitted},
    {"the first one behind it", {{{"10.0.0.0/9", kAll}}}, "10.128.0.0", kTcp, 1, not_covered},
    {"everything", {{{"0.0.0.0/0", kAll}}}, "255.255.255.255", kTcp, 1, permitted},
    {"everything of the other family", {{{"0.0.0.0/0", kAll}}}, "::1", kTcp, 1, not_covered},
    {"IPv6 by its upper half", {{{"2001:db8::/32", kWeb}}}, "2001:db8:ffff::1", kTcp, 80, permitted},
    {"IPv6 by its lower half", {{{"2001:db8::8000/113", kWeb}}}, "2001:db8::ffff", kTcp, 80, permitted},
    {"beside it", {{{"2001:db8::8000/113", kWeb}}}, "2001:db8::7fff", kTcp, 80, not_covered},
    {"64 bits: inside", {{{"2001:db8:0:1::/64", kWeb}}}, "2001:db8:0:1:ffff::", kTcp, 80, permitted},
    {"64 bits: outside", {{{"2001:db8:0:1::/64", kWeb}}}, "2001:db8:0:2::", kTcp, 80, not_covered},
    {"a single IPv6 address", {{{"2001:db8::1/128", kWeb}}}, "2001:db8::2", kTcp, 80, not_covered},
    {"an IPv4 address is not the IPv6 one with the same first bits",
     {{{"a00::/8", kAll}}},
     "10.0.0.1",
     kTcp,
     1,
     not_covered},
    {"a host in a network that permits everything",
     {{{"10.0.0.0/8", kAll}, {"10.0.0.5/32", kNames}}},
     "10.0.0.5",
     kTcp,
     80,
     permitted},
    {"a filter that permits nothing still covers",
     {{{"10.0.0.0/8", {.filters = {}, .skipped = true}}}},
     "10.0.0.5",
     kTcp,
     80,
     filtered},
};

TEST(FilterTable, TheLongestNetworkWithTheFiltersOfAllAroundIt) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(row.rules.table().classify(IpAddress::parse(row.address).value().bytes(), row.protocol, row.port),
              row.verdict);
  }
}

TEST(FilterTable, ASecondAssignmentReplacesTheFirst) {
  FilterTable table = kV13.table();
  table.assign({});
  EXPECT_EQ(table.classify(IpAddress::parse("10.0.1.1").value().bytes(), kTcp, 80), not_covered);
}

// Every length of either family, against a comparison bit by bit.
TEST(FilterTable, EveryPrefixLength) {
  for (const char* const text : {"170.85.204.51", "aa55:cc33:f00f:1234:8765:0ff0:33cc:55aa"}) {
    const IpAddress address = IpAddress::parse(text).value();
    for (unsigned length = 0; length <= address.bits(); ++length) {
      SCOPED_TRACE(length);
      const FilterTable::Rule rule{.network = Prefix::make(address, length).value(), .filters = &kAll};
      FilterTable table;
      table.assign({&rule, 1});
      EXPECT_EQ(table.classify(address.bytes(), kTcp, 1), permitted);
      if (length == 0) continue;
      std::vector<std::byte> other(address.bytes().begin(), address.bytes().end());
      other[(length - 1) / 8] ^= std::byte{0x80} >> (length - 1) % 8;  // its last bit
      EXPECT_EQ(table.classify(other, kTcp, 1), not_covered);
      if (length == address.bits()) continue;
      other.assign(address.bytes().begin(), address.bytes().end());
      other[length / 8] ^= std::byte{0x80} >> length % 8;  // the first one behind
      EXPECT_EQ(table.classify(other, kTcp, 1), permitted);
    }
  }
}

}  // namespace
}  // namespace fireline::policy
