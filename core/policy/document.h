// What an operator's policy file says: one account with its sites, resources, groups, actors, policies and DNS
// settings. core/policy/document_reader.h makes it from text; docs/policy.md shows the text.
//
// Lifetime: a value that nobody changes after link(); share it as std::shared_ptr<const Document> and exchange the
// whole at a reload. Threads: any may read. Places ("index") are positions in the vectors of the same document alone:
// what is to outlive a reload is an id. Limits: below; the reader refuses what exceeds them. Source: portal
// specification 2.3, 6.2, 6.5, 6.10.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/policy/resource.h"
#include "core/policy/weekly_windows.h"

namespace fireline::policy {

// A small control plane from one file: a hundred times what one operator maintains by hand, and still read within a
// second. Larger sites run a real Firezone portal.
inline constexpr std::size_t kResourcesMax = 10'000;
inline constexpr std::size_t kSitesMax = 1'000;
inline constexpr std::size_t kActorsMax = 10'000;
inline constexpr std::size_t kGroupsMax = 1'000;
inline constexpr std::size_t kPoliciesMax = 10'000;
inline constexpr std::size_t kSourcesMax = 256;  // prefixes of one policy
inline constexpr std::size_t kDnsServersMax = 16;
inline constexpr std::size_t kNameBytesMax = 255;  // as programs' names in portal specification 1.6

// Every actor is a member of it without being listed; the file cannot define it.
inline constexpr std::string_view kEveryoneName = "everyone";

struct Account {
  Uuid id;
  std::string name;
  std::string slug;
};

// As clients see it, and what gateways let through. A resource of the file's type "ip" is a cidr of one address.
struct Resource : ClientResource {
  FilterList filters;  // empty for the Internet resource
};

[[nodiscard]] GatewayResource gateway_view(const Resource& resource);

struct Group {
  Uuid id;
  std::string name;
};

enum class ActorKind : std::uint8_t { user, service_account };

struct Actor {
  Uuid id;
  ActorKind kind = ActorKind::user;
  std::string name;
  std::string email;                // may be empty
  std::vector<std::size_t> groups;  // ascending places in Document::groups
};

// All that are set must hold.
struct Conditions {
  std::optional<WeeklyWindows> windows;
  std::vector<Prefix> sources;         // of the client's connection to the portal; empty: any
  std::optional<UnixSeconds> expires;  // from this second on it holds no longer
};

// The members of any of the groups have access to each of the resources.
struct Policy {
  Uuid id;
  std::string name;
  std::vector<std::size_t> groups;     // ascending
  std::vector<std::size_t> resources;  // ascending
  Conditions conditions;
};

struct DnsSettings {
  std::vector<IpAddress> servers;  // asked on port 53; empty: the client's own
  std::optional<std::string> search_domain;
  friend bool operator==(const DnsSettings&, const DnsSettings&) = default;
};

struct Document {
  Account account;
  std::vector<Site> sites;
  std::vector<Resource> resources;
  std::vector<Group> groups;  // `everyone` is one of them
  std::vector<Actor> actors;
  std::vector<Policy> policies;
  DnsSettings dns;

  // Fills what is derived: the tables behind the functions below. They grow with the file: a list of policies for each
  // actor would grow with the product.
  void link();

  // Null when there is none.
  [[nodiscard]] const Resource* resource(const Uuid& id) const noexcept;
  [[nodiscard]] const Actor* actor(const Uuid& id) const noexcept;
  [[nodiscard]] const Site* site(const Uuid& id) const noexcept;
  [[nodiscard]] const Actor* actor_named(std::string_view name) const noexcept;
  [[nodiscard]] const Site* site_named(std::string_view name) const noexcept;
  // Places of the policies of the actor's groups, each once, in any order.
  template <class Visit>
  void for_each_policy(const Actor& actor, Visit&& visit) const {
    std::vector<bool> visited(policies.size());
    for (const std::size_t group : actor.groups) {
      for (const std::uint32_t policy : policies_of_group_[group]) {
        if (visited[policy]) continue;
        visited[policy] = true;
        visit(std::size_t{policy});
      }
    }
  }

 private:
  std::vector<std::vector<std::uint32_t>> policies_of_group_;
  std::unordered_map<Uuid, std::size_t> resource_places_;
  std::unordered_map<Uuid, std::size_t> actor_places_;
  std::unordered_map<Uuid, std::size_t> site_places_;
};

}  // namespace fireline::policy
