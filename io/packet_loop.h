// The packet thread's station: one engine between the readers' channels and the writers' outboxes.
//
// A turn: commands, due timers, one handshake message, then one batch of each source, planned, ciphered in place and
// committed; with cipher helpers the commit comes turns later (cipher_line.h). It takes a batch only while every outbox
// has room; commands and timers are always served, with a small counted reserve: what they produce waits in the loop's
// own output until the outboxes have room.
//
// Threads: turn() and arm() on the packet thread; run() and try_run() from the control thread; gauges from any.
#pragma once
#include <concurrentqueue/concurrentqueue.h>

#include <functional>
#include <memory>

#include "core/base/counters.h"
#include "core/crypto/aead.h"
#include "core/packet/engine.h"
#include "io/channel.h"
#include "io/cipher_line.h"
#include "io/outbox.h"
#include "io/pool.h"
#include "io/station.h"
#include "io/tun_port.h"
#include "io/udp_port.h"

namespace fireline::io {

enum class PacketLoopCounter : std::uint8_t {
  tun_batches,
  udp_batches,
  handshake_steps,
  commands,
  no_room,          // turns in which a batch had to wait because an outbox was full
  timers_deferred,  // turns in which timers had to wait because the reserve was used up
  count_,
};
[[nodiscard]] constexpr std::string_view name_of(PacketLoopCounter which) noexcept;

using UdpOutbox = Outbox<packet::UdpSendBatch, SendCursor>;
using TunOutbox = Outbox<packet::TunWriteBatch, TunCursor>;

class PacketLoop final : public Station {
 public:
  struct Wiring {
    packet::Engine* engine = nullptr;
    crypto::Aead* aead = nullptr;
    TunPort* tun = nullptr;
    Waker* waker = nullptr;  // of the thread that runs the station
    Channel<packet::TunBatch>* tun_in = nullptr;
    Channel<packet::UdpBatch>* udp4_in = nullptr;
    Channel<packet::UdpBatch>* udp6_in = nullptr;
    TunOutbox tun_out;
    UdpOutbox udp4_out;
    UdpOutbox udp6_out;
    std::vector<BufferPool*> pools;  // those that the engine takes from
    std::vector<CipherHelper*> helpers;
    CipherThreshold cipher_threshold = {};
  };
  using Command = std::move_only_function<void(packet::Engine&, Now, packet::Output&)>;

  explicit PacketLoop(Wiring wiring);

  void enter() override;
  bool turn(Now now) override;
  void arm(PollSet& set) override;

  // Control thread: queues a command for the packet thread; false when kCommandsMax are waiting.
  [[nodiscard]] bool post(Command command);
  // Control thread, with the packet thread stopped: runs everything that waits, on the caller.
  void run_posted(Now now);

  [[nodiscard]] const std::vector<BufferPool*>& pools() const noexcept { return wiring_.pools; }
  [[nodiscard]] const Counters<PacketLoopCounter>& counters() const noexcept { return counters_; }
  [[nodiscard]] const Counters<CipherCounter>& cipher_counters() const noexcept { return line_.counters(); }

  static constexpr std::size_t kCommandsMax = 64;  // the control thread waits for each answer; a few are room enough

 private:
  [[nodiscard]] bool has_room() noexcept;
  [[nodiscard]] bool serve_commands(Now now);
  [[nodiscard]] bool serve_timers(Now now);
  [[nodiscard]] bool serve_batches(Now now);
  [[nodiscard]] bool commit_finished(Now now);
  template <class Batch>
  [[nodiscard]] bool serve_batch(Channel<Batch>* channel, PacketLoopCounter counter, Now now);
  [[nodiscard]] bool reserve_used_up() const noexcept;
  void hand_on(Now now) noexcept;

  Wiring wiring_;
  bool merging_ = true;
  CipherLine line_;
  packet::Output output_;
  moodycamel::ConcurrentQueue<Command> commands_;
  std::atomic<std::size_t> commands_waiting_{0};
  Counters<PacketLoopCounter> counters_;
};

constexpr std::string_view name_of(PacketLoopCounter which) noexcept {
  switch (which) {
    case PacketLoopCounter::tun_batches:
      return "loop.tun_batches";
    case PacketLoopCounter::udp_batches:
      return "loop.udp_batches";
    case PacketLoopCounter::handshake_steps:
      return "loop.handshake_steps";
    case PacketLoopCounter::commands:
      return "loop.commands";
    case PacketLoopCounter::no_room:
      return "loop.no_room";
    case PacketLoopCounter::timers_deferred:
      return "loop.timers_deferred";
    case PacketLoopCounter::count_:
      break;
  }
  return "";
}

}  // namespace fireline::io
