// A value of which the reader wants the newest alone: what it did not fetch in time is replaced, never queued, and a
// value equal to the one fetched last is not offered. Lifetime: a value. Threads: one owner.
#pragma once
#include <optional>
#include <utility>

namespace fireline::tunnel {

template <class T>
class LatestValue {
 public:
  void set(T value) {
    if (fetched_ && *fetched_ == value) {
      offered_.reset();
    } else {
      offered_ = std::move(value);
    }
  }

  // What waits to be fetched, or else what was fetched last; null before the first.
  [[nodiscard]] const T* newest() const noexcept {
    if (offered_) return &*offered_;
    return fetched_ ? &*fetched_ : nullptr;
  }

  // True once for each value or run of values that waits to be fetched.
  [[nodiscard]] bool poll_announcement() noexcept {
    if (!offered_ || announced_) return false;
    return announced_ = true;
  }
  // Empty: nothing differs from what was fetched last, for instance because it changed back.
  [[nodiscard]] std::optional<T> take() {
    announced_ = false;
    if (offered_) fetched_ = *offered_;
    return std::exchange(offered_, std::nullopt);
  }

 private:
  std::optional<T> offered_;
  std::optional<T> fetched_;
  bool announced_ = false;
};

}  // namespace fireline::tunnel
