// Tells which destinations ICMP errors call unreachable: a raw socket per family on the control thread. The UDP sockets
// stay free of IP_RECVERR, which makes a later send fail for an earlier one's sake.
// Works in the calling thread's network namespace; needs CAP_NET_RAW when it opens.
//
// Lifetime: loop, and what the handler captures, outlive it. Threads: the loop's.
// Limits: kIcmpPerTurn messages per turn of the loop, the rest in the next turns; the kernel's buffer bounds the queue.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"

namespace fireline::io {

inline constexpr int kIcmpPerTurn = 64;  // a flood of errors leaves the control thread to others as well

class IcmpErrors {
 public:
  // Which datagrams of ours, by where they were to go: what one turn read, in its order and never empty.
  using Handler = std::move_only_function<void(std::span<const Endpoint> destinations)>;

  // The first family's error when neither opens: EPERM without the capability.
  [[nodiscard]] static Result<std::unique_ptr<IcmpErrors>, std::error_code> open(EventLoop& loop, Handler handler);
  ~IcmpErrors();
  IcmpErrors(const IcmpErrors&) = delete;
  IcmpErrors& operator=(const IcmpErrors&) = delete;

  // Errors about datagrams from other ports of this host are not ours. 0: none of that family.
  void set_ports(std::uint16_t v4, std::uint16_t v6) noexcept { ports_ = {v4, v6}; }

 private:
  IcmpErrors(EventLoop& loop, Handler handler) noexcept : loop_(loop), handler_(std::move(handler)) {}
  void receive(Family family);
  void read(Family family);  // into unreachable_

  struct Side {
    FileDescriptor socket;
    EventLoop::Id watch = EventLoop::Id::none;
  };
  EventLoop& loop_;
  Handler handler_;
  std::array<Side, 2> sides_;  // by Family
  std::array<std::uint16_t, 2> ports_{};
  std::vector<Endpoint> unreachable_;  // of this turn
};

}  // namespace fireline::io
