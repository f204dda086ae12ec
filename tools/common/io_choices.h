// The words of the options that every program with a data plane has: --threads, --cipher-threads, --udp-io and --nice.
// Start-up only.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "io/cipher_helper.h"
#include "io/thread_mode.h"
#include "io/udp_io.h"
#include "platform/linux/nice_value.h"
#include "tools/common/choice.h"

namespace fireline {

// Empty: by the number of usable CPUs.
using ThreadChoice = std::optional<io::ThreadMode>;
inline constexpr std::array kThreadModes{Choice{std::string_view("split"), ThreadChoice(io::ThreadMode::split)},
                                         Choice{std::string_view("direct"), ThreadChoice(io::ThreadMode::direct)},
                                         Choice{std::string_view("fused"), ThreadChoice(io::ThreadMode::fused)},
                                         Choice{std::string_view("auto"), ThreadChoice()}};
inline constexpr const char* kThreadsHelp = "split, direct, fused or auto (default)";

inline constexpr const char* kCipherThreadsHelp = "Threads beside the packet thread for the cipher, 0 (default) to 8";
static_assert(io::kCipherThreadsMax == 8);

[[nodiscard]] inline std::optional<std::string> read_cipher_threads(const std::string& word, unsigned& out) {
  return read_number("--cipher-threads", word, 0U, unsigned{io::kCipherThreadsMax}, out);
}

inline constexpr std::array kUdpIos{Choice{std::string_view("auto"), io::UdpIo::automatic},
                                    Choice{std::string_view("io_uring"), io::UdpIo::io_uring},
                                    Choice{std::string_view("syscall"), io::UdpIo::syscall}};
inline constexpr const char* kUdpIoHelp = "io_uring, syscall or auto (default)";

inline constexpr const char* kNiceHelp =
    "Nice value of all threads, -20 to 19 (default -7, or what it was started with)";
static_assert(platform::kDataPlaneNice == -7);

// An empty word leaves `out` as it is.
[[nodiscard]] inline std::optional<std::string> read_nice(const std::string& word, std::optional<int>& out) {
  if (word.empty()) return std::nullopt;
  int nice = 0;
  auto wrong = read_number("--nice", word, platform::kNiceMin, platform::kNiceMax, nice);
  if (!wrong) out = nice;
  return wrong;
}

}  // namespace fireline
