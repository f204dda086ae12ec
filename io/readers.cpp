#include "io/readers.h"

namespace fireline::io {
namespace {

// Long against the time that a batch takes through the engine, short against a retransmission timer.
constexpr Duration kStarvedRetry = std::chrono::milliseconds(10);

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
  if (port_->receive(*batch, *pool_) != IoStatus::done) readable_ = false;
  if (batch->empty()) {
    batch->clear();
    if (readable_) retry_at_ = now.boot + kStarvedRetry;
    return false;
  }
  channel_->publish();
  return true;
}

void UdpReader::arm(PollSet& set) {
  if (port_ == nullptr || channel_->claim() == nullptr) return;
  set.add(port_->poll_fd(), POLLIN, &readable_);
  if (retry_at_) set.add_deadline(*retry_at_);
}

}  // namespace fireline::io
