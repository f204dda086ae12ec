// The stations that read: one for the TUN, one for each UDP socket. They stop polling their device while every batch
// of their channel is with the packet thread.
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
  drop_unfair_share,  // datagrams of senders that took more than their share of a socket that overflows
  count_
};
[[nodiscard]] constexpr std::string_view name_of(UdpReaderCounter) noexcept {
  return "udp.receive.drop.unfair_share";
}

class UdpReader final : public Station {
 public:
  // `port` may be null: no socket of this family.
  UdpReader(Channel<packet::UdpBatch>& channel, BufferPool& pool, Waker& waker);

  // Only while the thread is stopped.
  void set_port(UdpPort* port) noexcept {
    port_ = port;
    readable_ = true;
  }

  void enter() override;
  void leave() override;
  bool turn(Now now) override;
  void arm(PollSet& set) override;

  [[nodiscard]] const Counters<UdpReaderCounter>& counters() const noexcept { return counters_; }

 private:
  void drop_unfair(packet::UdpBatch& batch) noexcept;

  UdpPort* port_ = nullptr;
  Channel<packet::UdpBatch>* channel_;
  BufferPool* pool_;
  Waker* waker_;
  bool readable_ = true;
  // Set while the port cannot receive though it may be readable: no buffer. The pool wakes us; this is the net below.
  std::optional<Instant> retry_at_;
  packet::FairShare share_;
  std::uint64_t kernel_drops_ = 0;  // as counted by the port at the last turn
  Counters<UdpReaderCounter> counters_;
};

}  // namespace fireline::io
