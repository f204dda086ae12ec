#include "core/wireguard/allowed_ips.h"

#include <algorithm>

namespace fireline::wireguard {

bool AllowedIps::insert(const Prefix& prefix, AllowedIpsOwner& owner) {
  Lengths& lengths = lengths_of(prefix);
  if (Slot* slot = lengths.find_exact(bits_of(prefix), prefix.length()); slot != nullptr) {
    if (slot->owner == &owner) return true;
    unlink(slot->entry, *slot->owner);
    slot->owner = &owner;
    link(slot->entry, owner);
    return true;
  }
  if (size() >= kAllowedIpsMax) return false;
  std::uint32_t entry = 0;
  if (free_.empty()) {
    entry = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
    free_.reserve(entries_.capacity());  // remove() must not allocate
  } else {
    entry = free_.back();
    free_.pop_back();
  }
  entries_[entry].prefix = prefix;
  lengths.insert({.bits = bits_of(prefix), .owner = &owner, .entry = entry, .session = {}}, prefix.length());
  link(entry, owner);
  return true;
}

bool AllowedIps::remove(const Prefix& prefix, AllowedIpsOwner& owner) noexcept {
  Lengths& lengths = lengths_of(prefix);
  Slot* slot = lengths.find_exact(bits_of(prefix), prefix.length());
  if (slot == nullptr || slot->owner != &owner) return false;
  unlink(slot->entry, owner);
  free_.push_back(slot->entry);
  lengths.erase(slot, prefix.length());
  return true;
}

void AllowedIps::remove_all(AllowedIpsOwner& owner) noexcept {
  while (owner.first_entry != AllowedIpsOwner::kNone) {
    const Prefix prefix = entries_[owner.first_entry].prefix;
    if (!remove(prefix, owner)) std::abort();
  }
}

void AllowedIps::link(std::uint32_t entry, AllowedIpsOwner& owner) noexcept {
  entries_[entry].previous = owner.last_entry;
  entries_[entry].next = AllowedIpsOwner::kNone;
  (owner.last_entry == AllowedIpsOwner::kNone ? owner.first_entry : entries_[owner.last_entry].next) = entry;
  owner.last_entry = entry;
}

void AllowedIps::unlink(std::uint32_t entry, AllowedIpsOwner& owner) noexcept {
  const auto [prefix, previous, next] = entries_[entry];
  (previous == AllowedIpsOwner::kNone ? owner.first_entry : entries_[previous].next) = next;
  (next == AllowedIpsOwner::kNone ? owner.last_entry : entries_[next].previous) = previous;
}

AllowedIps::Slot* AllowedIps::Lengths::find_exact(Bits bits, unsigned length) noexcept {
  const auto used = std::ranges::find(used_, length, &Used::length);
  return used == used_.end() ? nullptr : tables_[used->table].find(bits);
}

void AllowedIps::Lengths::insert(const Slot& slot, unsigned length) {
  auto used = std::ranges::find_if(used_, [length](const Used& u) { return u.length <= length; });
  if (used == used_.end() || used->length != length) {
    if (unused_tables_.empty()) {
      unused_tables_.reserve(tables_.size() + 1);  // erase() must not allocate
      unused_tables_.push_back(static_cast<std::uint8_t>(tables_.size()));
      tables_.emplace_back();
    }
    const std::uint64_t high = length == 0 ? 0 : UINT64_MAX << (64 - std::min(length, 64u));
    const std::uint64_t low = length <= 64 ? 0 : UINT64_MAX << (128 - length);
    used = used_.insert(
        used, Used{.mask = {high, low}, .length = static_cast<std::uint8_t>(length), .table = unused_tables_.back()});
    unused_tables_.pop_back();
  }
  tables_[used->table].insert(slot);
}

void AllowedIps::Lengths::erase(Slot* slot, unsigned length) noexcept {
  const auto used = std::ranges::find(used_, length, &Used::length);
  Table& table = tables_[used->table];
  table.erase(slot);
  if (!table.empty()) return;
  unused_tables_.push_back(used->table);
  used_.erase(used);
}

void AllowedIps::Table::insert(const Slot& slot) {
  if ((size_ + 1) * 2 > slots_.size()) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    mask_ = slots_.size() - 1;
    for (const Slot& moved : old) {
      if (moved.owner != nullptr) place(moved);
    }
  }
  place(slot);
  ++size_;
}

void AllowedIps::Table::erase(Slot* slot) noexcept {
  auto hole = static_cast<std::size_t>(slot - slots_.data());
  slots_[hole] = {};
  --size_;
  // Who was pushed past the hole moves back into it.
  for (std::size_t i = (hole + 1) & mask_; slots_[i].owner != nullptr; i = (i + 1) & mask_) {
    if (((i - home_of(slots_[i].bits)) & mask_) < ((i - hole) & mask_)) continue;
    slots_[hole] = std::exchange(slots_[i], Slot{});
    hole = i;
  }
}

void AllowedIps::Table::place(const Slot& slot) noexcept {
  std::size_t i = home_of(slot.bits);
  while (slots_[i].owner != nullptr) i = (i + 1) & mask_;
  slots_[i] = slot;
}

}  // namespace fireline::wireguard
