// The next wake-up of many owners: a 4-ary heap by time in which each owner knows its place, so that setting, moving
// and removing one costs O(log n) and looking costs nothing. T has a member `std::uint32_t heap_position`, kNotInHeap
// at first, and must be removed before it goes. With a member `Instant heap_deadline` as well, Instant::max() at first,
// the heap's memory is not looked at for an owner's deadline. Threads: one owner.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/time.h"

namespace fireline {

inline constexpr std::uint32_t kNotInHeap = UINT32_MAX;

template <class T>
class DeadlineHeap {
 public:
  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
  [[nodiscard]] Instant top_deadline() const noexcept { return nodes_.front().deadline; }
  [[nodiscard]] T* top() const noexcept { return nodes_.front().owner; }
  [[nodiscard]] Instant deadline_of(const T& owner) const noexcept {
    if constexpr (requires { owner.heap_deadline; }) {
      return owner.heap_deadline;
    } else {
      return owner.heap_position == kNotInHeap ? Instant::max() : nodes_[owner.heap_position].deadline;
    }
  }

  // Inserts or moves. Instant::max() removes.
  void set(T& owner, Instant deadline) {
    if (deadline == Instant::max()) return remove(owner);
    if constexpr (requires { owner.heap_deadline; }) owner.heap_deadline = deadline;
    if (owner.heap_position == kNotInHeap) {
      owner.heap_position = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({deadline, &owner});
      return rise(owner.heap_position);
    }
    Node& node = nodes_[owner.heap_position];
    const bool earlier = deadline < node.deadline;
    node.deadline = deadline;
    earlier ? rise(owner.heap_position) : sink(owner.heap_position);
  }

  void remove(T& owner) noexcept {
    if (owner.heap_position == kNotInHeap) return;
    if constexpr (requires { owner.heap_deadline; }) owner.heap_deadline = Instant::max();
    const std::size_t hole = owner.heap_position;
    owner.heap_position = kNotInHeap;
    const Node last = nodes_.back();
    nodes_.pop_back();
    if (hole == nodes_.size()) return;
    put(hole, last);
    rise(hole);
    sink(last.owner->heap_position);
  }

 private:
  static constexpr std::size_t kChildren = 4;
  struct Node {
    Instant deadline;
    T* owner = nullptr;
  };

  void put(std::size_t position, const Node& node) noexcept {
    nodes_[position] = node;
    node.owner->heap_position = static_cast<std::uint32_t>(position);
  }
  void rise(std::size_t position) noexcept {
    const Node node = nodes_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / kChildren;
      if (nodes_[parent].deadline <= node.deadline) break;
      put(position, nodes_[parent]);
      position = parent;
    }
    put(position, node);
  }
  void sink(std::size_t position) noexcept {
    const Node node = nodes_[position];
    for (;;) {
      const std::size_t first = position * kChildren + 1;
      if (first >= nodes_.size()) break;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < nodes_.size() && child < first + kChildren; ++child) {
        if (nodes_[child].deadline < nodes_[least].deadline) least = child;
      }
      if (node.deadline <= nodes_[least].deadline) break;
      put(position, nodes_[least]);
      position = least;
    }
    put(position, node);
  }

  std::vector<Node> nodes_;
};

}  // namespace fireline
