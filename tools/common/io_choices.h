// The words of the options that every program with a data plane has: --threads and --udp-io. Start-up only.
#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "io/thread_mode.h"
#include "io/udp_io.h"
#include "tools/common/choice.h"

namespace fireline {

// Empty: by the number of usable CPUs.
using ThreadChoice = std::optional<io::ThreadMode>;
inline constexpr std::array kThreadModes{Choice{std::string_view("split"), ThreadChoice(io::ThreadMode::split)},
                                         Choice{std::string_view("direct"), ThreadChoice(io::ThreadMode::direct)},
                                         Choice{std::string_view("fused"), ThreadChoice(io::ThreadMode::fused)},
                                         Choice{std::string_view("auto"), ThreadChoice()}};
inline constexpr const char* kThreadsHelp = "split, direct, fused or auto (default)";

inline constexpr std::array kUdpIos{Choice{std::string_view("auto"), io::UdpIo::automatic},
                                    Choice{std::string_view("io_uring"), io::UdpIo::io_uring},
                                    Choice{std::string_view("syscall"), io::UdpIo::syscall}};
inline constexpr const char* kUdpIoHelp = "io_uring, syscall or auto (default)";

}  // namespace fireline
