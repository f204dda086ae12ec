// What `fireline-bench xdp` runs through the relay's program: for each pair of directions a program with bindings, and
// frames that bounce: what the first direction makes of a frame is the input of the second, which makes the first frame
// again. Bindings are laid so that both parties of a frame are the same two addresses all the time.
//
// Lifetime: a world owns its program. Threads: one. Needs CAP_BPF. Limits: kChannelsMax channels.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "relay/xdp_layout.h"
#include "relay/xdp_program.h"

namespace fireline::bench {

inline constexpr int kChannelsMax = 16384;  // the range of channel numbers, 0x4000 to 0x7FFF

using FrameBytes = std::vector<std::byte>;

struct XdpPair {
  xdp_outcome first;
  xdp_outcome second;
};

// All twelve directions.
inline constexpr std::array<XdpPair, 7> kXdpPairs = {{
    {xdp_channel4_to_udp4, xdp_udp4_to_channel4},
    {xdp_channel6_to_udp6, xdp_udp6_to_channel6},
    {xdp_channel4_to_udp6, xdp_udp6_to_channel4},
    {xdp_channel6_to_udp4, xdp_udp4_to_channel6},
    {xdp_channel4_to_channel4, xdp_channel4_to_channel4},
    {xdp_channel6_to_channel6, xdp_channel6_to_channel6},
    {xdp_channel4_to_channel6, xdp_channel6_to_channel4},
}};

class XdpWorld {
 public:
  // Verified: each frame was bounced once before this returns. The sentence says what did not work.
  [[nodiscard]] static Result<XdpWorld, std::string> make(const XdpPair& pair, int channels);

  [[nodiscard]] const XdpPair& pair() const noexcept { return pair_; }
  [[nodiscard]] const relay::XdpProgram& program() const noexcept { return program_; }
  // One frame per channel: inputs of the first and of the second direction.
  [[nodiscard]] std::span<const FrameBytes> first() const noexcept { return first_; }
  [[nodiscard]] std::span<const FrameBytes> second() const noexcept { return second_; }

 private:
  XdpWorld(const XdpPair& pair, relay::XdpProgram program) : pair_(pair), program_(std::move(program)) {}

  XdpPair pair_;
  relay::XdpProgram program_;
  std::vector<FrameBytes> first_;
  std::vector<FrameBytes> second_;
};

// A frame for each reason to pass or drop that a frame alone can have, and the program that gives that reason.
struct XdpReason {
  xdp_outcome outcome;
  FrameBytes frame;
};
class XdpReasonWorld {
 public:
  [[nodiscard]] static Result<XdpReasonWorld, std::string> make();
  [[nodiscard]] const relay::XdpProgram& program() const noexcept { return program_; }
  [[nodiscard]] std::span<const XdpReason> reasons() const noexcept { return reasons_; }

 private:
  explicit XdpReasonWorld(relay::XdpProgram program) : program_(std::move(program)) {}

  relay::XdpProgram program_;
  std::vector<XdpReason> reasons_;
};

struct TestRun {
  FrameBytes frame;  // as the last run left it
  std::uint32_t verdict = 0;
  double nanoseconds = 0;  // per run
};
// BPF_PROG_TEST_RUN: runs the program `repeat` times on one frame, which each run takes as the last one left it.
[[nodiscard]] Result<TestRun, std::string> test_run(int program, std::span<const std::byte> frame, int repeat);

}  // namespace fireline::bench
