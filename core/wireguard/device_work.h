// What a device plans for one batch. Of a TUN batch: datagrams laid out as trains in arenas, one per address family,
// and the ICMP errors that answer what cannot be sent. Of a UDP batch: the datagrams themselves and, for each job,
// where it came from and whose it is.
//
// clear() keeps every vector's capacity. Holds references to the sessions of its jobs, so it must be dropped before its
// device and on its thread. See core/packet/engine.h for the life of a Work.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/packet/engine.h"
#include "core/wireguard/session.h"

namespace fireline::wireguard {

// Destination, source and layout are those at planning time: a path that changes until the commit must not move the
// train to another arena, and what was planned first leaves first.
struct PlannedTrain {
  packet::UdpTrain train;
  Session* session = nullptr;
  std::uint32_t datagrams = 0;
  std::optional<std::uint16_t> channel;  // room for its header is in front of each message
};

// Memory for one family's trains, given out from the front.
struct Arena {
  std::vector<packet::Buffer> buffers;
  std::byte* next = nullptr;
  std::size_t room = 0;
};

// Of the job with the same number.
struct OpenedPacket {
  Session* session = nullptr;
  std::uint32_t datagram = 0;  // in DeviceWork::received
};

struct DeviceWork final : packet::Work {
  std::uint64_t number = 0;
  std::vector<SessionRef> sessions;

  std::array<Arena, 2> arenas;  // by Family
  std::vector<PlannedTrain> trains;
  std::vector<packet::Buffer> error_buffers;
  std::vector<ConstBytes> errors;  // ICMP errors for the TUN, inside error_buffers

  packet::UdpBatch received;
  std::vector<OpenedPacket> opened;

  void hold(Session* session) {
    if (sessions.empty() || sessions.back().get() != session) sessions.emplace_back(session);
  }
  void clear() noexcept {
    jobs.clear();
    for (Arena& arena : arenas) {
      arena.buffers.clear();
      arena.room = 0;
    }
    trains.clear();
    error_buffers.clear();
    errors.clear();
    received.clear();
    opened.clear();
    sessions.clear();
  }
};

}  // namespace fireline::wireguard
