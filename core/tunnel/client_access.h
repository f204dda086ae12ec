// What one client may reach through this gateway: its grants, and the filters that they make together.
// Source: tunnel specification 5.1 and 5.2.
//
// This is what resources of further kinds extend: a DNS resource is a grant like the others, and gives access to
// nothing while no name is resolved for it.
//
// Lifetime: plain. Threads: one owner. Limit: kGrantsMax. Allocates when grants change alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/policy/filter_table.h"
#include "core/policy/resource.h"
#include "core/portal/gateway_messages.h"
#include "core/tunnel/internet_destinations.h"

namespace fireline::tunnel {

// Of one client. A portal's accounts have hundreds of resources, and a client asks for those that it uses.
inline constexpr std::size_t kGrantsMax = 4096;

inline constexpr UnixTime kNever = UnixTime::max();

// A grant is valid while this lies ahead. What is beyond the clock's range is never, or long ago.
[[nodiscard]] UnixTime expiry_of(std::optional<portal::Timestamp> expires_at) noexcept;

struct Grant {
  policy::GatewayResource resource;
  std::optional<portal::Timestamp> expires_at;  // empty: never
};

// What a client's grants say about a packet.
enum class Access : std::uint8_t {
  granted,
  not_granted,   // nothing covers the address
  filtered,      // a network covers it, no filter permits the packet
  not_internet,  // the Internet resource alone covers it, and does not reach it
};

class ClientAccess {
 public:
  enum class Change : std::uint8_t { added, replaced, kind_changed, full };

  // What grant() would do; the last two change nothing.
  [[nodiscard]] Change change_by(const policy::GatewayResource& resource) const noexcept;
  // A known grant takes the new address, filters and expiry.
  Change grant(const policy::GatewayResource& resource, std::optional<portal::Timestamp> expires_at);
  // These two: false when there is no such grant.
  bool revoke(const Uuid& resource);
  bool set_expiry(const Uuid& resource, portal::Timestamp expires_at);
  // The resource's filters alone; empty when there is no such grant.
  std::optional<Change> set_filters(const policy::GatewayResource& resource);
  // Takes what has expired; how many.
  std::size_t expire(UnixTime wall);
  // keep(const Uuid& resource) → std::optional<portal::Timestamp>: the expiry, or empty: the grant goes. How many went.
  template <class Keep>
  std::size_t retain(Keep&& keep) {
    const std::size_t before = grants_.size();
    for (auto next = grants_.begin(); next != grants_.end();) {
      const auto grant = next++;
      const std::optional<portal::Timestamp> expires_at = keep(grant->first);
      if (expires_at) {
        grant->second.expires_at = expires_at;
      } else {
        grants_.erase(grant);
      }
    }
    rebuild();
    return before - grants_.size();
  }

  [[nodiscard]] bool empty() const noexcept { return grants_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return grants_.size(); }
  // When the first of them expires; kNever when none does.
  [[nodiscard]] UnixTime next_expiry() const noexcept { return next_expiry_; }
  // visit(const Grant&), by resource id.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, grant] : grants_) visit(grant);
  }

  // `remote` is the address on the resource's side, 4 or 16 bytes in network order, and no tunnel or proxy address;
  // the others as FilterSet::permits has them. Expiry is the caller's business.
  [[nodiscard]] Access classify(ConstBytes remote, std::uint8_t protocol, std::uint16_t port,
                                const InternetDestinations& internet) const noexcept;

 private:
  void rebuild();

  std::map<Uuid, Grant> grants_;
  policy::FilterTable networks_;
  bool internet_ = false;
  UnixTime next_expiry_ = kNever;
};

}  // namespace fireline::tunnel
