// The stations that read: one for the TUN, one for each UDP socket. They stop polling their device while every batch
// of their channel is with the packet thread.
//
// The UDP reader reads a socket's loud queue (io/udp_port.h) when the other is empty, and in one of kLoudTurns turns
// when it never is. A sender's datagrams keep their order when it changes queues.
//
// Lifetime: device, channel and pool must outlive the station. Threads: the station's own.
#pragma once
#include <functional>
#include <optional>

#include "core/base/counters.h"
#include "core/packet/fair_share.h"
#include "io/channel.h"
#include "io/pool.h"
#include "io/station.h"
#include "io/tun_port.h"
#include "io/udp_port.h"

namespace fireline::io {

class TunReader final : public Station {
 public:
  // `closed` is called once, on the reader's thread, when the interface is gone.
  TunReader(TunPort& device, Channel<packet::TunBatch>& channel, BufferPool& pool, Waker& waker,
            std::function<void()> closed)
      : device_(&device), channel_(&channel), pool_(&pool), waker_(&waker), closed_(std::move(closed)) {}

  void enter() override;
  bool turn(Now now) override;
  void arm(PollSet& set) override;

 private:
  TunPort* device_;
  Channel<packet::TunBatch>* channel_;
  BufferPool* pool_;
  Waker* waker_;
  std::function<void()> closed_;
  bool readable_ = true;
  bool gone_ = false;
};

enum class UdpReaderCounter : std::uint8_t {
  drop_unfair_share,  // datagrams of senders that took more than their share of a socket without a loud queue
  loud_senders,       // times that one was found to take more than its share, and put into the loud queue
  count_
};
[[nodiscard]] constexpr std::string_view name_of(UdpReaderCounter which) noexcept {
  return which == UdpReaderCounter::drop_unfair_share ? "udp.receive.drop.unfair_share" : "udp.receive.loud_senders";
}

class UdpReader final : public Station {
 public:
  // Senders in the loud queue keep their connections even if the others alone are too many.
  static constexpr unsigned kLoudTurns = 8;

  // Which senders share a slot of the fair share hangs on the seed: drawn, unless a test gives one.
  UdpReader(Channel<packet::UdpBatch>& channel, BufferPool& pool, Waker& waker,
            std::optional<std::uint64_t> seed = std::nullopt);

  // Only while the thread is stopped. `port` may be null: no socket of this family.
  void set_port(UdpPort* port) noexcept;

  void enter() override;
  void leave() override;
  bool turn(Now now) override;
  void arm(PollSet& set) override;

  [[nodiscard]] const Counters<UdpReaderCounter>& counters() const noexcept { return counters_; }

 private:
  [[nodiscard]] bool has_loud_queue() const noexcept;
  void judge(Now now) noexcept;
  // Whether there was something.
  [[nodiscard]] bool receive_first(packet::UdpBatch& batch);
  [[nodiscard]] bool receive_loud(packet::UdpBatch& batch);
  [[nodiscard]] bool has_grown(UdpReceiveCounter which, std::uint64_t& before) const noexcept;
  void drop_unfair(packet::UdpBatch& batch, std::size_t from) noexcept;

  UdpPort* port_ = nullptr;
  Channel<packet::UdpBatch>* channel_;
  BufferPool* pool_;
  Waker* waker_;
  bool readable_ = true;
  bool loud_readable_ = false;
  // The loud queue goes first: until its end, for what its senders send goes into the other from here on.
  bool loud_first_ = false;
  unsigned turns_without_loud_ = 0;
  // Set while the port cannot receive though it may be readable: no buffer. The pool wakes us; this is the net below.
  std::optional<Instant> retry_at_;
  packet::FairShare share_;
  std::uint64_t kernel_drops_ = 0;  // as counted by the port at the last turn
  std::uint64_t loud_drops_ = 0;
  Counters<UdpReaderCounter> counters_;
};

}  // namespace fireline::io
