#include "tools/delay/packet_link.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace fireline::lab {
namespace {

// A super-packet with link and virtio-net headers.
constexpr std::size_t kFrameBytesMax = 65536 + 4096;
// A burst of 100 super-packets while the thread is not scheduled, doubled by the kernel's accounting.
constexpr int kSocketBufferBytes = 16 << 20;

int set_option(int socket, int level, int name, int value) {
  return ::setsockopt(socket, level, name, &value, sizeof value);
}

}  // namespace

Result<PacketLink, io::IoError> PacketLink::open(const std::string& interface) {
  const auto index = if_nametoindex(interface.c_str());
  if (index == 0) return err(io::last_error("find", "interface " + interface));
  // Bound before frames are asked for: protocol 0 receives none.
  io::FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto fail = [&](const char* what) { return err(io::last_error(what, "interface " + interface)); };
  if (!socket) return fail("open a packet socket");
  if (set_option(socket.get(), SOL_PACKET, PACKET_VNET_HDR, 1) != 0) return fail("ask for virtio-net headers");
  if (set_option(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) != 0) return fail("overlook own frames");
  (void)set_option(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketBufferBytes);
  (void)set_option(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, kSocketBufferBytes);
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(index);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) != 0) {
    return fail("take all frames");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return fail("bind");
  return PacketLink(std::move(socket));
}

std::optional<Frame> PacketLink::receive() {
  std::array<std::byte, kFrameBytesMax> buffer;
  while (true) {
    const auto bytes = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (bytes < 0 && (errno == EINTR || errno == ENETDOWN)) continue;  // ENETDOWN is told once, frames go on
    if (bytes <= 0) return std::nullopt;
    return Frame(buffer.begin(), buffer.begin() + bytes);
  }
}

bool PacketLink::send(const Frame& frame) {
  while (::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    return errno != EAGAIN && errno != ENOBUFS;
  }
  return true;
}

std::uint64_t PacketLink::kernel_drops() const {
  tpacket_stats statistics{};
  socklen_t length = sizeof statistics;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0) return 0;
  return statistics.tp_drops;
}

}  // namespace fireline::lab
