// Which client may reach which resource over which gateway, until when: what gateways were told. Grants outlive
// connections of both sides, and through GrantStore the portal itself: a gateway that comes back is told all of its
// grants, and which ones ended meanwhile (untold_rejections.h). Source: portal specification 6.4, 6.10.
//
// Lifetime: the store outlives the table. Threads: one. Limit: kGrantsMax.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/portal/common_messages.h"

namespace fireline::portal {

// A thousand clients that use a hundred resources each; some 200 bytes of memory for one.
inline constexpr std::size_t kGrantsMax = 100'000;

// Sent where nothing ends a grant or a credential, since a number is always sent: 2100-01-01. It never changes, for
// relays' credentials change with it.
inline constexpr Timestamp kFarFuture = 4'102'444'800;

struct GrantKey {
  Uuid client;
  Uuid resource;
  Uuid gateway;
  friend auto operator<=>(const GrantKey&, const GrantKey&) noexcept = default;
};

struct Grant {
  Uuid actor;
  Uuid token;
  IpAddress source;  // of the client's connection, for conditions that ask for it
  std::optional<Timestamp> token_expires;
  Timestamp expires_at = kFarFuture;
  std::uint64_t asked = 0;  // in the order of questions: GrantTable::next(); 0: before this process
  std::string opened{};     // policy::identity_of() the resource as the gateway was told it; empty: not known
};

// Durable behind commit(). A failure is counted, and the grant holds in memory all the same: a portal that cannot write
// must not cut tunnels.
class GrantStore {
 public:
  virtual ~GrantStore() = default;
  [[nodiscard]] virtual std::vector<std::pair<GrantKey, Grant>> load() = 0;
  virtual void put(const GrantKey& key, const Grant& grant) = 0;
  virtual void remove(const GrantKey& key) = 0;
  virtual void commit() = 0;
};

class GrantTable {
 public:
  using Grants = std::map<GrantKey, Grant>;

  explicit GrantTable(GrantStore& store);

  [[nodiscard]] const Grants& all() const noexcept { return grants_; }
  [[nodiscard]] const Grant* find(const GrantKey& key) const noexcept;
  [[nodiscard]] bool full() const noexcept { return grants_.size() >= kGrantsMax; }
  [[nodiscard]] std::uint64_t next() noexcept { return ++asked_; }
  // False at the limit.
  [[nodiscard]] bool put(const GrantKey& key, const Grant& grant);
  void remove(const GrantKey& key);
  void commit() { store_.commit(); }

 private:
  GrantStore& store_;
  Grants grants_;
  std::uint64_t asked_ = 0;
};

}  // namespace fireline::portal
