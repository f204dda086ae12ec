#include "tests/unit/core/wireguard/device_fixture.h"

#include <algorithm>
#include <iterator>

#include "core/crypto/x25519.h"
#include "core/packet/checksum.h"
#include "core/stun/channel_data.h"
#include "tests/unit/core/packet/packets.h"

namespace fireline::wireguard {
namespace {

constexpr std::size_t kRoundsMax = 1000;  // of one settle(): more is a loop without end

Packet ip_packet(const std::string& source, const std::string& destination, std::uint8_t protocol,
                 std::size_t transport_bytes, packet::Ecn ecn) {
  const IpAddress from = IpAddress::parse(source).value();
  const IpAddress to = IpAddress::parse(destination).value();
  const std::size_t header = from.is_v4() ? 20 : 40;
  Packet packet(header + transport_bytes);
  if (from.is_v4()) {
    store_u8(packet, 0, 0x45);
    store_u8(packet, 1, static_cast<std::uint8_t>(ecn));
    store_be16(packet, 2, static_cast<std::uint16_t>(packet.size()));
    store_be16(packet, 6, 0x4000);
    store_u8(packet, 8, 64);
    store_u8(packet, 9, protocol);
    std::ranges::copy(from.bytes(), packet.begin() + 12);
    std::ranges::copy(to.bytes(), packet.begin() + 16);
    store_be16(packet, 10, packet::checksum_of(packet::sum(ConstBytes(packet).first(20))));
  } else {
    store_be32(packet, 0, 0x60000000u | static_cast<std::uint32_t>(ecn) << 20);
    store_be16(packet, 4, static_cast<std::uint16_t>(transport_bytes));
    store_u8(packet, 6, protocol);
    store_u8(packet, 7, 64);
    std::ranges::copy(from.bytes(), packet.begin() + 8);
    std::ranges::copy(to.bytes(), packet.begin() + 24);
  }
  return packet;
}

void fill_pattern(Bytes bytes, std::uint8_t tag) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>((i * 7 + tag * 31u) & 0xFF);
}

packet::Sum pseudo_sum(const Packet& packet, std::size_t header, std::uint8_t protocol) {
  const ConstBytes bytes(packet);
  const bool v4 = header == 20;
  return packet::pseudo_header_sum(bytes.subspan(v4 ? 12 : 8, v4 ? 4 : 16), bytes.subspan(v4 ? 16 : 24, v4 ? 4 : 16),
                                   protocol, static_cast<std::uint32_t>(packet.size() - header));
}

Packet tcp_headers(const std::string& source, const std::string& destination, std::uint32_t sequence,
                   std::size_t payload, std::uint8_t tag) {
  Packet packet = ip_packet(source, destination, packet::kProtocolTcp, 20 + payload, packet::Ecn::not_ect);
  const Bytes tcp = Bytes(packet).last(20 + payload);
  store_be16(tcp, 0, 40000);
  store_be16(tcp, 2, 5201);
  store_be32(tcp, 4, sequence);
  store_be32(tcp, 8, 77);
  store_be16(tcp, 12, 0x5010);  // 20 bytes, ACK
  store_be16(tcp, 14, 500);
  fill_pattern(tcp.subspan(20), tag);
  return packet;
}

const Endpoint kRelay = Endpoint::parse("192.0.2.100:3478").value();

// What the relay makes of it: another channel number in front, the sender's relayed address as the source.
void relay(Datagram& datagram, const Node& from, const Node& to) {
  const auto data = stun::ChannelDataView::parse(datagram.bytes);
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->channel, from.channel);
  EXPECT_EQ(data->payload.size() + stun::kChannelHeaderBytes, datagram.bytes.size()) << "no padding over UDP";
  store_be16(datagram.bytes, 0, to.channel);
  datagram.source = from.relayed;
  datagram.destination = to.relayed;
  datagram.skip = stun::kChannelHeaderBytes;
}

DeviceOptions device_options(const World::Options& options, InnerPolicy* policy) {
  return {.profile = options.profile,
          .mtu = options.mtu,
          .tun_offloads = options.tun_offloads,
          .queue_without_path = options.queue_without_path,
          .return_path = options.return_path,
          .policy = policy};
}

}  // namespace

packet::Buffer HeapBuffers::acquire() noexcept {
  if (slots_.size() >= limit_) return {};
  auto owned = std::make_unique<Owned>();
  owned->memory.assign(packet::kHeadroomBytes + bytes_ + packet::kTailroomBytes, std::byte{0xDB});
  owned->slot = {.source = this,
                 .data = owned->memory.data() + packet::kHeadroomBytes,
                 .capacity = static_cast<std::uint32_t>(bytes_)};
  packet::BufferSlot* slot = &owned->slot;
  slots_.emplace(slot, std::move(owned));
  return packet::Buffer(slot);
}

void HeapBuffers::release(packet::BufferSlot* slot) noexcept {
  slots_.erase(slot);
}

Node::Node(std::uint64_t seed, const std::string& where, const DeviceOptions& options, Now start)
    : private_key(seeded_key(seed)),
      public_key(crypto::public_key(private_key)),
      address(Endpoint::parse(where).value()),
      random(seed),
      aead(crypto::make_aead(crypto::AeadBackend::libsodium)),
      device_owner(std::make_unique<Device>(options, start, large, small, random, *aead)),
      device(*device_owner),
      work(device.make_work()) {
  DeviceUpdate update;
  update.private_key = private_key;
  device.apply(start, update, output);
  device.set_up(start, true, output);
}

Node::~Node() = default;

void Node::send(Now now, const std::vector<Packet>& packets) {
  packet::TunBatch batch = tun_batch(input, packets);
  device.plan(now, batch, *work);
  EXPECT_TRUE(batch.empty() && batch.buffers.empty());
  run(*work);
  device.commit(now, *work, output);
  collect();
}

void Node::send(Now now, const Packet& packet, packet::Offload offload) {
  packet::TunBatch batch = tun_batch(input, {packet});
  batch.packets.front().offload = offload;
  device.plan(now, batch, *work);
  run(*work);
  device.commit(now, *work, output);
  collect();
}

void Node::receive(Now now, const std::vector<Datagram>& datagrams) {
  packet::UdpBatch batch = udp_batch(datagrams);
  device.plan(now, batch, *work);
  run(*work);
  device.commit(now, *work, output);
  collect();
}

void Node::step(Now now) {
  for (std::size_t i = 0; device.step_handshake(now, output); ++i) ASSERT_LT(i, 10 * kRoundsMax);
  collect();
}

void Node::handle_timeout(Now now) {
  device.handle_timeout(now, output);
  collect();
}

void Node::run(packet::Work& planned) {
  if (planned.kind == packet::Work::Kind::seal) {
    aead->seal(planned.jobs);
  } else {
    aead->open(planned.jobs);
  }
}

void Node::collect() {
  collect_trains(output.udp4);
  collect_trains(output.udp6);
  collect_writes();
  while (const auto event = device.poll_event()) seen.push_back(*event);
}

void Node::collect_trains(packet::UdpSendBatch& batch) {
  for (const packet::UdpTrain& train : batch.trains) {
    EXPECT_GT(train.segment_bytes, 0u);
    EXPECT_LE(train.bytes.size(), train.destination.address.is_v4() ? packet::kTrainBytesV4 : packet::kTrainBytesV6);
    EXPECT_LE((train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes, packet::kTrainSegments);
    EXPECT_EQ(&batch, &output.udp(train.destination.address.family()));
    const bool inside = std::ranges::any_of(batch.buffers, [&](const packet::Buffer& buffer) {
      return train.bytes.data() >= buffer.data() &&
             train.bytes.data() + train.bytes.size() <= buffer.data() + buffer.capacity();
    });
    EXPECT_TRUE(inside) << "a train outside of its batch's buffers";
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      const auto piece = train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
      sent.push_back({.bytes = Packet(piece.begin(), piece.end()),
                      .ecn = train.ecn,
                      .source = address,
                      .destination = train.destination,
                      .local = train.local,
                      .train = trains_});
    }
    ++trains_;
  }
  batch.clear();
}

void Node::collect_writes() {
  for (const packet::TunWrite& write : output.tun.packets) {
    auto packets = packet::test::cut(output.tun, write);
    ASSERT_TRUE(packets.has_value()) << "the kernel would refuse this packet";
    std::ranges::move(*packets, std::back_inserter(delivered));
    ++tun_writes;
  }
  output.tun.clear();
}

packet::TunBatch Node::tun_batch(HeapBuffers& buffers, const std::vector<Packet>& packets) {
  packet::TunBatch batch;
  for (const Packet& packet : packets) {
    packet::Buffer buffer = buffers.acquire();
    std::ranges::copy(packet, buffer.data());
    batch.packets.push_back({.bytes = buffer.bytes().first(packet.size()), .offload = {}});
    batch.buffers.push_back(std::move(buffer));
  }
  return batch;
}

packet::UdpBatch Node::udp_batch(const std::vector<Datagram>& datagrams) {
  packet::UdpBatch batch;
  const Datagram* previous = nullptr;
  for (const Datagram& datagram : datagrams) {
    const bool follows = previous != nullptr && previous->train == datagram.train &&
                         previous->source == datagram.source && previous->ecn == datagram.ecn &&
                         previous->skip == datagram.skip &&
                         datagram.bytes.size() <= batch.datagrams.back().segment_bytes &&
                         previous->bytes.size() == batch.datagrams.back().segment_bytes &&
                         batch.datagrams.back().bytes.size() + datagram.bytes.size() <= packet::kTrainBytesV6;
    if (follows) {
      Bytes& bytes = batch.datagrams.back().bytes;
      std::ranges::copy(datagram.bytes, bytes.data() + bytes.size());
      bytes = {bytes.data(), bytes.size() + datagram.bytes.size()};
    } else {
      packet::Buffer buffer = input.acquire();
      std::ranges::copy(datagram.bytes, buffer.data());
      batch.datagrams.push_back({.bytes = buffer.bytes().first(datagram.bytes.size()),
                                 .segment_bytes = static_cast<std::uint16_t>(datagram.bytes.size()),
                                 .ecn = datagram.ecn,
                                 .source = datagram.source,
                                 .local = {.address = datagram.destination.address, .interface = 7},
                                 .skip = datagram.skip});
      batch.buffers.push_back(std::move(buffer));
    }
    previous = &datagram;
  }
  return batch;
}

std::size_t Node::events(DeviceEvent::Kind kind) {
  return static_cast<std::size_t>(std::ranges::count(seen, kind, &DeviceEvent::kind));
}

std::size_t Node::sent_of_type(std::uint32_t type) const {
  return static_cast<std::size_t>(std::ranges::count(sent, type, &Datagram::type));
}

void Node::expect_ledger() const {
  std::uint64_t tun = device.gauges().queued_packets + count(DeviceCounter::sealed);
  std::uint64_t udp = device.gauges().queued_handshakes;
  for (const auto counter : {DeviceCounter::opened, DeviceCounter::keepalives, DeviceCounter::initiations,
                             DeviceCounter::responses, DeviceCounter::cookie_replies, DeviceCounter::goodbyes}) {
    udp += count(counter);
  }
  device.counters().for_each([&](std::string_view name, std::uint64_t value) {
    if (name.starts_with("drop.tun.")) tun += value;
    if (name.starts_with("drop.udp.")) udp += value;
  });
  EXPECT_EQ(count(DeviceCounter::tun_segments), tun);
  EXPECT_EQ(count(DeviceCounter::udp_datagrams), udp);
}

World::World(const Options& options)
    : now{.boot = Instant(1000s), .wall = UnixTime(1'700'000'000s)},
      a(1, options.underlay_v6 ? "[2001:db8::1]:51820" : "192.0.2.1:51820", device_options(options, nullptr), now),
      b(2, options.underlay_v6 ? "[2001:db8::2]:51820" : "192.0.2.2:51820", device_options(options, options.policy),
        now) {
  for (auto [node, other, allowed] : {std::tuple(&a, &b, 2), std::tuple(&b, &a, 1)}) {
    DeviceUpdate update;
    const std::string number = std::to_string(allowed);
    update.peers.push_back(peer_update(other->public_key, {"10.0.0." + number + "/32", "fd00::" + number + "/128"}));
    if (options.link == Link::endpoint) update.peers.front().endpoint = other->address;
    if (options.preshared_key) update.peers.front().preshared_key = seeded_key(99);
    node->device.apply(now, update, node->output);
    node->relayed = Endpoint::parse("198.51.100." + std::to_string(3 - allowed) + ":50000").value();
    node->channel = static_cast<std::uint16_t>(0x4000 + allowed);
    node->collect();
    set_path(*node, options.link);
  }
}

void World::settle() {
  for (std::size_t i = 0;; ++i) {
    ASSERT_LT(i, kRoundsMax);
    const bool moved_a = carry(a, b);
    const bool moved_b = carry(b, a);
    if (!moved_a && !moved_b) return;
  }
}

bool World::carry(Node& from, Node& to) {
  if (from.sent.empty()) return false;
  std::vector<Datagram> datagrams = std::exchange(from.sent, {});
  for (Datagram& datagram : datagrams) {
    if (datagram.destination == kRelay) relay(datagram, from, to);
  }
  to.receive(now, datagrams);
  to.step(now);
  return true;
}

void World::advance(Duration duration, bool deliver) {
  const Instant end = now.boot + duration;
  Instant last{};
  for (std::size_t same = 0;;) {
    Instant next = end;
    for (Node* node : {&a, &b}) next = std::min(next, node->device.poll_timeout().value_or(end));
    next = std::max(next, now.boot);
    same = next == last ? same + 1 : 0;
    ASSERT_LT(same, 20u) << "a timer repeats without progress";
    last = next;
    now.wall += next - now.boot;
    now.boot = next;
    for (Node* node : {&a, &b}) {
      if (node->device.poll_timeout().value_or(Instant::max()) <= now.boot) node->handle_timeout(now);
    }
    if (deliver) settle();
    if (now.boot == end) {
      const auto due = [&](Node& node) { return node.device.poll_timeout().value_or(Instant::max()) <= now.boot; };
      if (!due(a) && !due(b)) return;
    }
  }
}

void World::advance_alone(Node& node, Duration duration) {
  const Instant end = now.boot + duration;
  for (std::size_t i = 0; i < kRoundsMax; ++i) {
    const Instant next = std::max(std::min(end, node.device.poll_timeout().value_or(end)), now.boot);
    now.wall += next - now.boot;
    now.boot = next;
    if (node.device.poll_timeout().value_or(Instant::max()) > now.boot) return;
    node.handle_timeout(now);
  }
  FAIL() << "a timer repeats without progress";
}

PeerPath World::path_from(const Node& node, Link link) const {
  const Node& other = &node == &a ? b : a;
  if (link == Link::relayed) return {.destination = kRelay, .channel = node.channel};
  return {.destination = other.address, .local = {.address = node.address.address}};
}

void World::set_path(Node& node, Link link) {
  if (link == Link::endpoint) return;
  const std::optional<PeerPath> path = link == Link::none ? std::nullopt : std::optional(path_from(node, link));
  node.device.set_path(now, &node == &a ? b.public_key : a.public_key, path, node.output);
  node.collect();
}

void World::connect() {
  a.send(now, a_to_b());
  settle();
  ASSERT_EQ(b.delivered.size(), 1u);
  b.delivered.clear();
  b.tun_writes = 0;
}

Packet udp_packet(const std::string& source, const std::string& destination, std::size_t payload, std::uint8_t tag,
                  packet::Ecn ecn) {
  Packet packet = ip_packet(source, destination, packet::kProtocolUdp, 8 + payload, ecn);
  const std::size_t header = packet.size() - 8 - payload;
  const Bytes udp = Bytes(packet).last(8 + payload);
  store_be16(udp, 0, 4000);
  store_be16(udp, 2, 5000);
  store_be16(udp, 4, static_cast<std::uint16_t>(udp.size()));
  fill_pattern(udp.subspan(8), tag);
  if (header == 40) {
    store_be16(udp, 6, packet::udp_checksum_of(packet::sum(udp, pseudo_sum(packet, header, packet::kProtocolUdp))));
  }
  return packet;
}

Packet tcp_packet(const std::string& source, const std::string& destination, std::uint32_t sequence,
                  std::size_t payload, std::uint8_t tag) {
  Packet packet = tcp_headers(source, destination, sequence, payload, tag);
  const Bytes tcp = Bytes(packet).last(20 + payload);
  const std::size_t header = packet.size() - tcp.size();
  store_be16(tcp, 16, packet::checksum_of(packet::sum(tcp, pseudo_sum(packet, header, packet::kProtocolTcp))));
  return packet;
}

Packet tcp_super_packet(const std::string& source, const std::string& destination, std::size_t payload,
                        std::uint16_t segment_bytes, packet::Offload& offload) {
  Packet packet = tcp_headers(source, destination, 1000, payload, 3);
  const Bytes tcp = Bytes(packet).last(20 + payload);
  const std::size_t header = packet.size() - tcp.size();
  store_be16(tcp, 16, packet::fold(pseudo_sum(packet, header, packet::kProtocolTcp)));
  offload = {.segmentation = header == 20 ? packet::Segmentation::tcp4 : packet::Segmentation::tcp6,
             .needs_checksum = true,
             .segment_bytes = segment_bytes,
             .checksum_start = static_cast<std::uint16_t>(header),
             .checksum_offset = 16};
  return packet;
}

}  // namespace fireline::wireguard
