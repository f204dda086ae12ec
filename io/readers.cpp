#include "io/readers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/crypto/random.h"

namespace fireline::io {
namespace {

// Long against the time that a batch takes through the engine, short against a retransmission timer.
constexpr Duration kStarvedRetry = std::chrono::milliseconds(10);

std::uint64_t draw_seed() {
  std::array<std::byte, sizeof(std::uint64_t)> seed{};
  crypto::SystemRandom().fill(seed);
  return std::bit_cast<std::uint64_t>(seed);
}

}  // namespace

void TunReader::enter() {
  pool_->adopt(waker_);
}

bool TunReader::turn(Now) {
  if (gone_ || !readable_) return false;
  packet::TunBatch* batch = channel_->claim();
  if (batch == nullptr) return false;
  const IoStatus status = device_->read(*batch, *pool_);
  if (status != IoStatus::done) readable_ = false;
  if (status == IoStatus::closed) {
    gone_ = true;
    closed_();
  }
  if (batch->empty()) {
    batch->clear();  // no buffer stays with a batch that waits for its first packet
    return false;
  }
  channel_->publish();
  return true;
}

void TunReader::arm(PollSet& set) {
  if (!gone_ && channel_->claim() != nullptr) set.add(device_->poll_fd(), POLLIN, &readable_);
}

UdpReader::UdpReader(Channel<packet::UdpBatch>& channel, BufferPool& pool, Waker& waker,
                     std::optional<std::uint64_t> seed)
    : channel_(&channel), pool_(&pool), waker_(&waker), share_(seed ? *seed : draw_seed()) {}

void UdpReader::enter() {
  pool_->adopt(waker_);
}

void UdpReader::leave() {
  if (port_ != nullptr) port_->stop_receiving();
  readable_ = true;  // look again after the next enter()
  loud_readable_ = has_loud_queue();
}

void UdpReader::set_port(UdpPort* port) noexcept {
  port_ = port;
  readable_ = true;
  loud_readable_ = has_loud_queue();
  loud_first_ = false;
  kernel_drops_ = 0;
  loud_drops_ = 0;
  share_.reset(has_loud_queue());
}

bool UdpReader::has_loud_queue() const noexcept {
  return port_ != nullptr && port_->loud_poll_fd() >= 0;
}

bool UdpReader::turn(Now now) {
  if (port_ == nullptr || !(readable_ || loud_readable_)) return false;
  packet::UdpBatch* batch = channel_->claim();
  if (batch == nullptr) return false;
  retry_at_.reset();
  judge(now);
  bool loud = false;
  const bool loud_turn = turns_without_loud_ >= kLoudTurns && !share_.settling();
  if (loud_first_ || loud_turn) loud = receive_loud(*batch);
  // Asked even if the last poll knew of nothing: that was a look interval ago, and asking costs little beside a turn
  // of the loud.
  const bool first = !loud_first_ && receive_first(*batch);
  if (!readable_ && loud_readable_ && receive_loud(*batch)) loud = true;
  // What the loud had in the first queue before they were named goes before what they have in theirs.
  turns_without_loud_ = loud || !loud_readable_ || share_.settling() ? 0 : turns_without_loud_ + 1;
  if (batch->empty()) {
    batch->clear();
    const bool worked = first || loud;
    if (!worked && (readable_ || loud_readable_)) retry_at_ = now.boot + kStarvedRetry;
    return worked;
  }
  channel_->publish();
  return true;
}

// The kernel's rule changes before anything is read by the new one.
void UdpReader::judge(Now now) noexcept {
  const std::size_t named = share_.loud().size();
  if (!share_.begin(now.boot)) return;
  if (!port_->set_loud(share_.loud())) {
    share_.reset(false);
    return;
  }
  if (share_.loud().size() > named) {
    counters_.add(UdpReaderCounter::loud_senders, share_.loud().size() - named);
  } else {
    loud_first_ = true;
  }
}

bool UdpReader::receive_first(packet::UdpBatch& batch) {
  const std::size_t from = batch.datagrams.size();
  readable_ = port_->receive(batch, *pool_) == IoStatus::done;
  if (!readable_) share_.drained();
  if (has_grown(UdpReceiveCounter::kernel_drops, kernel_drops_)) share_.overflowed();
  const bool received = batch.datagrams.size() > from;
  drop_unfair(batch, from);
  return received;
}

bool UdpReader::receive_loud(packet::UdpBatch& batch) {
  const std::size_t from = batch.datagrams.size();
  loud_readable_ = port_->receive_loud(batch, *pool_) == IoStatus::done;
  if (!loud_readable_) share_.loud_drained();
  if (has_grown(UdpReceiveCounter::loud_drops, loud_drops_)) share_.loud_overflowed();
  loud_first_ = loud_first_ && loud_readable_;
  return batch.datagrams.size() > from;
}

void UdpReader::drop_unfair(packet::UdpBatch& batch, std::size_t from) noexcept {
  const auto first = batch.datagrams.begin() + static_cast<std::ptrdiff_t>(from);
  const auto kept = std::remove_if(first, batch.datagrams.end(), [this](const packet::ReceivedDatagrams& train) {
    if (share_.admit(train)) return false;
    counters_.add(UdpReaderCounter::drop_unfair_share, train.count());
    return true;
  });
  batch.datagrams.erase(kept, batch.datagrams.end());
}

bool UdpReader::has_grown(UdpReceiveCounter which, std::uint64_t& before) const noexcept {
  const auto counted = port_->receive_counters().get(which);
  return counted != std::exchange(before, counted);
}

void UdpReader::arm(PollSet& set) {
  if (port_ == nullptr || channel_->claim() == nullptr) return;
  set.add(port_->poll_fd(), POLLIN, &readable_);
  if (has_loud_queue()) set.add(port_->loud_poll_fd(), POLLIN, &loud_readable_);
  if (retry_at_) set.add_deadline(*retry_at_);
}

}  // namespace fireline::io
