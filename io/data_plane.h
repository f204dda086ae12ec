// The threads of a data plane around one engine, wired in one of three ways:
//
//   split   TUN thread ⇄ packet thread ⇄ UDP thread v4 / v6; writers run on their device's thread
//   direct  the same threads, but the packet thread writes itself and hands over only after EAGAIN
//   fused   one thread for all (one-core machines)
//
// and cipher helpers beside any of them, each a thread with an AEAD of its own (io/cipher_line.h). Same stations, same
// engine, same order in all three.
//
// Lifetime: engine, AEAD, TUN device and the engine's pools must outlive it.
// Threads: every member function belongs to the control thread.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/loop_thread.h"
#include "io/packet_loop.h"
#include "io/readers.h"
#include "io/thread_mode.h"

namespace fireline::io {

struct DataPlaneOptions {
  ThreadMode mode = ThreadMode::direct;
  std::vector<std::unique_ptr<crypto::Aead>> helpers = {};  // one thread each
  CipherThreshold cipher_threshold = {};                    // tests make it small
};

// A queue between two threads, as status shows it.
struct QueueDepth {
  std::string_view item;  // "tun_in", "udp4_in", …
  std::size_t depth = 0;  // batches
  std::size_t length = 0;
};

class DataPlane {
 public:
  DataPlane(packet::Engine& engine, crypto::Aead& aead, TunPort& tun, std::vector<BufferPool*> engine_pools,
            DataPlaneOptions options);
  ~DataPlane();
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  void start();
  // Joins every thread, from any state, without waiting for a device or a peer. What is queued stays queued.
  void stop();

  // Replaces the sockets; null: none of that family. Stops and restarts the threads when they run.
  // `retire` sees each old socket once it is used no more: its counters are final.
  void set_ports(std::unique_ptr<UdpPort> v4, std::unique_ptr<UdpPort> v6,
                 const std::function<void(const UdpPort&)>& retire = {});
  [[nodiscard]] UdpPort* port(Family family) noexcept;
  // Of the sockets, as UdpStatus has it; empty without one.
  [[nodiscard]] std::string_view udp_backend() const noexcept;

  // Runs `command` on the packet thread (here when the threads are stopped) and waits for it.
  void run(const std::function<void(packet::Engine&, Now, packet::Output&)>& command);

  // Becomes readable when the TUN interface is gone.
  [[nodiscard]] int closed_fd() const noexcept { return closed_.get(); }

  // Gauges and counters.
  [[nodiscard]] ThreadMode mode() const noexcept { return mode_; }
  [[nodiscard]] std::size_t cipher_threads() const noexcept;
  [[nodiscard]] std::vector<QueueDepth> queue_depths() const;
  [[nodiscard]] std::vector<const BufferPool*> pools() const;
  [[nodiscard]] const Counters<PacketLoopCounter>& loop_counters() const noexcept;
  [[nodiscard]] const Counters<CipherCounter>& cipher_counters() const noexcept;
  [[nodiscard]] const Counters<UdpReaderCounter>& reader_counters(Family family) const noexcept;
  [[nodiscard]] std::vector<const LoopThread*> threads() const;
  // Datagrams that were to be sent by a family without socket.
  [[nodiscard]] std::uint64_t datagrams_without_socket() const noexcept;

 private:
  struct Parts;
  ThreadMode mode_;
  FileDescriptor closed_;
  std::unique_ptr<Parts> parts_;
  bool running_ = false;
};

}  // namespace fireline::io
