// What lives in the relay: allocations, their channels and permissions, and the ways to find them. It knows no time and
// asks nobody; lifetimes.h says when something comes and goes.
// Finding costs one lookup whatever there is. Records are named by numbers (slab.h) and stay where they are.
// Threads: one owner. Allocates in add_…() alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/deadline_heap.h"
#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "relay/protocol/answer_limiter.h"
#include "relay/protocol/hash_index.h"
#include "relay/protocol/host.h"
#include "relay/protocol/slab.h"

namespace fireline::relay {

// A record's place in a heap of times.
struct Timer {
  enum class Kind : std::uint8_t { allocation, channel, permission, review };
  std::uint32_t heap_position = kNotInHeap;
  std::uint32_t number = kNoRecord;
  Kind kind{};
};

struct Allocation {
  Timer timer;
  Endpoint client;
  std::uint16_t port = 0;
  Families families;
  const std::string* username = nullptr;  // of the registry
  Instant expires;
  AnswerPace answers;  // to its client, where a request is not authenticated
  std::uint32_t first_channel = kNoRecord;
  std::uint32_t first_permission = kNoRecord;
  std::uint32_t channels = 0;  // bound and cooling down
  std::uint32_t bound_channels = 0;
  std::uint32_t permissions = 0;
  // Of the channels whose end may have changed (Lifetimes::review).
  Timer review;                           // since when it waits for its turn
  std::uint32_t next_review = kNoRecord;  // where it goes on; none: with the first one
  std::uint32_t reviews_left = 0;         // channels that have not been looked at since the last change
};

struct Channel {
  Timer timer;
  Endpoint client;
  Endpoint peer;
  std::uint16_t number = 0;
  std::uint16_t port = 0;
  bool bound = false;      // else it cools down
  bool permitted = false;  // there is a permission for the peer, or none is asked for
  bool offered = false;    // the host has it
  bool padded = false;     // it is forwarded by user space alone
  std::uint32_t allocation = kNoRecord;
  std::uint32_t next = kNoRecord;  // of the allocation
  std::uint32_t previous = kNoRecord;
  std::uint32_t next_of_address = kNoRecord;  // of the allocation's channels to the peer's address
  std::uint32_t previous_of_address = kNoRecord;
  Instant expires;        // of the binding, before it cools down
  Instant offered_until;  // what the host was told
};

struct Permission {
  Timer timer;
  IpAddress peer;
  std::uint16_t port = 0;  // of the allocation: no peer's port counts
  std::uint32_t allocation = kNoRecord;
  std::uint32_t next = kNoRecord;
  std::uint32_t previous = kNoRecord;
  Instant expires;
};

class Registry {
 public:
  // Ports from `lowest` to `highest` may be allocated.
  Registry(std::uint16_t lowest, std::uint16_t highest, crypto::Random& random);

  [[nodiscard]] std::uint32_t find_allocation(const Endpoint& client) const;
  [[nodiscard]] std::uint32_t find_allocation_of(std::uint16_t port) const noexcept;
  // For users that have at most one.
  [[nodiscard]] std::uint32_t find_allocation_of(std::string_view username) const;
  [[nodiscard]] std::size_t allocations_of(std::string_view username) const;
  // Bound and cooling down, of all allocations of the user.
  [[nodiscard]] std::size_t channels_of(std::string_view username) const;
  [[nodiscard]] std::uint32_t find_channel(const Endpoint& client, std::uint16_t number) const;
  [[nodiscard]] std::uint32_t find_channel(std::uint16_t port, const Endpoint& peer) const;
  [[nodiscard]] std::uint32_t find_permission(std::uint16_t port, const IpAddress& peer) const;

  // Neither the client nor the port may have an allocation.
  [[nodiscard]] std::uint32_t add_allocation(const Endpoint& client, std::uint16_t port, Families families,
                                             std::string_view username);
  // Neither the number nor the peer may be a channel's of this allocation. The new one is neither bound nor permitted.
  [[nodiscard]] std::uint32_t add_channel(std::uint32_t allocation, std::uint16_t number, const Endpoint& peer);
  [[nodiscard]] std::uint32_t add_permission(std::uint32_t allocation, const IpAddress& peer);
  // Timers must be out of the heap, an allocation without channels and permissions.
  void remove_allocation(std::uint32_t number);
  void remove_channel(std::uint32_t number);
  void remove_permission(std::uint32_t number);
  void set_bound(Channel& channel, bool bound) noexcept;

  [[nodiscard]] Allocation& allocation(std::uint32_t number) noexcept { return allocations_[number]; }
  [[nodiscard]] const Allocation& allocation(std::uint32_t number) const noexcept { return allocations_[number]; }
  [[nodiscard]] Channel& channel(std::uint32_t number) noexcept { return channels_[number]; }
  [[nodiscard]] const Channel& channel(std::uint32_t number) const noexcept { return channels_[number]; }
  [[nodiscard]] Permission& permission(std::uint32_t number) noexcept { return permissions_[number]; }
  [[nodiscard]] const Permission& permission(std::uint32_t number) const noexcept { return permissions_[number]; }

  // visit(std::uint32_t number); it may remove the one visited.
  template <class Visit>
  void for_each_allocation(Visit&& visit) const {
    for (const std::uint32_t number : by_port_) {
      if (number != kNoRecord) visit(number);
    }
  }
  template <class Visit>
  void for_each_channel(std::uint32_t allocation, Visit&& visit) const {
    for (std::uint32_t number = allocations_[allocation].first_channel; number != kNoRecord;) {
      const std::uint32_t next = channels_[number].next;
      visit(number);
      number = next;
    }
  }
  // Those to any port of the peer's address, without a look at the others.
  template <class Visit>
  void for_each_channel_of(std::uint16_t port, const IpAddress& peer, Visit&& visit) const {
    for (std::uint32_t number = find_first_channel_of(port, peer); number != kNoRecord;) {
      const std::uint32_t next = channels_[number].next_of_address;
      visit(number);
      number = next;
    }
  }
  template <class Visit>
  void for_each_permission(std::uint32_t allocation, Visit&& visit) const {
    for (std::uint32_t number = allocations_[allocation].first_permission; number != kNoRecord;) {
      const std::uint32_t next = permissions_[number].next;
      visit(number);
      number = next;
    }
  }

  [[nodiscard]] std::size_t allocations() const noexcept { return allocations_.size(); }
  [[nodiscard]] std::size_t channels() const noexcept { return channels_.size(); }
  [[nodiscard]] std::size_t bound_channels() const noexcept { return bound_channels_; }
  [[nodiscard]] std::size_t permissions() const noexcept { return permissions_.size(); }
  [[nodiscard]] std::size_t users() const noexcept { return users_.size(); }
  // Entries of all lookup tables together: the property test compares it with the records.
  [[nodiscard]] std::size_t index_entries() const noexcept {
    return by_client_.size() + channels_by_client_.size() + channels_by_peer_.size() + channels_by_address_.size() +
           permissions_by_peer_.size();
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct User {
    std::size_t allocations = 0;
    std::size_t channels = 0;
    std::uint32_t latest = kNoRecord;
  };

  [[nodiscard]] std::uint32_t find_first_channel_of(std::uint16_t port, const IpAddress& peer) const;
  void link_of_address(std::uint32_t number);
  void unlink_of_address(std::uint32_t number);

  KeyHash hash_;
  std::uint16_t lowest_;
  std::vector<std::uint32_t> by_port_;  // allocation by port - lowest_
  Slab<Allocation> allocations_;
  Slab<Channel> channels_;
  Slab<Permission> permissions_;
  HashIndex by_client_;
  HashIndex channels_by_client_;
  HashIndex channels_by_peer_;
  HashIndex channels_by_address_;  // the first of each list
  HashIndex permissions_by_peer_;
  // Names of authenticated users alone: nobody else chooses where they fall.
  std::unordered_map<std::string, User, TextHash, std::equal_to<>> users_;
  std::size_t bound_channels_ = 0;
};

}  // namespace fireline::relay
