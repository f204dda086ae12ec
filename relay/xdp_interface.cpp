#include "relay/xdp_interface.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "bpf/pass.skel.h"
#include "core/base/wire.h"
#include "platform/linux/interface_addresses.h"
#include "platform/linux/netlink_query.h"

namespace fireline::relay {
namespace {

struct Link {
  bool veth = false;
  std::optional<std::uint32_t> other_index;
  std::optional<std::uint32_t> other_namespace;  // as this namespace numbers it; empty: the same
  bool has_program = false;
};

int read_kind(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
    static_cast<Link*>(data)->veth = std::string_view(mnl_attr_get_str(attribute)) == "veth";
  }
  return MNL_CB_OK;
}

int read_xdp(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == IFLA_XDP_ATTACHED && mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0) {
    const auto mode = mnl_attr_get_u8(attribute);
    static_cast<Link*>(data)->has_program = mode == XDP_ATTACHED_DRV || mode == XDP_ATTACHED_MULTI;
  }
  return MNL_CB_OK;
}

int read_link_attribute(const nlattr* attribute, void* data) {
  auto& link = *static_cast<Link*>(data);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_LINKINFO:
      return mnl_attr_parse_nested(attribute, read_kind, data);
    case IFLA_XDP:
      return mnl_attr_parse_nested(attribute, read_xdp, data);
    case IFLA_LINK:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) link.other_index = mnl_attr_get_u32(attribute);
      break;
    case IFLA_LINK_NETNSID:
      if (mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) link.other_namespace = mnl_attr_get_u32(attribute);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

int read_link(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWLINK) return MNL_CB_OK;
  return mnl_attr_parse(message, sizeof(ifinfomsg), read_link_attribute, data);
}

Result<Link, int> read_interface(platform::NetlinkQuery& query, std::uint32_t index,
                                 std::optional<std::uint32_t> in_namespace) {
  auto* request = query.request(RTM_GETLINK);
  auto* message = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
  message->ifi_family = AF_UNSPEC;
  message->ifi_index = static_cast<int>(index);
  if (in_namespace) mnl_attr_put_u32(request, IFLA_TARGET_NETNSID, *in_namespace);
  Link link;
  if (const int failed = query.ask(read_link, &link); failed != 0) return err(failed);
  return link;
}

// fe80::/10
bool is_link_local_v6(const IpAddress& address) noexcept {
  return (load_be16(address.bytes(), 0) & 0xFFC0) == 0xFE80;
}

struct PassCloser {
  void operator()(pass_bpf* program) const noexcept { pass_bpf__destroy(program); }
};

}  // namespace

Result<std::optional<IpAddress>, platform::HostError> first_address(const std::string& interface, Family family) {
  const auto addresses = platform::interface_addresses();
  if (!addresses) return err(addresses.error());
  for (const auto& one : *addresses) {
    if (one.interface != interface || one.address.family() != family) continue;
    if (family == Family::v4 || !is_link_local_v6(one.address)) return one.address;
  }
  return std::nullopt;
}

Result<FarEnd, int> far_end_of(std::uint32_t interface_index) {
  auto query = platform::NetlinkQuery::open();
  if (!query) return err(query.error());
  const auto link = read_interface(*query, interface_index, std::nullopt);
  if (!link) return err(link.error());
  if (!link->veth) return FarEnd::not_veth;
  if (!link->other_index) return FarEnd::unknown;
  const auto other = read_interface(*query, *link->other_index, link->other_namespace);
  if (!other) return FarEnd::unknown;
  return other->has_program ? FarEnd::has_program : FarEnd::no_program;
}

std::string how_to_detach(const std::string& interface) {
  return "end the program that attached it, or bpftool link detach id N (N: xdp prog P in bpftool link list, where "
         "bpftool net list dev " +
         interface + " shows id P)";
}

Result<void, std::string> attach_pass(const std::string& interface) {
  const auto index = ::if_nametoindex(interface.c_str());
  if (index == 0) return err("no interface " + interface);
  libbpf_set_print(nullptr);
  const std::unique_ptr<pass_bpf, PassCloser> program(pass_bpf__open_and_load());
  if (!program) {
    return err(std::string("cannot load the passing XDP program: ") + std::strerror(errno) +
               ": run as root or grant CAP_BPF and CAP_NET_ADMIN");
  }
  const int failed = bpf_xdp_attach(static_cast<int>(index), bpf_program__fd(program->progs.pass_all),
                                    XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, nullptr);
  if (failed == -EBUSY || failed == -EEXIST) return err(interface + " has an XDP program already");
  if (failed != 0) return err("cannot attach the passing XDP program to " + interface + ": " + std::strerror(-failed));
  return {};
}

Result<void, std::string> detach_pass(const std::string& interface) {
  const auto index = ::if_nametoindex(interface.c_str());
  if (index == 0) return err("no interface " + interface);
  libbpf_set_print(nullptr);
  const int failed = bpf_xdp_detach(static_cast<int>(index), XDP_FLAGS_DRV_MODE, nullptr);
  if (failed == -EBUSY) {
    return err("cannot detach the XDP program of " + interface + ": " + std::strerror(EBUSY) +
               ": a link holds it: " + how_to_detach(interface));
  }
  if (failed != 0) return err("cannot detach the XDP program of " + interface + ": " + std::strerror(-failed));
  return {};
}

}  // namespace fireline::relay
