#include "tools/delay/delay_line.h"

#include <algorithm>
#include <array>
#include <span>

namespace fireline::lab {

void DelayLine::push(Instant now, Frame frame) {
  if (options_.loss > 0 || options_.reorder > 0) {
    if (const auto train = Train::of(frame)) return push_train(now, frame, *train);
  }
  push_one(now, std::move(frame), fate(), 1);
}

std::optional<Instant> DelayLine::due() const noexcept {
  const Queue* queue = next();
  return queue == nullptr ? std::nullopt : std::optional(queue->front().due);
}

void DelayLine::pop() noexcept {
  Queue& queue = next() == &late_ ? late_ : on_time_;
  const Waiting& first = queue.front();
  counts_.carried += first.count;
  counts_.bytes += first.frame.size();
  bytes_ -= first.frame.size();
  queue.pop_front();
}

DelayLine::Fate DelayLine::fate() {
  const auto happens = [this](double share) { return share > 0 && std::bernoulli_distribution(share)(random_); };
  if (happens(options_.loss)) return Fate::lost;
  return happens(options_.reorder) ? Fate::late : Fate::on_time;
}

void DelayLine::push_train(Instant now, Frame& frame, const Train& train) {
  std::array<Fate, packet::kSegmentsMax> fates;
  const auto all = std::span(fates).first(train.count());
  std::ranges::generate(all, [this] { return fate(); });
  if (std::ranges::all_of(all, [](Fate one) { return one == Fate::on_time; })) {
    return push_one(now, std::move(frame), Fate::on_time, train.count());
  }
  for (std::size_t i = 0; i < all.size(); ++i) push_one(now, train.segment(i), all[i], 1);
}

void DelayLine::push_one(Instant now, Frame frame, Fate fate, std::size_t count) {
  counts_.frames += count;
  if (fate == Fate::lost) {
    counts_.lost += count;
  } else if (bytes_ + frame.size() > options_.bytes_max) {
    counts_.full += count;
  } else {
    const bool late = fate == Fate::late;
    if (late) counts_.late += count;
    bytes_ += frame.size();
    (late ? late_ : on_time_)
        .push_back({now + options_.delay + (late ? options_.late_by : Duration{}), std::move(frame), count});
  }
}

const DelayLine::Queue* DelayLine::next() const noexcept {
  if (late_.empty()) return on_time_.empty() ? nullptr : &on_time_;
  return on_time_.empty() || late_.front().due < on_time_.front().due ? &late_ : &on_time_;
}

}  // namespace fireline::lab
