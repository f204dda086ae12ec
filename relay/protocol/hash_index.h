// A hash table from keys to record numbers that leaves the keys in the records: open addressing with linear probing,
// 8 bytes per place, at most half full, so that a lookup is one cache line of places and one record.
// The hash takes a seed drawn at start: clients choose their ports and channel numbers, and must not be able to choose
// where they fall. Threads: one owner. Allocates in insert() alone.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/crypto/random.h"
#include "relay/protocol/slab.h"

namespace fireline::relay {

// A keyed hash of an address with up to 64 bits more.
class KeyHash {
 public:
  explicit KeyHash(crypto::Random& random) noexcept {
    std::byte seed[24];
    random.fill(seed);
    first_ = load_le64(seed, 0);
    second_ = load_le64(seed, 8);
    third_ = load_le64(seed, 16) | 1;
  }

  [[nodiscard]] std::uint32_t operator()(const IpAddress& address, std::uint64_t more) const noexcept {
    std::uint64_t low = address.is_v4() ? 4 : 6;
    std::uint64_t high = 0;
    if (address.is_v4()) {
      high = load_be32(address.bytes(), 0);
    } else {
      high = load_be64(address.bytes(), 0);
      low ^= load_be64(address.bytes(), 8) << 3 | load_be64(address.bytes(), 8) >> 61;
    }
    const std::uint64_t mixed = fold(fold(high ^ first_, low ^ second_) ^ more, third_);
    return static_cast<std::uint32_t>(mixed ^ mixed >> 32);
  }
  // `more` has 16 bits: a channel number or a port of ours.
  [[nodiscard]] std::uint32_t operator()(const Endpoint& endpoint, std::uint16_t more) const noexcept {
    return (*this)(endpoint.address, std::uint64_t{endpoint.scope} << 32 | std::uint64_t{endpoint.port} << 16 | more);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  // Both halves of a product: every bit of either factor reaches the middle.
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::uint64_t first_ = 0;
  std::uint64_t second_ = 0;
  std::uint64_t third_ = 0;
};

class HashIndex {
 public:
  // The record of that hash for which same(number) holds, or kNoRecord.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, Same&& same) const {
    if (places_.empty()) return kNoRecord;
    for (std::size_t i = hash & mask_; places_[i].record != kNoRecord; i = (i + 1) & mask_) {
      if (places_[i].hash == hash && same(places_[i].record)) return places_[i].record;
    }
    return kNoRecord;
  }

  // The key must not be in the index.
  void insert(std::uint32_t hash, std::uint32_t record) {
    if (2 * (size_ + 1) > places_.size()) grow();
    put({hash, record});
    ++size_;
  }

  // Exactly this record, which must be there. What follows moves up: no tombstones that lookups would have to pass.
  void erase(std::uint32_t hash, std::uint32_t record) noexcept {
    std::size_t hole = hash & mask_;
    while (places_[hole].record != record) hole = (hole + 1) & mask_;
    for (std::size_t i = (hole + 1) & mask_; places_[i].record != kNoRecord; i = (i + 1) & mask_) {
      const std::size_t home = places_[i].hash & mask_;
      if (((i - home) & mask_) < ((i - hole) & mask_)) continue;  // its home lies behind the hole
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = Place{};
    --size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kPlacesMin = 64;
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t record = kNoRecord;
  };

  void put(Place place) noexcept {
    std::size_t i = place.hash & mask_;
    while (places_[i].record != kNoRecord) i = (i + 1) & mask_;
    places_[i] = place;
  }
  void grow() {
    std::vector<Place> old(places_.empty() ? kPlacesMin : 2 * places_.size());
    old.swap(places_);
    mask_ = places_.size() - 1;
    for (const Place& place : old) {
      if (place.record != kNoRecord) put(place);
    }
  }

  std::vector<Place> places_;  // a power of two
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fireline::relay
