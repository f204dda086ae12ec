#include "core/packet/icmp_quote.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fireline::packet {
namespace {

using Message = std::vector<std::byte>;

Message bytes_of(std::initializer_list<unsigned> values) {
  Message bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// 172.30.0.100:52609 to 203.0.113.101:3478, `options` four bytes each.
Message message_v4(unsigned type, unsigned code, unsigned protocol, unsigned fragment, unsigned options) {
  auto message =
      bytes_of({type, code, 0, 0,   0,   0, 0,   0,  0x45 + options, 0, 0, 28, 0, 0, 0, fragment, 64, protocol, 0, 0,
                172,  30,   0, 100, 203, 0, 113, 101});
  message.insert(message.end(), options * 4, std::byte{1});
  for (const auto byte : bytes_of({0xCD, 0x81, 0x0D, 0x96, 0, 8, 0, 0})) message.push_back(byte);
  return message;
}

// [fd00::1]:52609 to [2001:db8::2]:3478
Message message_v6(unsigned type, unsigned code, unsigned next_header) {
  auto message = bytes_of({type, code, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 8, next_header, 64});
  for (const auto byte : bytes_of({0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    1,    0x20, 1, 0x0D, 0xB8,
                                   0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xCD, 0x81, 0x0D, 0x96, 0,    8, 0,    0}))
    message.push_back(byte);
  return message;
}

TEST(IcmpQuote, WhatIsAboutOurDatagrams) {
  const struct {
    const char* rule;
    Family family;
    Message message;
    bool found;
  } rows[] = {
      {"port unreachable", Family::v4, message_v4(3, 3, 17, 0, 0), true},
      {"host unreachable", Family::v4, message_v4(3, 1, 17, 0, 0), true},
      {"a quote with IP options", Family::v4, message_v4(3, 3, 17, 0, 2), true},
      {"fragmentation needed is about size", Family::v4, message_v4(3, 4, 17, 0, 0), false},
      {"a quoted TCP segment", Family::v4, message_v4(3, 3, 6, 0, 0), false},
      {"a later fragment has no ports", Family::v4, message_v4(3, 3, 17, 1, 0), false},
      {"an echo request", Family::v4, message_v4(8, 0, 17, 0, 0), false},
      {"port unreachable", Family::v6, message_v6(1, 4, 17), true},
      {"address unreachable", Family::v6, message_v6(1, 3, 17), true},
      {"packet too big is about size", Family::v6, message_v6(2, 0, 17), false},
      {"a quoted TCP segment", Family::v6, message_v6(1, 4, 6), false},
      {"the other family's message", Family::v4, message_v6(1, 4, 17), false},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto found = parse_unreachable(row.family, row.message);
    ASSERT_EQ(found.has_value(), row.found);
    if (!found) continue;
    const bool v4 = row.family == Family::v4;
    EXPECT_EQ(found->source.to_string(), v4 ? "172.30.0.100:52609" : "[fd00::1]:52609");
    EXPECT_EQ(found->destination.to_string(), v4 ? "203.0.113.101:3478" : "[2001:db8::2]:3478");
  }
}

TEST(IcmpQuote, EveryCutIsRefused) {
  for (const auto& [family, message] :
       {std::pair(Family::v4, message_v4(3, 3, 17, 0, 2)), std::pair(Family::v6, message_v6(1, 4, 17))}) {
    const std::size_t needed = message.size() - 4;  // the ports, not the rest of the UDP header
    for (std::size_t length = 0; length < message.size(); ++length) {
      EXPECT_EQ(parse_unreachable(family, ConstBytes(message).first(length)).has_value(), length >= needed) << length;
    }
  }
}

}  // namespace
}  // namespace fireline::packet
