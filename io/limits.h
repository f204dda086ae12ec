// The data plane's queue lengths and pool sizes, each a sum with one term per user. All of it together stays below
// 24 MiB: the pools' budget of a client or gateway.
#pragma once
#include <cstddef>

#include "core/packet/batch.h"
#include "io/udp_port.h"

namespace fireline::io {

// Batches from a reader to the packet thread: one being filled, one waiting, one in work. A FIFO over more buffers
// costs cipher time in cache misses.
inline constexpr std::size_t kInboundBatches = 3;
// Works between plan and commit where helpers run their jobs: one with the helpers, and one that is planned or
// committed meanwhile.
inline constexpr std::size_t kWorksInFlight = 2;
// Batches from the packet thread to a writer: they queue only behind a device that is full.
inline constexpr std::size_t kOutboundBatches = 4;

// Large buffers that one output batch holds: a full input batch's packets, each with a header and a tag (6 % more),
// and one for what timers add.
inline constexpr std::size_t kOutputBuffers = packet::kTunBatchBuffers + 2;

inline constexpr std::size_t kTunReadBuffers = 1                                              // the reader's scratch
                                               + kInboundBatches * packet::kTunBatchBuffers;  // filled, waiting, work
inline constexpr std::size_t kUdpReadBuffers = kReceiveSlots                                  // the kernel's (io_uring)
                                               + 1                                            // the reader's scratch
                                               + kInboundBatches * packet::kUdpBatchBuffers   // filled, waiting, work
                                               + (kWorksInFlight - 1) * packet::kUdpBatchBuffers  // with helpers
                                               + packet::kUdpBatchBuffers                         // output in hand
                                               + kOutboundBatches * packet::kUdpBatchBuffers;     // waiting for the TUN
inline constexpr std::size_t kTrainBuffers = 2 * (1 + kOutboundBatches) * kOutputBuffers  // per family: hand, queue
                                             + (kWorksInFlight - 1) * kOutputBuffers;     // with helpers

inline constexpr std::size_t kTunReadPoolBytes = kTunReadBuffers * packet::kLargeBufferBytes;
inline constexpr std::size_t kUdpReadPoolBytes = kUdpReadBuffers * packet::kLargeBufferBytes;
inline constexpr std::size_t kTrainPoolBytes = kTrainBuffers * packet::kLargeBufferBytes;
// Packets that wait for a handshake, of all peers together, and single packets on their way out.
inline constexpr std::size_t kPacketPoolBytes = 4096 * packet::kSmallBufferBytes;

static_assert(kTunReadPoolBytes + 2 * kUdpReadPoolBytes + kTrainPoolBytes + kPacketPoolBytes <= std::size_t{24} << 20);

}  // namespace fireline::io
