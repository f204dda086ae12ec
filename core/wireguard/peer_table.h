// The peers of a device, by public key, by session index, and in a row: in the order in which they were made, until one
// is removed and the last one takes its place. Each operation takes the same time however many there are.
// At most kPeersMax. Allocates on create alone. Threads: one owner.
#pragma once
#include <cstddef>
#include <memory_resource>
#include <unordered_map>
#include <vector>

#include "core/base/slab.h"
#include "core/wireguard/index_table.h"
#include "core/wireguard/peer.h"

namespace fireline::wireguard {

class PeerTable {
 public:
  explicit PeerTable(std::pmr::memory_resource* memory) : slab_(memory) {}

  // Null when kPeersMax exist. The key must be new.
  Peer* create(const crypto::PublicKey& key, const Profile& profile, crypto::Random& random);
  // The peer must be in no other table.
  void remove(Peer& peer) noexcept;

  [[nodiscard]] Peer* find(const crypto::PublicKey& key) const noexcept;
  [[nodiscard]] Peer* find_by_index(std::uint32_t index) const noexcept { return indices_.find(index); }
  void prefetch_index(std::uint32_t index) const noexcept { indices_.prefetch(index); }
  [[nodiscard]] const Session* guess_session(std::uint32_t index) const noexcept {
    return indices_.guess_session(index);
  }
  void note_session(std::uint32_t index, const Session* session) noexcept { indices_.note_session(index, session); }
  [[nodiscard]] std::size_t size() const noexcept { return peers_.size(); }
  [[nodiscard]] const std::vector<Slab<Peer>::Pointer>& peers() const noexcept { return peers_; }

 private:
  Slab<Peer> slab_;
  std::vector<Slab<Peer>::Pointer> peers_;
  std::unordered_map<crypto::PublicKey, Peer*> by_key_;
  IndexTable indices_;
};

}  // namespace fireline::wireguard
