#include "io/readers.h"

namespace fireline::io {

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

bool UdpReader::turn(Now) {
  if (port_ == nullptr || !readable_) return false;
  packet::UdpBatch* batch = channel_->claim();
  if (batch == nullptr) return false;
  if (port_->receive(*batch, *pool_) != IoStatus::done) readable_ = false;
  if (batch->empty()) {
    batch->clear();
    return false;
  }
  channel_->publish();
  return true;
}

void UdpReader::arm(PollSet& set) {
  if (port_ != nullptr && channel_->claim() != nullptr) set.add(port_->poll_fd(), POLLIN, &readable_);
}

}  // namespace fireline::io
