// A client's resources: which of them takes a destination, and which gateway it has.
//
// Networks are matched by the longest prefix, before the Internet resource. Of resources with the same network, and of
// several Internet resources, one is chosen: that which is chosen already and has a gateway, else one with a gateway,
// else the one with the greatest id. choose() makes that choice, so that connecting does not flip it.
// DNS resources are kept for the list alone: no address is theirs.
//
// Source: tunnel specification 2.1, 2.2. Lifetime: entries stay where they are until they are removed. Threads: one
// owner. Limit: kResourcesMax. match() does not allocate.
#pragma once
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/policy/resource.h"
#include "core/tunnel/tun_configuration.h"
#include "core/wireguard/allowed_ips.h"

namespace fireline::tunnel {

struct ResourceEntry : wireguard::AllowedIpsOwner {
  policy::ClientResource resource;
  std::optional<Uuid> gateway;
  bool chosen = false;  // no other resource takes its network
};

class ResourceTable {
 public:
  enum class Put : std::uint8_t { added, updated, full };

  // Whether putting it would be another resource under the same id: address, kind, IP stack or the set of sites differ.
  // Then remove the known one first.
  [[nodiscard]] bool is_replaced_by(const policy::ClientResource& resource) const noexcept;
  // Adds it, or replaces what is shown of it. choose() comes behind it.
  Put put(const policy::ClientResource& resource);
  // choose() comes behind it. False: it was not there.
  bool remove(const Uuid& id) noexcept;
  // Those that are not in `all`.
  [[nodiscard]] std::vector<Uuid> missing_in(const std::vector<policy::ClientResource>& all) const;
  // Independent of whether there is such a resource. choose() comes behind it.
  void set_internet_enabled(bool enabled) noexcept { internet_enabled_ = enabled; }
  [[nodiscard]] bool internet_enabled() const noexcept { return internet_enabled_; }
  void choose();

  [[nodiscard]] ResourceEntry* find(const Uuid& id) noexcept;
  [[nodiscard]] const ResourceEntry* find(const Uuid& id) const noexcept;
  // The destination, 4 or 16 bytes in network order, is no tunnel, proxy or sentinel address.
  [[nodiscard]] ResourceEntry* match(ConstBytes destination) noexcept {
    if (auto* owner = networks_.find(destination)) return static_cast<ResourceEntry*>(owner);
    return internet_;
  }
  // visit(const Prefix&) for each network that packets come from once the resource has a gateway.
  template <class Visit>
  static void for_each_network(const ResourceEntry& entry, Visit&& visit) {
    if (entry.resource.kind == policy::ResourceKind::cidr) visit(entry.resource.network);
    if (entry.resource.kind == policy::ResourceKind::internet) {
      for (const Prefix& everything : default_routes()) visit(everything);
    }
  }
  // Whether packets to this network of the entry's are its own.
  [[nodiscard]] bool takes(const ResourceEntry& entry, const Prefix& network) const noexcept;

  // Those of the TUN: the fixed ones and what the resources add, ascending, each once.
  [[nodiscard]] std::vector<Prefix> routes() const;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, entry] : entries_) visit(entry);
  }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [id, entry] : entries_) visit(entry);
  }

  [[nodiscard]] static const std::vector<Prefix>& default_routes();

 private:
  std::unordered_map<Uuid, ResourceEntry> entries_;
  wireguard::AllowedIps networks_;  // of the chosen entries
  ResourceEntry* internet_ = nullptr;
  bool internet_enabled_ = false;
};

}  // namespace fireline::tunnel
