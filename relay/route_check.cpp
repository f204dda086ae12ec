#include "relay/route_check.h"

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "platform/linux/route_lookup.h"

namespace fireline::relay {
namespace {

// States in which the kernel itself would send to that address.
constexpr std::uint16_t kResolved = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

struct Neighbour {
  std::uint16_t state = NUD_NONE;
  std::optional<std::array<std::uint8_t, 6>> mac;
};

int read_neighbour_attribute(const nlattr* attribute, void* data) {
  auto& neighbour = *static_cast<Neighbour*>(data);
  if (mnl_attr_get_type(attribute) == NDA_LLADDR && mnl_attr_get_payload_len(attribute) == 6) {
    neighbour.mac.emplace();
    std::copy_n(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)), 6, neighbour.mac->begin());
  }
  return MNL_CB_OK;
}

int read_neighbour(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return MNL_CB_OK;
  static_cast<Neighbour*>(data)->state = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message))->ndm_state;
  return mnl_attr_parse(message, sizeof(ndmsg), read_neighbour_attribute, data);
}

std::uint8_t family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

}  // namespace

Result<RouteCheck, int> RouteCheck::open(std::uint32_t interface_index) {
  auto query = platform::NetlinkQuery::open();
  if (!query) return err(query.error());
  return RouteCheck(std::move(*query), interface_index);
}

HopReason RouteCheck::check(const IpAddress& client, const std::optional<IpAddress>& peer) {
  const auto refused = [](const Hop& hop, bool of_client) -> std::optional<HopReason> {
    switch (hop.kind) {
      case Hop::Kind::router:
        return std::nullopt;
      case Hop::Kind::on_link:
        return of_client ? HopReason::client_on_link : HopReason::peer_on_link;
      case Hop::Kind::elsewhere:
        return of_client ? HopReason::client_elsewhere : HopReason::peer_elsewhere;
      case Hop::Kind::none:
        return of_client ? HopReason::client_no_route : HopReason::peer_no_route;
      case Hop::Kind::failed:
        break;
    }
    return HopReason::lookup_failed;
  };
  const Hop to_client = next_hop(client);
  if (const auto reason = refused(to_client, true)) return *reason;
  if (!peer) return HopReason::common_router;
  const Hop to_peer = next_hop(*peer);
  if (const auto reason = refused(to_peer, false)) return *reason;
  if (to_client.router == to_peer.router) return HopReason::common_router;
  const auto first = neighbour(to_client.router);
  const auto second = neighbour(to_peer.router);
  if (!first || !second) return HopReason::router_unresolved;
  return *first == *second ? HopReason::common_router : HopReason::different_routers;
}

RouteCheck::Hop RouteCheck::next_hop(const IpAddress& target) {
  const auto route = platform::find_route(query_, {.destination = target});
  if (!route) {
    const int code = route.error();
    const bool none = code == ENETUNREACH || code == EHOSTUNREACH || code == EACCES || code == EINVAL;
    return {none ? Hop::Kind::none : Hop::Kind::failed, {}};
  }
  if (!route->unicast) return {Hop::Kind::none, {}};
  if (route->interface != index_) return {Hop::Kind::elsewhere, {}};
  if (!route->router) return {Hop::Kind::on_link, {}};
  return {Hop::Kind::router, *route->router};
}

std::optional<RouteCheck::Mac> RouteCheck::neighbour(const IpAddress& router) {
  auto* request = query_.request(RTM_GETNEIGH);
  auto* message = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  message->ndm_family = family_of(router);
  message->ndm_ifindex = static_cast<int>(index_);
  mnl_attr_put(request, NDA_DST, router.bytes().size(), router.bytes().data());
  Neighbour found;
  if (query_.ask(read_neighbour, &found) != 0 || (found.state & kResolved) == 0) return std::nullopt;
  return found.mac;
}

std::string_view name_of(HopReason reason) noexcept {
  switch (reason) {
    case HopReason::common_router:
      return "common_router";
    case HopReason::client_no_route:
      return "client_no_route";
    case HopReason::peer_no_route:
      return "peer_no_route";
    case HopReason::client_on_link:
      return "client_on_link";
    case HopReason::peer_on_link:
      return "peer_on_link";
    case HopReason::client_elsewhere:
      return "client_elsewhere";
    case HopReason::peer_elsewhere:
      return "peer_elsewhere";
    case HopReason::different_routers:
      return "different_routers";
    case HopReason::router_unresolved:
      return "router_unresolved";
    case HopReason::no_interface_address:
      return "no_interface_address";
    case HopReason::client_pads:
      return "client_pads";
    case HopReason::lookup_failed:
      return "lookup_failed";
    case HopReason::count_:
      break;
  }
  std::abort();
}

}  // namespace fireline::relay
