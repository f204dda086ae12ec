#include "platform/linux/link_monitor.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "platform/linux/netlink_query.h"

namespace fireline::platform {
namespace {

// One notification of a link has a few kilobytes; libmnl recommends this size for whatever the kernel sends at once.
constexpr std::size_t kReceiveBytes = 32'768;
// Notifications looked at in one drain(): a flapping interface must not keep the control thread.
constexpr int kMessagesPerDrain = 256;

LinkError last_error(const char* what) {
  return host_error(errno, what);
}

// What one message says about one interface. Empty: it is about another one.
struct Finding {
  std::uint32_t index = 0;
  std::optional<LinkState> state;
};

int read_mtu(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_MTU && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) {
    *static_cast<std::uint32_t*>(data) = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

int read_link(const nlmsghdr* message, void* data) {
  auto& finding = *static_cast<Finding*>(data);
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return MNL_CB_OK;
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  // AF_BRIDGE and others describe a port of the interface, not the interface.
  if (info->ifi_family != AF_UNSPEC || std::cmp_not_equal(info->ifi_index, finding.index)) return MNL_CB_OK;
  LinkState state;
  if (message->nlmsg_type == RTM_NEWLINK) {
    state.present = true;
    state.up = (info->ifi_flags & IFF_UP) != 0;
    mnl_attr_parse(message, sizeof(*info), read_mtu, &state.mtu);
  }
  finding.state = state;
  return MNL_CB_OK;
}

}  // namespace

void LinkMonitor::SocketCloser::operator()(mnl_socket* socket) const noexcept {
  mnl_socket_close(socket);
}

LinkMonitor::LinkMonitor(Socket socket, std::uint32_t index) noexcept : socket_(std::move(socket)), index_(index) {}
LinkMonitor::LinkMonitor(LinkMonitor&&) noexcept = default;
LinkMonitor& LinkMonitor::operator=(LinkMonitor&&) noexcept = default;
LinkMonitor::~LinkMonitor() = default;

Result<LinkMonitor, LinkError> LinkMonitor::open(const std::string& interface_name) {
  const auto index = if_nametoindex(interface_name.c_str());
  if (index == 0) return err(last_error("find the interface"));
  Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return err(last_error("open a netlink socket"));
  if (mnl_socket_bind(socket.get(), RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
    return err(last_error("listen for interface events"));
  }
  LinkMonitor monitor(std::move(socket), index);
  // After the socket listens, so that no change is missed in between.
  auto state = monitor.query();
  if (!state) return err(std::move(state.error()));
  if (!state->present) return err(LinkError{ENODEV, "the interface is gone"});
  monitor.state_ = *state;
  return monitor;
}

int LinkMonitor::fd() const noexcept {
  return mnl_socket_get_fd(socket_.get());
}

Result<std::vector<LinkEvent>, LinkError> LinkMonitor::drain() {
  std::vector<LinkEvent> events;
  alignas(nlmsghdr) std::array<char, kReceiveBytes> bytes;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    const auto received = mnl_socket_recvfrom(socket_.get(), bytes.data(), bytes.size());
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {
        overflowed_ = true;
        continue;
      }
      if (errno != EAGAIN && errno != EWOULDBLOCK) return err(last_error("read interface events"));
      return finish_overflow(std::move(events));
    }
    // On overflow the kernel keeps the oldest notifications and loses the newest: what is queued is out of date.
    Finding finding{index_, std::nullopt};
    if (overflowed_ || mnl_cb_run(bytes.data(), static_cast<std::size_t>(received), 0, 0, read_link, &finding) < 0) {
      continue;
    }
    if (finding.state) report(*finding.state, events);
  }
  return events;
}

Result<std::vector<LinkEvent>, LinkError> LinkMonitor::finish_overflow(std::vector<LinkEvent> events) {
  if (!overflowed_) return events;
  auto state = query();
  if (!state) return err(std::move(state.error()));
  overflowed_ = false;
  report(*state, events);
  return events;
}

// On a socket of its own: the listening one may hold notifications in front of the answer.
Result<LinkState, LinkError> LinkMonitor::query() const {
  auto query = NetlinkQuery::open();
  if (!query) return err(host_error(query.error(), "open a netlink socket"));
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(query->request(RTM_GETLINK), sizeof(ifinfomsg)));
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = static_cast<int>(index_);
  Finding finding{index_, std::nullopt};
  const int code = query->ask(read_link, &finding);
  if (code != 0 && code != ENODEV) return err(host_error(code, "ask for the interface"));
  return finding.state.value_or(LinkState{});
}

void LinkMonitor::report(const LinkState& next, std::vector<LinkEvent>& events) {
  if (!state_.present) return;  // an index is not given out again before 2^31 others were
  if (!next.present) {
    events.push_back(LinkEvent::removed);
  } else {
    if (next.mtu != 0 && next.mtu != state_.mtu) events.push_back(LinkEvent::mtu_changed);
    if (next.up != state_.up) events.push_back(next.up ? LinkEvent::up : LinkEvent::down);
  }
  const auto mtu = next.mtu != 0 ? next.mtu : state_.mtu;
  state_ = next;
  state_.mtu = mtu;
}

}  // namespace fireline::platform
