// A bounded table that forgets the entry used longest ago when it is full: what is remembered about senders who have
// not proved who they are must not grow with them.
// Key: an equality and hash_of(const KeyHash&, const Key&), found by ADL or given in fireline::relay. Threads: one
// owner. Allocates until the limit is reached, then never.
#pragma once
#include <cstddef>
#include <cstdint>

#include "relay/protocol/hash_index.h"
#include "relay/protocol/slab.h"

namespace fireline::relay {

[[nodiscard]] inline std::uint32_t hash_of(const KeyHash& hash, const Endpoint& endpoint) noexcept {
  return hash(endpoint, 0);
}
[[nodiscard]] inline std::uint32_t hash_of(const KeyHash& hash, const IpAddress& address) noexcept {
  return hash(address, 0);
}

template <class Key, class Value>
class LruTable {
 public:
  // At least one entry.
  LruTable(std::size_t entries_max, crypto::Random& random) noexcept
      : hash_(random), entries_max_(entries_max == 0 ? 1 : entries_max) {}

  // Makes the entry the one used last. Null: not there.
  [[nodiscard]] Value* find(const Key& key) {
    const std::uint32_t number = locate(key, hash_of(hash_, key));
    if (number == kNoRecord) return nullptr;
    unlink(number);
    link_first(number);
    return &entries_[number].value;
  }

  struct Added {
    Value* value = nullptr;
    bool evicted = false;  // another entry had to go
  };
  // The key must not be there.
  Added add(const Key& key, const Value& value) {
    Added added;
    if (entries_.size() == entries_max_) {
      drop(last_);
      added.evicted = true;
    }
    const std::uint32_t number = entries_.add();
    Entry& entry = entries_[number];
    entry.key = key;
    entry.hash = hash_of(hash_, key);
    entry.value = value;
    index_.insert(entry.hash, number);
    link_first(number);
    added.value = &entry.value;
    return added;
  }

  void remove(const Key& key) {
    const std::uint32_t number = locate(key, hash_of(hash_, key));
    if (number != kNoRecord) drop(number);
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    Key key{};
    std::uint32_t hash = 0;
    std::uint32_t newer = kNoRecord;
    std::uint32_t older = kNoRecord;
    Value value{};
  };

  [[nodiscard]] std::uint32_t locate(const Key& key, std::uint32_t hash) const {
    return index_.find(hash, [&](std::uint32_t number) { return entries_[number].key == key; });
  }
  void drop(std::uint32_t number) {
    index_.erase(entries_[number].hash, number);
    unlink(number);
    entries_.remove(number);
  }
  void unlink(std::uint32_t number) noexcept {
    const Entry& entry = entries_[number];
    (entry.newer == kNoRecord ? first_ : entries_[entry.newer].older) = entry.older;
    (entry.older == kNoRecord ? last_ : entries_[entry.older].newer) = entry.newer;
  }
  void link_first(std::uint32_t number) noexcept {
    Entry& entry = entries_[number];
    entry.newer = kNoRecord;
    entry.older = first_;
    (first_ == kNoRecord ? last_ : entries_[first_].newer) = number;
    first_ = number;
  }

  KeyHash hash_;
  std::size_t entries_max_;
  Slab<Entry> entries_;
  HashIndex index_;
  std::uint32_t first_ = kNoRecord;  // used last
  std::uint32_t last_ = kNoRecord;
};

}  // namespace fireline::relay
