#include "core/packet/fair_share.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/base/wire.h"

namespace fireline::packet {
namespace {

// What opening and routing a datagram cost beside its bytes, in bytes.
constexpr std::uint32_t kDatagramCost = 512;
// A share never falls below eight datagrams of 1,280 bytes per period, 16 Mbit/s: whoever sends less is not the cause.
constexpr std::uint32_t kShareMin = 8 * (1280 + kDatagramCost);
// To open a full socket of 16 MiB at 1.3 Gbit/s.
constexpr Duration kSettlingMax = std::chrono::milliseconds(100);

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  return std::rotl((hash ^ value) * 0x9E37'79B9'7F4A'7C15u, 29);
}

std::uint32_t cost_of(const ReceivedDatagrams& train) noexcept {
  return static_cast<std::uint32_t>(train.bytes.size() + train.count() * kDatagramCost);
}

std::uint32_t add(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint64_t sum = std::uint64_t{a} + b;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, std::numeric_limits<std::uint32_t>::max() - 1));
}

}  // namespace

void FairShare::reset(bool has_loud_queue) noexcept {
  has_loud_queue_ = has_loud_queue;
  forget_loud();
}

bool FairShare::begin(Instant now) noexcept {
  if (now - began_ < kPeriod) return false;
  const bool changed = end_period(now);
  began_ = now;
  drained_ = false;
  overflowed_ = false;
  loud_drained_ = false;
  loud_overflowed_ = false;
  return changed;
}

bool FairShare::end_period(Instant now) noexcept {
  const bool alone = !std::exchange(shared_, false) && active_count_ <= 1;
  const std::uint32_t loudest = close_accounts(now - began_);

  if (drained_ || now >= settling_until_) settling_ = false;
  if (!loud_drained_ || loud_overflowed_) behind_at_ = now;
  if (loud_count_ != 0 && now - behind_at_ >= kCalm) {
    forget_loud();
    return true;
  }
  if (!drained_ && !settling_ && (!alone || overflowed_)) {
    press(loudest);
    if (!name_loud()) return false;
    behind_at_ = now;
    settling_ = true;
    settling_until_ = now + kSettlingMax;
    return true;
  }
  if (pressed()) {
    share_ = add(share_, share_ / 32);
    if (share_ / 2 > loudest) share_ = kUnlimited;
  }
  return false;
}

// What the loudest sent. `length` is more than kPeriod when the reader slept, or waited for the packet thread.
std::uint32_t FairShare::close_accounts(Duration length) noexcept {
  for (const auto place : std::span(active_before_).first(active_before_count_)) slots_[place].last = 0;
  std::uint32_t loudest = 0;
  for (std::size_t i = 0; i < active_count_; ++i) {
    Slot& slot = slots_[active_[i]];
    slot.last = static_cast<std::uint32_t>(slot.now * static_cast<std::uint64_t>(kPeriod.count()) /
                                           static_cast<std::uint64_t>(length.count()));
    slot.now = 0;
    slot.majority = 0;
    loudest = std::max(loudest, slot.last);
    active_before_[i] = active_[i];
  }
  active_before_count_ = std::exchange(active_count_, 0);
  return loudest;
}

// At first in one large step, then as close to the capacity as the steps are small.
void FairShare::press(std::uint32_t loudest) noexcept {
  share_ = std::max(pressed() ? std::min(share_, loudest) / 8 * 7 : loudest / 2, kShareMin);
}

bool FairShare::name_loud() noexcept {
  if (!has_loud_queue_) return false;
  const std::size_t before = loud_count_;
  for (const auto place : std::span(active_before_).first(active_before_count_)) {
    const Slot& slot = slots_[place];
    if (loud_count_ == kLoudMax) break;
    if (slot.last > share_ && std::ranges::find(loud(), slot.sender) == loud().end())
      loud_[loud_count_++] = slot.sender;
  }
  return loud_count_ != before;
}

void FairShare::forget_loud() noexcept {
  loud_count_ = 0;
  settling_ = false;
  share_ = kUnlimited;
}

bool FairShare::admit(const ReceivedDatagrams& train) noexcept {
  const auto sender = data_sender_of(train);
  if (!sender.has_value()) return true;
  Slot& slot = slot_of(*sender);
  const std::uint32_t cost = cost_of(train);
  account(slot, *sender, cost);
  const bool will_be_named = has_loud_queue_ && loud_count_ < kLoudMax;
  if (slot.last <= share_ || will_be_named) {
    slot.credit = 0;
    return true;
  }
  // Of each train the admitted part is saved up until it pays for one.
  slot.credit = add(slot.credit, static_cast<std::uint32_t>(std::uint64_t{cost} * share_ / slot.last));
  if (slot.credit < cost) return false;
  slot.credit -= cost;
  return true;
}

void FairShare::account(Slot& slot, const Sender& sender, std::uint32_t cost) noexcept {
  if (slot.now == 0) {
    active_[active_count_++] = static_cast<std::uint16_t>(&slot - slots_.data());
  } else if (slot.sender != sender) {
    shared_ = true;
  }
  slot.now = add(slot.now, cost);
  if (slot.sender == sender) {
    slot.majority = add(slot.majority, cost);
  } else if (slot.majority >= cost) {
    slot.majority -= cost;
  } else {
    slot.majority = cost - slot.majority;
    slot.sender = sender;
  }
}

FairShare::Slot& FairShare::slot_of(const Sender& sender) noexcept {
  std::uint64_t hash = mix(seed_, sender.endpoint.port);
  const auto address = sender.endpoint.address.bytes();
  for (std::size_t at = 0; at < address.size(); at += 4) hash = mix(hash, load_be32(address, at));
  if (sender.channel != 0) hash = mix(hash, sender.channel);
  return slots_[mix(hash, 0) % kSlots];
}

}  // namespace fireline::packet
