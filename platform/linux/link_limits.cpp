#include "platform/linux/link_limits.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

namespace fireline::platform {
namespace {

constexpr std::size_t kMessageBytes = 8192;  // an error answer quotes the request; both are far smaller

LinkError failed(int code) {
  return {code, std::string("cannot limit the interface's super-packets: ") + std::strerror(code)};
}

bool is_on(const char* path) {
  std::ifstream file(path);
  int value = 0;
  return file >> value && value != 0;
}

}  // namespace

std::optional<LinkError> set_gso_segments_max(std::uint32_t index, std::uint32_t segments) {
  const std::unique_ptr<mnl_socket, int (*)(mnl_socket*)> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC),
                                                                 mnl_socket_close);
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return failed(errno);

  alignas(nlmsghdr) std::array<char, kMessageBytes> memory{};
  nlmsghdr* message = mnl_nlmsg_put_header(memory.data());
  message->nlmsg_type = RTM_NEWLINK;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = static_cast<int>(index);
  mnl_attr_put_u32(message, IFLA_GSO_MAX_SEGS, segments);
  if (mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0) return failed(errno);

  const auto received = mnl_socket_recvfrom(socket.get(), memory.data(), memory.size());
  if (received < 0) return failed(errno);
  if (mnl_cb_run(memory.data(), static_cast<std::size_t>(received), 0, mnl_socket_get_portid(socket.get()), nullptr,
                 nullptr) < 0) {
    return failed(errno);
  }
  return std::nullopt;
}

bool forwards_packets() {
  return is_on("/proc/sys/net/ipv4/ip_forward") || is_on("/proc/sys/net/ipv6/conf/all/forwarding");
}

}  // namespace fireline::platform
