#include "tools/bench/packet_sender.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"
#include "tools/forwarder/frame.h"

namespace fireline::bench {
namespace {

constexpr int kOn = 1;

[[noreturn]] void fail(const std::string& what) {
  throw BenchError(fmt::format("{}: {}", what, std::strerror(errno)));
}

template <class Address>
sockaddr* generic(Address& address) {
  return static_cast<sockaddr*>(static_cast<void*>(&address));
}

// The source address that the kernel would take towards `target`.
in_addr source_towards(sockaddr_in target) {
  const io::FileDescriptor probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe) fail("no socket for the sender");
  if (connect(probe.get(), generic(target), sizeof target) != 0) fail("no route for the sender");
  sockaddr_in source{};
  socklen_t length = sizeof source;
  if (getsockname(probe.get(), generic(source), &length) != 0) fail("no source address for the sender");
  return source.sin_addr;
}

unsigned interface_of(in_addr address) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) fail("cannot list interfaces");
  unsigned index = 0;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in own{};
    std::memcpy(&own, one->ifa_addr, sizeof own);
    if (own.sin_addr.s_addr == address.s_addr) index = if_nametoindex(one->ifa_name);
  }
  freeifaddrs(list);
  if (index == 0) throw BenchError("no interface has the sender's address");
  return index;
}

}  // namespace

PacketSender::PacketSender(const std::string& network_namespace, const std::string& target_text, std::uint16_t port,
                           std::size_t payload_bytes)
    : frame_bytes_(kHeaderBytes + payload_bytes), frames_(kPerCall * frame_bytes_) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(port);
  if (inet_pton(AF_INET, target_text.c_str(), &target.sin_addr) != 1) {
    throw BenchError("no IPv4 address: " + target_text);
  }
  const InsideNamespace inside(network_namespace);
  const in_addr source = source_towards(target);
  socket_ = io::FileDescriptor(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket_) fail("cannot open a packet socket");
  if (setsockopt(socket_.get(), SOL_PACKET, PACKET_VNET_HDR, &kOn, sizeof kOn) != 0) {
    fail("the kernel has no PACKET_VNET_HDR");
  }
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(ETH_P_IP);
  link.sll_ifindex = static_cast<int>(interface_of(source));
  if (bind(socket_.get(), generic(link), sizeof link) != 0) fail("cannot bind a packet socket");

  for (std::size_t i = 0; i < kPerCall; ++i) {
    const Bytes frame = Bytes(frames_).subspan(i * frame_bytes_, frame_bytes_);
    forwarder::Vnet vnet;
    vnet.flags = forwarder::kVnetNeedsChecksum;
    vnet.checksum_start = 20;
    vnet.checksum_offset = 6;
    vnet.store(frame);
    const Bytes packet = frame.subspan(kVnetBytes);
    const auto udp_bytes = static_cast<std::uint16_t>(8 + payload_bytes);
    store_u8(packet, 0, 0x45);
    store_be16(packet, 2, static_cast<std::uint16_t>(packet.size()));
    store_be16(packet, 6, 0x4000);
    store_u8(packet, 8, 64);
    store_u8(packet, 9, forwarder::kUdp);
    std::memcpy(packet.data() + 12, &source, 4);
    std::memcpy(packet.data() + 16, &target.sin_addr, 4);
    store_be16(packet, 10, static_cast<std::uint16_t>(~forwarder::fold(forwarder::sum_words(packet.first(20)))));
    store_be16(packet, 20, port);
    store_be16(packet, 22, port);
    store_be16(packet, 24, udp_bytes);
    store_be16(packet, 26, forwarder::fold(forwarder::pseudo_sum(packet, false, forwarder::kUdp) + udp_bytes));
    pieces_[i] = {frame.data(), frame.size()};
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

int PacketSender::send(std::uint64_t number) {
  for (std::size_t i = 0; i < kPerCall; ++i) store_be64(frames_, i * frame_bytes_ + kHeaderBytes, number + i);
  const int sent = sendmmsg(socket_.get(), messages_.data(), kPerCall, 0);
  if (sent == static_cast<int>(kPerCall)) return sent;
  if (sent >= 0) return sent + 1;
  return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 1 : -errno;
}

}  // namespace fireline::bench
