#include "core/policy/difference.h"

#include <algorithm>
#include <iterator>

namespace fireline::policy {
namespace {

// Sites by id: their order in the file means nothing.
std::vector<Site> sorted_sites(const Resource& resource) {
  std::vector<Site> sites = resource.sites;
  std::ranges::sort(sites, {}, &Site::id);
  return sites;
}

}  // namespace

std::string identity_of(const Resource& resource) {
  std::string text(name_of(resource.kind));
  text.append(" ").append(resource.pattern).append(" ").append(resource.network.to_string());
  return text.append(" ").append(std::to_string(static_cast<int>(resource.ip_stack)));
}

namespace {

ResourceChange compare(const Resource& before, const Resource& after) {
  ResourceChange change;
  change.identity = identity_of(before) != identity_of(after);
  const std::vector<Site> old_sites = sorted_sites(before);
  const std::vector<Site> new_sites = sorted_sites(after);
  change.sites = !std::ranges::equal(old_sites, new_sites, {}, &Site::id, &Site::id);
  change.site_names = !change.sites && !std::ranges::equal(old_sites, new_sites, {}, &Site::name, &Site::name);
  change.filters = before.filters != after.filters;
  change.text = before.name != after.name || before.description != after.description;
  return change;
}

std::vector<Uuid> ids_of(const Document& document, std::span<const std::size_t> places) {
  std::vector<Uuid> ids;
  ids.reserve(places.size());
  for (const std::size_t place : places) ids.push_back(document.resources[place].id);
  std::ranges::sort(ids);
  return ids;
}

}  // namespace

Difference::Difference(const Document& before, const Document& after)
    : account_slug_(before.account.slug != after.account.slug), dns_(before.dns != after.dns) {
  for (std::size_t place = 0; place < after.resources.size(); ++place) {
    const Resource& resource = after.resources[place];
    const Resource* old = before.resource(resource.id);
    if (old == nullptr) continue;
    const ResourceChange change = compare(*old, resource);
    if (change.any()) changes_.emplace(resource.id, change);
    if (change.filters) filters_.push_back(place);
  }
}

const ResourceChange* Difference::of(const Uuid& resource) const noexcept {
  const auto found = changes_.find(resource);
  return found == changes_.end() ? nullptr : &found->second;
}

ClientUpdate client_update(const Document& before, std::span<const std::size_t> seen, const Document& after,
                           std::span<const std::size_t> sees, const Difference& difference, bool takes_site_names) {
  const std::vector<Uuid> old_ids = ids_of(before, seen);
  const std::vector<Uuid> new_ids = ids_of(after, sees);
  ClientUpdate update;
  std::ranges::set_difference(old_ids, new_ids, std::back_inserter(update.deleted));
  for (const std::size_t place : sees) {
    const Uuid& id = after.resources[place].id;
    if (!std::ranges::binary_search(old_ids, id)) {
      update.upserted.push_back(place);
      continue;
    }
    const ResourceChange* change = difference.of(id);
    if (change == nullptr) continue;
    if (change->sites || (change->site_names && !takes_site_names)) update.deleted.push_back(id);
    update.upserted.push_back(place);
  }
  return update;
}

}  // namespace fireline::policy
