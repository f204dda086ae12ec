#include "io/udp_bind.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "io/loud_filter.h"
#include "io/socket_address.h"

namespace fireline::io {
namespace {

int set_option(int fd, int level, int option, int value) noexcept {
  return ::setsockopt(fd, level, option, &value, sizeof value);
}

int get_option(int fd, int level, int option) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, option, &value, &length) == 0 ? value : 0;
}

struct Option {
  int level;
  int number;
  int value;
  const char* name;  // for the error sentence
  bool required;     // false: the socket works without
};

// Without the local address answers would leave from the wrong one, and without ECN bits congestion marks would be
// lost; the rest is better but not needed. SO_RXQ_OVFL only tells of drops.
constexpr std::array kLocalAddressV4 = {
    Option{IPPROTO_IP, IP_PKTINFO, 1, "set IP_PKTINFO on", true},
};
constexpr std::array kLocalAddressV6 = {
    Option{IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "set IPV6_RECVPKTINFO on", true},
};
constexpr std::array kOptionsV4 = {
    Option{IPPROTO_IP, IP_RECVTOS, 1, "set IP_RECVTOS on", false},
    Option{SOL_SOCKET, SO_RXQ_OVFL, 1, "set SO_RXQ_OVFL on", false},
};
constexpr std::array kOptionsV6 = {
    Option{IPPROTO_IPV6, IPV6_V6ONLY, 1, "set IPV6_V6ONLY on", true},
    Option{IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "set IPV6_RECVTCLASS on", true},
    Option{SOL_SOCKET, SO_RXQ_OVFL, 1, "set SO_RXQ_OVFL on", false},
};
constexpr std::array kProbeV4 = {
    Option{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, "set IP_MTU_DISCOVER on", false},
};
constexpr std::array kProbeV6 = {
    Option{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, "set IPV6_MTU_DISCOVER on", false},
    Option{IPPROTO_IPV6, IPV6_DONTFRAG, 1, "set IPV6_DONTFRAG on", false},
    Option{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, "set IP_MTU_DISCOVER on", false},
};

constexpr int kPreferPublicSource = 2;  // IPV6_PREFER_SRC_PUBLIC, which <netinet/in.h> lacks
constexpr std::array kLastingSourceV6 = {
    Option{IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, kPreferPublicSource, "set IPV6_ADDR_PREFERENCES", false},
};

template <std::size_t kCount>
std::optional<IoError> apply(int fd, const std::array<Option, kCount>& options, const std::string& context) {
  for (const Option& option : options) {
    if (set_option(fd, option.level, option.number, option.value) == 0 || !option.required) continue;
    return last_error(option.name, context);
  }
  return std::nullopt;
}

std::optional<IoError> configure(int fd, const UdpOptions& options, const std::string& context) {
  const bool v4 = options.family == Family::v4;
  if (auto error = v4 ? apply(fd, kOptionsV4, context) : apply(fd, kOptionsV6, context)) return error;
  if (options.local_address) {
    if (auto error = v4 ? apply(fd, kLocalAddressV4, context) : apply(fd, kLocalAddressV6, context)) return error;
  }
  if (!v4 && options.lasting_source) {
    if (auto error = apply(fd, kLastingSourceV6, context)) return error;
  }
  if (options.path_mtu == PathMtu::probe) {
    if (auto error = v4 ? apply(fd, kProbeV4, context) : apply(fd, kProbeV6, context)) return error;
  } else if (v4 && get_option(fd, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_WANT) {
    // A host without path MTU discovery (ip_no_pmtu_disc) keeps its own way.
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  }
  return std::nullopt;
}

// The forced form passes the system's limit where we are privileged; the plain one is clamped to it. Capabilities that
// are gone do not come back, and who opens thousands of sockets need not ask each time.
void grow_buffer(int fd, int forced_option, int option, std::size_t wanted_bytes) noexcept {
  thread_local bool may_force = true;
  for (std::size_t bytes = wanted_bytes;; bytes /= 2) {
    const int value = static_cast<int>(std::min(bytes, std::size_t{1} << 30));
    if (may_force) {
      if (set_option(fd, SOL_SOCKET, forced_option, value) == 0) return;
      may_force = errno != EPERM;
    }
    if (set_option(fd, SOL_SOCKET, option, value) == 0) return;
    if (bytes / 2 < kUdpBufferBytesMin) return;  // the kernel's own default stays
  }
}

FileDescriptor make_socket(Family family) noexcept {
  const int domain = family == Family::v4 ? AF_INET : AF_INET6;
  return FileDescriptor(::socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
}

int bind_to(int fd, const UdpOptions& options, std::uint16_t port) noexcept {
  const IpAddress any = options.family == Family::v4 ? IpAddress{} : IpAddress::from_bytes(std::array<std::byte, 16>{});
  const SocketAddress address = to_socket_address({.address = options.address.value_or(any), .port = port, .scope = 0});
  return ::bind(fd, address.get(), address.length);
}

IoError bind_error(const UdpOptions& options, const std::string& context) {
  IoError error = last_error("bind", context);
  if (error.code == EACCES) error.fix = "run as root or grant CAP_NET_BIND_SERVICE, or choose a ListenPort over 1023";
  if (error.code == EADDRNOTAVAIL && options.address.has_value()) error.fix = "no interface has this address";
  return error;
}

// A socket of the same port and options. The port is bound without SO_REUSEPORT first, so that another program that
// holds it is still an error.
FileDescriptor open_loud_queue(const BoundUdp& first, const UdpOptions& options, const std::string& context) noexcept {
  if (set_option(first.fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) != 0) return {};
  FileDescriptor fd = make_socket(options.family);
  if (!fd || configure(fd.get(), options, context)) return {};
  if (options.fwmark != 0 && set_socket_mark(fd.get(), options.fwmark)) return {};
  if (set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) != 0) return {};
  grow_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, std::min(kUdpLoudBufferBytes, options.receive_buffer_bytes));
  if (first.gro && set_option(fd.get(), IPPROTO_UDP, UDP_GRO, 1) != 0) return {};
  if (bind_to(fd.get(), options, first.port) != 0 || attach_loud_filter(first.fd.get(), first.family, {})) return {};
  return fd;
}

std::uint16_t bound_port(int fd, Family family) noexcept {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.length) != 0) return 0;
  const auto endpoint = to_endpoint(address.storage, address.length, family);
  return endpoint.has_value() ? endpoint->port : std::uint16_t{0};
}

// Empty before Linux 4.12.
std::optional<std::uint32_t> kernel_drops(int fd) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof values;
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values.data(), &length) != 0) return std::nullopt;
  return values[SK_MEMINFO_DROPS];
}

}  // namespace

Result<BoundUdp, IoError> bind_udp(const UdpOptions& options) {
  const bool v4 = options.family == Family::v4;
  const std::string context = "UDP port " + std::to_string(options.port) + (v4 ? " (IPv4)" : " (IPv6)");
  BoundUdp bound;
  bound.family = options.family;
  bound.fd = make_socket(options.family);
  if (!bound.fd) {
    return err(last_error("open", context, errno == EAFNOSUPPORT ? "this host has no such address family" : ""));
  }
  const int fd = bound.fd.get();
  if (auto error = configure(fd, options, context)) return err(*std::move(error));
  // Before the bind, so that no datagram leaves or is queued without mark and room.
  if (options.fwmark != 0) {
    if (auto error = set_socket_mark(fd, options.fwmark)) return err(*std::move(error));
  }
  grow_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  grow_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);

  bound.gro = options.gro && set_option(fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
  // Zero leaves the socket's default as it is: single datagrams unless a send says otherwise. A kernel without GSO
  // (before 4.18) does not know the option.
  bound.gso = options.gso && set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;

  if (bind_to(fd, options, options.port) != 0) return err(bind_error(options, context));
  bound.port = options.port != 0 ? options.port : bound_port(fd, options.family);
  if (options.loud_queue) bound.loud_fd = open_loud_queue(bound, options, context);
  return bound;
}

std::optional<IoError> set_socket_mark(int fd, std::uint32_t mark) {
  if (::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return std::nullopt;
  return last_error("set the firewall mark on", "a UDP socket");
}

bool allow_fragments(int fd) noexcept {
  return get_option(fd, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_DO &&
         set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT) == 0;
}

std::size_t receive_buffer_bytes(int fd) noexcept {
  return static_cast<std::size_t>(get_option(fd, SOL_SOCKET, SO_RCVBUF)) / 2;
}

std::size_t send_buffer_bytes(int fd) noexcept {
  return static_cast<std::size_t>(get_option(fd, SOL_SOCKET, SO_SNDBUF)) / 2;
}

std::uint32_t socket_drops(int fd) noexcept {
  return kernel_drops(fd).value_or(0);
}

std::uint64_t socket_drops(int fd, std::uint64_t known) noexcept {
  const auto before = static_cast<std::uint32_t>(known);
  return known + (kernel_drops(fd).value_or(before) - before);
}

}  // namespace fireline::io
