// The peers to which an initiation is to be sent, oldest first, each once. The links are in the peers, so that taking
// one out costs the same wherever it stands: 10,000 peers that want a handshake may be removed one by one.
// Lifetime: a peer is removed before it goes. Threads: one owner. No allocation.
#pragma once
#include <cstddef>

#include "core/wireguard/peer.h"

namespace fireline::wireguard {

class InitiationList {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // The peer is in no list.
  void push_back(Peer& peer) noexcept {
    peer.initiation_wanted = true;
    peer.wanted_before = last_;
    peer.wanted_behind = nullptr;
    (last_ == nullptr ? first_ : last_->wanted_behind) = &peer;
    last_ = &peer;
    ++size_;
  }
  // The list is not empty.
  Peer& pop_front() noexcept {
    Peer& peer = *first_;
    remove(peer);
    return peer;
  }
  // Nothing where it is in no list.
  void remove(Peer& peer) noexcept {
    if (!peer.initiation_wanted) return;
    peer.initiation_wanted = false;
    (peer.wanted_before == nullptr ? first_ : peer.wanted_before->wanted_behind) = peer.wanted_behind;
    (peer.wanted_behind == nullptr ? last_ : peer.wanted_behind->wanted_before) = peer.wanted_before;
    --size_;
  }
  void clear() noexcept {
    while (!empty()) pop_front();
  }

 private:
  Peer* first_ = nullptr;
  Peer* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace fireline::wireguard
