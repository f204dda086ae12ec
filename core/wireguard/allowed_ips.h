// The allowed IPs of all peers: longest-prefix match from an address to its owner (cryptokey routing, WireGuard paper
// section 2), for both families.
//
// One hash table per prefix length in use, asked from the longest to the shortest. Real configurations use few lengths
// (/32, /24, /0, /128, /64), so a look-up is one to three probes; the worst case is 33 or 129. An entry also hangs in
// its owner's list, in the order of insertion.
//
// Lifetime: an owner must be taken out with remove_all before it goes. Allocates on insert alone. Threads: one owner.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/prefetch.h"
#include "core/base/wire.h"

namespace fireline::wireguard {

struct Session;

// A peer is one; the list of its prefixes is kept here.
struct AllowedIpsOwner {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t first_entry = kNone;
  std::uint32_t last_entry = kNone;
};

inline constexpr std::size_t kAllowedIpsMax = std::size_t{1} << 22;  // four for each of the most peers; 350 MB

class AllowedIps {
 public:
  // Gives the prefix to `owner`, taking it from who had it. False when kAllowedIpsMax entries exist.
  bool insert(const Prefix& prefix, AllowedIpsOwner& owner);
  // False when `owner` does not hold exactly this prefix.
  bool remove(const Prefix& prefix, AllowedIpsOwner& owner) noexcept;
  void remove_all(AllowedIpsOwner& owner) noexcept;

  // The owner of the longest prefix that contains the address, or null. 4 or 16 bytes in network order.
  [[nodiscard]] AllowedIpsOwner* find(ConstBytes address) const noexcept {
    const Slot* slot = lengths_of(address).find(bits_of(address));
    return slot == nullptr ? nullptr : slot->owner;
  }
  // The session of that owner which was noted last, for a prefetch; or null.
  [[nodiscard]] const Session* guess_session(ConstBytes address) const noexcept {
    const Slot* slot = lengths_of(address).find(bits_of(address));
    return slot == nullptr ? nullptr : slot->session.guess<Session>(slot->owner);
  }
  void note_session(ConstBytes address, const Session* session) noexcept {
    if (Slot* slot = lengths_of(address).find(bits_of(address)); slot != nullptr) slot->session.note(session);
  }

  // For find() soon.
  void prefetch(ConstBytes address) const noexcept { lengths_of(address).prefetch(bits_of(address)); }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - free_.size(); }

  // visit(const Prefix&) in the order of insertion.
  template <class Visit>
  void for_each(const AllowedIpsOwner& owner, Visit&& visit) const {
    for (auto i = owner.first_entry; i != AllowedIpsOwner::kNone; i = entries_[i].next) visit(entries_[i].prefix);
  }

 private:
  // The address's bits from the top; IPv4 in the upper half of `high`.
  struct Bits {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const Bits&, const Bits&) noexcept = default;
  };
  struct alignas(32) Slot {  // half a cache line: none is in two
    Bits bits;
    AllowedIpsOwner* owner = nullptr;  // null: free
    std::uint32_t entry = 0;
    PrefetchHint session;
  };
  // All prefixes of one length: open addressing with linear probing, at most half full.
  class Table {
   public:
    [[nodiscard]] const Slot* find(Bits bits) const noexcept {
      for (std::size_t i = home_of(bits);; i = (i + 1) & mask_) {
        if (slots_[i].owner == nullptr) return nullptr;
        if (slots_[i].bits == bits) return &slots_[i];
      }
    }
    [[nodiscard]] Slot* find(Bits bits) noexcept { return const_cast<Slot*>(std::as_const(*this).find(bits)); }
    void insert(const Slot& slot);
    void erase(Slot* slot) noexcept;
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    void prefetch(Bits bits) const noexcept { prefetch_line(&slots_[home_of(bits)]); }

   private:
    [[nodiscard]] std::size_t home_of(Bits bits) const noexcept {
      // Fibonacci hashing: the upper bits of the product depend on all bits of the factors.
      const std::uint64_t mixed = (bits.high ^ (bits.low * 0xC2B2AE3D27D4EB4Full)) * 0x9E3779B97F4A7C15ull;
      return static_cast<std::size_t>(mixed >> 32) & mask_;
    }
    void place(const Slot& slot) noexcept;

    std::vector<Slot> slots_ = std::vector<Slot>(4);
    std::size_t mask_ = 3;
    std::size_t size_ = 0;
  };
  // One family's tables by prefix length.
  class Lengths {
   public:
    [[nodiscard]] const Slot* find(Bits bits) const noexcept {
      for (const Used& used : used_) {
        const Slot* slot = tables_[used.table].find({bits.high & used.mask.high, bits.low & used.mask.low});
        if (slot != nullptr) return slot;
      }
      return nullptr;
    }
    [[nodiscard]] Slot* find(Bits bits) noexcept { return const_cast<Slot*>(std::as_const(*this).find(bits)); }
    // The longest ones alone: where many are in use, most of them are small tables.
    void prefetch(Bits bits) const noexcept {
      for (std::size_t i = 0; i < used_.size() && i < kPrefetchedLengths; ++i) {
        tables_[used_[i].table].prefetch({bits.high & used_[i].mask.high, bits.low & used_[i].mask.low});
      }
    }
    [[nodiscard]] Slot* find_exact(Bits bits, unsigned length) noexcept;
    void insert(const Slot& slot, unsigned length);
    void erase(Slot* slot, unsigned length) noexcept;

   private:
    static constexpr std::size_t kPrefetchedLengths = 2;
    struct Used {
      Bits mask;
      std::uint8_t length = 0;
      std::uint8_t table = 0;
    };
    std::vector<Used> used_;     // longest first; lengths without a prefix are not here
    std::vector<Table> tables_;  // never shrinks: at most 129
    std::vector<std::uint8_t> unused_tables_;
  };
  struct Entry {
    Prefix prefix;
    std::uint32_t previous = AllowedIpsOwner::kNone;
    std::uint32_t next = AllowedIpsOwner::kNone;
  };

  [[nodiscard]] static Bits bits_of(ConstBytes address) noexcept {
    return address.size() == 4 ? Bits{std::uint64_t{load_be32(address, 0)} << 32, 0}
                               : Bits{load_be64(address, 0), load_be64(address, 8)};
  }
  [[nodiscard]] static Bits bits_of(const Prefix& prefix) noexcept { return bits_of(prefix.address().bytes()); }
  [[nodiscard]] const Lengths& lengths_of(ConstBytes address) const noexcept { return address.size() == 4 ? v4_ : v6_; }
  [[nodiscard]] Lengths& lengths_of(ConstBytes address) noexcept { return address.size() == 4 ? v4_ : v6_; }
  [[nodiscard]] Lengths& lengths_of(const Prefix& prefix) noexcept { return prefix.address().is_v4() ? v4_ : v6_; }
  void link(std::uint32_t entry, AllowedIpsOwner& owner) noexcept;
  void unlink(std::uint32_t entry, AllowedIpsOwner& owner) noexcept;

  Lengths v4_;
  Lengths v6_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
};

}  // namespace fireline::wireguard
