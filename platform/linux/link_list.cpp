#include "platform/linux/link_list.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace fireline::platform {
namespace {

constexpr std::uint8_t kOperationalUp = 6;  // IF_OPER_UP of linux/if.h, which does not go together with net/if.h

int read_attribute(const nlattr* attribute, void* data) {
  auto& link = *static_cast<Link*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) link.name = mnl_attr_get_str(attribute);
      break;
    case IFLA_OPERSTATE:
      if (mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
        link.operational = mnl_attr_get_u8(attribute) == kOperationalUp;
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

int read_link(const nlmsghdr* message, void* data) {
  auto& links = *static_cast<std::vector<Link>*>(data);
  if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return MNL_CB_OK;
  if (links.size() == kLinksMax) return MNL_CB_OK;
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  Link link;
  link.index = static_cast<std::uint32_t>(info->ifi_index);
  link.running = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
  link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
  mnl_attr_parse(message, sizeof(*info), read_attribute, &link);
  links.push_back(std::move(link));
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<Link>, int> list_links(NetlinkQuery& query) {
  nlmsghdr* header = query.request(RTM_GETLINK);
  header->nlmsg_flags |= NLM_F_DUMP;
  mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
  std::vector<Link> links;
  const int code = query.list(read_link, &links, [](void* data) { static_cast<std::vector<Link>*>(data)->clear(); });
  if (code != 0) return err(code);
  return links;
}

}  // namespace fireline::platform
