#include "platform/linux/route_messages.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace fireline::platform {
namespace {

std::uint8_t number_of(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

}  // namespace

nlmsghdr* write_rule(NetlinkQuery& query, Family family, const Rule& rule) {
  nlmsghdr* header = query.request(RTM_NEWRULE);
  header->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
  auto* info = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(header, sizeof(fib_rule_hdr)));
  info->family = number_of(family);
  info->action = FR_ACT_TO_TBL;
  info->flags = FIB_RULE_INVERT;
  mnl_attr_put_u32(header, FRA_PRIORITY, rule.priority);
  mnl_attr_put_u32(header, FRA_FWMARK, rule.mark);
  mnl_attr_put_u32(header, FRA_TABLE, rule.table);
  mnl_attr_put_u8(header, FRA_PROTOCOL, RTPROT_KERNEL);
  return header;
}

nlmsghdr* write_route(NetlinkQuery& query, std::uint16_t type, const Prefix& destination, std::uint32_t table,
                      std::uint32_t interface) {
  nlmsghdr* header = query.request(type);
  if (type == RTM_NEWROUTE) header->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
  auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
  info->rtm_family = number_of(destination.address().family());
  info->rtm_dst_len = static_cast<std::uint8_t>(destination.length());
  info->rtm_protocol = RTPROT_STATIC;
  info->rtm_scope = RT_SCOPE_UNIVERSE;
  info->rtm_type = RTN_UNICAST;
  mnl_attr_put_u32(header, RTA_TABLE, table);
  const ConstBytes address = destination.address().bytes();
  if (destination.length() != 0) mnl_attr_put(header, RTA_DST, address.size(), address.data());
  mnl_attr_put_u32(header, RTA_OIF, interface);
  return header;
}

}  // namespace fireline::platform
