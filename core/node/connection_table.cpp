#include "core/node/connection_table.h"

#include <utility>

namespace fireline::node {
namespace {

template <class Table, class Key>
Connection* look_up(const Table& table, const Key& key) noexcept {
  const auto found = table.find(key);
  return found == table.end() ? nullptr : &*found->second;
}

template <class Table>
void take_out(Table& table, std::size_t hash, const Connection& connection) {
  auto [it, last] = table.equal_range(hash);
  while (it != last) it = it->second == &connection ? table.erase(it) : std::next(it);
}

}  // namespace

Connection* ConnectionTable::find(std::string_view id) const noexcept {
  return look_up(by_id_, id);
}

Connection* ConnectionTable::find_by_key(const crypto::PublicKey& key) const noexcept {
  return look_up(by_key_, key);
}

Connection* ConnectionTable::find_by_tag(ice::AgentTag tag) const noexcept {
  return look_up(by_tag_, tag);
}

Connection& ConnectionTable::insert(std::unique_ptr<Connection> connection) {
  Connection& added = *connection;
  const ConnectionParameters& parameters = added.parameters;
  by_key_.emplace(parameters.peer_key, &added);
  by_tag_.emplace(added.agent.settings().tag, &added);
  by_fragments_.emplace(hash_of(parameters.local.ufrag(), parameters.remote.ufrag()), &added);
  by_id_.emplace(parameters.id, std::move(connection));
  return added;
}

void ConnectionTable::erase(Connection& connection) {
  const ConnectionParameters& parameters = connection.parameters;
  by_key_.erase(parameters.peer_key);
  by_tag_.erase(connection.agent.settings().tag);
  take_out(by_fragments_, hash_of(parameters.local.ufrag(), parameters.remote.ufrag()), connection);
  if (connection.path) take_out(by_destination_, std::hash<Endpoint>{}(connection.path->destination), connection);
  by_id_.erase(by_id_.find(parameters.id));
}

void ConnectionTable::set_path(Connection& connection, PathState path) {
  if (connection.path) take_out(by_destination_, std::hash<Endpoint>{}(connection.path->destination), connection);
  by_destination_.emplace(std::hash<Endpoint>{}(path.destination), &connection);
  connection.path = std::move(path);
}

std::size_t ConnectionTable::hash_of(std::string_view local, std::string_view remote) noexcept {
  const std::hash<std::string_view> hash;
  return hash(local) * 31 + hash(remote);
}

}  // namespace fireline::node
