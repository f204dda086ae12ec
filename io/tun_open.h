// Creates and configures the TUN interface under TunDevice (linux/if_tun.h). The only place that knows its ioctls.
// No state; any thread; works in the calling thread's network namespace.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/tun_port.h"
#include "io/tun_queues.h"

namespace fireline::io {

inline constexpr unsigned kTunMtuDefault = 1420;    // 1500 - 40 (IPv6) - 8 (UDP) - 32 (WireGuard)
inline constexpr unsigned kTunMtuMin = 68;          // RFC 791
inline constexpr unsigned kTunMtuMax = 65535 - 80;  // fits one outer datagram with all headers
// With super-packets of up to 64 KiB each, 1,000 entries are already 60 MB, over 40 ms at 10 Gbit/s: a longer queue
// only adds delay. The kernel's own default of 500 drops bursts of small packets.
inline constexpr unsigned kTunQueuePackets = 1000;
// Of eight other flows one shares a flow's queue.
inline constexpr unsigned kTunQueues = 8;

struct TunOptions {
  unsigned mtu = kTunMtuDefault;
  bool offloads = true;                       // false: no virtio-net header, one plain packet per call
  unsigned queue_packets = kTunQueuePackets;  // of each queue
  unsigned queues = kTunQueues;               // of an interface that is created; an existing one has one
};

// Descriptors are non-blocking and close-on-exec; closing the last one removes the interface.
struct OpenTun {
  explicit OpenTun(FileDescriptor queue) : queues(std::move(queue)) {}

  TunQueues queues;
  FileDescriptor writer;   // detached: what is written to it does not move flows to its queue. Not with one queue
  FileDescriptor control;  // a socket in the interface's namespace, for ioctls on it
  std::string name;        // as the kernel completed it
  int index = 0;
  TunCapabilities capabilities;
};

// Makes /dev/net/tun where there is none, which takes CAP_MKNOD: for a program that gives that up before it opens a
// TUN. Whether it is there shows when it is opened.
void provide_tun_node() noexcept;

// As TunDevice::open.
[[nodiscard]] Result<OpenTun, IoError> open_tun(std::string_view name, const TunOptions& options);

// Empty when `name` may name a network interface (a pattern with one %d too): 1 to 15 bytes, no '/', ':' or white
// space, not "." or "..". Otherwise what is wrong with it: "an interface name has at most 15 bytes".
[[nodiscard]] std::string_view check_interface_name(std::string_view name) noexcept;

// The interface's MTU. `control` is any socket in its namespace.
[[nodiscard]] Result<unsigned, IoError> query_mtu(int control, const std::string& name);

}  // namespace fireline::io
