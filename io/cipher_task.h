// A share of a planned work's cipher jobs. It is offered to everybody; who claims it first runs it: a helper, or the
// packet thread itself. So a helper that is slow or asleep delays at most what it has begun, and none has to be asked
// to give anything back.
//
// A task is offered again and again with other jobs, and a helper's queue may still hold its address from an earlier
// offer: whoever finds it there claims what is on offer at that moment, or nothing.
//
// Lifetime: outlives every thread that may claim it; the jobs outlive their run. Threads: offer() on the packet thread,
// while no earlier offer of the task is open; run() on any.
#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "core/crypto/aead.h"
#include "core/packet/engine.h"

namespace fireline::io {

inline void run_jobs(crypto::Aead& aead, packet::Work::Kind kind, std::span<crypto::AeadJob> jobs) noexcept {
  kind == packet::Work::Kind::seal ? aead.seal(jobs) : aead.open(jobs);
}

class CipherTask {
 public:
  enum class Outcome : std::uint8_t {
    not_offered,  // somebody else has it, or had it
    ran,
    ran_last,  // and no other task of its work is left
  };

  // `left` counts the tasks of the work that are not done, this one included.
  void offer(packet::Work::Kind kind, std::span<crypto::AeadJob> jobs, std::atomic<std::uint32_t>& left) noexcept {
    kind_ = kind;
    jobs_ = jobs;
    left_ = &left;
    offered_.store(true, std::memory_order_release);
  }

  Outcome run(crypto::Aead& aead) noexcept {
    // The plain look keeps the cache line shared while there is nothing to claim.
    if (!offered_.load(std::memory_order_relaxed) || !offered_.exchange(false, std::memory_order_acquire)) {
      return Outcome::not_offered;
    }
    run_jobs(aead, kind_, jobs_);
    // The last step: from here on the task may be offered anew.
    return left_->fetch_sub(1, std::memory_order_acq_rel) == 1 ? Outcome::ran_last : Outcome::ran;
  }

 private:
  std::atomic<bool> offered_{false};
  packet::Work::Kind kind_ = packet::Work::Kind::seal;
  std::span<crypto::AeadJob> jobs_;
  std::atomic<std::uint32_t>* left_ = nullptr;
};

}  // namespace fireline::io
