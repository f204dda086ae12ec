// The connections of a node and the ways to find one: by the peer's id, by the peer's key (WireGuard), by both user
// name fragments (ICE requests; they have 20 bits and may collide), by the agent's tag (ICE responses) and by where its
// path leads (ICMP errors). Lifetime: owns the connections. Threads: one owner. Limits: the caller's, and
// kSharedDestinationMax.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/node/connection.h"

namespace fireline::node {

// Connections that for_destination() looks at: paths lead to one address from a few of ours at most, and more of them
// share a value of the hash.
inline constexpr std::size_t kSharedDestinationMax = 8;

class ConnectionTable {
 public:
  [[nodiscard]] Connection* find(std::string_view id) const noexcept;
  [[nodiscard]] Connection* find_by_key(const crypto::PublicKey& key) const noexcept;
  [[nodiscard]] Connection* find_by_tag(ice::AgentTag tag) const noexcept;
  // visit(Connection&) for each whose fragments these are.
  template <class Visit>
  void for_fragments(std::string_view local, std::string_view remote, Visit&& visit) const {
    const auto [first, last] = by_fragments_.equal_range(hash_of(local, remote));
    for (auto it = first; it != last; ++it) {
      const ConnectionParameters& parameters = it->second->parameters;
      if (parameters.local.ufrag() == local && parameters.remote.ufrag() == remote) visit(*it->second);
    }
  }

  // visit(Connection&) for each whose path leads there. O(1): kSharedDestinationMax.
  template <class Visit>
  void for_destination(const Endpoint& destination, Visit&& visit) const {
    const auto [first, last] = by_destination_.equal_range(std::hash<Endpoint>{}(destination));
    std::size_t left = kSharedDestinationMax;
    for (auto it = first; it != last && left != 0; ++it, --left) {
      if (it->second->path->destination == destination) visit(*it->second);
    }
  }

  // Id, key and tag must be new; there is no path yet.
  Connection& insert(std::unique_ptr<Connection> connection);
  void erase(Connection& connection);
  void set_path(Connection& connection, PathState path);

  [[nodiscard]] std::size_t size() const noexcept { return by_id_.size(); }
  [[nodiscard]] bool empty() const noexcept { return by_id_.empty(); }
  // visit(Connection&), by id; the visitor must not insert or erase.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, connection] : by_id_) visit(*connection);
  }
  // By id, for who erases them one by one.
  [[nodiscard]] std::vector<Connection*> all() const {
    std::vector<Connection*> all;
    for_each([&](Connection& connection) { all.push_back(&connection); });
    return all;
  }

  [[nodiscard]] static std::size_t hash_of(std::string_view local, std::string_view remote) noexcept;

 private:
  std::map<std::string, std::unique_ptr<Connection>, std::less<>> by_id_;
  std::unordered_map<crypto::PublicKey, Connection*> by_key_;
  std::unordered_map<ice::AgentTag, Connection*> by_tag_;
  std::unordered_multimap<std::size_t, Connection*> by_fragments_;
  std::unordered_multimap<std::size_t, Connection*> by_destination_;  // that have a path
};

}  // namespace fireline::node
