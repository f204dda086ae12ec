// The XDP program as loaded into the kernel, with its maps: configuration, bindings, live ports, counters. Knows
// neither interface nor route: relay/xdp_offload.h attaches it. Relay specification, sections 4.8 to 4.10.
//
// Lifetime: program and maps live while this object does, or longer if somebody else holds or pins them. Threads: one
// owner. Limits: XdpSettings::binding_entries per map. Times are CLOCK_BOOTTIME.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "relay/protocol/host.h"
#include "relay/xdp_layout.h"

namespace fireline::relay {

struct XdpError {
  int code = 0;          // errno, 0 when no system call failed
  std::string sentence;  // for a person, with the fix where there is one
};

struct XdpSettings {
  std::uint16_t listen_port = 3478;
  std::uint16_t lowest_port = 49152;
  std::uint16_t highest_port = 65535;
  std::optional<IpAddress> public4;
  std::optional<IpAddress> public6;
  std::optional<IpAddress> interface4;
  std::optional<IpAddress> interface6;
  // Frames of live ports without an entry pass, and channel data with padding: needed where user space forwards by
  // permissions, and for clients of RFC 8656 (static credentials).
  bool unknown_passes = false;
  // One event per frame in a ring, read by drain_debug(). Costs every frame; off in production.
  bool debug_ring = false;
  // Frames to any address are taken, not to the interface's alone: the benchmark bounces one frame between two.
  bool any_target_address = false;
  std::uint32_t binding_entries = xdp_binding_entries;  // per map
};

struct XdpCounts {
  std::array<xdp_count, xdp_outcome_count> outcomes{};  // indexed by xdp_outcome; summed over all CPUs
};
// "relayed.udp4_to_channel4", "pass.dns", "drop.expired" …; aborts on a number that is none.
[[nodiscard]] std::string_view name_of(xdp_outcome outcome) noexcept;

class XdpProgram {
 public:
  // Loads and writes the configuration, so that a program that can be attached is always configured.
  [[nodiscard]] static Result<XdpProgram, XdpError> load(const XdpSettings& settings);
  XdpProgram(XdpProgram&&) noexcept;
  XdpProgram& operator=(XdpProgram&&) noexcept;
  ~XdpProgram();

  enum class Forwarder : std::uint8_t { program, user_space };
  // Puts both halves in place, or replaces them. False: a map is full or cannot be written; neither half is in place.
  // With `user_space` the program knows the binding and passes its frames.
  [[nodiscard]] bool insert(const ChannelBinding& binding, Forwarder forwarder);
  // Halves that the program forwards by end with the binding's new `expires`; those of user space have no end.
  void prolong(const ChannelBinding& binding) noexcept;
  // Takes both halves out; either may already be gone.
  void erase(const ChannelBinding& binding) noexcept;
  void set_live(std::uint16_t port, bool live) noexcept;

  // Whether the maps can still be written, for after privileges were dropped. Kernels before 5.19 that forbid BPF to
  // the unprivileged refuse it by descriptor, too.
  [[nodiscard]] std::optional<XdpError> check_access() const;

  // A system call per outcome: for once a second, not for every packet.
  [[nodiscard]] XdpCounts counts() const;
  // Takes what the debug ring holds, at most kDebugEvents; empty without a ring.
  static constexpr std::size_t kDebugEvents = 4096;  // what one call may cost the loop: under a millisecond
  [[nodiscard]] std::vector<xdp_debug_event> drain_debug();

  // Borrowed. For attaching, and for BPF_PROG_TEST_RUN.
  [[nodiscard]] int fd() const noexcept;

 private:
  struct Loaded;
  explicit XdpProgram(std::unique_ptr<Loaded> loaded) noexcept;
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace fireline::relay
