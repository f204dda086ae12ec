#include "io/cipher_line.h"

#include <algorithm>
#include <utility>

#include "io/limits.h"

namespace fireline::io {
namespace {

// What a job costs beside its bytes, in bytes (docs/performance.md: 64 bytes take a third of what 1,420 take).
constexpr std::size_t kJobCost = 512;

std::size_t cost_of(std::span<const crypto::AeadJob> jobs) noexcept {
  std::size_t cost = 0;
  for (const crypto::AeadJob& job : jobs) cost += kJobCost + job.bytes;
  return cost;
}

}  // namespace

CipherLine::CipherLine(packet::Engine& engine, crypto::Aead& aead, std::vector<CipherHelper*> helpers,
                       CipherThreshold threshold)
    : aead_(&aead), helpers_(std::move(helpers)), threshold_(threshold) {
  const std::size_t places = helpers_.empty() ? 1 : kWorksInFlight;
  for (std::size_t i = 0; i < places; ++i) {
    places_.push_back(std::make_unique<Place>());
    places_.back()->work = engine.make_work();
  }
}

void CipherLine::start() noexcept {
  Place& started = place(count_++);
  packet::Work& work = *started.work;
  started.task_count = 0;
  const std::size_t cost = helpers_.empty() ? 0 : cost_of(work.jobs);
  if (!worth_helping(cost)) return run_jobs(*aead_, work.kind, work.jobs);
  started.task_count = cut(started, cost);
  counters_.add(CipherCounter::tasks, started.task_count);
  for (std::size_t i = 0; i < started.task_count; ++i) {
    // A full queue is no harm: help() finds the task.
    helpers_[i % helpers_.size()]->push(started.tasks[i]);
  }
  for (std::size_t i = 0; i < std::min(started.task_count, helpers_.size()); ++i) helpers_[i]->wake();
}

packet::Work* CipherLine::finished() noexcept {
  if (count_ == 0) return nullptr;
  Place& oldest = place(0);
  return oldest.left.load(std::memory_order_acquire) == 0 ? oldest.work.get() : nullptr;
}

void CipherLine::retire() noexcept {
  first_ = (first_ + 1) % places_.size();
  --count_;
}

bool CipherLine::help() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    Place& busy = place(i);
    // From the end, for helpers begin at the front: each has neighbouring packets.
    for (std::size_t task = busy.task_count; task > 0; --task) {
      if (busy.tasks[task - 1].run(*aead_) == CipherTask::Outcome::not_offered) continue;
      counters_.add(CipherCounter::tasks_own);
      return true;
    }
  }
  return false;
}

bool CipherLine::worth_helping(std::size_t cost) noexcept {
  // Less than two tasks would be done before a helper is awake.
  if (cost < 2 * threshold_.task_cost) return false;
  if (busy_works_ == threshold_.busy_works) return true;
  ++busy_works_;
  return false;
}

// Shares of equal cost; `left` counts all of them before the first is on offer.
std::size_t CipherLine::cut(Place& place, std::size_t cost) noexcept {
  const std::size_t share = std::max(threshold_.task_cost, (cost + kTasksPerWork - 1) / kTasksPerWork);
  packet::Work& work = *place.work;
  std::array<std::span<crypto::AeadJob>, kTasksPerWork> shares;
  std::size_t count = 0;
  std::size_t begin = 0;
  std::size_t gathered = 0;
  for (std::size_t i = 0; i < work.jobs.size(); ++i) {
    gathered += kJobCost + work.jobs[i].bytes;
    if (gathered < share && i + 1 < work.jobs.size()) continue;
    shares[count++] = std::span(work.jobs).subspan(begin, i + 1 - begin);
    begin = i + 1;
    gathered = 0;
  }
  place.left.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) place.tasks[i].offer(work.kind, shares[i], place.left);
  return count;
}

}  // namespace fireline::io
