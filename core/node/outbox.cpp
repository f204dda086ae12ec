#include "core/node/outbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fireline::node {
namespace {

void append(packet::UdpSendBatch& from, packet::UdpSendBatch& to) {
  to.trains.insert(to.trains.end(), from.trains.begin(), from.trains.end());
  std::ranges::move(from.buffers, std::back_inserter(to.buffers));
  from.clear();
}

}  // namespace

bool Outbox::send(ConstBytes datagram, const Endpoint& destination, const IpAddress& source) {
  const Family family = destination.address.family();
  packet::UdpSendBatch& batch = waiting_.udp(family);
  Bytes& free = free_[static_cast<std::size_t>(family)];
  if (free.size() < datagram.size()) {
    packet::Buffer buffer = small_.acquire();
    if (!buffer || buffer.capacity() < datagram.size()) return false;
    free = buffer.bytes();
    batch.buffers.push_back(std::move(buffer));
  }
  const Bytes copy = free.first(datagram.size());
  free = free.subspan(datagram.size());
  std::ranges::copy(datagram, copy.begin());
  batch.trains.push_back({.bytes = copy,
                          .segment_bytes = static_cast<std::uint16_t>(copy.size()),
                          .ecn = packet::Ecn::not_ect,
                          .destination = destination,
                          .local = {.address = source}});
  return true;
}

void Outbox::flush(packet::Output& output) {
  append(waiting_.udp4, output.udp4);
  append(waiting_.udp6, output.udp6);
  free_ = {};
}

void Outbox::clear() noexcept {
  waiting_.udp4.clear();
  waiting_.udp6.clear();
  free_ = {};
}

}  // namespace fireline::node
