#include "platform/linux/tun_settings.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "platform/linux/address_list.h"
#include "platform/linux/netlink_query.h"
#include "platform/linux/netlink_treatment.h"

namespace fireline::platform {
namespace {

// One interface under change.
class Settings {
 public:
  Settings(NetlinkQuery& query, std::string interface, std::uint32_t index) noexcept
      : query_(query), interface_(std::move(interface)), index_(index) {}

  int stop_address_generation() {
    nlmsghdr* header = link_request(0, 0);
    nlattr* families = mnl_attr_nest_start(header, IFLA_AF_SPEC);
    nlattr* family = mnl_attr_nest_start(header, AF_INET6);
    mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(header, family);
    mnl_attr_nest_end(header, families);
    return query_.ask(nullptr, nullptr);
  }
  std::optional<HostError> delete_addresses_but(const TunnelAddresses& wanted) {
    const auto present = list_addresses(query_, index_);
    if (!present) return network_error(present.error(), "list the addresses of " + interface_);
    for (const ListedAddress& one : *present) {
      const bool whole = one.prefix_length == one.address.bits() && one.peer == one.address;
      if (whole && (one.address == wanted.v4 || one.address == wanted.v6)) continue;
      const int code = change_address(RTM_DELADDR, 0, one.address, one.peer, one.prefix_length);
      if (treatment_of(NetlinkOperation::delete_address, code) == Treatment::fatal) {
        return network_error(code, "delete the address " + one.address.to_string() + " of " + interface_);
      }
    }
    return std::nullopt;
  }
  std::optional<HostError> set_mtu(std::uint32_t mtu) {
    mnl_attr_put_u32(link_request(0, 0), IFLA_MTU, mtu);
    return fatal(NetlinkOperation::set_mtu, "set the MTU of " + interface_ + " to " + std::to_string(mtu));
  }
  std::optional<HostError> set_up() {
    (void)link_request(IFF_UP, IFF_UP);
    return fatal(NetlinkOperation::set_up, "set " + interface_ + " up");
  }
  int set_queue_length(std::uint32_t packets) {
    mnl_attr_put_u32(link_request(0, 0), IFLA_TXQLEN, packets);
    return query_.ask(nullptr, nullptr);
  }
  // 0 or why that family is off.
  int add_address(const IpAddress& address) {
    return change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address, address,
                          static_cast<std::uint8_t>(address.bits()));
  }

 private:
  nlmsghdr* link_request(unsigned flags, unsigned change) {
    nlmsghdr* header = query_.request(RTM_NEWLINK);
    auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = static_cast<int>(index_);
    info->ifi_flags = flags;
    info->ifi_change = change;
    return header;
  }
  std::optional<HostError> fatal(NetlinkOperation operation, const std::string& what) {
    const int code = query_.ask(nullptr, nullptr);
    if (treatment_of(operation, code) != Treatment::fatal) return std::nullopt;
    return network_error(code, what);
  }
  int change_address(std::uint16_t type, std::uint16_t flags, const IpAddress& local, const IpAddress& peer,
                     std::uint8_t prefix_length) {
    nlmsghdr* header = query_.request(type);
    header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | flags);
    auto* info = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg)));
    info->ifa_family = local.is_v4() ? AF_INET : AF_INET6;
    info->ifa_prefixlen = prefix_length;
    info->ifa_index = index_;
    mnl_attr_put(header, IFA_LOCAL, local.bytes().size(), local.bytes().data());
    mnl_attr_put(header, IFA_ADDRESS, peer.bytes().size(), peer.bytes().data());
    return query_.ask(nullptr, nullptr);
  }

  NetlinkQuery& query_;
  std::string interface_;
  std::uint32_t index_;
};

}  // namespace

Result<AppliedAddresses, HostError> set_addresses(const std::string& interface, const TunnelAddresses& addresses,
                                                  std::uint32_t mtu) {
  const std::uint32_t index = ::if_nametoindex(interface.c_str());
  if (index == 0) return err(host_error(errno, "set the addresses of " + interface));
  auto query = NetlinkQuery::open();
  if (!query) return err(network_error(query.error(), "open a netlink socket"));
  Settings settings(*query, interface, index);

  // A link-local address that the kernel has just made is tentative and cannot be deleted (EBUSY). Where this fails
  // there is no IPv6.
  (void)settings.stop_address_generation();
  if (auto error = settings.delete_addresses_but(addresses)) return err(*std::move(error));
  if (auto error = settings.set_mtu(mtu)) return err(*std::move(error));

  AppliedAddresses applied;
  HostError last{EINVAL, "cannot set the addresses of " + interface + ": there is none to set"};
  for (const auto& [address, works] :
       {std::pair(&addresses.v4, &applied.families.v4), std::pair(&addresses.v6, &applied.families.v6)}) {
    if (!address->has_value()) continue;
    const int code = settings.add_address(**address);
    *works = treatment_of(NetlinkOperation::add_address, code) == Treatment::ok;
    if (*works) continue;
    last = network_error(code, "add the address " + (*address)->to_string() + " to " + interface);
    applied.warnings.push_back(last.sentence +
                               ((*address)->is_v4() ? ": IPv4 is off in the tunnel" : ": IPv6 is off in the tunnel"));
  }
  if (auto error = settings.set_up()) return err(*std::move(error));
  if (!applied.families.v4 && !applied.families.v6) return err(std::move(last));
  return applied;
}

Result<std::vector<IpAddress>, int> missing_addresses(const std::string& interface, const TunnelAddresses& addresses) {
  const std::uint32_t index = ::if_nametoindex(interface.c_str());
  if (index == 0) return err(errno);
  auto query = NetlinkQuery::open();
  if (!query) return err(query.error());
  const auto present = list_addresses(*query, index);
  if (!present) return err(present.error());
  std::vector<IpAddress> missing;
  for (const auto* address : {&addresses.v4, &addresses.v6}) {
    if (*address && std::ranges::find(*present, **address, &ListedAddress::address) == present->end()) {
      missing.push_back(**address);
    }
  }
  return missing;
}

std::optional<HostError> set_queue_length(const std::string& interface, std::uint32_t packets) {
  const std::string what = "set the queue length of " + interface;
  const std::uint32_t index = ::if_nametoindex(interface.c_str());
  if (index == 0) return host_error(errno, what);
  auto query = NetlinkQuery::open();
  if (!query) return network_error(query.error(), "open a netlink socket");
  const int code = Settings(*query, interface, index).set_queue_length(packets);
  if (code == 0) return std::nullopt;
  return network_error(code, what);
}

}  // namespace fireline::platform
