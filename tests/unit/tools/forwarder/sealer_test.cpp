// What one end seals the other one opens, whatever the datagrams are; and what was changed on the way is told.
#include "tools/forwarder/sealer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/unit/tools/forwarder/gathered.h"

namespace fireline::forwarder {
namespace {

struct Row {
  std::string rule;
  bool v6;
  std::uint16_t checksum_offset;  // 16: TCP, 6: UDP, 0: neither, no checksum is wanted
  std::size_t payload_bytes;
  std::size_t plain;
};

constexpr std::size_t kTcpBytes = 32;  // with a time stamp

std::size_t headers_of(const Row& row) {
  return (row.v6 ? 40u : 20u) + (row.checksum_offset == 16 ? kTcpBytes : kUdpHeaderBytes);
}

Octets datagram_of(const Row& row, std::uint8_t filling) {
  const std::size_t transport = row.v6 ? 40 : 20;
  Octets datagram(kOverheadBytes + headers_of(row) + row.payload_bytes, std::byte{filling});
  Vnet vnet;
  if (row.checksum_offset != 0) vnet.flags = kVnetNeedsChecksum;
  vnet.checksum_start = static_cast<std::uint16_t>(transport);
  vnet.checksum_offset = row.checksum_offset;
  std::ranges::fill(Bytes(datagram).first(kPadBytes), std::byte{0});
  vnet.store(Bytes(datagram).subspan(kPadBytes));
  if (row.checksum_offset == 16) store_u8(datagram, kOverheadBytes + transport + 12, kTcpBytes / 4 * 16);
  return datagram;
}

const Row kRows[] = {
    {"TCP over IPv4", false, 16, 1368, 32 + 20 + 32},
    {"TCP over IPv6", true, 16, 1348, 32 + 40 + 32},
    {"UDP over IPv4", false, 6, 1392, 32 + 20 + 8},
    {"an acknowledgement has nothing to seal", false, 16, 0, 32 + 20 + 32},
    {"one byte", true, 6, 1, 32 + 40 + 8},
    {"what has no partial checksum stays plain", false, 0, 56, 32 + 20 + 8 + 56},
};

Octets joined(const std::vector<Octets>& datagrams) {
  Octets all;
  for (const Octets& one : datagrams) all.insert(all.end(), one.begin(), one.end());
  return all;
}

// A buffer as the forwarder receives into: more room than was received.
bool open(Sealer& sealer, Octets& received, std::size_t datagram_bytes) {
  const std::size_t bytes = received.size();
  received.resize(bytes + kTagBytes, std::byte{0xEE});
  const bool opened = sealer.open(Bytes(received).first(bytes), datagram_bytes);
  EXPECT_EQ(std::ranges::count(Bytes(received).subspan(bytes), std::byte{0xEE}), std::ptrdiff_t{kTagBytes});
  received.resize(bytes);
  return opened;
}

// The tags stay in the overhead, which nobody looks at behind it.
void clear_pads(Octets& received, std::size_t datagram_bytes) {
  for (std::size_t at = 0; at < received.size(); at += datagram_bytes) {
    std::ranges::fill(Bytes(received).subspan(at, kPadBytes), std::byte{0});
  }
}

TEST(Sealer, OpensWhatItSealedInOnePieceOrTwo) {
  Sealer sealer;
  for (const Row& row : kRows) {
    for (const bool two_pieces : {false, true}) {
      if (two_pieces && row.checksum_offset == 0) continue;  // Train cuts none of these
      SCOPED_TRACE(row.rule + (two_pieces ? ", two pieces" : ""));
      std::vector<Octets> datagrams{datagram_of(row, 1), datagram_of(row, 2), datagram_of(row, 3)};
      const Octets plain = joined(datagrams);
      EXPECT_EQ(plain_bytes(datagrams[0]), row.plain);
      std::vector<iovec> pieces;
      for (Octets& one : datagrams) {
        const std::size_t first = two_pieces ? row.plain : one.size();
        one.resize(one.size() + kTagBytes);  // what stands behind a piece is put back
        pieces.push_back({one.data(), first});
        if (two_pieces) pieces.push_back({one.data() + first, one.size() - kTagBytes - first});
      }
      sealer.seal(pieces, datagrams.size());
      Octets wire = gathered(pieces);
      ASSERT_EQ(wire.size(), plain.size());
      const Bytes payload = Bytes(wire).first(wire.size() / 3).subspan(row.plain);
      const auto same = std::ranges::count(payload, std::byte{1});
      EXPECT_LE(same, static_cast<std::ptrdiff_t>(payload.size() / 16)) << "sealed";

      ASSERT_TRUE(open(sealer, wire, wire.size() / 3));
      clear_pads(wire, wire.size() / 3);
      EXPECT_EQ(wire, plain);
    }
  }
}

TEST(Sealer, TellsWhatWasChanged) {
  Sealer sealer;
  const Row& row = kRows[0];
  Octets sealed = datagram_of(row, 1);
  sealed.resize(sealed.size() + kTagBytes);
  const iovec piece{sealed.data(), sealed.size() - kTagBytes};
  sealer.seal(std::span(&piece, 1), 1);
  sealed.resize(sealed.size() - kTagBytes);
  for (const std::size_t at : {std::size_t{0}, kTagBytes - 1, row.plain, sealed.size() - 1}) {
    Octets changed = sealed;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(open(sealer, changed, changed.size())) << at;
  }
  Octets shorter(sealed.begin(), sealed.begin() + kOverheadBytes);
  EXPECT_FALSE(open(sealer, shorter, shorter.size())) << "no packet in it";
  EXPECT_TRUE(open(sealer, sealed, sealed.size()));
}

}  // namespace
}  // namespace fireline::forwarder
