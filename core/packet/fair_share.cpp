#include "core/packet/fair_share.h"

#include <algorithm>
#include <bit>

#include "core/base/wire.h"

namespace fireline::packet {
namespace {

// What opening and routing a datagram cost beside its bytes, in bytes.
constexpr std::uint32_t kDatagramCost = 512;
// A share never falls below eight datagrams of 1,280 bytes per period, 16 Mbit/s: whoever sends less is not the cause.
constexpr std::uint32_t kShareMin = 8 * (1280 + kDatagramCost);
constexpr std::byte kTransportData{4};  // the first byte of WireGuard's data messages
constexpr std::byte kChannelFirst{0x40};
constexpr std::byte kChannelLast{0x4F};
constexpr std::size_t kChannelHeaderBytes = 4;

bool over_a_channel(ConstBytes bytes) noexcept {
  return bytes.size() > kChannelHeaderBytes && bytes[0] >= kChannelFirst && bytes[0] <= kChannelLast;
}

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

void FairShare::begin(Instant now) noexcept {
  const Duration length = now - began_;
  if (length < kPeriod) return;
  end_period(length);
  began_ = now;
  drained_ = false;
  overflowed_ = false;
}

// `length` is longer when the reader slept, or waited for the packet thread.
void FairShare::end_period(Duration length) noexcept {
  std::uint32_t loudest = 0;
  std::size_t senders = 0;
  for (Slot& slot : slots_) {
    if (slot.now == 0) {
      slot.last = 0;
      continue;
    }
    slot.last =
        static_cast<std::uint32_t>(static_cast<std::uint64_t>(slot.now) * static_cast<std::uint64_t>(kPeriod.count()) /
                                   static_cast<std::uint64_t>(length.count()));
    ++senders;
    loudest = std::max(loudest, slot.last);
    slot.now = 0;
  }
  if (!drained_ && (senders > 1 || overflowed_)) {
    // At first in one large step, then as close to the capacity as the steps are small.
    share_ = std::max(pressed() ? std::min(share_, loudest) / 8 * 7 : loudest / 2, kShareMin);
  } else if (pressed()) {
    share_ = add(share_, share_ / 32);
    if (share_ / 2 > loudest) share_ = kUnlimited;
  }
}

bool FairShare::admit(const ReceivedDatagrams& train) noexcept {
  const std::size_t header = over_a_channel(train.bytes) ? kChannelHeaderBytes : 0;
  if (train.bytes.size() <= header || train.bytes[header] != kTransportData) return true;
  Slot& slot = slot_of(train);
  const std::uint32_t cost = cost_of(train);
  slot.now = add(slot.now, cost);
  if (slot.last <= share_) {
    slot.credit = 0;
    return true;
  }
  // Of each train the admitted part is saved up until it pays for one.
  slot.credit = add(slot.credit, static_cast<std::uint32_t>(std::uint64_t{cost} * share_ / slot.last));
  if (slot.credit < cost) return false;
  slot.credit -= cost;
  return true;
}

// Peers behind a relay share its address; the channel tells them apart.
FairShare::Slot& FairShare::slot_of(const ReceivedDatagrams& train) noexcept {
  std::uint64_t hash = mix(seed_, train.source.port);
  const auto address = train.source.address.bytes();
  for (std::size_t at = 0; at < address.size(); at += 4) hash = mix(hash, load_be32(address, at));
  if (over_a_channel(train.bytes)) hash = mix(hash, load_be16(train.bytes, 0));
  return slots_[mix(hash, 0) % kSlots];
}

}  // namespace fireline::packet
