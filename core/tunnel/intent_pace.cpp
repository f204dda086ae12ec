#include "core/tunnel/intent_pace.h"

#include <algorithm>

namespace fireline::tunnel {

bool IntentPace::ask(Instant now, const Uuid& resource, IntentReason reason) {
  const auto [found, first] = rounds_.try_emplace(resource);
  Round& round = found->second;
  const Duration since = now - round.asked;
  const bool lost = reason == IntentReason::no_gateway && round.granted;
  const Duration pause = lost ? Duration::zero() : reason == IntentReason::silent ? kIntentInterval : round.interval;
  if (!first && since < pause) return false;
  // What was refused long ago has nothing to do with what is wanted now.
  if (first || lost || since >= 2 * kIntentIntervalMax) {
    round.interval = kIntentInterval;
  } else if (reason == IntentReason::prohibited) {
    lengthen(round);
  }
  round.asked = now;
  round.granted = false;
  return true;
}

void IntentPace::asked(Instant now, const Uuid& resource) {
  Round& round = rounds_[resource];
  round.asked = now;
  round.granted = false;
}

void IntentPace::granted(const Uuid& resource) {
  if (const auto found = rounds_.find(resource); found != rounds_.end()) found->second.granted = true;
}

void IntentPace::refused(const Uuid& resource) {
  if (const auto found = rounds_.find(resource); found != rounds_.end()) lengthen(found->second);
}

void IntentPace::renew(const Uuid& resource) {
  if (const auto found = rounds_.find(resource); found != rounds_.end()) found->second.interval = kIntentInterval;
}

void IntentPace::lengthen(Round& round) noexcept {
  round.interval = std::min(2 * round.interval, kIntentIntervalMax);
}

}  // namespace fireline::tunnel
