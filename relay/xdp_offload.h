// The relay's XDP fast path as user space sees it: loads the program, configures and attaches it, and keeps its maps in
// step with the server's bindings. Relay specification, sections 4.1, 4.8 and 4.9; docs/xdp.md.
//
// Everything hangs on descriptors of this object: when it is dropped, or the process dies by any signal, the program is
// detached and the maps are gone. Entries carry their own end, which the program checks, so that a link that somebody
// pinned does not forward for longer than was granted.
// Threads: one owner; concurrent writers of the maps are not safe by design. Never blocks for longer than a system
// call; add() asks the kernel for routes (about 50 µs). Asked for and impossible is an error, never a silent fallback.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "relay/protocol/host.h"
#include "relay/route_check.h"
#include "relay/xdp_program.h"

namespace fireline::relay {

enum class XdpMode : std::uint8_t {
  driver,   // XDP_FLAGS_DRV_MODE
  generic,  // XDP_FLAGS_SKB_MODE
};

struct XdpOptions {
  std::string interface;
  XdpMode mode = XdpMode::driver;
  // interface4, interface6 empty: the first IPv4 and the first global IPv6 address of the interface, read in open().
  XdpSettings settings;
  // Looks the next hops of both sides up for every binding. Off only where the caller knows the topology.
  bool check_routes = true;
};

// What add() did. Only `full` is a failure: nothing is left in place then.
struct XdpAdded {
  enum class What : std::uint8_t {
    offloaded,
    user_space,  // known to the program, which passes its frames; `reason` says why
    full,
  };
  What what = What::offloaded;
  HopReason reason = HopReason::common_router;
};

class XdpOffload {
 public:
  // Loads, writes the configuration, attaches, in this order. Raises no limit and keeps no privilege: CAP_BPF and
  // CAP_NET_ADMIN may be dropped afterwards (Linux 5.19 and newer), the maps are reached by descriptors.
  [[nodiscard]] static Result<XdpOffload, XdpError> open(const XdpOptions& options);
  XdpOffload(XdpOffload&&) noexcept;
  XdpOffload& operator=(XdpOffload&&) noexcept;
  ~XdpOffload();  // detaches

  // As XdpProgram's: for after privileges were dropped.
  [[nodiscard]] std::optional<XdpError> check_access() const;

  // Both entries are in place, or replaced, when it returns; also for refreshed and revived bindings. A client's
  // channel that gets another peer is removed with its old peer first.
  [[nodiscard]] XdpAdded add(const ChannelBinding& binding);
  // Entries that add() offloaded get the binding's new end, without a look at routes: three system calls on the maps.
  void prolong(const ChannelBinding& binding) noexcept;
  // Takes both entries out; either may already be gone.
  void remove(const ChannelBinding& binding) noexcept;
  // While a port is closed its frames pass, so that the host's own traffic is never dropped.
  void port_opened(std::uint16_t port) noexcept;
  void port_closed(std::uint16_t port) noexcept;

  // Totals since open(). A system call per outcome: for once a second, not for every packet.
  [[nodiscard]] XdpCounts counters() const;
  // How often add() left a binding to user space, by HopReason.
  [[nodiscard]] const std::array<std::uint64_t, kHopReasons>& not_offloaded() const noexcept;
  // What to tell the operator at start, a sentence each: a family without an interface address, a veth whose far end
  // has no program.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;
  // The settings in force, with the interface's addresses.
  [[nodiscard]] const XdpSettings& settings() const noexcept;
  // Takes what the debug ring holds; empty without one.
  [[nodiscard]] std::vector<xdp_debug_event> drain_debug();
  // The link that keeps the program attached. Borrowed; a test pins it.
  [[nodiscard]] int link_fd() const noexcept;

 private:
  struct State;
  // Where frames of that client go: to the peer, or, when the peer is this relay, to the client that has the peer's
  // port. Nothing: nobody has bound a channel there yet.
  [[nodiscard]] std::optional<IpAddress> far_side(const ChannelBinding& binding) const;
  explicit XdpOffload(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace fireline::relay
