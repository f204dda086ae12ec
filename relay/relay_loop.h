// The relay's one loop and the Host of its server: sockets, readiness, timers.
//
// One thread serves everything, so that an effect the server asks for (a socket bound, an entry written) has happened
// when the call returns, and nothing needs a lock, a queue or a wake-up. Control work (signals, HTTP, log filter,
// statistics) lives in an io::EventLoop whose descriptor is one more in this loop's epoll instance: it gets its turn
// after at most kTurnPackets packets, however busy the sockets are, and costs nothing while it has none.
//
// A turn: new readiness, waiting sends, control work, timers, then batches in the ready set's order until kTurnPackets
// were read or nothing is ready (relay specification, section 2.4). The loop sleeps only in epoll_wait, and only when
// nothing is ready.
//
// Lifetime: control, syscalls, fast path and server outlive the loop's use of them; the server is made after the loop,
// which is its host. Threads: one. Limits: 2 x 65,536 allocation sockets; a port that cannot be bound is the server's
// matter (open_port answers false), never the end of the process.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/counters.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/syscalls.h"
#include "relay/fast_path.h"
#include "relay/gather_train.h"
#include "relay/protocol/host.h"
#include "relay/protocol/server.h"
#include "relay/ready_set.h"
#include "relay/receive_batch.h"
#include "relay/relay_counters.h"
#include "relay/relay_socket.h"
#include "relay/train_sender.h"

namespace spdlog {
class logger;
}

namespace fireline::relay {

// Between two looks at new readiness, timers and control work: about 50 µs of relaying. Equal to the lead that a ready
// socket may have, so that a socket that becomes ready meets that bound, too.
inline constexpr std::size_t kTurnPackets = kBatchPackets;

struct LoopOptions {
  Families families;
  std::uint16_t listen_port = 3478;
  std::optional<IpAddress> bind_ip4{};  // empty: every local address
  std::optional<IpAddress> bind_ip6{};
  bool gso = true;
  bool gro = true;
  // All sockets together. Fewer than descriptors, so that control endpoint and health check are served when allocations
  // have taken all they may.
  std::size_t sockets_max = 2 * 65536 + 2;
};

class RelayLoop final : public Host {
 public:
  // Binds the control sockets; the error names the port.
  [[nodiscard]] static Result<std::unique_ptr<RelayLoop>, io::IoError> make(
      const LoopOptions& options, io::EventLoop& control, io::UdpSyscalls& syscalls = io::kernel_udp_syscalls());
  ~RelayLoop() override;
  RelayLoop(const RelayLoop&) = delete;
  RelayLoop& operator=(const RelayLoop&) = delete;

  // Before the first turn.
  void serve(Server& server) noexcept { server_ = &server; }
  void set_fast_path(FastPath& path) noexcept { fast_path_ = &path; }
  void set_observer(std::function<void(const Event&)> observer) { observer_ = std::move(observer); }
  // Gets a line for each train or single datagram that is read, at level trace alone.
  void set_wire_log(std::shared_ptr<spdlog::logger> log) noexcept { wire_log_ = std::move(log); }

  // Until stop(), which any handler of the control loop may call.
  void run();
  void stop() noexcept { stopping_ = true; }
  // One turn; sleeps for at most `wait`, without end when empty, and not at all while sockets are ready.
  void turn(std::optional<Duration> wait);

  [[nodiscard]] const Counters<RelayCounter>& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t sockets() const noexcept { return open_sockets_; }
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return sender_.waiting_bytes(); }
  [[nodiscard]] bool gso_enabled() const noexcept;
  // Adds to kernel_drops what the kernel dropped behind the last datagram that was read: it tells of drops with the
  // next one alone. A system call per socket: for who reads the counters.
  void count_kernel_drops();
  // As bound: with listen_port 0 the kernel chose.
  [[nodiscard]] std::uint16_t listen_port() const noexcept { return listen_port_; }
  [[nodiscard]] Now now() const noexcept { return now_; }

  [[nodiscard]] Opened open_port(std::uint16_t port, Families families) override;
  void close_port(std::uint16_t port) override;
  void send_control(const Endpoint& to, std::span<const std::byte> message) override;
  void send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) override;
  [[nodiscard]] Offload offload(const ChannelBinding& binding) override;
  void prolong(const ChannelBinding& binding) override;
  void withdraw(const ChannelBinding& binding) override;
  void report(const Event& event) override;

 private:
  using Slot = RelaySocket::Slot;
  struct PortSockets {
    RelaySocket* v4 = nullptr;
    RelaySocket* v6 = nullptr;
  };

  RelayLoop(const LoopOptions& options, io::EventLoop& control, io::UdpSyscalls& syscalls, io::FileDescriptor epoll,
            io::FileDescriptor timer);

  // False: no descriptor or no memory for it; the socket is closed.
  [[nodiscard]] RelaySocket* add(std::unique_ptr<RelaySocket> socket);
  void remove(RelaySocket* socket);
  [[nodiscard]] Opened open_allocation_socket(std::uint16_t port, Family family, RelaySocket*& out);
  void say_exhausted(const std::string& why, bool of_the_limit);
  [[nodiscard]] RelaySocket* control_socket(Family family) const noexcept;
  [[nodiscard]] RelaySocket* allocation_socket(std::uint16_t port, Family family) const noexcept;

  void collect_events(int wait_milliseconds);
  void on_event(std::uint64_t token, std::uint32_t events);
  void retry_busy();
  void fire_timers();
  void arm_timer();
  void relay_some();
  [[nodiscard]] std::size_t relay_batch(Slot slot);
  void log_batch(std::optional<std::uint16_t> allocation) const;
  void relay_control(const ReceivedMessage& message);
  void relay_channel_data(const ReceivedMessage& message, ConstBytes datagram);
  void relay_allocation(std::uint16_t port, const ReceivedMessage& message);
  void relay_indications(const Server::ToClient& to, const ReceivedMessage& message);

  void append(const Route& route, ConstBytes payload);
  void send_train();
  void send_now(RelaySocket& socket, const Endpoint& to, packet::Ecn ecn, ConstBytes datagram);
  void deliver(RelaySocket& socket, const TrainView& train);
  void follow(RelaySocket& socket, TrainSender::State state);
  void watch_writable(const RelaySocket& socket, bool writable) noexcept;

  LoopOptions options_;
  io::EventLoop& control_;
  io::UdpSyscalls& syscalls_;
  io::FileDescriptor epoll_;
  io::FileDescriptor timer_;  // timerfd on CLOCK_BOOTTIME
  Server* server_ = nullptr;
  FastPath* fast_path_ = nullptr;
  std::function<void(const Event&)> observer_;
  std::shared_ptr<spdlog::logger> wire_log_;  // null: no lines

  Now now_;
  bool stopping_ = false;
  bool control_ready_ = false;
  std::optional<Instant> armed_;  // what the timer is set for; may be earlier than needed
  std::uint16_t listen_port_ = 0;

  std::vector<std::unique_ptr<RelaySocket>> sockets_;  // by slot
  std::vector<Slot> free_slots_;
  std::size_t open_sockets_ = 0;
  bool exhausted_ = false;          // said in the log, and no allocation got its sockets since
  std::vector<PortSockets> ports_;  // by port number
  RelaySocket* control_v4_ = nullptr;
  RelaySocket* control_v6_ = nullptr;

  ReadySet ready_;
  std::vector<Slot> busy_;  // their datagrams wait for memory of the kernel, which sends no event
  Counters<RelayCounter> counters_;
  TrainSender sender_;
  ReceiveBatch batch_;
  GatherTrain train_;
  std::vector<std::byte> indication_;
};

}  // namespace fireline::relay
