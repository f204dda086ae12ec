#include "core/policy/document.h"

#include <algorithm>

namespace fireline::policy {
namespace {

template <class Thing>
const Thing* at(const std::vector<Thing>& things, const std::unordered_map<Uuid, std::size_t>& places,
                const Uuid& id) noexcept {
  const auto found = places.find(id);
  return found == places.end() ? nullptr : &things[found->second];
}

template <class Thing>
void index(const std::vector<Thing>& things, std::unordered_map<Uuid, std::size_t>& places) {
  places.clear();
  places.reserve(things.size());
  for (std::size_t place = 0; place < things.size(); ++place) places.emplace(things[place].id, place);
}

template <class Thing>
const Thing* named(const std::vector<Thing>& things, std::string_view name) noexcept {
  const auto found = std::ranges::find(things, name, &Thing::name);
  return found == things.end() ? nullptr : &*found;
}

}  // namespace

GatewayResource gateway_view(const Resource& resource) {
  return {.id = resource.id,
          .kind = resource.kind,
          .name = resource.name,
          .pattern = resource.pattern,
          .network = resource.network,
          .filters = resource.filters};
}

void Document::link() {
  index(resources, resource_places_);
  index(actors, actor_places_);
  index(sites, site_places_);

  policies_of_group_.assign(groups.size(), {});
  for (std::size_t policy = 0; policy < policies.size(); ++policy) {
    for (const std::size_t group : policies[policy].groups) {
      policies_of_group_[group].push_back(static_cast<std::uint32_t>(policy));
    }
  }
}

const Resource* Document::resource(const Uuid& id) const noexcept {
  return at(resources, resource_places_, id);
}
const Actor* Document::actor(const Uuid& id) const noexcept {
  return at(actors, actor_places_, id);
}
const Site* Document::site(const Uuid& id) const noexcept {
  return at(sites, site_places_, id);
}
const Actor* Document::actor_named(std::string_view name) const noexcept {
  return named(actors, name);
}
const Site* Document::site_named(std::string_view name) const noexcept {
  return named(sites, name);
}

}  // namespace fireline::policy
