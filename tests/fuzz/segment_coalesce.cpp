// Arbitrary bytes as packets from the TUN through the segmenter, and its packets through the coalescer, which gets
// broken ones as well. Promises: each segment has right checksums and lengths; what the coalescer writes, cut again, is
// what came in, flow by flow in its order; what is corrupt leaves alone and unchanged.
// Input: one byte of choices, then packets: two bytes of length, ten of virtio-net header, the packet itself.
// libraries: fireline_core_packet
// covers: core/packet/segmenter.cpp core/packet/segmenter.h core/packet/coalescer.cpp core/packet/checksum.h
#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "core/packet/checksum.h"
#include "core/packet/coalescer.h"
#include "core/packet/ip_packet.h"
#include "core/packet/segmenter.h"
#include "core/packet/vnet_header.h"

using namespace fireline;
using namespace fireline::packet;

namespace {

using Packet = std::vector<std::byte>;

constexpr std::size_t kPacketsMax = 600;  // an input's packets and segments: keeps one execution short

void require(bool promise) {
  if (!promise) std::abort();
}

bool transport_checksum_right(const IpPacket& packet) {
  const auto bytes = static_cast<std::uint32_t>(packet.transport().size());
  const Sum pseudo = pseudo_header_sum(packet.source(), packet.destination(), packet.protocol(), bytes);
  return fold(sum(packet.transport(), pseudo)) == 0xFFFF;
}

bool ip_checksum_right(const IpPacket& packet) {
  const std::size_t header = std::size_t{load_u8(packet.bytes(), 0) & 0x0Fu} * 4;
  return !packet.is_v4() || fold(sum(packet.bytes().first(header))) == 0xFFFF;
}

bool is_tcp_or_udp(const IpPacket& packet) {
  return packet.protocol() == kProtocolTcp || packet.protocol() == kProtocolUdp;
}

// The segments of one packet from the TUN; none when it is refused.
std::vector<Packet> cut(const TunPacket& packet) {
  std::vector<Packet> segments;
  const auto segmenter = Segmenter::make(packet);
  if (!segmenter) return segments;
  const bool is_super = packet.offload.segmentation != Segmentation::none;
  require(segmenter->segment_count() >= 1 && segmenter->segment_count() <= kSegmentsMax);
  require(is_super || segmenter->segment_count() == 1);
  std::size_t payload = 0;
  std::size_t header_bytes = 0;
  for (std::size_t i = 0; i < segmenter->segment_count(); ++i) {
    Packet& segment = segments.emplace_back(segmenter->segment_length(i));
    segmenter->write(i, segment.data());
    const auto parsed = IpPacket::parse(segment);
    if (!is_super) continue;
    require(parsed.has_value() && parsed->size() == segment.size() && parsed->transport_valid());
    require(parsed->ecn() == segmenter->ecn() && parsed->family() == segmenter->family());
    require(std::ranges::equal(parsed->destination(), segmenter->destination()));
    const bool no_checksum = parsed->protocol() == kProtocolUdp && load_be16(parsed->transport(), 6) == 0;
    require(no_checksum ? parsed->is_v4() : transport_checksum_right(*parsed));
    header_bytes = parsed->all_header_bytes();
    require(segment.size() > header_bytes);
    payload += segment.size() - header_bytes;
  }
  if (is_super) require(header_bytes + payload == IpHeader::parse(packet.bytes)->size());
  return segments;
}

// Addresses, protocol and ports, as bytes; empty where no flow can be told.
Packet flow_of(ConstBytes bytes) {
  const auto packet = IpPacket::parse(bytes);
  if (!packet || packet->is_fragment() || !is_tcp_or_udp(*packet) || packet->transport().size() < 4) return {};
  Packet key(packet->source().begin(), packet->source().end());
  key.insert(key.end(), packet->destination().begin(), packet->destination().end());
  key.push_back(std::byte{packet->protocol()});
  key.insert(key.end(), packet->transport().begin(), packet->transport().begin() + 4);
  return key;
}

// May change in a merge: identification, flow label, window, and with them the checksums.
Packet comparable(Packet bytes) {
  const auto packet = IpPacket::parse(bytes);
  if (!packet || !is_tcp_or_udp(*packet) || !packet->transport_valid()) return bytes;
  if (!ip_checksum_right(*packet) || !transport_checksum_right(*packet)) return bytes;
  const bool is_tcp = packet->protocol() == kProtocolTcp;
  const std::size_t transport = packet->header_bytes();
  if (packet->is_v4()) {
    store_be16(bytes, 4, 0);
    store_be16(bytes, 10, 0);
  } else {
    store_be32(bytes, 0, load_be32(bytes, 0) & 0xFFF0'0000u);
  }
  if (is_tcp) store_be16(bytes, transport + 14, 0);
  store_be16(bytes, transport + (is_tcp ? 16 : 6), 0);
  return bytes;
}

using Flows = std::map<Packet, std::vector<Packet>>;

void check_merge(std::vector<Packet> packets, CoalescerOptions options) {
  Flows expected;
  for (const Packet& packet : packets) expected[flow_of(packet)].push_back(comparable(packet));

  Coalescer coalescer(options);
  TunWriteBatch batch;
  for (Packet& packet : packets) coalescer.add(packet, batch);
  coalescer.finish(batch);

  Flows written;
  for (const TunWrite& write : batch.packets) {
    require(write.slice_count >= 1 && write.first_slice + write.slice_count <= batch.slices.size());
    Packet bytes;
    for (std::size_t i = 0; i < write.slice_count; ++i) {
      const ConstBytes slice = batch.slices[write.first_slice + i];
      bytes.insert(bytes.end(), slice.begin(), slice.end());
    }
    require(bytes.size() <= kSuperPacketBytes);
    require((write.slice_count > 1) == (write.offload.segmentation != Segmentation::none));
    const auto segments = write.slice_count == 1 ? std::vector<Packet>{bytes} : cut({bytes, write.offload});
    require(segments.size() == write.slice_count);
    for (const Packet& segment : segments) written[flow_of(segment)].push_back(comparable(segment));
  }
  require(written == expected);
}

// Makes a packet one that may be merged; without this hardly any input has two right checksums.
void finish_checksums(Packet& bytes) {
  const auto packet = IpPacket::parse(bytes);
  if (!packet || !packet->transport_valid() || !is_tcp_or_udp(*packet)) return;
  const std::size_t header = packet->header_bytes();
  const std::size_t field = header + (packet->protocol() == kProtocolTcp ? 16 : 6);
  if (packet->is_v4()) {
    const std::size_t ip = std::size_t{load_u8(bytes, 0) & 0x0Fu} * 4;
    store_be16(bytes, 10, 0);
    store_be16(bytes, 10, checksum_of(sum(ConstBytes(bytes).first(ip))));
  }
  store_be16(bytes, field, 0);
  const auto transport_bytes = static_cast<std::uint32_t>(packet->transport().size());
  const Sum pseudo = pseudo_header_sum(packet->source(), packet->destination(), packet->protocol(), transport_bytes);
  store_be16(bytes, field, udp_checksum_of(sum(packet->transport(), pseudo)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ConstBytes input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  const unsigned choices = load_u8(input, 0);
  input = input.subspan(1);
  const CoalescerOptions options{.tcp4 = (choices & 1) == 0, .tcp6 = (choices & 2) == 0, .udp = (choices & 4) == 0};
  const bool finish = (choices & 8) == 0;

  std::vector<Packet> packets;
  while (input.size() >= 2 && packets.size() < kPacketsMax) {
    const std::size_t length = std::min<std::size_t>(load_be16(input, 0), input.size() - 2);
    const ConstBytes record = input.subspan(2, length);
    input = input.subspan(2 + length);
    if (record.size() < kVnetHeaderBytes) continue;
    Packet bytes(record.begin() + kVnetHeaderBytes, record.end());
    // Offloads that decode_vnet_header refuses never reach the segmenter, yet it must hold without.
    const auto offload = decode_vnet_header(record);
    const auto segments = cut({bytes, offload ? *offload : Offload{.segmentation = Segmentation::udp}});
    packets.insert(packets.end(), segments.begin(), segments.end());
  }
  if (packets.size() > kPacketsMax) packets.resize(kPacketsMax);
  if (finish) {
    for (Packet& packet : packets) finish_checksums(packet);
  }
  check_merge(packets, options);
  return 0;
}
