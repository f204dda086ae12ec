// What happens to one network interface: up, down, another MTU, gone. By rtnetlink (RTNLGRP_LINK) over libmnl.
// The interface is followed by its index: a new name is no event.
//
// The descriptor becomes readable when something may have happened; drain() then tells what. Each event is a difference
// to the state last reported, so nothing is told twice and an overflow of the socket loses nothing but detail: the
// state is asked for anew. Lifetime: self-contained. Threads: one at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

struct mnl_socket;

namespace fireline::platform {

enum class LinkEvent : std::uint8_t { up, down, mtu_changed, removed };

struct LinkState {
  bool present = false;
  bool up = false;  // administratively (IFF_UP)
  std::uint32_t mtu = 0;

  friend bool operator==(const LinkState&, const LinkState&) = default;
};

using LinkError = HostError;

class LinkMonitor {
 public:
  // Reads the present state before it returns. ENODEV when there is no such interface.
  [[nodiscard]] static Result<LinkMonitor, LinkError> open(const std::string& interface_name);
  LinkMonitor(LinkMonitor&&) noexcept;
  LinkMonitor& operator=(LinkMonitor&&) noexcept;
  ~LinkMonitor();

  [[nodiscard]] int fd() const noexcept;
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  // As last reported by open() or drain().
  [[nodiscard]] const LinkState& state() const noexcept { return state_; }

  // Never blocks. Events in their order; after `removed` there is none. Bounded work: what is left keeps the
  // descriptor readable. An error means that the kernel can no longer be asked.
  [[nodiscard]] Result<std::vector<LinkEvent>, LinkError> drain();

 private:
  struct SocketCloser {
    void operator()(mnl_socket* socket) const noexcept;
  };
  using Socket = std::unique_ptr<mnl_socket, SocketCloser>;

  LinkMonitor(Socket socket, std::uint32_t index) noexcept;
  [[nodiscard]] Result<LinkState, LinkError> query() const;
  [[nodiscard]] Result<std::vector<LinkEvent>, LinkError> finish_overflow(std::vector<LinkEvent> events);
  void report(const LinkState& next, std::vector<LinkEvent>& events);

  Socket socket_;
  std::uint32_t index_ = 0;
  LinkState state_;
  bool overflowed_ = false;
};

}  // namespace fireline::platform
