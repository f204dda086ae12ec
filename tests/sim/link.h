// One direction of an access line: delay, jitter, loss (independent and in bursts), reordering, duplication, MTU, and
// whether it is up. Datagrams leave in the order in which they came unless reordering is asked for.
// Lifetime: a value. Threads: one.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "tests/sim/dice.h"
#include "tests/sim/train.h"

namespace fireline::sim {

struct LinkOptions {
  Duration delay = std::chrono::milliseconds(10);
  Duration jitter = Duration::zero();  // added, uniform; never changes the order
  unsigned loss_per_mille = 0;         // independent
  // Gilbert's model: a burst begins with this chance per datagram, ends with that one, and loses everything between.
  unsigned burst_begin_per_mille = 0;
  unsigned burst_end_per_mille = 200;
  unsigned reorder_per_mille = 0;  // held back by `reorder_delay`, overtaken by what follows
  Duration reorder_delay = std::chrono::milliseconds(30);
  unsigned duplicate_per_mille = 0;
  std::size_t mtu = 1500;    // of IP packets
  bool keeps_trains = true;  // the receiver's GRO joins what a GSO send was cut into

  [[nodiscard]] bool loses() const noexcept { return loss_per_mille != 0 || burst_begin_per_mille != 0; }
  [[nodiscard]] std::string describe() const;
};

struct Arrival {
  Instant time;
  Train train;
};

enum class LinkDrop : std::uint8_t { loss, burst, mtu, down, count_ };

class Link {
 public:
  Link(LinkOptions options, Dice dice) : options_(options), dice_(dice) {}

  // Appends what arrives at the other end, and when.
  void carry(Instant now, const Train& train, std::vector<Arrival>& arrivals);

  void set_up(bool up) noexcept { up_ = up; }
  [[nodiscard]] bool is_up() const noexcept { return up_; }
  void set_options(const LinkOptions& options) noexcept { options_ = options; }
  [[nodiscard]] const LinkOptions& options() const noexcept { return options_; }

  [[nodiscard]] std::uint64_t dropped(LinkDrop why) const noexcept { return drops_[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t duplicated() const noexcept { return duplicated_; }

 private:
  [[nodiscard]] bool passes(const Train& train, std::size_t bytes);
  void drop(LinkDrop why) noexcept { ++drops_[static_cast<std::size_t>(why)]; }

  LinkOptions options_;
  Dice dice_;
  bool up_ = true;
  bool in_burst_ = false;
  Instant last_{};  // arrival of what was not reordered
  std::array<std::uint64_t, static_cast<std::size_t>(LinkDrop::count_)> drops_{};
  std::uint64_t duplicated_ = 0;
};

}  // namespace fireline::sim
