// A TUN device as the data path sees it; io/tun_device.h is the real one, tests have their own.
//
// Threads: read() belongs to one thread and write() to one thread, which may be another; both may run at once. The rest
// may be used by any thread at any time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/counters.h"
#include "core/packet/batch.h"
#include "core/packet/buffer.h"
#include "io/io_status.h"

namespace fireline::io {

enum class TunReadCounter : std::uint8_t {
  packets,     // as read: a super-packet counts once
  segments,    // as they would be on a wire: a super-packet counts its segments
  bytes,       // of IP packets
  calls,       // successful reads
  bad_header,  // virtio-net header that makes no sense, or a packet shorter than an IP header
  truncated,   // longer than a large buffer
  no_buffer,   // times the pool was empty (nothing is lost yet)
  errors,      // failed reads that did not end the device
  count_
};
[[nodiscard]] constexpr std::string_view name_of(TunReadCounter which) noexcept;

// Drops are counted in segments: a refused super-packet is as many lost packets.
enum class TunWriteCounter : std::uint8_t {
  packets,  // as written
  segments,
  bytes,
  calls,  // successful writes
  would_block,
  drop_gso_refused,  // EINVAL for a merged packet; coalescing is off from then on
  drop_down,         // EIO, ENETDOWN: the interface is down
  drop_invalid,      // EINVAL for a single packet, or more slices than one write takes
  drop_no_memory,    // ENOMEM, ENOBUFS
  drop_other,
  count_
};
[[nodiscard]] constexpr std::string_view name_of(TunWriteCounter which) noexcept;

// The first packet of a TunWriteBatch that is not yet written. Starts at {}; reset it with the batch.
struct TunCursor {
  std::size_t packet = 0;
};

// What the kernel granted when the device was opened.
struct TunCapabilities {
  bool vnet_header = false;  // packets carry a virtio-net header: super-packets may be written
  bool checksum = false;     // reads may bring unfinished checksums
  bool tso = false;          // reads may bring TCP super-packets
  bool uso = false;          // reads may bring UDP super-packets (Linux 6.2)
  int offload_errno = 0;     // of the first set of offloads that was refused, 0 for none
};

class TunPort {
 public:
  virtual ~TunPort() = default;

  // Appends packets until the batch is full or the pool is empty (done; with an empty batch: wait for buffers), nothing
  // more waits (would_block), or the interface was removed (closed). Never blocks. `large` must give buffers of
  // kLargeBufferBytes and is called from this thread; no buffer is kept between calls.
  [[nodiscard]] virtual IoStatus read(packet::TunBatch& batch, packet::BufferSource& large) = 0;

  // Writes from the cursor on, in order, each packet once. What the kernel refuses is dropped and counted, and the
  // cursor moves on. Never blocks.
  [[nodiscard]] virtual IoStatus write(const packet::TunWriteBatch& batch, TunCursor& cursor) = 0;

  // False without a virtio-net header and after the kernel refused a merged packet: write single packets only.
  [[nodiscard]] virtual bool coalescing_allowed() const noexcept = 0;

  // Readable when read() has something; write_fd() is writable when write() may go on.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;
  [[nodiscard]] virtual int write_fd() const noexcept { return poll_fd(); }
  [[nodiscard]] virtual const Counters<TunReadCounter>& read_counters() const noexcept = 0;
  [[nodiscard]] virtual const Counters<TunWriteCounter>& write_counters() const noexcept = 0;
};

constexpr std::string_view name_of(TunReadCounter which) noexcept {
  switch (which) {
    case TunReadCounter::packets:
      return "tun.read.packets";
    case TunReadCounter::segments:
      return "tun.read.segments";
    case TunReadCounter::bytes:
      return "tun.read.bytes";
    case TunReadCounter::calls:
      return "tun.read.calls";
    case TunReadCounter::bad_header:
      return "tun.read.bad_header";
    case TunReadCounter::truncated:
      return "tun.read.truncated";
    case TunReadCounter::no_buffer:
      return "tun.read.no_buffer";
    case TunReadCounter::errors:
      return "tun.read.errors";
    case TunReadCounter::count_:
      break;
  }
  return "";
}

constexpr std::string_view name_of(TunWriteCounter which) noexcept {
  switch (which) {
    case TunWriteCounter::packets:
      return "tun.write.packets";
    case TunWriteCounter::segments:
      return "tun.write.segments";
    case TunWriteCounter::bytes:
      return "tun.write.bytes";
    case TunWriteCounter::calls:
      return "tun.write.calls";
    case TunWriteCounter::would_block:
      return "tun.write.would_block";
    case TunWriteCounter::drop_gso_refused:
      return "tun.write.drop.gso_refused";
    case TunWriteCounter::drop_down:
      return "tun.write.drop.down";
    case TunWriteCounter::drop_invalid:
      return "tun.write.drop.invalid";
    case TunWriteCounter::drop_no_memory:
      return "tun.write.drop.no_memory";
    case TunWriteCounter::drop_other:
      return "tun.write.drop.other";
    case TunWriteCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::io
