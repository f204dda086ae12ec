#include "platform/linux/route_list.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

#include "platform/linux/address_list.h"

namespace fireline::platform {
namespace {

// MNL_ALIGN in unsigned numbers.
constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
}

struct Reading {
  std::uint32_t table;
  bool (*wanted)(const Route&);
  std::vector<Route> found;
};

struct Attributes {
  Route route;
  std::optional<IpAddress> destination;
};

// The first of several next hops.
void read_next_hop(const nlattr* attribute, Route& route) {
  rtnexthop hop;
  if (mnl_attr_get_payload_len(attribute) < sizeof(hop)) return;
  std::memcpy(&hop, mnl_attr_get_payload(attribute), sizeof(hop));
  route.interface = static_cast<std::uint32_t>(hop.rtnh_ifindex);
  if (hop.rtnh_len > mnl_attr_get_payload_len(attribute) || hop.rtnh_len < sizeof(hop)) return;
  const auto* nested =
      reinterpret_cast<const nlattr*>(static_cast<const std::byte*>(mnl_attr_get_payload(attribute)) + sizeof(hop));
  int left = static_cast<int>(hop.rtnh_len - sizeof(hop));
  while (mnl_attr_ok(nested, left)) {
    if (mnl_attr_get_type(nested) == RTA_GATEWAY) route.gateway = address_in(nested);
    left -= static_cast<int>(aligned(nested->nla_len));
    nested = mnl_attr_next(nested);
  }
}

int read_attribute(const nlattr* attribute, void* data) {
  auto& found = *static_cast<Attributes*>(data);
  const bool number = mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0;
  switch (mnl_attr_get_type(attribute)) {
    case RTA_DST:
      found.destination = address_in(attribute);
      break;
    case RTA_TABLE:
      if (number) found.route.table = mnl_attr_get_u32(attribute);
      break;
    case RTA_OIF:
      if (number) found.route.interface = mnl_attr_get_u32(attribute);
      break;
    case RTA_PRIORITY:
      if (number) found.route.metric = mnl_attr_get_u32(attribute);
      break;
    case RTA_GATEWAY:
      found.route.gateway = address_in(attribute);
      break;
    case RTA_PREFSRC:
      found.route.source = address_in(attribute);
      break;
    case RTA_MULTIPATH:
      read_next_hop(attribute, found.route);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

IpAddress unspecified(int family) {
  const std::byte zero[16]{};
  return IpAddress::from_bytes(ConstBytes(zero).first(family == AF_INET ? 4 : 16));
}

int read_route(const nlmsghdr* message, void* data) {
  auto& reading = *static_cast<Reading*>(data);
  const std::size_t bytes = mnl_nlmsg_get_payload_len(message);
  if (message->nlmsg_type != RTM_NEWROUTE || bytes < sizeof(rtmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6) return MNL_CB_OK;
  if ((info->rtm_flags & RTM_F_CLONED) != 0 || reading.found.size() == kListedRoutesMax) return MNL_CB_OK;
  Attributes attributes;
  attributes.route.table = info->rtm_table;
  mnl_attr_parse(message, sizeof(*info), read_attribute, &attributes);
  Route& route = attributes.route;
  const auto destination =
      Prefix::make(attributes.destination.value_or(unspecified(info->rtm_family)), info->rtm_dst_len);
  if (!destination || route.table != reading.table) return MNL_CB_OK;
  route.destination = *destination;
  route.scope = info->rtm_scope;
  route.type = info->rtm_type;
  route.protocol = info->rtm_protocol;
  if (!reading.wanted(route)) return MNL_CB_OK;
  const auto* start = reinterpret_cast<const std::byte*>(info);
  route.message.assign(start, start + bytes);
  reading.found.push_back(std::move(route));
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<Route>, int> list_routes(NetlinkQuery& query, std::uint32_t table, bool (*wanted)(const Route&)) {
  std::vector<Route> all;
  for (const int family : {AF_INET, AF_INET6}) {
    nlmsghdr* header = query.request(RTM_GETROUTE);
    header->nlmsg_flags |= NLM_F_DUMP;
    auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
    info->rtm_family = static_cast<unsigned char>(family);
    mnl_attr_put_u32(header, RTA_TABLE, table);
    Reading reading{table, wanted, {}};
    const int code = query.list(read_route, &reading, [](void* data) { static_cast<Reading*>(data)->found.clear(); });
    // No such table, no such family.
    if (code != 0 && code != ENOENT && code != EOPNOTSUPP && code != EAFNOSUPPORT) return err(code);
    std::move(reading.found.begin(), reading.found.end(), std::back_inserter(all));
  }
  return all;
}

int change_route(NetlinkQuery& query, std::uint16_t type, std::uint16_t flags, const Route& route,
                 std::uint32_t table) {
  // Room for the attribute that is written anew, where the kernel had none.
  if (route.message.size() + sizeof(nlmsghdr) + sizeof(nlattr) + sizeof(table) > NetlinkQuery::kRequestBytes) {
    return EMSGSIZE;
  }
  nlmsghdr* header = query.request(type);
  header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | flags);
  rtmsg info;
  std::memcpy(&info, route.message.data(), sizeof(info));
  info.rtm_table = RT_TABLE_UNSPEC;
  info.rtm_flags = 0;  // states of the next hop, which the kernel tells and does not take
  std::memcpy(mnl_nlmsg_put_extra_header(header, sizeof(info)), &info, sizeof(info));
  mnl_attr_put_u32(header, RTA_TABLE, table);
  const auto* attribute = reinterpret_cast<const nlattr*>(route.message.data() + aligned(sizeof(info)));
  int left = static_cast<int>(route.message.size() - aligned(sizeof(info)));
  while (mnl_attr_ok(attribute, left)) {
    const std::uint16_t name = mnl_attr_get_type(attribute);
    if (name != RTA_TABLE && name != RTA_CACHEINFO) {
      mnl_attr_put(header, attribute->nla_type, mnl_attr_get_payload_len(attribute), mnl_attr_get_payload(attribute));
    }
    left -= static_cast<int>(aligned(attribute->nla_len));
    attribute = mnl_attr_next(attribute);
  }
  return query.ask(nullptr, nullptr);
}

}  // namespace fireline::platform
