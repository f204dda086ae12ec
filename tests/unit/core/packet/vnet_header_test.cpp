#include "core/packet/vnet_header.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using test::from_hex;
using test::Packet;

// The rows are written for little-endian machines; the header is in native order.
Packet header(std::string_view hex) {
  Packet bytes = from_hex(hex);
  if constexpr (std::endian::native == std::endian::big) {
    for (std::size_t i = 2; i + 1 < bytes.size() && i < 10; i += 2) std::swap(bytes[i], bytes[i + 1]);
  }
  return bytes;
}

Packet with_packet(std::string_view hex, std::size_t packet_bytes = 100) {
  Packet bytes = header(hex);
  bytes.resize(bytes.size() + packet_bytes);
  return bytes;
}

TEST(VnetHeader, VectorOfPlatformSection10) {
  const Offload offload{.segmentation = Segmentation::tcp4,
                        .needs_checksum = true,
                        .segment_bytes = 1228,
                        .checksum_start = 20,
                        .checksum_offset = 16};
  Packet out(10, std::byte{0xEE});
  encode_vnet_header(out, offload, 52);
  EXPECT_EQ(out, header("01 01 34 00 cc 04 14 00 10 00"));

  const auto decoded = decode_vnet_header(with_packet("01 01 34 00 cc 04 14 00 10 00"));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->segmentation, Segmentation::tcp4);
  EXPECT_TRUE(decoded->needs_checksum);
  EXPECT_EQ(decoded->segment_bytes, 1228);
  EXPECT_EQ(decoded->checksum_start, 20);
  EXPECT_EQ(decoded->checksum_offset, 16);
  EXPECT_FALSE(decoded->tcp_ecn);
}

TEST(VnetHeader, APlainPacketIsTenZeros) {
  Packet out(10, std::byte{0xEE});
  encode_vnet_header(out, Offload{}, 0);
  EXPECT_EQ(out, Packet(10));
}

struct ErrorRow {
  const char* rule;
  const char* bytes;
  std::size_t packet_bytes;
  VnetError error;
};

const ErrorRow kErrorRows[] = {
    {"nine bytes are too short", "00 00 00 00 00 00 00 00 00", 0, VnetError::too_short},
    {"nothing is too short", "", 0, VnetError::too_short},
    {"UFO (3) is not asked for", "00 03 00 00 cc 04 00 00 00 00", 100, VnetError::bad_segmentation},
    {"type 2 does not exist", "00 02 00 00 cc 04 00 00 00 00", 100, VnetError::bad_segmentation},
    {"the ECN bit needs a segmentation", "00 80 00 00 cc 04 00 00 00 00", 100, VnetError::bad_segmentation},
    {"the ECN bit is TCP's", "00 85 00 00 cc 04 00 00 00 00", 100, VnetError::bad_segmentation},
    {"segments of zero bytes", "01 01 34 00 00 00 14 00 10 00", 100, VnetError::bad_segmentation},
    {"a checksum field one byte outside", "01 00 00 00 00 00 53 00 10 00", 100, VnetError::bad_checksum},
    {"a checksum field far outside", "01 00 00 00 00 00 ff ff ff ff", 100, VnetError::bad_checksum},
    {"a checksum field in an empty packet", "01 00 00 00 00 00 00 00 00 00", 0, VnetError::bad_checksum},
};

TEST(VnetHeader, ImpossibleValuesAreErrors) {
  for (const auto& row : kErrorRows) {
    SCOPED_TRACE(row.rule);
    const auto decoded = decode_vnet_header(with_packet(row.bytes, row.packet_bytes));
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error(), row.error);
  }
}

struct AcceptRow {
  const char* rule;
  const char* bytes;
  Offload expected;
};

const AcceptRow kAcceptRows[] = {
    {"zeros: a plain packet", "00 00 00 00 00 00 00 00 00 00", {}},
    {"flag 2 (data valid) asks for nothing", "02 00 00 00 00 00 00 00 00 00", {}},
    {"gso_size without a type is ignored", "00 00 00 00 cc 04 00 00 00 00", {}},
    {"checksum offsets without the flag are ignored", "00 00 00 00 00 00 ff ff ff ff", {}},
    {"hdr_len is not looked at", "00 04 ff ff cc 04 00 00 00 00", {Segmentation::tcp6, false, 1228, 0, 0, false}},
    {"the ECN bit of TCP is passed on", "00 81 00 00 cc 04 00 00 00 00", {Segmentation::tcp4, false, 1228, 0, 0, true}},
    {"UDP_L4", "01 05 00 00 cc 04 14 00 06 00", {Segmentation::udp, true, 1228, 20, 6, false}},
    {"a checksum field that ends with the packet",
     "01 00 00 00 00 00 52 00 10 00",
     {Segmentation::none, true, 0, 82, 16, false}},
};

bool same(const Offload& a, const Offload& b) {
  return a.segmentation == b.segmentation && a.needs_checksum == b.needs_checksum &&
         a.segment_bytes == b.segment_bytes && a.checksum_start == b.checksum_start &&
         a.checksum_offset == b.checksum_offset && a.tcp_ecn == b.tcp_ecn;
}

TEST(VnetHeader, WhatTheKernelMayWriteIsAccepted) {
  for (const auto& row : kAcceptRows) {
    SCOPED_TRACE(row.rule);
    const auto decoded = decode_vnet_header(with_packet(row.bytes));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(same(*decoded, row.expected));
  }
}

TEST(VnetHeader, EncodingWhatWasDecodedGivesItBack) {
  std::mt19937 random(1);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    constexpr int kTypes[] = {0, 1, 4, 5, 0x81, 0x84};
    Packet bytes(10 + 65535);
    for (std::size_t i = 0; i < 10; ++i) bytes[i] = static_cast<std::byte>(random());
    bytes[1] = static_cast<std::byte>(kTypes[random() % 6]);
    const auto decoded = decode_vnet_header(bytes);
    if (!decoded) continue;
    ++accepted;
    Packet again(10 + 65535);
    encode_vnet_header(again, *decoded, 40);
    const auto twice = decode_vnet_header(again);
    ASSERT_TRUE(twice.has_value());
    EXPECT_TRUE(same(*decoded, *twice));
  }
  EXPECT_GT(accepted, 5000);
}

}  // namespace
}  // namespace fireline::packet
