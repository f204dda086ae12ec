// What happens to one network interface: up, down, another MTU, moved, gone. By rtnetlink (RTNLGRP_LINK) over libmnl.
// The interface is followed by its index: a new name is no event. It is followed into another network namespace too,
// as containers want it (`ip link set wg0 netns container`), and back; Linux 4.20.
//
// The descriptor becomes readable when something may have happened; drain() then tells what. Each event is a difference
// to the state last reported, so nothing is told twice and an overflow of the socket loses nothing but detail: the
// state is asked for anew. Only a move that an overflow swallows reads as removed. Lifetime: self-contained. Threads:
// one at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

struct mnl_socket;

namespace fireline::platform {

// `lost`: moved to where it cannot be followed, which is anywhere without hears_all_namespaces(), and from another
// namespace anywhere but back.
enum class LinkEvent : std::uint8_t { up, down, mtu_changed, moved, lost, removed };

struct LinkState {
  bool present = false;
  bool up = false;  // administratively (IFF_UP)
  std::uint32_t mtu = 0;

  friend bool operator==(const LinkState&, const LinkState&) = default;
};

using LinkError = HostError;

// Where notifications come in. The kernel asks for CAP_NET_BROADCAST when it is opened and never again: a program that
// drops capabilities opens it before.
class LinkSocket {
 public:
  [[nodiscard]] static Result<LinkSocket, LinkError> open();

  [[nodiscard]] int fd() const noexcept;
  [[nodiscard]] bool hears_all_namespaces() const noexcept { return hears_all_; }

 private:
  struct Closer {
    void operator()(mnl_socket* socket) const noexcept;
  };
  LinkSocket(std::unique_ptr<mnl_socket, Closer> socket, bool hears_all) noexcept
      : socket_(std::move(socket)), hears_all_(hears_all) {}

  std::unique_ptr<mnl_socket, Closer> socket_;
  bool hears_all_ = false;
};

// An interface by its index, and the id of its network namespace as this one knows it (rtnetlink's nsid).
struct LinkPlace {
  std::optional<std::int32_t> nsid;  // empty: this namespace
  std::uint32_t index = 0;

  friend bool operator==(const LinkPlace&, const LinkPlace&) = default;
};

class LinkMonitor {
 public:
  // Reads the present state before it returns. ENODEV when there is no such interface.
  [[nodiscard]] static Result<LinkMonitor, LinkError> open(const std::string& interface_name, LinkSocket socket);
  [[nodiscard]] static Result<LinkMonitor, LinkError> open(const std::string& interface_name);

  [[nodiscard]] int fd() const noexcept { return socket_.fd(); }
  // As last reported by open() or drain().
  [[nodiscard]] const LinkPlace& place() const noexcept { return place_; }
  [[nodiscard]] const LinkState& state() const noexcept { return state_; }

  // Never blocks. Events in their order; after `removed` or `lost` there is none. Bounded work: what is left keeps the
  // descriptor readable. An error means that the kernel can no longer be asked.
  [[nodiscard]] Result<std::vector<LinkEvent>, LinkError> drain();
  // Notifications were lost and the state could not be asked for, for want of descriptors or memory: call drain() again
  // after a while, nothing may become readable.
  [[nodiscard]] bool is_behind() const noexcept { return overflowed_; }

 private:
  LinkMonitor(LinkSocket socket, LinkPlace place) noexcept : socket_(std::move(socket)), place_(place) {}
  [[nodiscard]] Result<std::vector<LinkEvent>, LinkError> finish_overflow(std::vector<LinkEvent> events);
  [[nodiscard]] bool is_here(std::optional<std::int32_t> nsid);
  void follow(const LinkPlace& target, std::vector<LinkEvent>& events);
  void report(const LinkState& next, std::vector<LinkEvent>& events);

  LinkSocket socket_;
  LinkPlace place_;
  std::optional<std::int32_t> own_nsid_;
  LinkState state_;
  bool overflowed_ = false;
};

}  // namespace fireline::platform
