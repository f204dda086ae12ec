#include "tools/bench/cpu_meter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace fireline::bench {
namespace {

std::string file_content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

CpuTimes cpu_times(std::span<const pid_t> processes) {
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  CpuTimes times;
  for (const pid_t process : processes) {
    times.processes +=
        static_cast<double>(process_ticks(file_content(fmt::format("/proc/{}/stat", process))).value_or(0));
  }
  times.machine = static_cast<double>(busy_ticks(file_content("/proc/stat")).value_or(0));
  times.processes /= ticks_per_second;
  times.machine /= ticks_per_second;
  return times;
}

// proc(5): the second field is the name in parentheses, which may hold anything; utime and stime are the 14th and 15th.
std::optional<unsigned long> process_ticks(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  std::istringstream fields{std::string(stat.substr(name_end + 1))};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  unsigned long user = 0;
  unsigned long system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return user + system;
}

// proc(5): "cpu user nice system idle iowait irq softirq steal …".
std::optional<unsigned long> busy_ticks(std::string_view stat) {
  std::istringstream fields{std::string(stat.substr(0, stat.find('\n')))};
  std::string label;
  unsigned long user = 0;
  unsigned long nice = 0;
  unsigned long system = 0;
  unsigned long idle = 0;
  unsigned long io_wait = 0;
  unsigned long interrupts = 0;
  unsigned long soft_interrupts = 0;
  if (!(fields >> label >> user >> nice >> system >> idle >> io_wait >> interrupts >> soft_interrupts)) {
    return std::nullopt;
  }
  if (label != "cpu") return std::nullopt;
  return user + nice + system + interrupts + soft_interrupts;
}

}  // namespace fireline::bench
