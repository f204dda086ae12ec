// What a reload changes, as clients and gateways have to be told. Source: portal specification 6.11.
// Made once for two documents; client_update() then costs one merge of two lists for each client.
// Lifetime: a value; keeps no reference. Threads: any.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/policy/document.h"

namespace fireline::policy {

// What access to a resource opens, as a text: type, address and ip_stack; another one ends grants.
[[nodiscard]] std::string identity_of(const Resource& resource);

// Of one resource that both documents have, by id.
struct ResourceChange {
  bool identity = false;    // type, address or ip_stack: grants end (`reject_access` for each client that holds one)
  bool sites = false;       // another set of site ids: grants on gateways of a site that left end
  bool site_names = false;  // some clients take it only after `resource_deleted`
  bool filters = false;     // `resource_updated` to gateways; the client's copy of them changes too
  bool text = false;        // name or description

  [[nodiscard]] bool any() const noexcept { return identity || sites || site_names || filters || text; }
};

class Difference {
 public:
  Difference() = default;  // of a document and itself: time passed, nothing else
  Difference(const Document& before, const Document& after);

  [[nodiscard]] bool account_slug() const noexcept { return account_slug_; }  // gateways: `init` again
  [[nodiscard]] bool dns() const noexcept { return dns_; }                    // clients: `config_changed`
  // Null for a resource that did not change, or that one of the two does not have.
  [[nodiscard]] const ResourceChange* of(const Uuid& resource) const noexcept;
  // Every resource whose filters changed, as places in after.resources: for gateways.
  [[nodiscard]] const std::vector<std::size_t>& filters() const noexcept { return filters_; }

 private:
  bool account_slug_ = false;
  bool dns_ = false;
  std::unordered_map<Uuid, ResourceChange> changes_;
  std::vector<std::size_t> filters_;
};

// For one client: first `resource_deleted` for each of `deleted`, then `resource_created_or_updated` for each of
// `upserted`. A resource may be in both.
struct ClientUpdate {
  std::vector<Uuid> deleted;
  std::vector<std::size_t> upserted;  // ascending places in after.resources

  [[nodiscard]] bool empty() const noexcept { return deleted.empty() && upserted.empty(); }
};

// `seen` and `sees` are what visible_resources() said of the two documents (the same one twice with Difference()).
// `takes_site_names`: whether the client understands a renamed site without a deletion before (6.11).
[[nodiscard]] ClientUpdate client_update(const Document& before, std::span<const std::size_t> seen,
                                         const Document& after, std::span<const std::size_t> sees,
                                         const Difference& difference, bool takes_site_names);

}  // namespace fireline::policy
