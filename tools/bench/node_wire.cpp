#include "tools/bench/node_wire.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>
#include <utility>

#include "tools/bench/inner_packet.h"
#include "tools/bench/node_addresses.h"
#include "tools/bench/process.h"
#include "tools/bench/swallow.h"

namespace fireline::bench {
namespace {

constexpr std::size_t kLargeLimitBytes = 64 * packet::kLargeBufferBytes;
constexpr std::size_t kIpAndUdpBytes = 28;
constexpr std::array kFamilies{Family::v4, Family::v6};
constexpr const char* kUnderA6 = "fd00::1";
constexpr const char* kUnderB6 = "fd00::2";

// The link-layer address of a namespace's end of the veth pair: "under@if2 UP 02:… <…>".
std::string mac_of(const std::string& network_namespace) {
  std::istringstream words(run_in(network_namespace, "ip -br link show dev under"));
  std::string name, state, mac;
  words >> name >> state >> mac;
  return mac;
}

void must_be_done(io::IoStatus status, const char* what) {
  if (status != io::IoStatus::done) throw BenchError(fmt::format("the kernel does not take all at once: {}", what));
}

}  // namespace

NodeWire::NodeWire()
    : lab_(Underlay::plain),
      large_("bench.wire", packet::kLargeBufferBytes, kLargeLimitBytes),
      zeros_(packet::kTrainBytesV4) {
  large_.adopt(nullptr);
  route();
  {
    const InsideNamespace inside(lab_.a());
    auto tun = io::TunDevice::open("flnode%d");
    if (!tun) throw BenchError(tun.error().to_string());
    tun_ = std::move(*tun);
    swallowing_ = swallow_egress(if_nametoindex("under"));
  }
  run_in(lab_.a(), fmt::format("ip address add {}/10 dev {}", address4(kTunnelOfGateway).to_string(), tun_->name()));
  run_in(lab_.a(), fmt::format("ip link set {} up", tun_->name()));
  for (const Family family : kFamilies) {
    const auto which = static_cast<std::size_t>(family);
    gateway_[which] = open_udp_socket(lab_.a(), {.family = family, .port = kNodePort, .path_mtu = io::PathMtu::probe});
    clients_[which] = open_udp_socket(lab_.b(), {.family = family, .port = kNodePort});
  }
  inside_ = open_udp_socket(lab_.a(), {.family = Family::v4, .port = kInnerTo, .address = address4(kTunnelOfGateway)});
}

void NodeWire::send_to_gateway(std::span<const packet::ReceivedDatagrams> trains, std::span<const std::byte> bytes,
                               Instant now) {
  packet::Buffer buffer = large_.acquire();
  for (const packet::ReceivedDatagrams& train : trains) {
    const Bytes copy = buffer.bytes().first(train.bytes.size());
    std::ranges::copy(bytes.first(copy.size()), copy.begin());
    bytes = bytes.subspan(copy.size());
    packet::UdpSendBatch batch;
    batch.trains.push_back({.bytes = copy,
                            .segment_bytes = train.segment_bytes,
                            .ecn = train.ecn,
                            .destination = {train.local.address, kNodePort},
                            .local = {.address = train.source.address, .interface = 0}});
    io::SendCursor cursor;
    must_be_done(of(clients_, train.local.address.family()).send(batch, cursor, now), "datagrams of clients");
  }
}

void NodeWire::queue_packets(std::uint32_t to, std::size_t count, std::size_t bytes) {
  const std::size_t payload = bytes - kIpAndUdpBytes;
  const bool marked = queued_.trains.size() % 2 == 1;
  queued_.trains.push_back({.bytes = Bytes(zeros_).first(count * payload),
                            .segment_bytes = static_cast<std::uint16_t>(payload),
                            .ecn = marked ? packet::Ecn::ect0 : packet::Ecn::not_ect,
                            .destination = {address4(to), kInnerTo},
                            .local = {}});
}

void NodeWire::send_into_tun(Instant now) {
  io::SendCursor cursor;
  must_be_done(inside_->send(queued_, cursor, now), "packets into the TUN");
  queued_.clear();
}

void NodeWire::discard() {
  packet::UdpBatch batch;
  while (inside_->receive(batch, large_) == io::IoStatus::done) batch.clear();
}

bool NodeWire::receive(packet::UdpBatch& batch, packet::BufferSource& large) {
  for (const auto& socket : gateway_) {
    if (socket->receive(batch, large) == io::IoStatus::closed) throw BenchError("the gateway's socket was closed");
    if (!batch.empty()) return true;
  }
  return false;
}

bool NodeWire::read(packet::TunBatch& batch, packet::BufferSource& large) {
  if (tun_->read(batch, large) == io::IoStatus::closed) throw BenchError("the TUN device is gone");
  return !batch.empty();
}

void NodeWire::write(packet::TunWriteBatch& batch) {
  io::TunCursor cursor;
  must_be_done(tun_->write(batch, cursor), "packets for the TUN");
  batch.clear();
}

void NodeWire::send(packet::UdpSendBatch& batch, Instant now) {
  if (batch.empty()) return;
  io::SendCursor cursor;
  const Family family = batch.trains[0].destination.address.family();
  must_be_done(of(gateway_, family).send(batch, cursor, now), "the gateway's datagrams");
  batch.clear();
}

io::UdpSocket& NodeWire::of(Sockets& sockets, Family family) {
  return *sockets[static_cast<std::size_t>(family)];
}

void NodeWire::route() {
  const std::string gateway4 = address4(kGateway4).to_string(), gateway6 = address6(kGateway6, 0).to_string();
  run_in(lab_.a(), fmt::format("ip address add {}/32 dev lo", gateway4));
  run_in(lab_.a(), fmt::format("ip route add 10.0.0.0/8 via {}", kUnderlayB));
  run_in(lab_.b(), fmt::format("ip route add {}/32 via {}", gateway4, kUnderlayA));
  run_in(lab_.b(), "ip route add local 10.0.0.0/8 dev lo");
  run_in(lab_.b(), "sysctl -qw net.ipv6.ip_nonlocal_bind=1");
  run_in(lab_.a(), fmt::format("ip address add {}/128 dev lo", gateway6));
  run_in(lab_.a(), fmt::format("ip address add {}/64 dev under nodad", kUnderA6));
  run_in(lab_.b(), fmt::format("ip address add {}/64 dev under nodad", kUnderB6));
  run_in(lab_.a(), fmt::format("ip route add 2001:db8:1::/48 via {}", kUnderB6));
  run_in(lab_.b(), fmt::format("ip route add {}/128 via {}", gateway6, kUnderA6));
  run_in(lab_.b(), "ip route add local 2001:db8:1::/48 dev lo");
  // Nobody answers: what leaves the gateway's host is swallowed, its questions too.
  const std::string mac_a = mac_of(lab_.a()), mac_b = mac_of(lab_.b());
  for (const auto& [a, b] : {std::pair{kUnderlayA, kUnderlayB}, {kUnderA6, kUnderB6}}) {
    run_in(lab_.a(), fmt::format("ip neigh replace {} lladdr {} dev under nud permanent", b, mac_b));
    run_in(lab_.b(), fmt::format("ip neigh replace {} lladdr {} dev under nud permanent", a, mac_a));
  }
}

}  // namespace fireline::bench
