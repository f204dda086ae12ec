#include "core/wireguard/peer_table.h"

#include <utility>

namespace fireline::wireguard {

Peer* PeerTable::create(const crypto::PublicKey& key, const Profile& profile, crypto::Random& random) {
  if (peers_.size() >= kPeersMax) return nullptr;
  const auto position = static_cast<std::uint32_t>(peers_.size());
  Peer* peer = peers_.emplace_back(slab_.make_owned(key, profile)).get();
  peer->table_position = position;
  by_key_.emplace(key, peer);
  peer->connection = indices_.insert(peer, random);
  return peer;
}

void PeerTable::remove(Peer& peer) noexcept {
  indices_.erase(peer.connection);
  by_key_.erase(peer.public_key);
  const std::uint32_t position = peer.table_position;
  std::swap(peers_[position], peers_.back());
  peers_[position]->table_position = position;
  peers_.pop_back();
}

Peer* PeerTable::find(const crypto::PublicKey& key) const noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

}  // namespace fireline::wireguard
