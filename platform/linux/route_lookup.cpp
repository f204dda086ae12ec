#include "platform/linux/route_lookup.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace fireline::platform {
namespace {

struct Answer {
  bool found = false;
  FoundRoute route;
};

std::optional<IpAddress> address_of(const std::byte* bytes, std::size_t count) {
  if (count != 4 && count != 16) return std::nullopt;
  return IpAddress::from_bytes(ConstBytes(bytes, count));
}

int read_attribute(const nlattr* attribute, void* data) {
  auto& route = *static_cast<FoundRoute*>(data);
  const auto* payload = static_cast<const std::byte*>(mnl_attr_get_payload(attribute));
  const std::size_t bytes = mnl_attr_get_payload_len(attribute);
  switch (mnl_attr_get_type(attribute)) {
    case RTA_OIF:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) route.interface = mnl_attr_get_u32(attribute);
      break;
    case RTA_GATEWAY:
      route.router = address_of(payload, bytes);
      break;
    case RTA_VIA:  // a router of the other family: two bytes of family, then its address
      if (bytes > sizeof(rtvia)) route.router = address_of(payload + sizeof(rtvia), bytes - sizeof(rtvia));
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

int read_route(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return MNL_CB_OK;
  auto& answer = *static_cast<Answer*>(data);
  answer.found = true;
  answer.route.unicast = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_type == RTN_UNICAST;
  return mnl_attr_parse(message, sizeof(rtmsg), read_attribute, &answer.route);
}

}  // namespace

Result<FoundRoute, int> find_route(NetlinkQuery& query, const RouteQuestion& question) noexcept {
  auto* request = query.request(RTM_GETROUTE);
  auto* message = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  message->rtm_family = question.destination.is_v4() ? AF_INET : AF_INET6;
  message->rtm_dst_len = static_cast<std::uint8_t>(question.destination.bits());
  mnl_attr_put(request, RTA_DST, question.destination.bytes().size(), question.destination.bytes().data());
  if (question.source) {
    message->rtm_src_len = static_cast<std::uint8_t>(question.source->bits());
    mnl_attr_put(request, RTA_SRC, question.source->bytes().size(), question.source->bytes().data());
  }
  if (question.mark != 0) mnl_attr_put_u32(request, RTA_MARK, question.mark);
  Answer answer;
  if (const int failed = query.ask(read_route, &answer); failed != 0) return err(failed);
  if (!answer.found) return err(ENOENT);
  return answer.route;
}

}  // namespace fireline::platform
