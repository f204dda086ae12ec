// Documents for the tests of policies, made without text. Names stand for ids.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/policy/document.h"

namespace fireline::policy {

// Of the test's names: the same one for the same name.
[[nodiscard]] inline Uuid id_of(std::string_view name) {
  Uuid id;
  for (std::size_t i = 0; i < name.size() && i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(name[i]);
  return id;
}

[[nodiscard]] inline Resource network(std::string_view name, std::string_view prefix,
                                      std::initializer_list<std::string_view> sites = {"lab"}) {
  Resource resource;
  resource.id = id_of(name);
  resource.name = name;
  resource.network = Prefix::parse(prefix).value();
  for (const std::string_view site : sites) resource.sites.push_back({.id = id_of(site), .name = std::string(site)});
  return resource;
}

// Resources "net" (0), "dns" (1), "lost" (2, of no site) and "far" (3); groups "everyone" (0), "staff" (1); actors
// "alice" of both, "robot" of the first. Policies are the test's part.
[[nodiscard]] inline Document document(std::vector<Policy> policies) {
  Document document;
  document.account = {.id = id_of("account"), .name = "Account", .slug = "account"};
  document.sites = {{.id = id_of("lab"), .name = "lab"}, {.id = id_of("away"), .name = "away"}};
  document.resources = {network("net", "10.0.0.0/8"), network("dns", "0.0.0.0/0"), network("lost", "192.0.2.0/24", {}),
                        network("far", "198.51.100.0/24", {"away", "lab"})};
  document.resources[1].kind = ResourceKind::dns;
  document.resources[1].network = {};
  document.resources[1].pattern = "*.git.example";
  document.groups = {{.id = id_of("everyone"), .name = "everyone"}, {.id = id_of("staff"), .name = "staff"}};
  document.actors.resize(2);
  document.actors[0].id = id_of("alice");
  document.actors[0].name = "alice";
  document.actors[0].groups = {0, 1};
  document.actors[1].id = id_of("robot");
  document.actors[1].kind = ActorKind::service_account;
  document.actors[1].name = "robot";
  document.actors[1].groups = {0};
  document.policies = std::move(policies);
  document.link();
  return document;
}

// With `count` networks "n0", "n1" and so on behind the others, for everyone.
[[nodiscard]] inline Document document_of(std::size_t count) {
  Document large = document({});
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < count; ++i) {
    places.push_back(large.resources.size());
    large.resources.push_back(network("n" + std::to_string(i), "10.0.0.0/8"));
  }
  Policy all;
  all.groups = {0};
  all.resources = std::move(places);
  large.policies.push_back(std::move(all));
  large.link();
  return large;
}

[[nodiscard]] inline Policy policy(std::vector<std::size_t> groups, std::vector<std::size_t> resources,
                                   Conditions conditions = {}) {
  return {.id = {},
          .name = {},
          .groups = std::move(groups),
          .resources = std::move(resources),
          .conditions = std::move(conditions)};
}

}  // namespace fireline::policy
