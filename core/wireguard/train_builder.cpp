#include "core/wireguard/train_builder.h"

#include <algorithm>
#include <utility>

namespace fireline::wireguard {
namespace {
// A train that begins in the last eighth of a buffer would be a short one, with the cost of a long one to send: at an
// MTU of 1,280 a buffer has room for one datagram more than a GSO send.
constexpr std::size_t kRemainderShare = 8;
}  // namespace

std::byte* TrainBuilder::start_train(Peer& peer, Session& session, packet::Ecn ecn, std::size_t message_bytes) {
#ifdef FIRELINE_PLANTED_OLD_PATH
  const PeerPath path = *(peer.former_path ? std::exchange(peer.former_path, std::nullopt) : peer.path);
#else
  const PeerPath& path = *peer.path;
#endif
  open_ = false;
  header_bytes_ = path.header_bytes();
  const std::size_t bytes = message_bytes + header_bytes_;
  arena_ = &work_->arenas[static_cast<std::size_t>(path.family())];
  if ((arena_->room < bytes || is_remainder()) && !new_buffer(bytes) && arena_->room < bytes) return nullptr;
  std::byte* place = take(bytes);
  // In its place: a record that is put together on the stack and copied waits until the stores before it are done, and
  // among them are those to cold memory.
  PlannedTrain& planned = work_->trains.emplace_back();
  planned.train.bytes = {place, bytes};
  planned.train.segment_bytes = static_cast<std::uint16_t>(bytes);
  planned.train.ecn = ecn;
  planned.train.destination = path.destination;
  planned.train.local = path.local;
  planned.session = &session;
  planned.datagrams = 1;
  planned.channel = path.channel;
  work_->hold(&session);
  peer.last_planned_work = work_->number;
  open_ = true;
  return place + header_bytes_;
}

bool TrainBuilder::is_remainder() const noexcept {
  return !arena_->buffers.empty() && arena_->room < arena_->buffers.back().capacity() / kRemainderShare &&
         arena_->room < expected_;
}

bool TrainBuilder::new_buffer(std::size_t bytes) {
  const bool little = std::max(expected_, bytes) <= small_.buffer_bytes();
  packet::Buffer buffer = little ? small_.acquire() : large_.acquire();
  // An empty pool is no reason to drop what fits into the other one.
  if (!buffer && little) buffer = large_.acquire();
  if (!buffer && bytes <= small_.buffer_bytes()) buffer = small_.acquire();
  if (!buffer || buffer.capacity() < bytes) return false;
  arena_->next = buffer.data();
  arena_->room = buffer.capacity();
  arena_->buffers.push_back(std::move(buffer));
  return true;
}

}  // namespace fireline::wireguard
