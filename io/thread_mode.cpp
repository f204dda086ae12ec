#include "io/thread_mode.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace fireline::io {
namespace {

// cgroup v2: "max 100000" or "150000 100000" (quota and period in microseconds); the process's own group and all
// above it count.
unsigned quota_cpus() {
  unsigned cpus = std::numeric_limits<unsigned>::max();
  std::string line;
  std::ifstream groups("/proc/self/cgroup");
  while (std::getline(groups, line)) {
    if (!line.starts_with("0::")) continue;
    for (std::string path = line.substr(3);;) {
      std::ifstream limit("/sys/fs/cgroup" + path + "/cpu.max");
      double quota = 0;
      double period = 0;
      if (limit >> quota >> period && period > 0) {
        cpus = std::min(cpus, static_cast<unsigned>(std::max(1.0, (quota + period - 1) / period)));
      }
      const auto slash = path.rfind('/');
      if (slash == std::string::npos || path == "/") break;
      path = slash == 0 ? "/" : path.substr(0, slash);
    }
  }
  return cpus;
}

}  // namespace

std::string_view name_of(ThreadMode mode) noexcept {
  switch (mode) {
    case ThreadMode::split:
      return "split";
    case ThreadMode::direct:
      return "direct";
    case ThreadMode::fused:
      return "fused";
  }
  return "";
}

std::optional<ThreadMode> parse_thread_mode(std::string_view text) noexcept {
  for (const ThreadMode mode : {ThreadMode::split, ThreadMode::direct, ThreadMode::fused}) {
    if (text == name_of(mode)) return mode;
  }
  return std::nullopt;
}

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const unsigned allowed = ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
  return std::max(1U, std::min(allowed, quota_cpus()));
}

ThreadMode automatic_thread_mode(unsigned cpus) noexcept {
  return cpus <= 2 ? ThreadMode::fused : ThreadMode::direct;
}

}  // namespace fireline::io
