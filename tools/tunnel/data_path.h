// The threads and sockets around one engine: a data plane between the TUN device and UDP sockets of both families,
// which can be bound anew, and ICMP errors about what those sockets sent.
//
// Lifetime: devices, engine and loop outlive it; the engine's work is dropped with it. Threads: the control thread's.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include "core/base/endpoint.h"
#include "core/packet/engine.h"
#include "io/data_plane.h"
#include "io/event_loop.h"
#include "io/icmp_errors.h"
#include "tools/common/retry.h"
#include "tools/common/super_packet_limit.h"
#include "tools/tunnel/counter_map.h"
#include "tools/tunnel/devices.h"

namespace fireline::tunnel {

struct PortPair {
  std::uint16_t v4 = 0;  // 0: no socket of that family
  std::uint16_t v6 = 0;
};

class DataPath {
 public:
  struct Handlers {
    std::move_only_function<void(PortPair)> bound;      // sockets are there, no packet has come yet
    io::IcmpErrors::Handler unreachable;                // ICMP said so
    std::move_only_function<void(std::string)> failed;  // a sentence; later: the interface went away
  };

  // Opens what privileges are needed for, and starts no thread.
  DataPath(const TunnelOptions& options, Devices& devices, packet::Engine& engine, io::EventLoop& loop,
           Handlers handlers, Duration retry_after = Retry::kInterval);
  ~DataPath();
  DataPath(const DataPath&) = delete;
  DataPath& operator=(const DataPath&) = delete;

  // Closes the sockets and opens new ones: the preferred port, else any. Empty, or the sentence that says why no
  // family has a socket; the engine then sends nothing, and it is tried again every second. So is a family that has
  // none for want of descriptors or memory.
  [[nodiscard]] std::string bind();
  void start();
  void stop();
  // Nothing waits for the sockets. While the threads run.
  [[nodiscard]] bool sent_all();

  [[nodiscard]] PortPair ports() const noexcept { return ports_; }
  [[nodiscard]] bool hears_icmp() const noexcept { return icmp_ != nullptr; }
  [[nodiscard]] io::DataPlane& plane() noexcept { return plane_; }
  // What the sockets counted that bind() has closed.
  [[nodiscard]] const CounterMap& retired_counters() const noexcept { return retired_; }

 private:
  void fit_super_packets();
  [[nodiscard]] bool open_sockets();

  const TunnelOptions& options_;
  Devices& devices_;
  io::EventLoop& loop_;
  Handlers handlers_;
  io::DataPlane plane_;
  std::unique_ptr<io::IcmpErrors> icmp_;
  std::error_code deaf_;  // why there is none
  PortPair ports_;
  std::string unbound_;  // why no family has a socket
  Retry sockets_opened_;
  CounterMap retired_;
  SuperPacketLimit super_packets_;
  io::EventLoop::Id closed_watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id fit_timer_ = io::EventLoop::Id::none;
};

}  // namespace fireline::tunnel
