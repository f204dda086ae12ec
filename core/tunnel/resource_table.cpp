#include "core/tunnel/resource_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/tunnel/client.h"

namespace fireline::tunnel {
namespace {

using policy::ResourceKind;

[[nodiscard]] bool is_same_address(const policy::ClientResource& a, const policy::ClientResource& b) noexcept {
  switch (a.kind) {
    case ResourceKind::dns:
      return a.pattern == b.pattern && a.ip_stack == b.ip_stack;
    case ResourceKind::cidr:
      return a.network == b.network;
    case ResourceKind::internet:
      break;
  }
  return true;
}

[[nodiscard]] std::set<Uuid> ids_of(const std::vector<policy::Site>& sites) {
  std::set<Uuid> ids;
  for (const policy::Site& site : sites) ids.insert(site.id);
  return ids;
}

[[nodiscard]] auto preference(const ResourceEntry& entry, bool was_chosen) noexcept {
  return std::tuple(was_chosen && entry.gateway.has_value(), entry.gateway.has_value(), entry.resource.id);
}

}  // namespace

bool ResourceTable::is_replaced_by(const policy::ClientResource& resource) const noexcept {
  const ResourceEntry* known = find(resource.id);
  if (known == nullptr) return false;
  return known->resource.kind != resource.kind || !is_same_address(known->resource, resource) ||
         ids_of(known->resource.sites) != ids_of(resource.sites);
}

ResourceTable::Put ResourceTable::put(const policy::ClientResource& resource) {
  if (ResourceEntry* known = find(resource.id)) {
    known->resource = resource;
    return Put::updated;
  }
  if (entries_.size() >= kResourcesMax) return Put::full;
  entries_[resource.id].resource = resource;
  return Put::added;
}

bool ResourceTable::remove(const Uuid& id) noexcept {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  networks_.remove_all(found->second);
  if (internet_ == &found->second) internet_ = nullptr;
  entries_.erase(found);
  return true;
}

std::vector<Uuid> ResourceTable::missing_in(const std::vector<policy::ClientResource>& all) const {
  std::set<Uuid> listed;
  for (const policy::ClientResource& resource : all) listed.insert(resource.id);
  std::vector<Uuid> missing;
  for (const auto& [id, entry] : entries_) {
    if (!listed.contains(id)) missing.push_back(id);
  }
  std::ranges::sort(missing);
  return missing;
}

void ResourceTable::choose() {
  std::map<Prefix, ResourceEntry*> winners;
  ResourceEntry* internet = nullptr;
  const auto better_of = [](ResourceEntry* best, ResourceEntry& entry) {
    return best == nullptr || preference(*best, best->chosen) < preference(entry, entry.chosen) ? &entry : best;
  };
  for (auto& [id, entry] : entries_) {
    networks_.remove_all(entry);
    if (entry.resource.kind == ResourceKind::cidr) {
      ResourceEntry*& winner = winners[entry.resource.network];
      winner = better_of(winner, entry);
    } else if (entry.resource.kind == ResourceKind::internet && internet_enabled_) {
      internet = better_of(internet, entry);
    }
  }
  for (auto& [id, entry] : entries_) entry.chosen = false;
  for (const auto& [network, winner] : winners) {
    winner->chosen = true;
    networks_.insert(network, *winner);  // kAllowedIpsMax exceeds kResourcesMax
  }
  internet_ = internet;
  if (internet_ != nullptr) internet_->chosen = true;
}

ResourceEntry* ResourceTable::find(const Uuid& id) noexcept {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

const ResourceEntry* ResourceTable::find(const Uuid& id) const noexcept {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

bool ResourceTable::takes(const ResourceEntry& entry, const Prefix& network) const noexcept {
  if (!entry.chosen || entry.resource.kind != ResourceKind::internet) return entry.chosen;
  // A network of length 0 is as long a prefix and comes first.
  return std::ranges::none_of(entries_, [&](const auto& other) {
    return other.second.resource.kind == ResourceKind::cidr && other.second.resource.network == network;
  });
}

std::vector<Prefix> ResourceTable::routes() const {
  std::vector<Prefix> routes = fixed_client_routes();
  for (const auto& [id, entry] : entries_) {
    if (entry.resource.kind == ResourceKind::cidr) routes.push_back(entry.resource.network);
  }
  if (internet_ != nullptr) routes.insert(routes.end(), default_routes().begin(), default_routes().end());
  std::ranges::sort(routes);
  routes.erase(std::ranges::unique(routes).begin(), routes.end());
  return routes;
}

const std::vector<Prefix>& ResourceTable::default_routes() {
  static const std::vector<Prefix> kRoutes{Prefix::parse("0.0.0.0/0").value_or(Prefix()),
                                           Prefix::parse("::/0").value_or(Prefix())};
  return kRoutes;
}

}  // namespace fireline::tunnel
