#include "core/tunnel/client_report.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/tunnel/client_state.h"

namespace fireline::tunnel {
namespace {

using policy::ResourceKind;

[[nodiscard]] std::string address_of(const policy::ClientResource& resource) {
  switch (resource.kind) {
    case ResourceKind::dns:
      return resource.pattern;
    case ResourceKind::cidr:
      return resource.network.to_string();
    case ResourceKind::internet:
      break;
  }
  return {};
}

[[nodiscard]] ResourceList list_of(const ClientState& state) {
  ResourceList list;
  list.reserve(state.resources.size());
  state.resources.for_each([&](const ResourceEntry& entry) {
    const policy::ClientResource& resource = entry.resource;
    list.push_back({.id = resource.id,
                    .kind = resource.kind,
                    .name = resource.name,
                    .address = address_of(resource),
                    .description = resource.description,
                    .sites = resource.sites,
                    .status = state.sites.of(resource.sites),
                    .enabled = resource.kind != ResourceKind::internet || state.resources.internet_enabled()});
  });
  std::ranges::sort(list, {}, [](const ResourceView& one) {
    return std::tuple(one.kind != ResourceKind::internet, std::string_view(one.name), one.id);
  });
  return list;
}

void renew_list(ClientState& state) {
  if (std::exchange(state.resources_changed, false)) state.resource_list.set(list_of(state));
}

}  // namespace

void renew_tun(ClientState& state, Now now) {
  if (!state.interface || !std::exchange(state.tun_changed, false)) return;
  state.tun.set(now.boot, {.ipv4 = state.interface->ipv4,
                           .ipv6 = state.interface->ipv6,
                           .routes = state.resources.routes(),
                           .dns_servers = {},
                           .search_domain = state.interface->search_domain});
}

std::optional<ClientEvent> poll_event(ClientState& state) {
  if (state.tun.poll_announcement()) return TunChanged{};
  if (!state.events.empty()) {
    ClientEvent event = std::move(state.events.front());
    state.events.pop_front();
    return event;
  }
  renew_list(state);
  if (state.resource_list.poll_announcement()) return ResourcesChanged{};
  return std::nullopt;
}

std::optional<TunConfiguration> take_tun_configuration(ClientState& state) {
  return state.tun.take();
}

std::optional<ResourceList> take_resource_list(ClientState& state) {
  renew_list(state);
  return state.resource_list.take();
}

ClientStatus status_of(const ClientState& state) {
  ClientStatus status;
  status.configured = state.interface.has_value();
  if (state.interface) {
    status.ipv4 = state.interface->ipv4;
    status.ipv6 = state.interface->ipv6;
  }
  status.internet_enabled = state.resources.internet_enabled();
  status.resources = list_of(state);
  state.resources.for_each([&](const ResourceEntry& entry) {
    for (const policy::Site& site : entry.resource.sites) {
      status.sites.push_back({.id = site.id, .name = site.name, .status = state.sites.of(site.id)});
    }
    const Uuid& id = entry.resource.id;
    const bool requested = state.pending.contains(id);
    if (!entry.gateway && !requested) return;
    status.flows.push_back({.resource = id,
                            .gateway = entry.gateway,
                            .requested = requested,
                            .pending_packets = state.pending.packets(id)});
  });
  if (state.removed) {
    const Uuid& id = state.removed->id;
    status.flows.push_back(
        {.resource = id, .gateway = {}, .requested = true, .pending_packets = state.pending.packets(id)});
  }
  state.gateways.for_each([&](const ConnectedGateway& one) {
    status.gateways.push_back({.id = one.id,
                               .site = one.site,
                               .ipv4 = one.ipv4,
                               .ipv6 = one.ipv6,
                               .established = one.established,
                               .resources = one.resources.size()});
  });
  std::ranges::sort(status.sites, {}, &SiteView::id);
  const auto repeated = std::ranges::unique(status.sites, {}, &SiteView::id);
  status.sites.erase(repeated.begin(), repeated.end());
  std::ranges::sort(status.flows, {}, &ResourceFlow::resource);
  std::ranges::sort(status.gateways, {}, &GatewayView::id);
  status.pending_bytes = state.pending.bytes();
  return status;
}

}  // namespace fireline::tunnel
