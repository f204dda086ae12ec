// What crosses threads: batches. A batch owns buffers, and its items are slices of those buffers, so that many small
// packets share one buffer and a large one is never copied. clear() keeps the vectors' capacity: a batch that is
// reused allocates nothing.
//
// Every item's bytes lie inside a buffer of the same batch (or of the batch into which the buffers were moved).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/packet/buffer.h"

namespace fireline::packet {

// How the kernel wants a TUN packet finished: the fields of struct virtio_net_hdr (linux/virtio_net.h) in host order.
enum class Segmentation : std::uint8_t { none, tcp4, tcp6, udp };

struct Offload {
  Segmentation segmentation = Segmentation::none;
  bool needs_checksum = false;        // transport checksum field holds the pseudo-header sum only
  std::uint16_t segment_bytes = 0;    // payload bytes of one segment; 0 without segmentation
  std::uint16_t checksum_start = 0;   // offset into the packet; valid with needs_checksum
  std::uint16_t checksum_offset = 0;  // offset of the field behind checksum_start
  bool tcp_ecn = false;               // VIRTIO_NET_HDR_GSO_ECN: of the segments only the first carries CWR; TCP alone
};

// A packet read from the TUN: one IP packet, or a TSO/USO super-packet of up to 65,535 bytes.
struct TunPacket {
  Bytes bytes;
  Offload offload;
};

inline constexpr std::size_t kTunBatchPackets = 128;  // a reader's turn; bounds what one turn of the engine works on
inline constexpr std::size_t kTunBatchBuffers = 6;    // large packets per turn and the arena of the small ones

struct TunBatch {
  std::vector<Buffer> buffers;
  std::vector<TunPacket> packets;

  TunBatch() {
    buffers.reserve(kTunBatchBuffers);
    packets.reserve(kTunBatchPackets);
  }
  [[nodiscard]] bool empty() const noexcept { return packets.empty(); }
  void clear() noexcept {
    packets.clear();
    buffers.clear();
  }
};

// ECN bits (RFC 3168): the low two bits of the IPv4 TOS byte or IPv6 traffic class.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

// Where a datagram was received and from where answers leave ("sticky" source). Unspecified: the kernel chooses.
struct LocalAddress {
  IpAddress address;
  std::uint32_t interface = 0;  // index, 0 when unknown
  friend bool operator==(const LocalAddress&, const LocalAddress&) noexcept = default;
};

// One receive buffer: datagrams of one sender, coalesced by GRO. Each is `segment_bytes` long, the last may be shorter.
struct ReceivedDatagrams {
  Bytes bytes;
  std::uint16_t segment_bytes = 0;  // > 0; equal to bytes.size() for a single datagram
  Ecn ecn = Ecn::not_ect;
  Endpoint source;
  LocalAddress local;
  // TURN channel header in front of each datagram, checked by whoever sets this. With it `source` is the sender behind
  // the relay and `local` our relayed address.
  std::uint16_t skip = 0;

  [[nodiscard]] std::size_t count() const noexcept { return (bytes.size() + segment_bytes - 1) / segment_bytes; }
};

inline constexpr std::size_t kUdpBatchDatagrams = 64;  // receive calls of one reader's turn
inline constexpr std::size_t kUdpBatchBuffers = 6;

struct UdpBatch {
  std::vector<Buffer> buffers;
  std::vector<ReceivedDatagrams> datagrams;

  UdpBatch() {
    buffers.reserve(kUdpBatchBuffers);
    datagrams.reserve(kUdpBatchDatagrams);
  }
  [[nodiscard]] bool empty() const noexcept { return datagrams.empty(); }
  void clear() noexcept {
    datagrams.clear();
    buffers.clear();
  }
};

// Datagrams to one destination that leave in one GSO send: equal length, the last may be shorter. At most
// kTrainSegments of them and kTrainBytes in all.
struct UdpTrain {
  Bytes bytes;
  std::uint16_t segment_bytes = 0;  // > 0
  Ecn ecn = Ecn::not_ect;
  Endpoint destination;
  LocalAddress local;
};

inline constexpr std::size_t kTrainSegments = 64;    // kernels before 6.9 refuse more with EINVAL
inline constexpr std::size_t kTrainBytesV4 = 65507;  // 65,535 - 20 - 8
inline constexpr std::size_t kTrainBytesV6 = 65487;  // kept under 65,535 with the 40-byte header as well

struct UdpSendBatch {
  std::vector<Buffer> buffers;
  std::vector<UdpTrain> trains;

  UdpSendBatch() {
    buffers.reserve(16);
    trains.reserve(128);
  }
  [[nodiscard]] bool empty() const noexcept { return trains.empty(); }
  void clear() noexcept {
    trains.clear();
    buffers.clear();
  }
};

// A packet for the TUN, gathered from consecutive entries of TunWriteBatch::slices. Its headers are final; with
// `offload.needs_checksum` the transport checksum field holds the pseudo-header sum and the kernel finishes it.
struct TunWrite {
  std::uint32_t first_slice = 0;
  std::uint16_t slice_count = 0;
  Offload offload;
  std::uint16_t header_bytes = 0;  // IP and transport header, for virtio_net_hdr::hdr_len; 0 without segmentation
};

struct TunWriteBatch {
  std::vector<Buffer> buffers;
  std::vector<ConstBytes> slices;
  std::vector<TunWrite> packets;

  TunWriteBatch() {
    buffers.reserve(16);
    slices.reserve(1024);
    packets.reserve(256);
  }
  [[nodiscard]] bool empty() const noexcept { return packets.empty(); }
  void clear() noexcept {
    packets.clear();
    slices.clear();
    buffers.clear();
  }
};

}  // namespace fireline::packet
