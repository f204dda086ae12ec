#include "relay/ready_set.h"

#include <algorithm>

namespace fireline::relay {

void ReadySet::insert(Slot slot) {
  if (slot >= members_of_.size()) members_of_.resize(std::size_t{slot} + 1);
  if (members_of_[slot].age != 0) return;
  ++members_;
  push(slot, std::max(reading_, members_of_[slot].packets));
}

std::optional<ReadySet::Slot> ReadySet::take() {
  while (!heap_.empty()) {
    std::ranges::pop_heap(heap_, Later{});
    const Entry entry = heap_.back();
    heap_.pop_back();
    if (members_of_[entry.slot].age != entry.age) continue;
    reading_ = entry.packets;
    return entry.slot;
  }
  return std::nullopt;
}

void ReadySet::keep(Slot slot, std::size_t packets) {
  if (slot >= members_of_.size() || members_of_[slot].age == 0) return;  // closed while it was in hand
  push(slot, members_of_[slot].packets + packets);
}

void ReadySet::drop(Slot slot, std::size_t packets) noexcept {
  if (slot >= members_of_.size() || members_of_[slot].age == 0) return;  // closed while it was in hand
  members_of_[slot] = {.age = 0, .packets = members_of_[slot].packets + packets};
  --members_;
}

void ReadySet::erase(Slot slot) noexcept {
  if (slot >= members_of_.size()) return;
  if (members_of_[slot].age != 0) --members_;
  members_of_[slot] = {};
}

void ReadySet::push(Slot slot, std::uint64_t packets) {
  members_of_[slot] = {.age = ++last_age_, .packets = packets};
  heap_.push_back({.packets = packets, .age = last_age_, .slot = slot});
  std::ranges::push_heap(heap_, Later{});
  compact();
}

// Sockets that are closed while ready leave stale entries; more of them than members are swept out.
void ReadySet::compact() {
  constexpr std::size_t kStaleMin = 64;
  if (heap_.size() <= 2 * members_ + kStaleMin) return;
  std::erase_if(heap_, [this](const Entry& entry) { return members_of_[entry.slot].age != entry.age; });
  std::ranges::make_heap(heap_, Later{});
}

}  // namespace fireline::relay
