#include "core/portal/address_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/core/crypto/seeded_random.h"

namespace fireline::portal {
namespace {

TEST(AddressPool, AnAddressForEachOffset) {
  struct Row {
    std::uint32_t offset;
    const char* ipv4;
    const char* ipv6;
  };
  for (const Row& row :
       {Row{kOffsetFirst, "100.64.0.2", "fd00:2021:1111::2"}, Row{0x10203, "100.65.2.3", "fd00:2021:1111::1:203"},
        Row{kOffsetLast, "100.95.255.254", "fd00:2021:1111::1f:fffe"}}) {
    EXPECT_EQ(pool_address(Family::v4, row.offset).to_string(), row.ipv4);
    EXPECT_EQ(pool_address(Family::v6, row.offset).to_string(), row.ipv6);
    EXPECT_EQ(pool_offset(*IpAddress::parse(row.ipv4)), row.offset);
    EXPECT_EQ(pool_offset(*IpAddress::parse(row.ipv6)), row.offset);
  }
}

TEST(AddressPool, NoOffsetForWhatNoDeviceHas) {
  for (const char* address : {"100.64.0.0", "100.64.0.1", "100.95.255.255", "100.96.0.2", "100.63.255.254", "10.0.0.2",
                              "fd00:2021:1111::", "fd00:2021:1111::1", "fd00:2021:1111::1f:ffff",
                              "fd00:2021:1111::20:2", "fd00:2021:1111:8000::2", "fd00:2021:1111:0:1::2"}) {
    EXPECT_FALSE(pool_offset(*IpAddress::parse(address)).has_value()) << address;
  }
}

TEST(AddressPool, RandomOffsetsAreThoseOfDevices) {
  crypto::SeededRandom random(1);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t offset = random_offset(random);
    EXPECT_GE(offset, kOffsetFirst);
    EXPECT_LE(offset, kOffsetLast);
    seen.insert(offset >> 18);
  }
  EXPECT_EQ(seen.size(), 8U) << "of every eighth of the pool";
}

TEST(AddressPool, TheFirstFreeOneUpwardsThenDownwards) {
  const auto none = [](std::uint32_t) { return false; };
  const auto from_100 = [](std::uint32_t offset) { return offset >= 100; };
  const auto all = [](std::uint32_t) { return true; };
  EXPECT_EQ(free_offset(100, none), 100U);
  EXPECT_EQ(free_offset(100, [](std::uint32_t offset) { return offset < 103; }), 103U);
  EXPECT_EQ(free_offset(100, from_100), 99U);
  EXPECT_EQ(free_offset(100, [](std::uint32_t offset) { return offset != kOffsetFirst; }), kOffsetFirst);
  EXPECT_EQ(free_offset(100, [](std::uint32_t offset) { return offset != kOffsetLast; }), kOffsetLast);
  EXPECT_EQ(free_offset(100, all), std::nullopt);
}

}  // namespace
}  // namespace fireline::portal
