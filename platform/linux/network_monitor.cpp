#include "platform/linux/network_monitor.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <utility>

#include "platform/linux/address_list.h"
#include "platform/linux/link_list.h"
#include "platform/linux/route_list.h"

namespace fireline::platform {
namespace {

// Addresses that come and go without the network being another one, or that nothing may be sent from. In IPv4 the first
// flag marks further addresses of one network, which the kernel never takes as a source by itself.
constexpr std::uint32_t kPassing =
    IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_OPTIMISTIC;

bool is_default(const Route& route) {
  return route.destination.length() == 0 && route.type == RTN_UNICAST;
}

std::string name_of(std::uint32_t interface) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(interface, name.data()) == nullptr) return "interface " + std::to_string(interface);
  return name.data();
}

std::string describe(const NetworkPath& path, const char* family) {
  std::string text = family;
  if (path.addresses.empty()) return text + " has no address";
  text += " from " + path.addresses.front().to_string();
  if (path.interface != 0) text += " on " + name_of(path.interface);
  if (path.gateway) text += " via " + path.gateway->to_string();
  return text;
}

}  // namespace

NetworkMonitor::NetworkMonitor(std::string own_interface, NetlinkEvents events, NetlinkQuery query) noexcept
    : own_interface_(std::move(own_interface)), events_(std::move(events)), query_(std::move(query)) {}

Result<NetworkMonitor, HostError> NetworkMonitor::open(std::string own_interface) {
  auto events = NetlinkEvents::open();
  if (!events) return err(std::move(events.error()));
  auto query = NetlinkQuery::open();
  if (!query) return err(network_error(query.error(), "open a netlink socket"));
  NetworkMonitor monitor(std::move(own_interface), std::move(*events), std::move(*query));
  // After the socket listens, so that no change is missed in between.
  auto view = monitor.look();
  if (!view) return err(std::move(view.error()));
  monitor.state_ = std::move(view->state);
  return monitor;
}

std::optional<HostError> NetworkMonitor::handle_readable(Instant now) {
  auto any = events_.drain();
  if (!any) return std::move(any.error());
  if (*any) debounce_.event(now);
  return std::nullopt;
}

std::optional<NetworkChange> NetworkMonitor::handle_timeout(Instant now) {
  if (!debounce_.expire(now)) return std::nullopt;
  auto view = look();
  // It is looked at again: no event comes for what has changed already.
  if (!view) {
    debounce_.event(now);
    return std::nullopt;
  }
  if (view->state == state_) {
    unsettled_until_.reset();
    return std::nullopt;
  }
  if (!view->settled) {
    if (!unsettled_until_) unsettled_until_ = now + kSettling;
    if (now < *unsettled_until_) {
      debounce_.event(now);
      return std::nullopt;
    }
  }
  unsettled_until_.reset();
  state_ = std::move(view->state);
  if (!state_.online()) return NetworkChange{false, "the network is gone: no interface has an address"};
  return NetworkChange{true,
                       "the network changed: " + describe(state_.v4, "IPv4") + ", " + describe(state_.v6, "IPv6")};
}

void NetworkMonitor::accept() {
  if (auto view = look()) state_ = std::move(view->state);
}

Result<NetworkMonitor::View, HostError> NetworkMonitor::look() {
  const auto links = list_links(query_);
  const auto routes = list_routes(query_, RT_TABLE_MAIN, is_default);
  const auto addresses = list_addresses(query_, 0);
  if (!links || !routes || !addresses) {
    const int code = !links ? links.error() : !routes ? routes.error() : addresses.error();
    return err(network_error(code, "read the state of the network"));
  }
  const auto usable = [&](std::uint32_t interface) {
    const auto link = std::ranges::find(*links, interface, &Link::index);
    return link != links->end() && link->running && !link->loopback && link->name != own_interface_;
  };
  const auto best_of = [&](Family family) {
    const Route* best = nullptr;
    for (const Route& route : *routes) {
      if (route.destination.address().family() != family || !usable(route.interface)) continue;
      if (best == nullptr || std::pair(route.metric, route.interface) < std::pair(best->metric, best->interface)) {
        best = &route;
      }
    }
    return best;
  };
  const Route* const v4 = best_of(Family::v4);
  const Route* const v6 = best_of(Family::v6);
  View view;
  for (NetworkPath* path : {&view.state.v4, &view.state.v6}) {
    const Family family = path == &view.state.v4 ? Family::v4 : Family::v6;
    const Route* const best = family == Family::v4 ? v4 : v6;
    if (best != nullptr) {
      path->interface = best->interface;
      path->gateway = best->gateway;
    }
    const Route* const uplink = best != nullptr ? best : family == Family::v4 ? v6 : v4;
    for (const ListedAddress& one : *addresses) {
      if (one.address.family() != family || one.scope != RT_SCOPE_UNIVERSE) continue;
      if (uplink != nullptr ? one.interface != uplink->interface : !usable(one.interface)) continue;
      if ((one.flags & kPassing) == 0) {
        path->addresses.push_back(one.address);
      } else if ((one.flags & kPassing) == IFA_F_TENTATIVE) {
        view.settled = false;
      }
    }
    std::ranges::sort(path->addresses);
  }
  return view;
}

}  // namespace fireline::platform
