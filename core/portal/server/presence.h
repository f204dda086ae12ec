// Which connections there are, and which of them stands for which device. Online is who joined last: a device that
// connects twice is not told anything twice, and the older connection is left alone for as long as the newer one lives.
// Closing it at once would make two live processes of one id kick each other for ever. Source: portal
// specification 6.4, 6.12.
//
// Lifetime: a Session lives until remove(). Threads: one. Limit: kConnectionsMax.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/base/uuid.h"
#include "core/portal/server/session.h"

namespace fireline::portal {

// Ten times the connections that acceptance asks for; each costs some kilobytes.
inline constexpr std::size_t kConnectionsMax = 4096;

class Presence {
 public:
  // By device id, so that every walk has one order.
  using Online = std::map<Uuid, Session*>;

  [[nodiscard]] bool full() const noexcept { return sessions_.size() >= kConnectionsMax; }
  Session& add(std::unique_ptr<Session> session);
  [[nodiscard]] Session* find(ConnectionId id) noexcept;
  // The session is online from here on. The one that it takes the place of, or null.
  Session* join(Session& session);
  // It is no longer online; it may join again.
  void leave(Session& session);
  // Connections of the same device that others took the place of, such as one of a twin that goes on; ascending.
  [[nodiscard]] std::vector<ConnectionId> superseded(const Session& session) const;
  void remove(ConnectionId id);

  // Null when offline.
  [[nodiscard]] Session* client(const Uuid& device) const noexcept { return find_in(clients_, device); }
  [[nodiscard]] Session* gateway(const Uuid& device) const noexcept { return find_in(gateways_, device); }
  [[nodiscard]] const Online& clients() const noexcept { return clients_; }
  [[nodiscard]] const Online& gateways() const noexcept { return gateways_; }
  [[nodiscard]] const std::unordered_map<ConnectionId, std::unique_ptr<Session>>& sessions() const noexcept {
    return sessions_;
  }

 private:
  [[nodiscard]] static Session* find_in(const Online& online, const Uuid& device) noexcept;
  [[nodiscard]] Online& table(Role role) noexcept;

  std::unordered_map<ConnectionId, std::unique_ptr<Session>> sessions_;
  Online clients_;
  Online gateways_;
  Online relays_;
};

}  // namespace fireline::portal
