// The words of the options that every program with a data plane has: --threads, --cipher-threads, --udp-io and --nice.
// Start-up only.
#pragma once
#include <fmt/format.h>

#include <array>
#include <charconv>
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

// Sets `out`, or gives the sentence that says what is allowed.
[[nodiscard]] inline std::optional<std::string> read_cipher_threads(const std::string& word, unsigned& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  const bool whole = error == std::errc{} && end == word.data() + word.size();
  if (whole && out <= io::kCipherThreadsMax) return std::nullopt;
  return fmt::format("--cipher-threads cannot be \"{}\": use a number from 0 to {}", word, io::kCipherThreadsMax);
}

inline constexpr std::array kUdpIos{Choice{std::string_view("auto"), io::UdpIo::automatic},
                                    Choice{std::string_view("io_uring"), io::UdpIo::io_uring},
                                    Choice{std::string_view("syscall"), io::UdpIo::syscall}};
inline constexpr const char* kUdpIoHelp = "io_uring, syscall or auto (default)";

inline constexpr const char* kNiceHelp =
    "Nice value of all threads, -20 to 19 (default -7, or what it was started with)";
static_assert(platform::kDataPlaneNice == -7);

// As read_cipher_threads(); an empty word leaves `out` as it is.
[[nodiscard]] inline std::optional<std::string> read_nice(const std::string& word, std::optional<int>& out) {
  if (word.empty()) return std::nullopt;
  int nice = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), nice);
  const bool whole = error == std::errc{} && end == word.data() + word.size();
  if (!whole || nice < platform::kNiceMin || nice > platform::kNiceMax) {
    return fmt::format("--nice cannot be \"{}\": use a number from {} to {}", word, platform::kNiceMin,
                       platform::kNiceMax);
  }
  out = nice;
  return std::nullopt;
}

}  // namespace fireline
