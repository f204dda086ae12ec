#include "platform/linux/link_monitor.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
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
  LinkPlace place;
  std::optional<LinkState> state{};
  std::optional<LinkPlace> target{};  // where it has gone; an nsid of the namespace that it left
};

int read_link_attribute(const nlattr* attribute, void* data) {
  auto& finding = *static_cast<Finding*>(data);
  const auto type = mnl_attr_get_type(attribute);
  const bool is_number = mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0;
  if (type == IFLA_MTU && is_number) finding.state->mtu = mnl_attr_get_u32(attribute);
  if (type == IFLA_NEW_NETNSID && is_number) {
    if (!finding.target) finding.target = {.nsid = {}, .index = finding.place.index};
    finding.target->nsid = static_cast<std::int32_t>(mnl_attr_get_u32(attribute));
  }
  if (type == IFLA_NEW_IFINDEX && is_number) {
    if (!finding.target) finding.target.emplace();
    finding.target->index = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

int read_link(const nlmsghdr* message, void* data) {
  auto& finding = *static_cast<Finding*>(data);
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return MNL_CB_OK;
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  // AF_BRIDGE and others describe a port of the interface, not the interface.
  if (info->ifi_family != AF_UNSPEC || std::cmp_not_equal(info->ifi_index, finding.place.index)) return MNL_CB_OK;
  finding.state.emplace();
  mnl_attr_parse(message, sizeof(*info), read_link_attribute, &finding);
  if (message->nlmsg_type == RTM_DELLINK) {
    finding.state = LinkState{};
  } else {
    finding.target.reset();
    finding.state->present = true;
    finding.state->up = (info->ifi_flags & IFF_UP) != 0;
  }
  return MNL_CB_OK;
}

struct Notification {
  std::size_t bytes = 0;
  std::optional<std::int32_t> nsid;  // of the namespace that it is from; empty: this one
};

// libmnl's own receiving leaves the namespace out.
Result<Notification, int> receive(int fd, std::span<char> bytes) {
  iovec vector{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, 64> control;
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto received = ::recvmsg(fd, &message, 0);
  if (received < 0) return err(errno);
  if ((message.msg_flags & MSG_TRUNC) != 0) return err(ENOBUFS);
  Notification notification{.bytes = static_cast<std::size_t>(received), .nsid = {}};
  for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
    if (header->cmsg_level != SOL_NETLINK || header->cmsg_type != NETLINK_LISTEN_ALL_NSID) continue;
    std::int32_t nsid = 0;
    std::memcpy(&nsid, CMSG_DATA(header), sizeof nsid);
    notification.nsid = nsid;
  }
  return notification;
}

// What was heard before the present state is asked for is older than the answer.
void forget_heard(int fd) {
  std::array<char, kReceiveBytes> bytes;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    const auto old = receive(fd, bytes);
    if (!old && old.error() != EINTR && old.error() != ENOBUFS) return;
  }
}

int read_nsid_attribute(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == NETNSA_NSID && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) {
    *static_cast<std::int32_t*>(data) = static_cast<std::int32_t>(mnl_attr_get_u32(attribute));
  }
  return MNL_CB_OK;
}

int read_nsid(const nlmsghdr* message, void* data) {
  return mnl_attr_parse(message, sizeof(rtgenmsg), read_nsid_attribute, data);
}

// This namespace's id, as itself or as another namespace knows it: it has one once somebody asked the kernel to give it
// one, or an interface came from there.
std::optional<std::int32_t> ask_own_nsid(std::optional<std::int32_t> known_in = {}) {
  auto query = NetlinkQuery::open();
  if (!query) return std::nullopt;
  nlmsghdr* const request = query->request(RTM_GETNSID);
  auto* general = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
  general->rtgen_family = AF_UNSPEC;
  mnl_attr_put_u32(request, NETNSA_PID, static_cast<std::uint32_t>(::gettid()));
  if (known_in) mnl_attr_put_u32(request, NETNSA_TARGET_NSID, static_cast<std::uint32_t>(*known_in));
  std::int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
  if (query->ask(read_nsid, &nsid) != 0 || nsid == NETNSA_NSID_NOT_ASSIGNED) return std::nullopt;
  return nsid;
}

// On a socket of its own: the listening one may hold notifications in front of the answer.
Result<Finding, LinkError> query(const LinkPlace& place) {
  auto query = NetlinkQuery::open();
  if (!query) return err(host_error(query.error(), "open a netlink socket"));
  nlmsghdr* const request = query->request(RTM_GETLINK);
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = static_cast<int>(place.index);
  if (place.nsid) mnl_attr_put_u32(request, IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(*place.nsid));
  Finding finding{.place = place};
  const int code = query->ask(read_link, &finding);
  // EINVAL: the namespace is gone, and the interface with it.
  const bool is_gone = code == ENODEV || (place.nsid && code == EINVAL);
  if (code != 0 && !is_gone) return err(host_error(code, "ask for the interface"));
  if (!finding.state) finding.state.emplace();
  return finding;
}

}  // namespace

Result<LinkSocket, LinkError> LinkSocket::open() {
  std::unique_ptr<mnl_socket, Closer> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return err(last_error("open a netlink socket"));
  const int on = 1;
  const bool hears_all =
      mnl_socket_setsockopt(socket.get(), NETLINK_LISTEN_ALL_NSID, const_cast<int*>(&on), sizeof on) == 0;
  if (mnl_socket_bind(socket.get(), RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
    return err(last_error("listen for interface events"));
  }
  return LinkSocket(std::move(socket), hears_all);
}

void LinkSocket::Closer::operator()(mnl_socket* socket) const noexcept {
  mnl_socket_close(socket);
}

int LinkSocket::fd() const noexcept {
  return mnl_socket_get_fd(socket_.get());
}

Result<LinkMonitor, LinkError> LinkMonitor::open(const std::string& interface_name) {
  auto socket = LinkSocket::open();
  if (!socket) return err(std::move(socket.error()));
  return open(interface_name, std::move(*socket));
}

Result<LinkMonitor, LinkError> LinkMonitor::open(const std::string& interface_name, LinkSocket socket) {
  const auto index = if_nametoindex(interface_name.c_str());
  if (index == 0) return err(last_error("find the interface"));
  forget_heard(socket.fd());
  LinkMonitor monitor(std::move(socket), {.nsid = {}, .index = index});
  // After the socket listens, so that no change is missed in between.
  auto found = query(monitor.place_);
  if (!found) return err(std::move(found.error()));
  if (!found->state->present) return err(LinkError{ENODEV, "the interface is gone"});
  monitor.state_ = *found->state;
  return monitor;
}

Result<std::vector<LinkEvent>, LinkError> LinkMonitor::drain() {
  std::vector<LinkEvent> events;
  alignas(nlmsghdr) std::array<char, kReceiveBytes> bytes;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    const auto received = receive(fd(), bytes);
    if (!received) {
      const int code = received.error();
      if (code == EINTR) continue;
      if (code == ENOBUFS) {
        overflowed_ = true;
        continue;
      }
      if (code != EAGAIN && code != EWOULDBLOCK) return err(host_error(code, "read interface events"));
      return finish_overflow(std::move(events));
    }
    // On overflow the kernel keeps the oldest notifications and loses the newest: what is queued is out of date.
    Finding finding{.place = place_};
    if (overflowed_ || !state_.present || mnl_cb_run(bytes.data(), received->bytes, 0, 0, read_link, &finding) < 0 ||
        !finding.state || !is_here(received->nsid)) {
      continue;
    }
    if (finding.target) {
      follow(*finding.target, events);
      continue;
    }
    report(*finding.state, events);
  }
  return events;
}

Result<std::vector<LinkEvent>, LinkError> LinkMonitor::finish_overflow(std::vector<LinkEvent> events) {
  if (!overflowed_) return events;
  auto found = query(place_);
  if (!found && is_shortage(found.error().code)) return events;
  if (!found) return err(std::move(found.error()));
  overflowed_ = false;
  report(*found->state, events);
  return events;
}

// Whether a message from that namespace may be about this interface: another one may have the same index elsewhere.
bool LinkMonitor::is_here(std::optional<std::int32_t> nsid) {
  if (nsid == place_.nsid) return true;
  if (place_.nsid || !nsid) return false;
  if (!own_nsid_) own_nsid_ = ask_own_nsid();
  return nsid == own_nsid_;
}

// The kernel takes it down on the way, and tells its state at its new place behind this.
void LinkMonitor::follow(const LinkPlace& target, std::vector<LinkEvent>& events) {
  LinkPlace next = target;
  bool is_found = socket_.hears_all_namespaces();
  if (is_found && place_.nsid) {  // the target's id is the one that the namespace it left knows it by
    is_found = target.nsid && target.nsid == ask_own_nsid(place_.nsid);
    next.nsid.reset();
  }
  if (!is_found) {
    events.push_back(LinkEvent::lost);
    state_ = {};
    return;
  }
  place_ = next;
  events.push_back(LinkEvent::moved);
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
