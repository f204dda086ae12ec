// How the data plane's stations are spread over threads, and what `auto` means on this machine.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace fireline::io {

enum class ThreadMode : std::uint8_t {
  split,   // TUN thread ⇄ packet thread ⇄ UDP thread v4 / v6; writers run on their device's thread
  direct,  // the same threads, but the packet thread writes itself and hands over only after EAGAIN
  fused,   // one thread for all
};
[[nodiscard]] std::string_view name_of(ThreadMode mode) noexcept;
[[nodiscard]] std::optional<ThreadMode> parse_thread_mode(std::string_view text) noexcept;

// CPUs that this process may use: the smaller of its affinity mask and its cgroup's quota, rounded up; at least one.
[[nodiscard]] unsigned usable_cpus();

// The rule's figure is in docs/performance.md.
[[nodiscard]] ThreadMode automatic_thread_mode(unsigned cpus) noexcept;

}  // namespace fireline::io
