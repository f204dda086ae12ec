// The TUN device of Linux: virtio-net header, segmentation offloads, several queues (linux/if_tun.h, io/tun_queues.h).
// Closing the last descriptor removes the interface. Threads as in io/tun_port.h; the object must outlive them.
//
// A device that somebody holds is not shared: opening it fails with EBUSY, or EINVAL when its flags differ.
//
// Reading takes one packet per call, into a large buffer; what is no longer than kCopyBreakBytes is copied behind the
// small ones before it (io/receive_arena.h). Writing makes one call per packet, gathered from its slices.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/link_statistics.h"
#include "io/tun_open.h"
#include "io/tun_port.h"
#include "io/tun_queues.h"

namespace fireline::io {

class ReceiveArena;
enum class ReadCall : std::uint8_t;

class TunDevice final : public TunPort {
 public:
  // Creates the interface, or attaches to a persistent one that nobody holds, in the calling thread's network
  // namespace. A pattern such as "wg%d" gets its number from the kernel. Creates /dev/net/tun where it is missing. The
  // interface is left down and without addresses. Errors name device, flags and errno.
  [[nodiscard]] static Result<std::unique_ptr<TunDevice>, IoError> open(std::string_view name,
                                                                        const TunOptions& options = {});

  [[nodiscard]] IoStatus read(packet::TunBatch& batch, packet::BufferSource& large) override;
  [[nodiscard]] IoStatus write(const packet::TunWriteBatch& batch, TunCursor& cursor) override;
  [[nodiscard]] bool coalescing_allowed() const noexcept override {
    return coalescing_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] int poll_fd() const noexcept override { return queues_.poll_fd(); }
  [[nodiscard]] int write_fd() const noexcept override { return writer_ ? writer_.get() : queues_.first(); }
  [[nodiscard]] const Counters<TunReadCounter>& read_counters() const noexcept override { return read_; }
  [[nodiscard]] const Counters<TunWriteCounter>& write_counters() const noexcept override { return written_; }

  // The name that the kernel gave; a later rename by an administrator is not followed.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int interface_index() const noexcept { return index_; }
  [[nodiscard]] const TunCapabilities& capabilities() const noexcept { return capabilities_; }

  // Asks the kernel: an administrator may have changed it. Any thread.
  [[nodiscard]] Result<unsigned, IoError> mtu() const { return query_mtu(control_.get(), name_); }
  // What the kernel itself dropped: `transmit` on the way to us, because the queue was full or the interface not read
  // ("tun.read.kernel_drops"), `receive` behind a write that had succeeded ("tun.write.kernel_drops"). One thread at a
  // time.
  [[nodiscard]] Result<LinkDrops, IoError> kernel_drops() const;

 private:
  explicit TunDevice(OpenTun tun, FileDescriptor netlink);

  [[nodiscard]] ReadCall read_packet(ReceiveArena& arena, packet::TunBatch& batch);
  void take_packet(ReceiveArena& arena, std::size_t length, ConstBytes vnet_header, packet::TunBatch& batch);
  [[nodiscard]] ssize_t write_packet(const packet::TunWriteBatch& batch, const packet::TunWrite& packet,
                                     std::size_t& bytes) noexcept;
  // The device is gone, and with it what is left of the batch. Not inlined: the loop of write() is the data path.
  [[gnu::cold, gnu::noinline]] void note_gone(const packet::TunWriteBatch& batch, TunCursor& cursor);
  void note_write_error(int code, const packet::TunWrite& packet, std::size_t segments);

  TunQueues queues_;
  FileDescriptor writer_;  // a queue of its own, out of which nothing is read; none: the first queue
  FileDescriptor control_;
  FileDescriptor netlink_;  // invalid where netlink is forbidden
  std::string name_;
  int index_;
  TunCapabilities capabilities_;

  // Reading thread.
  Counters<TunReadCounter> read_;

  // Writing thread.
  Counters<TunWriteCounter> written_;
  std::atomic<bool> coalescing_;
  int logged_errno_ = 0;  // of the last drop that was logged: a line per change, not per packet
};

}  // namespace fireline::io
