// The congestion window of a sender of bulk data, as QUIC's have it: how many numbered datagrams may be on their way.
// An acknowledgement opens it, a loss cuts it by half, silence closes it. What was lost is not sent again: QUIC sends
// its contents under a new number.
// Source: RFC 9002 (NewReno, one cut per round trip). Counts in datagrams. Pure; one thread.
#pragma once
#include <cstdint>

namespace fireline::bench {

class QuicWindow {
 public:
  static constexpr std::uint64_t kStart = 64;
  static constexpr std::uint64_t kLeast = 32;   // two trains
  static constexpr std::uint64_t kMost = 8192;  // ten megabytes: what the receiver's socket holds

  void sent(std::uint64_t count) noexcept { sent_ += count; }
  // The receiver has `received` datagrams; `next` is one above the highest number among them.
  void acknowledged(std::uint64_t next, std::uint64_t received) noexcept;
  // Nothing was heard for a while: what is on its way is given up.
  void timed_out() noexcept;

  [[nodiscard]] std::uint64_t in_flight() const noexcept { return sent_ - acknowledged_; }
  [[nodiscard]] bool may_send(std::uint64_t count) const noexcept { return in_flight() + count <= window_; }
  [[nodiscard]] std::uint64_t window() const noexcept { return window_; }

 private:
  void cut() noexcept;

  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;  // all below arrived or is lost
  std::uint64_t lost_ = 0;
  std::uint64_t window_ = kStart;
  std::uint64_t threshold_ = kMost;  // where slow start ends
  std::uint64_t credit_ = 0;         // acknowledged since the window grew by one beyond slow start
  std::uint64_t recovered_at_ = 0;   // losses below this number belong to the last cut
};

}  // namespace fireline::bench
