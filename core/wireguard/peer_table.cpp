#include "core/wireguard/peer_table.h"

#include <algorithm>

namespace fireline::wireguard {

Peer* PeerTable::create(const crypto::PublicKey& key, const Profile& profile, crypto::Random& random) {
  if (peers_.size() >= kPeersMax) return nullptr;
  Peer* peer = peers_.emplace_back(std::make_unique<Peer>(key, profile)).get();
  by_key_.emplace(key, peer);
  peer->connection = indices_.insert(peer, random);
  return peer;
}

void PeerTable::remove(Peer& peer) noexcept {
  indices_.erase(peer.connection);
  by_key_.erase(peer.public_key);
  // From the back, so that removing all of them takes linear time.
  const auto at = std::find_if(peers_.rbegin(), peers_.rend(), [&](const auto& owned) { return owned.get() == &peer; });
  if (at != peers_.rend()) peers_.erase(std::next(at).base());
}

Peer* PeerTable::find(const crypto::PublicKey& key) const noexcept {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

}  // namespace fireline::wireguard
