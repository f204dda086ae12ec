#include "platform/linux/address_list.h"

#include <linux/rtnetlink.h>

#include <optional>

namespace fireline::platform {
namespace {

struct Reading {
  std::uint32_t interface;
  std::vector<ListedAddress> found;
};

struct Attributes {
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  std::optional<std::uint32_t> flags;
};

int read_attribute(const nlattr* attribute, void* data) {
  auto& found = *static_cast<Attributes*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFA_LOCAL:
      found.local = address_in(attribute);
      break;
    case IFA_ADDRESS:
      found.address = address_in(attribute);
      break;
    case IFA_FLAGS:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) found.flags = mnl_attr_get_u32(attribute);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

int read_address(const nlmsghdr* message, void* data) {
  auto& reading = *static_cast<Reading*>(data);
  if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return MNL_CB_OK;
  if (reading.interface != 0 && info->ifa_index != reading.interface) return MNL_CB_OK;
  if (reading.found.size() == kListedAddressesMax) return MNL_CB_OK;
  Attributes attributes;
  mnl_attr_parse(message, sizeof(*info), read_attribute, &attributes);
  // IPv6 has IFA_LOCAL only where there is a peer.
  const auto local = attributes.local ? attributes.local : attributes.address;
  if (!local) return MNL_CB_OK;
  reading.found.push_back({.interface = info->ifa_index,
                           .address = *local,
                           .peer = attributes.address.value_or(*local),
                           .prefix_length = info->ifa_prefixlen,
                           .scope = info->ifa_scope,
                           .flags = attributes.flags.value_or(info->ifa_flags)});
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<ListedAddress>, int> list_addresses(NetlinkQuery& query, std::uint32_t interface) {
  nlmsghdr* header = query.request(RTM_GETADDR);
  header->nlmsg_flags |= NLM_F_DUMP;
  auto* info = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg)));
  info->ifa_family = AF_UNSPEC;
  Reading reading{interface, {}};
  const int code = query.list(read_address, &reading, [](void* data) { static_cast<Reading*>(data)->found.clear(); });
  if (code != 0) return err(code);
  return std::move(reading.found);
}

IpAddress address_in(const nlattr* attribute) noexcept {
  const std::size_t bytes = mnl_attr_get_payload_len(attribute);
  if (bytes != 4 && bytes != 16) return {};
  return IpAddress::from_bytes(ConstBytes(static_cast<const std::byte*>(mnl_attr_get_payload(attribute)), bytes));
}

}  // namespace fireline::platform
