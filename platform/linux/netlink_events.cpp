#include "platform/linux/netlink_events.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace fireline::platform {
namespace {

constexpr std::size_t kReceiveBytes = 32'768;  // what the kernel sends at once at most, as libmnl recommends
// A full socket buffer of notifications has some hundred; more at once must not keep the control thread.
constexpr int kMessagesPerDrain = 256;
constexpr unsigned kGroups =
    RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

}  // namespace

void NetlinkEvents::Closer::operator()(mnl_socket* socket) const noexcept {
  mnl_socket_close(socket);
}

NetlinkEvents::NetlinkEvents(std::unique_ptr<mnl_socket, Closer> socket) noexcept : socket_(std::move(socket)) {}

Result<NetlinkEvents, HostError> NetlinkEvents::open() {
  std::unique_ptr<mnl_socket, Closer> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), kGroups, MNL_SOCKET_AUTOPID) < 0) {
    return err(network_error(errno, "listen for changes of the network"));
  }
  return NetlinkEvents(std::move(socket));
}

int NetlinkEvents::fd() const noexcept {
  return mnl_socket_get_fd(socket_.get());
}

Result<bool, HostError> NetlinkEvents::drain() {
  alignas(nlmsghdr) std::array<char, kReceiveBytes> bytes;
  bool any = false;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    const auto received = mnl_socket_recvfrom(socket_.get(), bytes.data(), bytes.size());
    // ENOBUFS: notifications were lost, so there were some.
    if (received >= 0 || errno == ENOBUFS) {
      any = true;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return err(host_error(errno, "hear of changes of the network"));
    }
  }
  return any;
}

}  // namespace fireline::platform
