#include "core/tunnel/client_resources.h"

#include "core/tunnel/client_flows.h"
#include "core/tunnel/client_state.h"

namespace fireline::tunnel {
namespace {

// Behind every change.
void finish(ClientState& state, Now now, packet::Output& output) {
  state.resources.choose();
  sync_networks(state, now, output);
  state.tun_changed = state.resources_changed = true;
  settle(state, now, output);
}

void put(ClientState& state, Now now, const policy::ClientResource& resource, packet::Output& output) {
  if (state.resources.is_replaced_by(resource)) {
    disable(state, now, resource.id, output);
    state.resources.remove(resource.id);
  }
  state.pending.pace().renew(resource.id);
  if (state.resources.put(resource) == ResourceTable::Put::full) state.counters.add(ClientCounter::ignored_resources);
}

}  // namespace

void set_interface(ClientState& state, const portal::Interface& interface) {
  state.interface = interface;
  state.tun_changed = true;
  state.forget_lookups();
}

void set_resources(ClientState& state, Now now, const std::vector<policy::ClientResource>& resources,
                   packet::Output& output) {
  for (const Uuid& id : state.resources.missing_in(resources)) {
    disable(state, now, id, output);
    state.resources.remove(id);
  }
  for (const policy::ClientResource& resource : resources) put(state, now, resource, output);
  finish(state, now, output);
}

void put_resource(ClientState& state, Now now, const policy::ClientResource& resource, packet::Output& output) {
  put(state, now, resource, output);
  finish(state, now, output);
}

void remove_resource(ClientState& state, Now now, const Uuid& id, packet::Output& output) {
  const ResourceEntry* entry = state.resources.find(id);
  if (entry == nullptr) return;
  if (state.pending.contains(id)) {
    state.removed = entry->resource;
  } else {
    state.pending.pace().forget(id);
  }
  let_go(state, now, id, output);
  state.resources.remove(id);
  finish(state, now, output);
}

void settle_removal(ClientState& state, const policy::ClientResource& removed) {
  const bool is_back = state.resources.find(removed.id) != nullptr && !state.resources.is_replaced_by(removed);
  if (is_back) return;
  state.pending.abandon(removed.id);
  state.pending.pace().forget(removed.id);
}

void set_internet_enabled(ClientState& state, Now now, bool enabled, packet::Output& output) {
  if (state.resources.internet_enabled() == enabled) return;
  state.resources.set_internet_enabled(enabled);
  if (!enabled) {
    std::vector<Uuid> internet;
    state.resources.for_each([&](const ResourceEntry& entry) {
      if (entry.resource.kind == policy::ResourceKind::internet) internet.push_back(entry.resource.id);
    });
    for (const Uuid& id : internet) disable(state, now, id, output);
  }
  finish(state, now, output);
}

}  // namespace fireline::tunnel
