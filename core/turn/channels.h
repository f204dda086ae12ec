// The channels of one allocation: which number stands for which peer, and what it may be used for.
//
// A binding holds 10 minutes at the relay; then its number and its peer cool down for 5 more, in which the relay takes
// only the same pair again. So a peer keeps its number for 15 minutes after its last binding, and a number goes to
// another peer only after that. Numbers that were never used come first, in order; after them the others, round robin.
// A number that cools down is out of reach for everybody, so that who names ever new peers could use all of them up:
// one owner has kChannelsPerOwnerMax at a time, cooling ones included.
// Source: RFC 8656 section 12.
//
// Lifetime: clear() when the allocation ends. Threads: one. Allocates when a peer is bound, never for data.
// Limits: 4096 numbers, as many peers, of one owner kChannelsPerOwnerMax. Every call takes the time; it must not run
// backwards.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/stun/attribute.h"

namespace fireline::turn {

inline constexpr Duration kChannelLifetime = std::chrono::minutes(10);
inline constexpr Duration kChannelCoolDown = std::chrono::minutes(5);
inline constexpr Duration kChannelReuse = kChannelLifetime + kChannelCoolDown;
inline constexpr Duration kChannelRefresh = kChannelLifetime / 2;
inline constexpr std::size_t kChannelsMax = stun::kMaxChannel - stun::kMinChannel + 1;
// A peer has some 4 to 8 addresses, and as many new ones in each network that it moves to: 16 networks in 15 minutes.
inline constexpr std::size_t kChannelsPerOwnerMax = 128;

// On whose behalf a channel is bound: any number that stays the same when the owner connects anew.
enum class ChannelOwner : std::uint64_t { nobody = 0 };  // nobody: without a share

class Channels {
 public:
  Channels() noexcept { clear(); }

  // The number on which data for the peer may leave: bound, or its first ChannelBind is on the way and goes ahead of
  // the data. A lapsed channel that is bound again carries data only from the answer on. O(1).
  [[nodiscard]] std::optional<std::uint16_t> sendable(Instant now, const Endpoint& peer) const noexcept;
  // Until when sendable() says so without another answer of the relay; of a first ChannelBind on the way the longest
  // that its answer may take.
  [[nodiscard]] std::optional<Instant> sendable_until(Instant now, const Endpoint& peer) const noexcept;
  // The peer whose data arrives on a bound channel; notes that there was some. O(1).
  [[nodiscard]] std::optional<Endpoint> receive(Instant now, std::uint16_t number) noexcept;

  // Whether a ChannelBind would tell the relay anything: not when the channel is bound, or a request is on the way.
  [[nodiscard]] bool needs_bind(Instant now, const Endpoint& peer) const noexcept;
  // Whether the peer would need one number more than the owner may have: then no begin_bind(). O(1).
  [[nodiscard]] bool exceeds_share(const Endpoint& peer, ChannelOwner owner) const noexcept;
  // Chooses the number for a ChannelBind that the caller sends. Empty: no number is free. A peer's channel stays with
  // the owner that it had first.
  [[nodiscard]] std::optional<std::uint16_t> begin_bind(Instant now, const Endpoint& peer,
                                                        ChannelOwner owner = ChannelOwner::nobody);
  // The relay accepted.
  void confirm(Instant now, std::uint16_t number) noexcept;
  // The relay refused: peer and number know nothing of each other any more.
  void forget(std::uint16_t number);

  // One channel that received data in the second half of its life and wants to be bound again: begin_bind() it. Repeat
  // until empty.
  [[nodiscard]] std::optional<Endpoint> refresh_due(Instant now) const noexcept;
  // Drops what has cooled down.
  void prune(Instant now);
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return channels_.size(); }  // cooling ones too
  [[nodiscard]] std::size_t bound(Instant now) const noexcept;

 private:
  struct Channel {
    Endpoint peer;
    ChannelOwner owner = ChannelOwner::nobody;
    Instant bound_at;  // of the last answer
    Instant sent_at;   // of the last request
    std::uint16_t number = 0;
    bool confirmed = false;  // ever, so that bound_at counts
    bool in_flight = false;
    bool pipelined = false;  // data may follow the request in flight
    bool received = false;   // data since the last answer

    // Behind its first ChannelBind, which goes ahead of the data.
    [[nodiscard]] bool behind_request(Instant now) const noexcept {
      return in_flight && pipelined && now - sent_at < kChannelLifetime;
    }
    [[nodiscard]] bool live(Instant now) const noexcept { return confirmed && now - bound_at < kChannelLifetime; }
    [[nodiscard]] bool wants_refresh(Instant now) const noexcept;
    [[nodiscard]] bool cooled_down(Instant now) const noexcept;
  };
  static constexpr std::uint16_t kNone = 0xFFFF;

  [[nodiscard]] const Channel* find(const Endpoint& peer) const noexcept;
  [[nodiscard]] Channel* find(std::uint16_t number) noexcept;
  [[nodiscard]] std::optional<std::uint16_t> choose_number(Instant now);
  void erase(std::uint16_t slot);

  std::vector<Channel> channels_;                    // dense; a slot moves when another one is erased
  std::array<std::uint16_t, kChannelsMax> slot_of_;  // by number; kNone when free
  std::unordered_map<Endpoint, std::uint16_t> slots_by_peer_;
  std::unordered_map<ChannelOwner, std::size_t> held_;  // channels of each owner that has any; nobody's too
  std::uint16_t never_used_ = 0;                        // this number and all above it
  std::uint16_t next_ = 0;                              // round robin once none is left of those
};

}  // namespace fireline::turn
