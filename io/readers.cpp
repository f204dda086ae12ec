#include "io/readers.h"

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

UdpReader::UdpReader(Channel<packet::UdpBatch>& channel, BufferPool& pool, Waker& waker)
    : channel_(&channel), pool_(&pool), waker_(&waker), share_(draw_seed()) {}

void UdpReader::enter() {
  pool_->adopt(waker_);
}

void UdpReader::leave() {
  if (port_ != nullptr) port_->stop_receiving();
  readable_ = true;  // look again after the next enter()
}

bool UdpReader::turn(Now now) {
  if (port_ == nullptr || !readable_) return false;
  packet::UdpBatch* batch = channel_->claim();
  if (batch == nullptr) return false;
  retry_at_.reset();
  share_.begin(now.boot);
  if (port_->receive(*batch, *pool_) != IoStatus::done) {
    readable_ = false;
    share_.drained();
  }
  const auto dropped = port_->receive_counters().get(UdpReceiveCounter::kernel_drops);
  if (dropped != std::exchange(kernel_drops_, dropped)) share_.overflowed();
  const bool worked = !batch->empty();
  drop_unfair(*batch);
  if (batch->empty()) {
    batch->clear();
    if (readable_ && !worked) retry_at_ = now.boot + kStarvedRetry;
    return worked;
  }
  channel_->publish();
  return true;
}

void UdpReader::drop_unfair(packet::UdpBatch& batch) noexcept {
  std::erase_if(batch.datagrams, [this](const packet::ReceivedDatagrams& train) {
    if (share_.admit(train)) return false;
    counters_.add(UdpReaderCounter::drop_unfair_share, train.count());
    return true;
  });
}

void UdpReader::arm(PollSet& set) {
  if (port_ == nullptr || channel_->claim() == nullptr) return;
  set.add(port_->poll_fd(), POLLIN, &readable_);
  if (retry_at_) set.add_deadline(*retry_at_);
}

}  // namespace fireline::io
