// Preloaded into a program under test, it shifts the clocks that the program sees, so that a scenario lets minutes pass
// without waiting: boot and wall time run ahead of the kernel's by the nanoseconds that the file named in
// FIRELINE_TIME_SHIFT holds (native 64-bit, written by the scenario at any time). Timers are set for the kernel's
// clock.
//
// A timer that was armed before a jump still comes at its old instant: the scenario sends something, and the program
// then reads its clocks. The kernel's own view, the ends of XDP entries for instance, knows nothing of the jump.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

const std::atomic<std::int64_t>* map_shift() {
  const char* path = std::getenv("FIRELINE_TIME_SHIFT");
  const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
  void* const page = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) std::abort();  // a scenario that shifts nothing would prove nothing
  ::close(fd);
  return static_cast<const std::atomic<std::int64_t>*>(page);
}

// Mapped before main: the program may forbid itself to open files later.
const std::atomic<std::int64_t>* const shift = map_shift();

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
auto* const kernel_clock_gettime = next<int(clockid_t, timespec*)>("clock_gettime");
auto* const kernel_timerfd_settime = next<int(int, int, const itimerspec*, itimerspec*)>("timerfd_settime");

timespec moved(timespec time, std::int64_t nanoseconds) {
  const std::int64_t total = time.tv_sec * kSecond + time.tv_nsec + nanoseconds;
  // A timer in the past comes at once; zero would disarm it.
  const std::int64_t positive = total > 0 ? total : 1;
  return {.tv_sec = positive / kSecond, .tv_nsec = positive % kSecond};
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = kernel_clock_gettime(clock, time);
  if (result == 0 && (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME)) *time = moved(*time, shift->load());
  return result;
}

int timerfd_settime(int fd, int flags, const itimerspec* wanted, itimerspec* old) noexcept {
  itimerspec value = *wanted;
  const bool armed = value.it_value.tv_sec != 0 || value.it_value.tv_nsec != 0;
  if (armed && (flags & TFD_TIMER_ABSTIME) != 0) value.it_value = moved(value.it_value, -shift->load());
  return kernel_timerfd_settime(fd, flags, &value, old);
}

}  // extern "C"
