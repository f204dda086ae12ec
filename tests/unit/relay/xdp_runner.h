// Runs frames through the loaded XDP program by BPF_PROG_TEST_RUN, and reaches its maps by name.
#pragma once
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/base/wire.h"
#include "io/file_descriptor.h"
#include "relay/xdp_layout.h"
#include "relay/xdp_program.h"

namespace fireline::relay {

struct Ran {
  std::uint32_t verdict = XDP_ABORTED;
  std::vector<std::byte> frame;
};

// At least 14 bytes: the kernel takes no less.
inline Ran run_frame(int program, ConstBytes frame) {
  std::array<std::byte, 4096> out{};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = out.data();
  options.data_size_out = out.size();
  options.repeat = 1;
  const int failed = bpf_prog_test_run_opts(program, &options);
  EXPECT_EQ(failed, 0) << std::strerror(-failed);
  const auto bytes = ConstBytes(out).first(failed == 0 ? options.data_size_out : 0);
  return {options.retval, {bytes.begin(), bytes.end()}};
}

inline std::uint32_t verdict_of(xdp_outcome outcome) {
  if (unsigned{outcome} < unsigned{xdp_first_pass}) return XDP_TX;
  return unsigned{outcome} < unsigned{xdp_first_drop} ? XDP_PASS : XDP_DROP;
}

inline Instant boot_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

inline io::FileDescriptor map_named(int program, std::string_view name) {
  std::array<std::uint32_t, 32> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  std::uint32_t bytes = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(program, &info, &bytes), 0);
  for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) {
    io::FileDescriptor map(bpf_map_get_fd_by_id(ids.at(i)));
    bpf_map_info map_info{};
    bytes = sizeof(map_info);
    EXPECT_EQ(bpf_obj_get_info_by_fd(map.get(), &map_info, &bytes), 0);
    if (name == map_info.name) return map;
  }
  ADD_FAILURE() << "no map named " << name;
  return {};
}

// A kernel that refuses BPF (a container, an old or hardened host) skips the test; anything else is a failure.
#define FIRELINE_LOAD_OR_SKIP(program, settings)                                       \
  auto program = XdpProgram::load(settings);                                           \
  if (!program && (program.error().code == EPERM || program.error().code == ENOSYS)) { \
    GTEST_SKIP() << program.error().sentence;                                          \
  }                                                                                    \
  ASSERT_TRUE(program.has_value()) << program.error().sentence

}  // namespace fireline::relay
