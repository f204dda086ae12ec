#include "core/packet/coalescer.h"

#include <algorithm>
#include <cstring>

#include "core/packet/checksum.h"
#include "core/packet/ip_packet.h"

namespace fireline::packet {
namespace {

constexpr std::uint16_t kFragmentBits = 0x3FFF;  // MF and offset
constexpr unsigned kTcpAck = 0x010;
constexpr unsigned kTcpPush = 0x008;
constexpr unsigned kTcpFlags = 0xFFF;  // flags and the reserved bits before them
constexpr std::uint16_t kTcpChecksumOffset = 16;
constexpr std::uint16_t kUdpChecksumOffset = 6;

std::uint32_t mix(std::uint32_t hash, std::uint32_t word) noexcept {
  return (hash ^ word) * 0x9E37'79B1u + (hash >> 15);  // Knuth's multiplier: the top bits depend on every word
}

bool same_bytes(ConstBytes a, ConstBytes b, std::size_t offset, std::size_t count) noexcept {
  return std::memcmp(a.data() + offset, b.data() + offset, count) == 0;
}

// Both checksums of an unfragmented packet without IPv4 options and extension headers. The pseudo-header's addresses
// lie right before the transport header: one pass sums both.
bool checksums_right(ConstBytes packet, std::size_t ip_header_bytes, std::uint8_t protocol) noexcept {
  const bool is_v4 = ip_header_bytes == kIpv4HeaderBytes;
  if (is_v4 && fold(sum(packet.first(kIpv4HeaderBytes))) != 0xFFFF) return false;
  const auto transport_bytes = static_cast<std::uint16_t>(packet.size() - ip_header_bytes);
  const Sum initial = word_sum(protocol) + word_sum(transport_bytes);
  return fold(sum(packet.subspan(is_v4 ? 12 : 8), initial)) == 0xFFFF;
}

}  // namespace

Coalescer::Coalescer(CoalescerOptions options) : options_(options) {
  items_.reserve(kCoalescerPackets);
  entries_.reserve(kCoalescerPackets);
}

void Coalescer::add(Bytes packet, TunWriteBatch& output) {
  if (items_.size() + entries_.size() == kCoalescerPackets) finish(output);

  Candidate candidate;
  switch (classify(packet, candidate)) {
    case Kind::unrelated:
      append_alone(packet);
      return;
    case Kind::unknown_flow:
      close_all();
      append_alone(packet);
      return;
    case Kind::flow:
      break;
  }

  Way* const way = find(candidate);
  if (way == nullptr) {
    start_item(candidate, nullptr, false);
    return;
  }
  Item& item = items_[way->item];
  if (!may_join(item, candidate)) {
    start_item(candidate, way, false);
    return;
  }
  // The first packet of an item is verified when it gets company: most packets of thin flows never do.
  if (!item.verified) {
    item.verified = checksums_right(item.first, item.ip_header_bytes, protocol_of(item.transport));
  }
  const bool right = checksums_right(packet, candidate.ip_header_bytes, protocol_of(candidate.transport));
  if (item.verified && right) {
    join(item, candidate);
    if (item.push || candidate.payload_bytes < item.segment_bytes) way->item = kNone;
    return;
  }
  candidate.mergeable = right;
  start_item(candidate, way, right);
}

void Coalescer::finish(TunWriteBatch& output) {
  for (const Item& item : items_) {
    TunWrite write;
    write.first_slice = static_cast<std::uint32_t>(output.slices.size());
    write.slice_count = item.packets;
    output.slices.push_back(item.first);
    if (item.packets > 1) complete(item, write, output);
    output.packets.push_back(write);
  }
  items_.clear();
  entries_.clear();
  close_all();
}

Coalescer::Kind Coalescer::classify(Bytes packet, Candidate& candidate) const noexcept {
  if (packet.size() < kIpv4HeaderBytes) return Kind::unknown_flow;
  const bool is_v4 = load_u8(packet, 0) >> 4 == 4;
  if (!is_v4 && packet.size() < kIpv6HeaderBytes) return Kind::unknown_flow;

  const std::uint8_t protocol = load_u8(packet, is_v4 ? 9 : 6);
  if (protocol == kProtocolTcp) {
    if (!(is_v4 ? options_.tcp4 : options_.tcp6)) return Kind::unrelated;
    candidate.transport = Transport::tcp;
  } else if (protocol == kProtocolUdp) {
    if (!options_.udp) return Kind::unrelated;
    candidate.transport = Transport::udp;
  } else {
    // Behind an IPv6 extension header, or an authentication header, there may be a packet of any flow.
    return protocol == kProtocolIcmp || protocol == kProtocolIcmp6 ? Kind::unrelated : Kind::unknown_flow;
  }
  const bool plain = is_v4 ? read_ipv4(packet, candidate) : read_ipv6(packet, candidate);
  if (!plain) return Kind::unknown_flow;
  const bool complete = candidate.transport == Transport::tcp ? read_tcp(candidate) : read_udp(candidate);
  return complete ? Kind::flow : Kind::unknown_flow;
}

bool Coalescer::read_ipv4(Bytes packet, Candidate& candidate) noexcept {
  const std::size_t header = std::size_t{load_u8(packet, 0) & 0x0Fu} * 4;
  if (header < kIpv4HeaderBytes || header > packet.size() || load_be16(packet, 2) != packet.size()) return false;
  if ((load_be16(packet, 6) & kFragmentBits) != 0) return false;
  candidate.bytes = packet;
  candidate.ip_header_bytes = static_cast<std::uint32_t>(header);
  candidate.mergeable = header == kIpv4HeaderBytes;
  candidate.hash = mix(load_be32(packet, 12), load_be32(packet, 16));
  return true;
}

bool Coalescer::read_ipv6(Bytes packet, Candidate& candidate) noexcept {
  if (kIpv6HeaderBytes + load_be16(packet, 4) != packet.size()) return false;
  candidate.bytes = packet;
  candidate.ip_header_bytes = kIpv6HeaderBytes;
  candidate.mergeable = true;
  for (std::size_t at = 8; at < kIpv6HeaderBytes; at += 4) candidate.hash = mix(candidate.hash, load_be32(packet, at));
  return true;
}

bool Coalescer::read_tcp(Candidate& candidate) noexcept {
  const ConstBytes transport = ConstBytes(candidate.bytes).subspan(candidate.ip_header_bytes);
  if (transport.size() < kTcpHeaderBytes) return false;
  candidate.hash = mix(candidate.hash, load_be32(transport, 0));
  const unsigned flags_word = load_be16(transport, 12);
  const std::size_t header = std::size_t{flags_word >> 12} * 4;
  const bool sane = header >= kTcpHeaderBytes && header < transport.size();  // with payload
  candidate.push = (flags_word & kTcpPush) != 0;
  candidate.mergeable = candidate.mergeable && sane && (flags_word & kTcpFlags & ~kTcpPush) == kTcpAck;
  if (!candidate.mergeable) return true;
  candidate.header_bytes = static_cast<std::uint32_t>(candidate.ip_header_bytes + header);
  candidate.payload_bytes = static_cast<std::uint32_t>(transport.size() - header);
  return true;
}

bool Coalescer::read_udp(Candidate& candidate) noexcept {
  const ConstBytes transport = ConstBytes(candidate.bytes).subspan(candidate.ip_header_bytes);
  if (transport.size() < kUdpHeaderBytes) return false;
  candidate.hash = mix(candidate.hash, load_be32(transport, 0));
  // Without a checksum nothing shows that a datagram is intact, and the kernel would give each segment one.
  const bool sane = load_be16(transport, 4) == transport.size() && transport.size() > kUdpHeaderBytes;
  candidate.mergeable = candidate.mergeable && sane && load_be16(transport, 6) != 0;
  candidate.header_bytes = static_cast<std::uint32_t>(candidate.ip_header_bytes + kUdpHeaderBytes);
  candidate.payload_bytes = static_cast<std::uint32_t>(transport.size() - kUdpHeaderBytes);
  return true;
}

Coalescer::Set& Coalescer::set_of(const Candidate& candidate) noexcept {
  return sets_[(candidate.hash >> 16) % kCoalescerSets];
}

Coalescer::Way* Coalescer::find(const Candidate& candidate) noexcept {
  for (Way& way : set_of(candidate)) {
    if (way.item != kNone && way.hash == candidate.hash && same_flow(items_[way.item], candidate)) return &way;
  }
  return nullptr;
}

bool Coalescer::same_flow(const Item& item, const Candidate& candidate) noexcept {
  const ConstBytes a = item.first;
  const ConstBytes b = candidate.bytes;
  const bool is_v4 = load_u8(a, 0) >> 4 == 4;
  if (item.transport != candidate.transport || is_v4 != (load_u8(b, 0) >> 4 == 4)) return false;
  if (!(is_v4 ? same_bytes(a, b, 12, 8) : same_bytes(a, b, 8, 32))) return false;
  return load_be32(a, item.ip_header_bytes) == load_be32(b, candidate.ip_header_bytes);
}

bool Coalescer::may_join(const Item& item, const Candidate& candidate) noexcept {
  if (!candidate.mergeable || candidate.header_bytes != item.header_bytes) return false;
  if (candidate.payload_bytes > item.segment_bytes) return false;
  if (item.total_bytes + candidate.payload_bytes > kSuperPacketBytes) return false;
  if (item.packets >= (item.transport == Transport::tcp ? kTcpMergeMax : kUdpMergeMax)) return false;

  const ConstBytes a = item.first;
  const ConstBytes b = candidate.bytes;
  if (item.ip_header_bytes == kIpv4HeaderBytes) {
    // TOS; flags (neither is a fragment, so this is DF); TTL.
    if (!same_bytes(a, b, 1, 1) || !same_bytes(a, b, 6, 2) || !same_bytes(a, b, 8, 1)) return false;
  } else {
    constexpr std::uint16_t kVersionAndClass = 0xFFF0;
    if (((load_be16(a, 0) ^ load_be16(b, 0)) & kVersionAndClass) != 0 || !same_bytes(a, b, 7, 1)) return false;
  }
  if (item.transport == Transport::udp) return true;

  const std::size_t tcp = item.ip_header_bytes;
  if (load_be32(b, tcp + 4) != item.next_sequence || !same_bytes(a, b, tcp + 8, 4)) return false;
  // The urgent pointer counts for nothing without URG, but the cut packets must carry what was sent; then the options.
  return same_bytes(a, b, tcp + 18, item.header_bytes - tcp - 18);
}

void Coalescer::join(Item& item, const Candidate& candidate) {
  const auto entry = static_cast<std::uint16_t>(entries_.size());
  entries_.push_back({.payload = candidate.bytes.subspan(candidate.header_bytes)});
  if (item.first_entry == kNone) {
    item.first_entry = entry;
  } else {
    entries_[item.last_entry].next = entry;
  }
  item.last_entry = entry;
  ++item.packets;
  item.total_bytes += candidate.payload_bytes;
  item.next_sequence += candidate.payload_bytes;
  item.push = candidate.push;
  if (item.transport == Transport::tcp) item.window = load_be16(candidate.bytes, candidate.ip_header_bytes + 14);
}

void Coalescer::start_item(const Candidate& candidate, Way* way, bool verified) {
  if (!candidate.mergeable || candidate.push) {
    // Nothing may join it, nor what is before it.
    if (way != nullptr) way->item = kNone;
    append_alone(candidate.bytes);
    return;
  }
  if (way == nullptr) {
    // A free way, else the oldest item's: kNone + 1 wraps to zero, below every index.
    const auto rank = [](const Way& w) { return static_cast<std::uint16_t>(w.item + 1); };
    way = &*std::ranges::min_element(set_of(candidate), {}, rank);
  }
  way->hash = candidate.hash;
  way->item = static_cast<std::uint16_t>(items_.size());

  Item& item = items_.emplace_back();
  item.first = candidate.bytes;
  item.total_bytes = static_cast<std::uint32_t>(candidate.bytes.size());
  item.segment_bytes = static_cast<std::uint16_t>(candidate.payload_bytes);
  item.ip_header_bytes = static_cast<std::uint16_t>(candidate.ip_header_bytes);
  item.header_bytes = static_cast<std::uint16_t>(candidate.header_bytes);
  item.transport = candidate.transport;
  item.verified = verified;
  if (item.transport == Transport::tcp) {
    item.next_sequence = load_be32(item.first, item.ip_header_bytes + 4) + candidate.payload_bytes;
  }
}

void Coalescer::append_alone(Bytes packet) {
  items_.emplace_back().first = packet;
}

void Coalescer::close_all() noexcept {
  for (Set& set : sets_) set.fill(Way{});
}

void Coalescer::complete(const Item& item, TunWrite& write, TunWriteBatch& output) const {
  for (std::uint16_t entry = item.first_entry; entry != kNone; entry = entries_[entry].next) {
    output.slices.push_back(entries_[entry].payload);
  }
  const Bytes header = item.first.first(item.header_bytes);
  const bool is_v4 = item.ip_header_bytes == kIpv4HeaderBytes;
  if (is_v4) {
    store_be16(header, 2, static_cast<std::uint16_t>(item.total_bytes));
    store_be16(header, 10, 0);
    store_be16(header, 10, checksum_of(sum(header.first(kIpv4HeaderBytes))));
  } else {
    store_be16(header, 4, static_cast<std::uint16_t>(item.total_bytes - kIpv6HeaderBytes));
  }

  const std::uint32_t transport_bytes = item.total_bytes - item.ip_header_bytes;
  const Bytes transport = header.subspan(item.ip_header_bytes);
  const bool is_tcp = item.transport == Transport::tcp;
  if (is_tcp) {
    if (item.push) store_u8(transport, 13, static_cast<std::uint8_t>(kTcpAck | kTcpPush));
    store_be16(transport, 14, item.window);
  } else {
    store_be16(transport, 4, static_cast<std::uint16_t>(transport_bytes));
  }
  const std::uint16_t checksum_offset = is_tcp ? kTcpChecksumOffset : kUdpChecksumOffset;
  const ConstBytes addresses = is_v4 ? header.subspan(12, 8) : header.subspan(8, 32);
  const auto [source, destination] =
      std::pair(addresses.first(addresses.size() / 2), addresses.last(addresses.size() / 2));
  store_be16(transport, checksum_offset,
             fold(pseudo_header_sum(source, destination, protocol_of(item.transport), transport_bytes)));

  write.header_bytes = item.header_bytes;
  write.offload.segmentation = !is_tcp ? Segmentation::udp : is_v4 ? Segmentation::tcp4 : Segmentation::tcp6;
  write.offload.needs_checksum = true;
  write.offload.segment_bytes = item.segment_bytes;
  write.offload.checksum_start = item.ip_header_bytes;
  write.offload.checksum_offset = checksum_offset;
}

std::uint8_t Coalescer::protocol_of(Transport transport) noexcept {
  return transport == Transport::tcp ? kProtocolTcp : kProtocolUdp;
}

}  // namespace fireline::packet
