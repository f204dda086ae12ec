// Merges consecutive packets of a flow, as they come out of the tunnel, into super-packets for one TUN write each.
// Nothing is copied: the first packet is edited in place, the others are gathered behind it as payload slices.
//
// Rules (tunnel spec 6.7, platform spec 1.3): a packet joins only the most recent item of its flow, when the result,
// cut again by the kernel, is the packets that came in: consecutive sequence numbers, flags ACK or ACK+PSH, same
// acknowledgement, options, TOS with ECN, TTL and DF; no IPv4 options, extension headers or fragments; no segment
// longer than the first. A shorter segment and PSH close the item. IPv4 identification, window (the last one counts,
// as it would have uncut) and flow label may differ. Both checksums of each packet are verified before it is merged:
// a corrupt packet passes alone and unchanged, so that the receiver sees what it would have seen.
// Order inside a flow is kept: what cannot join closes its flow's item, and what cannot be told apart closes all.
// Items leave in the order of their first packets, at the latest in finish(); nothing waits across batches.
//
// Use: add() each packet of a commit in arrival order, then finish(). In between the bytes of all packets stay where
// they are; afterwards until the batch is written (their buffers belong into TunWriteBatch::buffers).
// Lifetime: keeps no reference to a batch. Threads: one owner. No allocation after construction.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/wire.h"
#include "core/packet/batch.h"

namespace fireline::packet {

// Which super-packets the TUN device accepts; nothing is merged by default.
struct CoalescerOptions {
  bool tcp4 = false;
  bool tcp6 = false;
  bool udp = false;  // both families (USO4 and USO6)
};

// Packets that may wait for finish(): a full UDP batch of full GRO buffers. One more flushes first.
inline constexpr std::size_t kCoalescerPackets = kUdpBatchDatagrams * 64;
// Open items, one per flow: 16 sets of 4. A flow beyond that closes the oldest of its set.
inline constexpr std::size_t kCoalescerSets = 16;
inline constexpr std::size_t kCoalescerWays = 4;
// Packets of one item: 64 KiB in segments of 256 bytes, and well below the 1,024 slices of one gather write.
inline constexpr std::size_t kTcpMergeMax = 256;
// What every kernel with USO accepts as one UDP super-packet (UDP_MAX_SEGMENTS before 6.9).
inline constexpr std::size_t kUdpMergeMax = 64;
inline constexpr std::size_t kSuperPacketBytes = 65535;  // the IPv4 total length's range; IPv6 is held to it as well

class Coalescer {
 public:
  explicit Coalescer(CoalescerOptions options);

  // Between batches only. The TUN refused a super-packet: the caller turns its kind off for good.
  void set_options(CoalescerOptions options) noexcept { options_ = options; }
  [[nodiscard]] CoalescerOptions options() const noexcept { return options_; }

  // `packet` is one IP packet that passed IpHeader::parse, cut to its length; its header may be edited until finish().
  // `output` is the same batch in each add() and the finish() behind it; writes to it may happen in any of them.
  void add(Bytes packet, TunWriteBatch& output);
  // Emits every item. Afterwards the coalescer holds nothing.
  void finish(TunWriteBatch& output);

 private:
  static constexpr std::uint16_t kNone = 0xFFFF;

  enum class Transport : std::uint8_t { tcp, udp };
  // What is read once from a packet that may take part.
  struct Candidate {
    Bytes bytes;
    std::uint32_t hash = 0;
    std::uint32_t ip_header_bytes = 0;
    std::uint32_t header_bytes = 0;
    std::uint32_t payload_bytes = 0;
    Transport transport = Transport::tcp;
    bool push = false;
    bool mergeable = false;  // may be part of a super-packet, its checksum aside
  };
  // One TUN write in the making: a packet, or a super-packet of several.
  struct Item {
    Bytes first;
    std::uint32_t total_bytes = 0;      // IP packet length of all of it
    std::uint32_t next_sequence = 0;    // TCP
    std::uint16_t first_entry = kNone;  // chain of the payloads behind the first packet
    std::uint16_t last_entry = kNone;
    std::uint16_t packets = 1;
    std::uint16_t segment_bytes = 0;
    std::uint16_t ip_header_bytes = 0;
    std::uint16_t header_bytes = 0;
    std::uint16_t window = 0;  // TCP, of the last packet
    Transport transport = Transport::tcp;
    bool push = false;
    bool verified = false;  // the first packet's checksums were found right
  };
  struct Entry {
    ConstBytes payload;
    std::uint16_t next = kNone;
  };
  // An open item and its flow's hash; item == kNone: free.
  struct Way {
    std::uint32_t hash = 0;
    std::uint16_t item = kNone;
  };
  using Set = std::array<Way, kCoalescerWays>;

  // unrelated: no order to keep with any item. unknown_flow: may belong to any of them.
  enum class Kind : std::uint8_t { unrelated, unknown_flow, flow };
  [[nodiscard]] Kind classify(Bytes packet, Candidate& candidate) const noexcept;
  [[nodiscard]] static bool read_ipv4(Bytes packet, Candidate& candidate) noexcept;
  [[nodiscard]] static bool read_ipv6(Bytes packet, Candidate& candidate) noexcept;
  [[nodiscard]] static bool read_tcp(Candidate& candidate) noexcept;
  [[nodiscard]] static bool read_udp(Candidate& candidate) noexcept;
  [[nodiscard]] Set& set_of(const Candidate& candidate) noexcept;
  [[nodiscard]] Way* find(const Candidate& candidate) noexcept;
  [[nodiscard]] static bool same_flow(const Item& item, const Candidate& candidate) noexcept;
  [[nodiscard]] static bool may_join(const Item& item, const Candidate& candidate) noexcept;
  void join(Item& item, const Candidate& candidate);
  // A new item at `way` (the flow's own, or null), or a closed one where nothing may join.
  void start_item(const Candidate& candidate, Way* way, bool verified);
  void append_alone(Bytes packet);
  void close_all() noexcept;
  void complete(const Item& item, TunWrite& write, TunWriteBatch& output) const;
  [[nodiscard]] static std::uint8_t protocol_of(Transport transport) noexcept;

  CoalescerOptions options_;
  std::array<Set, kCoalescerSets> sets_;
  std::vector<Item> items_;
  std::vector<Entry> entries_;
};

}  // namespace fireline::packet
