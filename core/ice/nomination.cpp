#include "core/ice/nomination.h"

#include <algorithm>

namespace fireline::ice {

void Nomination::set_pace(Instant now, Pace pace) noexcept {
  if (pace_ == Pace::idle && pace == Pace::active) woken_ = now;
  // Awake for less than the grace it has judged nothing, and what was judged before still holds.
  if (pace_ == Pace::active && pace == Pace::idle && now >= woken_ + kAwakeAfter) judged_until_ = now;
  pace_ = pace;
}

void Nomination::update(Instant now, CheckList& list) noexcept {
  if (role_ == Role::controlling) {
    choose_as_controlling(now, list);
  } else {
    choose_as_controlled(now, list);
  }
}

std::optional<Instant> Nomination::next_time(Instant now, const CheckList& list) const noexcept {
  if (role_ == Role::controlling || !selected_) return std::nullopt;
  const Pair* const pair = list.find(*selected_);
  if (pair == nullptr) return std::nullopt;
  const auto time = deserted_at(*pair, list);
  if (!time || *time <= now) return std::nullopt;
  return time;
}

// When a pair on which the controlling side spoke last at `last` counts as silent. A slower pace takes back nothing.
Instant Nomination::silent_at(Instant last, Duration while_active) const noexcept {
  const Instant active = last + while_active;
  if (active <= judged_until_) return active;
  const Instant idle = last + kIdleSilence;
  if (pace_ == Pace::idle) return idle;
  return std::min(idle, std::max(active, woken_ + kAwakeAfter));
}

// When `pair` counts as left by the controlling side, given what arrived on the others; empty when it does not. Others
// that never answered do not count: a request that somebody heard and sends again comes from nowhere that answers.
std::optional<Instant> Nomination::deserted_at(const Pair& pair, const CheckList& list) const noexcept {
  const auto& last = pair.use_candidate.front();
  if (!last) return std::nullopt;
  const bool busier_one = std::ranges::any_of(list.pairs(), [&](const Pair& other) {
    return other.nominated && other.answered && other.use_candidate.back() && *other.use_candidate.back() > *last;
  });
  if (!busier_one) return std::nullopt;
  return silent_at(*last, kDesertedAfter);
}

// Whether the controlling side has left out a check on `from` and spoken on `to` since. Less would let somebody who
// hears its checks and passes them on take its place beside it.
bool Nomination::is_gone_over(const Pair& from, const Pair& to) const noexcept {
  const auto& heard = from.use_candidate;
  if (!heard[0] || !to.use_candidate[0]) return false;
  Duration pace = Duration::max() / 2;
  for (std::size_t i = 1; i < heard.size() && heard[i]; ++i) pace = std::min(pace, *heard[i - 1] - *heard[i]);
  if (!heard[1]) pace = Duration::zero();
  return *to.use_candidate[0] >= silent_at(*heard[0], std::max(pace + pace / 4, kGoneOverAfter));
}

void Nomination::choose_as_controlling(Instant now, CheckList& list) noexcept {
  const Pair* const current = selected_ ? list.find(*selected_) : nullptr;
  if (current == nullptr) selected_.reset();
  const auto winner = std::ranges::find(list.pairs(), true, &Pair::answered);
  if (winner == list.pairs().end()) return;
  if (current != nullptr && winner->priority == current->priority) return;
  selected_ = winner->id;
  list.nominate(now, *winner);
}

void Nomination::choose_as_controlled(Instant now, const CheckList& list) noexcept {
  const auto is_in_use = [&](const Pair& pair) {
    if (!pair.nominated) return false;
    const auto left = deserted_at(pair, list);
    return !left || *left > now;
  };
  const auto has_answered = [&](const Pair& pair) { return pair.answered && is_in_use(pair); };
  auto winner = std::ranges::find_if(list.pairs(), has_answered);
  // Of equals the one that the peer has gone over to: behind a NAT that forgot, its checks come from a new port.
  for (auto other = winner; other != list.pairs().end() && other->priority == winner->priority; ++other) {
    if (has_answered(*other) && is_gone_over(*winner, *other)) winner = other;
  }
  if (winner == list.pairs().end()) winner = std::ranges::find_if(list.pairs(), is_in_use);
  selected_.reset();
  if (winner != list.pairs().end()) selected_ = winner->id;
}

}  // namespace fireline::ice
