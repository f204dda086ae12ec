// Which packets a resource's filters permit: tunnel specification 5.2.
#include "core/policy/filter_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fireline::policy {
namespace {

using enum FilterProtocol;

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kGre = 47, kIcmp6 = 58;

struct Row {
  const char* sentence;
  std::vector<FilterList> lists;
  std::uint8_t protocol;
  std::uint16_t port;
  bool permitted;
};

const FilterList kEverything{};
const FilterList kNothing{.filters = {}, .skipped = true};
const FilterList kWeb{.filters = {{tcp, 80, 80}, {tcp, 443, 443}}};
const FilterList kNames{.filters = {{udp, 53, 53}}};
const FilterList kPing{.filters = {{icmp}}};

const Row kRows[] = {
    {"without any list nothing passes", {}, kTcp, 80, false},
    {"an empty list permits TCP", {kEverything}, kTcp, 80, true},
    {"an empty list permits protocols that nobody knows", {kEverything}, kGre, 0, true},
    {"a list of which nothing was understood permits nothing", {kNothing}, kTcp, 80, false},
    {"what was understood of a list holds", {{.filters = {{tcp, 80, 80}}, .skipped = true}}, kTcp, 80, true},
    {"a port in the list", {kWeb}, kTcp, 443, true},
    {"a port below", {kWeb}, kTcp, 79, false},
    {"a port between two", {kWeb}, kTcp, 81, false},
    {"a port above", {kWeb}, kTcp, 444, false},
    {"the same port of the other protocol", {kWeb}, kUdp, 80, false},
    {"the first port of a range", {{.filters = {{udp, 1000, 2000}}}}, kUdp, 1000, true},
    {"the last port of a range", {{.filters = {{udp, 1000, 2000}}}}, kUdp, 2000, true},
    {"behind a range", {{.filters = {{udp, 1000, 2000}}}}, kUdp, 2001, false},
    {"before a range", {{.filters = {{udp, 1000, 2000}}}}, kUdp, 999, false},
    {"all ports: the first", {{.filters = {{tcp}}}}, kTcp, 0, true},
    {"all ports: the last", {{.filters = {{tcp}}}}, kTcp, 65535, true},
    {"a range whose end lies before its begin is empty", {{.filters = {{tcp, 81, 80}}}}, kTcp, 80, false},
    {"an empty range takes nothing from another one", {{.filters = {{tcp, 70, 90}, {tcp, 81, 80}}}}, kTcp, 81, true},
    {"ICMP by its filter", {kPing}, kIcmp, 0, true},
    {"ICMPv6 by the same one", {kPing}, kIcmp6, 0, true},
    {"ICMP without one", {kWeb}, kIcmp, 0, false},
    {"TCP by a filter for ICMP", {kPing}, kTcp, 0, false},
    {"other protocols by any filter", {{.filters = {{tcp}, {udp}, {icmp}}}}, kGre, 0, false},
    {"two lists permit what either does: the first", {kWeb, kNames}, kTcp, 80, true},
    {"two lists permit what either does: the second", {kWeb, kNames}, kUdp, 53, true},
    {"two lists permit what either does, and no more", {kWeb, kNames}, kUdp, 80, false},
    {"an empty list beside another one permits everything", {kWeb, kEverything}, kGre, 0, true},
    {"one that permits nothing takes nothing away", {kWeb, kNothing}, kTcp, 80, true},
    {"ranges that overlap are one", {{.filters = {{tcp, 10, 20}, {tcp, 15, 30}, {tcp, 5, 11}}}}, kTcp, 30, true},
    {"a range that swallows others", {{.filters = {{tcp, 10, 11}, {tcp, 20, 21}, {tcp, 5, 30}}}}, kTcp, 15, true},
    {"a gap stays one", {{.filters = {{tcp, 20, 21}, {tcp, 10, 11}}}}, kTcp, 15, false},
};

TEST(FilterSet, PermitsWhatItsListsSay) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    FilterSet set;
    for (const FilterList& list : row.lists) set.add(list);
    EXPECT_EQ(set.permits(row.protocol, row.port), row.permitted);
  }
}

TEST(FilterSet, TheOrderOfListsAndRangesDoesNotMatter) {
  const std::vector<Filter> ranges{{tcp, 10, 20}, {tcp, 21, 21}, {tcp, 22, 30}, {tcp, 0, 5}, {tcp, 65535, 65535}};
  constexpr std::uint16_t kInside[] = {0, 5, 10, 20, 21, 22, 30, 65535};
  constexpr std::uint16_t kOutside[] = {6, 9, 31, 65534};
  std::vector<std::size_t> order{0, 1, 2, 3, 4};
  do {
    FilterSet set;
    for (const std::size_t i : order) set.add({.filters = {ranges[i]}});
    for (const std::uint16_t port : kInside) EXPECT_TRUE(set.permits(kTcp, port)) << port;
    for (const std::uint16_t port : kOutside) EXPECT_FALSE(set.permits(kTcp, port)) << port;
  } while (std::ranges::next_permutation(order).found);
}

}  // namespace
}  // namespace fireline::policy
