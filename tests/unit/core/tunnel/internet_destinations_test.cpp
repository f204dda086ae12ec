// What the Internet resource reaches: tunnel specification 5.3. Each range with its first and last address and its
// neighbours.
#include "core/tunnel/internet_destinations.h"

#include <gtest/gtest.h>

namespace fireline::tunnel {
namespace {

struct Row {
  const char* range;
  const char* address;
  bool permitted;
};

constexpr Row kRows[] = {
    {"this network", "0.0.0.0", false},
    {"this network", "0.255.255.255", false},
    {"public", "1.0.0.0", true},
    {"public", "9.255.255.255", true},
    {"private 10/8", "10.0.0.0", false},
    {"private 10/8", "10.255.255.255", false},
    {"public", "11.0.0.0", true},
    {"public", "100.63.255.255", true},
    {"carrier-grade NAT", "100.64.0.0", false},
    {"carrier-grade NAT: proxies", "100.96.0.1", false},
    {"carrier-grade NAT", "100.127.255.255", false},
    {"public", "100.128.0.0", true},
    {"public", "126.255.255.255", true},
    {"loopback", "127.0.0.0", false},
    {"loopback", "127.255.255.255", false},
    {"public", "128.0.0.0", true},
    {"public", "169.253.255.255", true},
    {"link-local", "169.254.0.0", false},
    {"metadata", "169.254.169.254", false},
    {"link-local", "169.254.255.255", false},
    {"public", "169.255.0.0", true},
    {"public", "172.15.255.255", true},
    {"private 172.16/12", "172.16.0.0", false},
    {"private 172.16/12", "172.31.255.255", false},
    {"public", "172.32.0.0", true},
    {"public", "192.167.255.255", true},
    {"private 192.168/16", "192.168.0.0", false},
    {"private 192.168/16", "192.168.255.255", false},
    {"public", "192.169.0.0", true},
    {"public", "223.255.255.255", true},
    {"multicast", "224.0.0.0", false},
    {"multicast", "239.255.255.255", false},
    {"reserved", "240.0.0.0", false},
    {"broadcast", "255.255.255.255", false},
    {"own", "203.0.113.9", false},
    {"beside its own", "203.0.113.8", true},
    {"unspecified", "::", false},
    {"loopback", "::1", false},
    {"IPv4-compatible", "::10.0.0.1", false},
    {"IPv4-mapped", "::ffff:8.8.8.8", false},
    {"a NAT64 of the gateway's network", "64:ff9b:1::8.8.8.8", false},
    {"NAT64 to a public address", "64:ff9b::8.8.8.8", true},
    {"NAT64 to a private address", "64:ff9b::192.168.1.1", false},
    {"NAT64 to the metadata", "64:ff9b::169.254.169.254", false},
    {"public", "2001:db8::1", true},
    {"public", "2606:4700::1111", true},
    {"public", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"unique local", "fc00::", false},
    {"unique local: metadata", "fd00:ec2::254", false},
    {"unique local: tunnel addresses", "fd00:2021:1111::1", false},
    {"unique local", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"neither", "fe7f::1", true},
    {"link-local", "fe80::", false},
    {"link-local", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"site-local", "fec0::1", false},
    {"site-local", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"multicast", "ff00::", false},
    {"multicast", "ff02::1", false},
    {"own", "2001:db8:7::7", false},
};

TEST(InternetDestinations, PublicAddressesAndNoneOfItsOwn) {
  InternetDestinations internet;
  internet.set_host_addresses({IpAddress::parse("2001:db8:7::7").value(), IpAddress::parse("203.0.113.9").value()});
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.address);
    EXPECT_EQ(internet.permits(IpAddress::parse(row.address).value().bytes()), row.permitted) << row.range;
  }
}

TEST(InternetDestinations, NothingBeforeTheHostsAddressesAreKnown) {
  InternetDestinations internet;
  const auto address = IpAddress::parse("192.0.2.9").value();
  EXPECT_FALSE(internet.permits(address.bytes())) << "it may be this host";
  internet.set_host_addresses({});
  EXPECT_TRUE(internet.permits(address.bytes()));
}

TEST(InternetDestinations, AHostsAddressesAreReplaced) {
  InternetDestinations internet;
  internet.set_host_addresses({IpAddress::parse("203.0.113.9").value()});
  internet.set_host_addresses({IpAddress::parse("203.0.113.8").value()});
  EXPECT_TRUE(internet.permits(IpAddress::parse("203.0.113.9").value().bytes()));
  EXPECT_FALSE(internet.permits(IpAddress::parse("203.0.113.8").value().bytes()));
}

}  // namespace
}  // namespace fireline::tunnel
