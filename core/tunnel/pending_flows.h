// Resources for which the portal was asked, and the packets that wait for its answer.
//
// The portal is asked at the first packet and then, while packets come, as IntentPace has it: without traffic there is
// no retry, and nobody gives up. Each resource has a ring of kPendingPackets; all of them share a number of
// bytes, and when those are used up the resource that was wanted longest ago loses its oldest packet.
// A packet with the bytes of one that waits is not added. A TCP SYN takes the place of an earlier one of the same
// connection and sequence number, so that the newest timestamp leaves.
//
// Source: tunnel specification 2.5. Lifetime: `counters` outlives it. Threads: one owner. Allocates for packets.
#pragma once
#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/base/uuid.h"
#include "core/packet/segmenter.h"
#include "core/tunnel/client_counters.h"
#include "core/tunnel/intent_pace.h"

namespace fireline::tunnel {

inline constexpr std::size_t kPendingPackets = 128;  // of one resource

class PendingFlows {
 public:
  using Packet = std::vector<std::byte>;
  using Packets = std::deque<Packet>;

  PendingFlows(std::size_t bytes_max, Counters<ClientCounter>& counters) noexcept
      : bytes_max_(bytes_max), counters_(counters) {}

  // The resource is wanted. True: ask the portal now.
  [[nodiscard]] bool want(Instant now, const Uuid& resource, IntentReason reason = IntentReason::no_gateway);
  // All segments, behind want().
  void hold(const Uuid& resource, const packet::Segmenter& segmenter);

  [[nodiscard]] bool contains(const Uuid& resource) const noexcept { return index_.contains(resource); }
  // What waits, oldest first; the resource is not wanted any more.
  [[nodiscard]] Packets release(const Uuid& resource);
  // Likewise, and what waits is dropped.
  void abandon(const Uuid& resource);
  // Told of answers other than grants, and of what becomes of resources.
  [[nodiscard]] IntentPace& pace() noexcept { return pace_; }

  // The portal answered, but nothing can be connected before relays are there.
  void wait_for_relays(const Uuid& resource) noexcept;
  // Relays are there: for these the portal is to be asked now.
  [[nodiscard]] std::vector<Uuid> take_waiting_for_relays(Instant now);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }
  // Packets of one resource.
  [[nodiscard]] std::size_t packets(const Uuid& resource) const noexcept;

 private:
  struct Flow {
    Uuid resource;
    bool waits_for_relays = false;
    Packets packets;
  };
  using Flows = std::list<Flow>;

  void add(Flow& flow, Packet packet);
  void make_room();

  std::size_t bytes_max_;
  Counters<ClientCounter>& counters_;
  IntentPace pace_;
  Flows flows_;  // wanted longest ago first
  std::unordered_map<Uuid, Flows::iterator> index_;
  std::size_t bytes_ = 0;
};

}  // namespace fireline::tunnel
