// The works between plan and commit, in the order in which they were planned. Without helpers the packet thread runs a
// work's jobs when it starts it. With helpers a work that is worth it is cut into tasks on offer to everybody; the next
// one is planned meanwhile, and the packet thread runs tasks itself whenever it has nothing else to do. Works leave in
// order, whoever finished first.
//
// Use: plan into next() while has_room(), start(); commit finished() while there is one, retire().
// Lifetime: engine (whose works it holds), aead and helpers outlive it, and the helpers' threads must be joined before
// it goes. Threads: the packet thread's; counters from any.
// Limits: kWorksInFlight works, kTasksPerWork tasks each.
//
// Help is asked for by a packet thread that does not find time to rest: one that sleeps between works is not what
// limits the throughput, and waking a helper for it costs more than it gives (docs/performance.md).
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/counters.h"
#include "core/crypto/aead.h"
#include "core/packet/engine.h"
#include "io/cipher_helper.h"
#include "io/cipher_task.h"

namespace fireline::io {

enum class CipherCounter : std::uint8_t {
  tasks,      // put on offer
  tasks_own,  // of these, run by the packet thread
  count_,
};
[[nodiscard]] constexpr std::string_view name_of(CipherCounter which) noexcept {
  switch (which) {
    case CipherCounter::tasks:
      return "cipher.tasks";
    case CipherCounter::tasks_own:
      return "cipher.tasks_own";
    case CipherCounter::count_:
      break;
  }
  return "";
}

// What is worth a helper.
struct CipherThreshold {
  // A task's least cost in bytes, the same for each job added: about 10 µs, a few times what waking a thread costs.
  std::size_t task_cost = std::size_t{32} << 10;
  // Works large enough that the packet thread runs alone behind each rest, before it counts as busy.
  unsigned busy_works = 2;
};

class CipherLine {
 public:
  static constexpr std::size_t kTasksPerWork = 32;

  CipherLine(packet::Engine& engine, crypto::Aead& aead, std::vector<CipherHelper*> helpers,
             CipherThreshold threshold = {});

  [[nodiscard]] bool has_room() const noexcept { return count_ < places_.size(); }
  // An empty work; the same until start().
  [[nodiscard]] packet::Work& next() noexcept { return *place(count_).work; }
  // Its jobs are run here and now, or put on offer.
  void start() noexcept;

  // The oldest work when all of its jobs are done, else null.
  [[nodiscard]] packet::Work* finished() noexcept;
  // The work that finished() gave was committed.
  void retire() noexcept;

  // Runs one task of the oldest work that has one on offer; false when there is none.
  bool help() noexcept;
  // The packet thread has nothing to do.
  void rest() noexcept { busy_works_ = 0; }

  [[nodiscard]] const Counters<CipherCounter>& counters() const noexcept { return counters_; }

 private:
  struct Place {
    std::unique_ptr<packet::Work> work;
    std::array<CipherTask, kTasksPerWork> tasks;
    std::size_t task_count = 0;
    std::atomic<std::uint32_t> left{0};  // tasks that are not done
  };

  [[nodiscard]] Place& place(std::size_t behind_first) noexcept {
    return *places_[(first_ + behind_first) % places_.size()];
  }
  [[nodiscard]] bool worth_helping(std::size_t cost) noexcept;
  [[nodiscard]] std::size_t cut(Place& place, std::size_t cost) noexcept;

  crypto::Aead* aead_;
  std::vector<CipherHelper*> helpers_;
  CipherThreshold threshold_;
  unsigned busy_works_ = 0;  // large enough for helpers, since the last rest; no further than the threshold
  std::vector<std::unique_ptr<Place>> places_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  Counters<CipherCounter> counters_;
};

}  // namespace fireline::io
