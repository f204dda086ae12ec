#include "tools/forwarder/devices.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tools/forwarder/frame.h"

namespace fireline::forwarder {
namespace {

// linux/if_tun.h of Linux 6.2; Debian 12's headers are older than USO.
constexpr unsigned kTunOffloadUso4 = 0x20;
constexpr unsigned kTunOffloadUso6 = 0x40;
// A TCP window of tcp_rmem's default maximum (6 MiB) and its bookkeeping may stand in the socket's queue.
constexpr int kSocketBufferBytes = 16 << 20;

[[noreturn]] void fail(const std::string& what) {
  const int code = errno;
  std::string text = what + ": " + std::strerror(code);
  if (code == EPERM || code == EACCES) text += ": run as root or grant CAP_NET_ADMIN";
  throw std::runtime_error(text);
}

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& storage) {
  storage = {};
  if (endpoint.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address.bytes().data(), 4);
    std::memcpy(&storage, &address, sizeof address);
    return sizeof address;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  address.sin6_scope_id = endpoint.scope;
  std::memcpy(&address.sin6_addr, endpoint.address.bytes().data(), 16);
  std::memcpy(&storage, &address, sizeof address);
  return sizeof address;
}

// IFLA_GSO_MAX_SEGS by one rtnetlink message. Where the kernel refuses, trains are sent in two calls: slower, not
// wrong.
void limit_segments(unsigned index, std::uint32_t segments) {
  struct Request {
    nlmsghdr header;
    ifinfomsg info;
    rtattr attribute;
    std::uint32_t value;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_NEWLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.info.ifi_family = AF_UNSPEC;
  request.info.ifi_index = static_cast<int>(index);
  request.attribute.rta_type = IFLA_GSO_MAX_SEGS;
  request.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(sizeof request.value));
  request.value = segments;
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) return;
  (void)send(netlink, &request, sizeof request, 0);
  close(netlink);
}

}  // namespace

Tun open_tun(const std::string& name, std::size_t mtu, bool udp_offload) {
  if (name.empty() || name.size() >= IFNAMSIZ) throw std::runtime_error("interface name '" + name + "' is too long");
  Tun tun;
  tun.descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun.descriptor < 0) fail("cannot open /dev/net/tun");
  ifreq request{};
  std::copy(name.begin(), name.end(), request.ifr_name);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
  if (ioctl(tun.descriptor, TUNSETIFF, &request) < 0) fail("cannot create TUN device " + name);
  constexpr unsigned kTso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  tun.udp_offload = udp_offload && ioctl(tun.descriptor, TUNSETOFFLOAD, kTso | kTunOffloadUso4 | kTunOffloadUso6) == 0;
  if (!tun.udp_offload && ioctl(tun.descriptor, TUNSETOFFLOAD, kTso) < 0) fail("cannot set offloads on " + name);

  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) fail("cannot open a socket");
  request.ifr_mtu = static_cast<int>(mtu);
  if (ioctl(control, SIOCSIFMTU, &request) < 0) fail("cannot set the MTU of " + name);
  if (ioctl(control, SIOCGIFINDEX, &request) < 0) fail("cannot find " + name);
  limit_segments(static_cast<unsigned>(request.ifr_ifindex),
                 static_cast<std::uint32_t>(std::min(kTrainMax, kDatagramBytesMax / (mtu + kOverheadBytes))));
  if (ioctl(control, SIOCGIFFLAGS, &request) < 0) fail("cannot read the flags of " + name);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0) fail("cannot set " + name + " up");
  close(control);
  return tun;
}

int open_udp(const Endpoint& listen, const Endpoint& peer) {
  const int family = listen.address.is_v4() ? AF_INET : AF_INET6;
  const int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("cannot open a UDP socket");
  const int on = 1;
  if (setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0) fail("the kernel has no UDP GRO");
  (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  sockaddr_storage address{};
  socklen_t length = to_sockaddr(listen, address);
  if (bind(descriptor, static_cast<const sockaddr*>(static_cast<const void*>(&address)), length) < 0) {
    fail("cannot bind " + listen.to_string());
  }
  length = to_sockaddr(peer, address);
  if (connect(descriptor, static_cast<const sockaddr*>(static_cast<const void*>(&address)), length) < 0) {
    fail("cannot reach " + peer.to_string());
  }
  return descriptor;
}

}  // namespace fireline::forwarder
