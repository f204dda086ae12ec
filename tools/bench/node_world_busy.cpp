// What a NodeWorld's clients send and receive: the gateway's turns, in memory or on a wire.
#include <algorithm>

#include "tools/bench/inner_packet.h"
#include "tools/bench/node_addresses.h"
#include "tools/bench/node_party.h"
#include "tools/bench/node_wire.h"

namespace fireline::bench {
namespace {

using namespace std::chrono_literals;

// Room behind the last item in the last buffer, or in another one.
template <class Items>
Bytes room_behind(const Items& items, std::vector<packet::Buffer>& buffers, std::size_t bytes,
                  packet::BufferSource& pool) {
  if (!items.empty()) {
    const Bytes last = items.back().bytes, buffer = buffers.back().bytes();
    const auto used = static_cast<std::size_t>(last.data() + last.size() - buffer.data());
    if (buffer.size() - used >= bytes) return buffer.subspan(used, bytes);
  }
  return buffers.emplace_back(pool.acquire()).bytes().first(bytes);
}

}  // namespace

NodeWorld::Upload NodeWorld::make_upload(std::span<const std::size_t> clients, std::size_t count, std::size_t bytes) {
  now_ += 1us;
  Upload upload;
  std::uint16_t from = kInnerFrom;
  for (const std::size_t client : clients) {
    Party& party = *clients_[client];
    packet::TunBatch batch;
    add_packets(batch, {party.tunnel, gateway_->tunnel, from++}, count, bytes);
    run_turn(party, batch);
    for (packet::UdpSendBatch* sent : {&party.output.udp4, &party.output.udp6}) {
      for (const packet::UdpTrain& train : sent->trains) {
        upload.bytes.insert(upload.bytes.end(), train.bytes.begin(), train.bytes.end());
        upload.trains.push_back({.bytes = train.bytes,
                                 .segment_bytes = train.segment_bytes,
                                 .ecn = train.ecn,
                                 .source = {train.destination.address.is_v4() ? party.v4 : party.v6, kNodePort},
                                 .local = {.address = train.destination.address, .interface = 0}});
      }
      sent->clear();
    }
    party.next = party.node->poll_timeout();
    schedule(party);
  }
  return upload;
}

std::size_t NodeWorld::send_up(const Upload& upload, NodeWire* wire) {
  now_ += 1us;
  packet::UdpBatch arriving;
  if (wire == nullptr) {
    const std::byte* next = upload.bytes.data();
    for (const packet::ReceivedDatagrams& train : upload.trains) {
      const Bytes copy = room_behind(arriving.datagrams, arriving.buffers, train.bytes.size(), large_);
      std::copy_n(next, copy.size(), copy.begin());
      next += copy.size();
      arriving.datagrams.push_back(train);
      arriving.datagrams.back().bytes = copy;
    }
  } else {
    wire->send_to_gateway(upload.trains, upload.bytes, now_);
  }
  const auto opened = [&] { return gateway_->node->device().counters().get(wireguard::DeviceCounter::opened); };
  const std::uint64_t before = opened();
  call(*gateway_, [&] {
    if (wire == nullptr) return run_turn(*gateway_, arriving);
    while (wire->receive(arriving, large_)) {
      run_turn(*gateway_, arriving);
      wire->write(gateway_->output.tun);
      arriving.clear();
    }
  });
  if (wire != nullptr) wire->discard();
  return static_cast<std::size_t>(opened() - before);
}

std::size_t NodeWorld::send_down(std::span<const std::size_t> clients, std::size_t count, std::size_t bytes,
                                 NodeWire* wire) {
  now_ += 1us;
  packet::TunBatch batch;
  std::uint16_t from = kInnerFrom;
  for (const std::size_t client : clients) {
    if (wire == nullptr) {
      add_packets(batch, {gateway_->tunnel, clients_[client]->tunnel, from++}, count, bytes);
    } else {
      wire->queue_packets(clients_[client]->tunnel, count, bytes);
    }
  }
  if (wire != nullptr) wire->send_into_tun(now_);
  const auto sealed = [&] { return gateway_->node->device().counters().get(wireguard::DeviceCounter::sealed); };
  const std::uint64_t before = sealed();
  packet::Output& output = gateway_->output;
  meter(*gateway_, [&] {
    if (wire == nullptr) run_turn(*gateway_, batch);
    while (wire != nullptr && wire->read(batch, large_)) {
      run_turn(*gateway_, batch);
      wire->send(output.udp4, now_);
      wire->send(output.udp6, now_);
      batch.clear();
    }
    gateway_->next = gateway_->node->poll_timeout();
  });
  output.udp4.clear();
  output.udp6.clear();
  return static_cast<std::size_t>(sealed() - before);
}

void NodeWorld::add_packets(packet::TunBatch& batch, const InnerFlow& flow, std::size_t count, std::size_t bytes) {
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes packet = room_behind(batch.packets, batch.buffers, bytes, large_);
    write_inner_packet(packet, flow.source, flow.destination, flow.from);
    batch.packets.push_back({.bytes = packet, .offload = {}});
  }
}

}  // namespace fireline::bench
