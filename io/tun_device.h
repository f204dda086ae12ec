// The TUN device of Linux: one queue, virtio-net header, segmentation offloads (linux/if_tun.h).
// Closing the last descriptor removes the interface. Threads as in io/tun_port.h; the object must outlive them.
//
// No IFF_MULTI_QUEUE: with it a second process would silently take half of the flows; without it opening a device that
// somebody holds fails with EBUSY, or EINVAL when its flags differ.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/tun_port.h"

namespace fireline::io {

inline constexpr unsigned kTunMtuDefault = 1420;    // 1500 - 40 (IPv6) - 8 (UDP) - 32 (WireGuard)
inline constexpr unsigned kTunMtuMin = 68;          // RFC 791
inline constexpr unsigned kTunMtuMax = 65535 - 80;  // fits one outer datagram with all headers
// With super-packets of up to 64 KiB each, 1,000 entries are already 60 MB, over 40 ms at 10 Gbit/s: a longer queue
// only adds delay. The kernel's own default of 500 drops bursts of small packets.
inline constexpr unsigned kTunQueuePackets = 1000;

struct TunOptions {
  unsigned mtu = kTunMtuDefault;
  bool offloads = true;  // false: no virtio-net header, one plain packet per call
  unsigned queue_packets = kTunQueuePackets;
};

// What the kernel itself dropped, from the interface's statistics; cumulative since the interface exists.
struct TunKernelDrops {
  std::uint64_t towards_us = 0;  // the queue was full, or nobody was attached ("tun.read.kernel_drops")
  std::uint64_t from_us = 0;     // refused behind a successful write ("tun.write.kernel_drops")
};

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
  [[nodiscard]] int poll_fd() const noexcept override { return fd_.get(); }
  [[nodiscard]] const Counters<TunReadCounter>& read_counters() const noexcept override { return read_; }
  [[nodiscard]] const Counters<TunWriteCounter>& write_counters() const noexcept override { return written_; }

  // The name that the kernel gave; a later rename by an administrator is not followed.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int interface_index() const noexcept { return index_; }
  [[nodiscard]] const TunCapabilities& capabilities() const noexcept { return capabilities_; }
  // Asks the kernel: an administrator may have changed it. Any thread.
  [[nodiscard]] Result<unsigned, IoError> mtu() const;
  [[nodiscard]] Result<TunKernelDrops, IoError> kernel_drops() const;

 private:
  TunDevice(FileDescriptor fd, FileDescriptor control, std::string name, int index, TunCapabilities capabilities);

  FileDescriptor fd_;
  FileDescriptor control_;  // any socket, for interface ioctls in the device's namespace
  std::string name_;
  int index_;
  TunCapabilities capabilities_;

  Counters<TunReadCounter> read_;
  Counters<TunWriteCounter> written_;
  std::atomic<bool> coalescing_;
};

// Empty when `name` may name a network interface: 1 to 15 bytes, no '/', ':' or white space, not "." or "..".
// Otherwise a sentence that says what is wrong with it.
[[nodiscard]] std::string check_interface_name(std::string_view name);

}  // namespace fireline::io
