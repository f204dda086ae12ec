#include "relay/xdp_offload.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "io/file_descriptor.h"
#include "relay/xdp_interface.h"

namespace fireline::relay {
namespace {

XdpError attach_error(int code, const XdpOptions& options) {
  const std::string& name = options.interface;
  std::string sentence = "cannot attach the XDP program to " + name + ": " + std::strerror(code);
  const bool driver = options.mode == XdpMode::driver;
  if (code == EPERM || code == EACCES) {
    sentence += ": run as root or grant CAP_BPF and CAP_NET_ADMIN";
  } else if (code == EBUSY || code == EEXIST) {
    sentence += ": it has an XDP program already: " + how_to_detach(name) + "; ip link set dev " + name +
                " xdp off if it has no link";
  } else if (driver && (code == EOPNOTSUPP || code == EINVAL || code == ERANGE)) {
    sentence += ": its driver has no XDP, or not with its present MTU and queues: use attach mode generic";
  }
  return {code, std::move(sentence)};
}

void warn_about_addresses(const XdpOptions& options, std::vector<std::string>& warnings) {
  const auto warn = [&](const char* family, const char* other) {
    warnings.push_back(options.interface + " has no " + family + " address: channels between " + family + " and " +
                       other + " stay in user space");
  };
  if (!options.settings.interface4) warn("IPv4", "IPv6");
  if (!options.settings.interface6) warn("IPv6", "IPv4");
}

void warn_about_far_end(const XdpOptions& options, std::uint32_t index, std::vector<std::string>& warnings) {
  const std::string& name = options.interface;
  const auto far_end = far_end_of(index);
  if (!far_end || *far_end == FarEnd::unknown) {
    warnings.push_back("cannot see the far end of " + name +
                       ": if it is a veth, that end needs an XDP program, or relayed frames are lost");
  } else if (*far_end == FarEnd::no_program) {
    warnings.push_back("the far end of the veth " + name +
                       " has no XDP program: relayed frames are lost until it has one: run fireline-xdp-pass attach "
                       "INTERFACE there");
  }
}

}  // namespace

struct XdpOffload::State {
  XdpOptions options;
  XdpProgram program;
  std::optional<RouteCheck> routes;
  std::vector<std::string> warnings;
  std::array<std::uint64_t, kHopReasons> not_offloaded{};
  // Of allocation ports that have or had a binding: where frames to a peer that is this relay go.
  std::unordered_map<std::uint16_t, IpAddress> clients;
  io::FileDescriptor link;  // last, so that it is closed first: detached before the maps go
};

XdpOffload::XdpOffload(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
XdpOffload::XdpOffload(XdpOffload&&) noexcept = default;
XdpOffload& XdpOffload::operator=(XdpOffload&&) noexcept = default;
XdpOffload::~XdpOffload() = default;

Result<XdpOffload, XdpError> XdpOffload::open(const XdpOptions& given) {
  const auto index = ::if_nametoindex(given.interface.c_str());
  if (index == 0) return err(XdpError{errno, "XDP was asked for on " + given.interface + ", which is no interface"});
  XdpOptions options = given;
  for (const Family family : {Family::v4, Family::v6}) {
    auto& wanted = family == Family::v4 ? options.settings.interface4 : options.settings.interface6;
    if (wanted) continue;
    auto found = first_address(options.interface, family);
    if (!found) return err(XdpError{found.error().code, std::move(found.error().sentence)});
    wanted = *found;
  }

  auto program = XdpProgram::load(options.settings);
  if (!program) return err(std::move(program.error()));
  auto state = std::make_unique<State>(State{options, std::move(*program), {}, {}, {}, {}, {}});
  if (options.check_routes) {
    auto routes = RouteCheck::open(index);
    if (!routes) {
      return err(XdpError{routes.error(), std::string("cannot ask for routes: ") + std::strerror(routes.error())});
    }
    state->routes.emplace(std::move(*routes));
  }
  warn_about_addresses(options, state->warnings);
  if (options.mode == XdpMode::driver) warn_about_far_end(options, index, state->warnings);

  bpf_link_create_opts link{};
  link.sz = sizeof(link);
  link.flags = options.mode == XdpMode::driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  const int fd = bpf_link_create(state->program.fd(), static_cast<int>(index), BPF_XDP, &link);
  if (fd < 0) return err(attach_error(-fd, options));
  state->link = io::FileDescriptor(fd);
  return XdpOffload(std::move(state));
}

std::optional<XdpError> XdpOffload::check_access() const {
  return state_->program.check_access();
}

XdpAdded XdpOffload::add(const ChannelBinding& binding) {
  const XdpSettings& settings = state_->options.settings;
  state_->clients.insert_or_assign(binding.port, binding.client.address);
  const auto far = far_side(binding);
  const bool translated = far && far->family() != binding.client.address.family();
  auto reason = HopReason::common_router;
  if (binding.padded) {
    reason = HopReason::client_pads;
  } else if (translated && (!settings.interface4 || !settings.interface6)) {
    reason = HopReason::no_interface_address;
  } else if (state_->routes) {
    reason = state_->routes->check(binding.client.address, far);
  }
  const bool offloaded = reason == HopReason::common_router;
  if (!state_->program.insert(binding,
                              offloaded ? XdpProgram::Forwarder::program : XdpProgram::Forwarder::user_space)) {
    return {XdpAdded::What::full, reason};
  }
  if (!offloaded) ++state_->not_offloaded.at(static_cast<std::size_t>(reason));
  return {offloaded ? XdpAdded::What::offloaded : XdpAdded::What::user_space, reason};
}

// Two clients of this relay forward through the entries of both, so that nothing is forwarded before the second one
// binds, and that binding decides for either direction.
std::optional<IpAddress> XdpOffload::far_side(const ChannelBinding& binding) const {
  const IpAddress& peer = binding.peer.address;
  const auto& own = peer.is_v4() ? state_->options.settings.public4 : state_->options.settings.public6;
  if (own != peer) return peer;
  const auto client = state_->clients.find(binding.peer.port);
  return client == state_->clients.end() ? std::nullopt : std::optional(client->second);
}

void XdpOffload::prolong(const ChannelBinding& binding) noexcept {
  state_->program.prolong(binding);
}

void XdpOffload::remove(const ChannelBinding& binding) noexcept {
  state_->program.erase(binding);
}

void XdpOffload::port_opened(std::uint16_t port) noexcept {
  state_->program.set_live(port, true);
}

void XdpOffload::port_closed(std::uint16_t port) noexcept {
  state_->program.set_live(port, false);
  state_->clients.erase(port);
}

XdpCounts XdpOffload::counters() const {
  return state_->program.counts();
}

const std::array<std::uint64_t, kHopReasons>& XdpOffload::not_offloaded() const noexcept {
  return state_->not_offloaded;
}

const std::vector<std::string>& XdpOffload::warnings() const noexcept {
  return state_->warnings;
}

const XdpSettings& XdpOffload::settings() const noexcept {
  return state_->options.settings;
}

std::vector<xdp_debug_event> XdpOffload::drain_debug() {
  return state_->program.drain_debug();
}

int XdpOffload::link_fd() const noexcept {
  return state_->link.get();
}

}  // namespace fireline::relay
