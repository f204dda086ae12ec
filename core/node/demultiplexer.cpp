#include "core/node/demultiplexer.h"

#include <algorithm>
#include <utility>

#include "core/stun/channel_data.h"
#include "core/wireguard/messages.h"

namespace fireline::node {
namespace {

constexpr std::uint32_t kTransportType = 4;

#ifdef FIRELINE_PLANTED_BUG
// A wrong bound on purpose: tools/fuzz shows that the fuzz target finds it.
constexpr std::size_t kLeastBytes = 3;
#else
constexpr std::size_t kLeastBytes = wireguard::kTransportOverheadBytes;
#endif

bool is_wireguard(ConstBytes datagram) noexcept {
  if (datagram.size() < kLeastBytes) return false;
  return load_le32(datagram, 0) == kTransportType || wireguard::classify(datagram).has_value();
}

bool is_wireguard_throughout(const packet::ReceivedDatagrams& train) noexcept {
  ConstBytes rest = train.bytes;
  if (rest.empty() || train.segment_bytes == 0) return rest.empty() || is_wireguard(rest);
  while (!rest.empty()) {
    const ConstBytes datagram = rest.first(std::min<std::size_t>(train.segment_bytes, rest.size()));
    if (!is_wireguard(datagram)) return false;
    rest = rest.subspan(datagram.size());
  }
  return true;
}

std::size_t datagrams_of(const packet::ReceivedDatagrams& train) noexcept {
  if (train.bytes.empty() || train.segment_bytes == 0) return 1;
  return (train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes;
}

}  // namespace

bool Demultiplexer::split(Now now, packet::UdpBatch& batch, LocalPorts ports) {
  relay_message_ = false;
  kept_.clear();
  for (const packet::ReceivedDatagrams& train : batch.datagrams) {
    const std::size_t count = datagrams_of(train);
    counters_.add(NodeCounter::datagrams, count);
    if (is_wireguard_throughout(train)) {
      counters_.add(NodeCounter::to_device, count);
      kept_.push_back(train);
    } else {
      split_train(now, train, ports);
    }
  }
  std::swap(kept_, batch.datagrams);
  return relay_message_;
}

void Demultiplexer::split_train(Now now, const packet::ReceivedDatagrams& train, LocalPorts ports) {
  channel_ = 0;
  kept_last_ = false;
  Bytes rest = train.bytes;
  const std::size_t segment = train.segment_bytes == 0 ? rest.size() : train.segment_bytes;
  while (!rest.empty()) {
    const Bytes datagram = rest.first(std::min(segment, rest.size()));
    rest = rest.subspan(datagram.size());
    if (continues_channel(datagram)) {
      relays_.count_channel_data();
      keep(train, datagram);
      continue;
    }
    channel_ = 0;
    if (is_for_device(now, train, datagram, ports)) {
      keep(train, datagram);
      if (origin_.skip != 0) channel_ = load_be16(datagram, 0);
    } else {
      kept_last_ = false;
    }
  }
}

bool Demultiplexer::is_for_device(Now now, const packet::ReceivedDatagrams& train, Bytes datagram, LocalPorts ports) {
  Origin origin{.skip = 0, .source = train.source, .local = train.local};
  bool ours = is_wireguard(datagram);
  if (!ours) {
    Endpoint arrived{.address = train.local.address, .port = train.local.address.is_v4() ? ports.v4 : ports.v6};
    const turn::Received received = relays_.receive(now, train.source, arrived, datagram);
    if (received.verdict == turn::Verdict::consumed) {
      counters_.add(NodeCounter::to_relays);
      relay_message_ = true;
      return false;
    }
    ConstBytes content = datagram;
    if (received.verdict == turn::Verdict::payload) {
      content = received.data.payload;
      arrived = received.data.local;
      origin = {.skip = stun::kChannelHeaderBytes,
                .source = received.data.peer,
                .local = {.address = arrived.address, .interface = 0}};
      ours = is_wireguard(content);
    }
    if (!ours && handle_stun(now, origin.source, arrived, content)) return false;
  }
  kept_last_ = kept_last_ && origin == origin_;
  origin_ = origin;
  return true;
}

bool Demultiplexer::handle_stun(Now now, const Endpoint& source, const Endpoint& destination, ConstBytes datagram) {
  const auto message = stun::MessageView::parse(datagram);
  if (!message) return false;
  receiver_.receive_stun(now, source, destination, *message);
  return true;
}

bool Demultiplexer::continues_channel(ConstBytes datagram) const noexcept {
  if (channel_ == 0 || datagram.size() < stun::kChannelHeaderBytes || load_be16(datagram, 0) != channel_) return false;
  const ConstBytes payload = datagram.subspan(stun::kChannelHeaderBytes);
  return load_be16(datagram, 2) == payload.size() && is_wireguard(payload);
}

void Demultiplexer::keep(const packet::ReceivedDatagrams& train, Bytes datagram) {
  counters_.add(NodeCounter::to_device);
  if (kept_last_) {
    Bytes& bytes = kept_.back().bytes;
    bytes = Bytes(bytes.data(), bytes.size() + datagram.size());
    return;
  }
  kept_.push_back({.bytes = datagram,
                   .segment_bytes = static_cast<std::uint16_t>(datagram.size()),
                   .ecn = train.ecn,
                   .source = origin_.source,
                   .local = origin_.local,
                   .skip = origin_.skip});
  kept_last_ = true;
}

}  // namespace fireline::node
