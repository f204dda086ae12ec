#include "tools/bench/squeeze.h"

#include <fmt/format.h>
#include <pthread.h>

#include <charconv>
#include <filesystem>
#include <stop_token>
#include <string>

#include "tools/bench/core_affinity.h"

namespace fireline::bench {
namespace {

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> threads;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), error)) {
    const std::string name = entry.path().filename().string();
    pid_t thread = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc()) threads.push_back(thread);
  }
  return threads;
}

}  // namespace

Squeeze::Squeeze(std::span<const pid_t> processes) {
  const cpu_set_t core = only(usable_cores().back());
  for (const pid_t process : processes) {
    for (const pid_t thread : threads_of(process)) {
      cpu_set_t before;
      if (sched_getaffinity(thread, sizeof before, &before) != 0) continue;  // it has just ended
      if (sched_setaffinity(thread, sizeof core, &core) == 0) before_.emplace_back(thread, before);
    }
  }
  for (std::jthread& spinner : spinners_) {
    spinner = std::jthread([core](const std::stop_token& stop) {
      (void)pthread_setaffinity_np(pthread_self(), sizeof core, &core);
      while (!stop.stop_requested()) {
      }
    });
  }
}

Squeeze::~Squeeze() {
  for (const auto& [thread, before] : before_) (void)sched_setaffinity(thread, sizeof before, &before);
}

}  // namespace fireline::bench
