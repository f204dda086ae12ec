#include "core/wireguard/index_table.h"

#include <utility>

namespace fireline::wireguard {
namespace {
constexpr std::size_t kSlotsMin = 16;
}  // namespace

IndexTable::IndexTable() : slots_(kSlotsMin), mask_(kSlotsMin - 1) {}

std::uint32_t IndexTable::insert(Peer* peer, crypto::Random& random) {
  if ((size_ + 1) * 2 > slots_.size()) grow();
  std::uint32_t connection = 0;
  do {
    connection = random.u32() % kConnectionNumbers;
  } while (find(session_index(connection, 0)) != nullptr);
  place(connection, peer);
  ++size_;
  return connection;
}

void IndexTable::erase(std::uint32_t connection) noexcept {
  std::size_t hole = connection & mask_;
  while (slots_[hole].peer != nullptr && slots_[hole].connection != connection) hole = (hole + 1) & mask_;
  if (slots_[hole].peer == nullptr) return;
  slots_[hole] = {};
  --size_;
  // Who was pushed past the hole moves back into it.
  for (std::size_t i = (hole + 1) & mask_; slots_[i].peer != nullptr; i = (i + 1) & mask_) {
    const std::size_t home = slots_[i].connection & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    slots_[hole] = std::exchange(slots_[i], Slot{});
    hole = i;
  }
}

void IndexTable::place(std::uint32_t connection, Peer* peer) noexcept {
  std::size_t i = connection & mask_;
  while (slots_[i].peer != nullptr) i = (i + 1) & mask_;
  slots_[i] = {.peer = peer, .connection = connection, .session = {}};
}

void IndexTable::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.peer != nullptr) place(slot.connection, slot.peer);
  }
}

}  // namespace fireline::wireguard
