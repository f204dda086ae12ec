// Live frames: the kernel makes frames, runs a program on each as a driver would, and sends what it answers with XDP_TX
// out of a veth, whose far end counts and drops them (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES).
//
// Lifetime: owns programs; the interfaces live in the caller's network namespace and go with it. Threads: one, which
// should stay on one CPU. Needs CAP_NET_ADMIN, CAP_BPF and Linux 5.18.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/base/result.h"
#include "tools/bench/xdp_world.h"

namespace fireline::bench {

class XdpLive {
 public:
  // Makes a veth pair in the present network namespace, which should be a fresh one.
  [[nodiscard]] static Result<XdpLive, std::string> make();
  XdpLive(XdpLive&&) noexcept;
  XdpLive& operator=(XdpLive&&) noexcept;
  ~XdpLive();

  [[nodiscard]] int empty_fd() const noexcept;  // returns XDP_TX and does nothing else
  [[nodiscard]] int swap_fd() const noexcept;   // swaps the MAC addresses: a plain hop

  // Nanoseconds per frame, sending included; the frames take turns. All of one length, at least 72 bytes. An error when
  // fewer arrived at the far end than were sent.
  [[nodiscard]] Result<double, std::string> run(int program, std::span<const FrameBytes> frames, int repeat);

 private:
  struct State;
  explicit XdpLive(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace fireline::bench
