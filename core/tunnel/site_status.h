// Whether a client's sites can be reached, as far as it knows: from its connections, and from the portal's word that no
// gateway of a site is online, which is believed for kOfflineTime.
//
//   unknown ──connection established──▶ online ──last one ended──▶ unknown
//   any ──no gateway──▶ offline ──kOfflineTime, or a connection──▶ unknown, online
//
// Source: tunnel specification 2.7. Lifetime: a value. Threads: one owner. Limit: holds the sites alone that are not
// unknown, which are sites of resources and of gateways.
#pragma once
#include <chrono>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/policy/resource.h"
#include "core/tunnel/client_status.h"

namespace fireline::tunnel {

inline constexpr Duration kOfflineTime = std::chrono::minutes(5);

class SiteStatus {
 public:
  void set_online(const Uuid& site) { sites_[site] = {.online = true, .until = {}}; }
  void set_offline(Instant now, const Uuid& site) { sites_[site] = {.online = false, .until = now + kOfflineTime}; }
  void set_unknown(const Uuid& site) noexcept { sites_.erase(site); }

  [[nodiscard]] Reachability of(const Uuid& site) const noexcept;
  // Of a resource: online if one of its sites is, offline if all are, unknown else and without a site.
  [[nodiscard]] Reachability of(const std::vector<policy::Site>& sites) const noexcept;

  [[nodiscard]] std::optional<Instant> poll_timeout() const noexcept;
  // True: some site is not offline any more.
  bool handle_timeout(Instant now) noexcept;

 private:
  struct Known {
    bool online = false;
    Instant until{};  // unless online
  };
  std::unordered_map<Uuid, Known> sites_;
};

}  // namespace fireline::tunnel
