// fireline-lab-delay: a wire between two interfaces that takes time, and loses or reorders segments where it is asked
// to. For kernels without netem. One thread; it carries what one core copies, and says at its end how much that is.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <string>

#include "io/loop_thread.h"
#include "tools/command_line/command_line.h"
#include "tools/delay/delay_line.h"
#include "tools/delay/packet_link.h"

namespace {

using namespace fireline;
using namespace fireline::lab;

// Frames taken from one side before the other is looked at.
constexpr int kFramesPerTurn = 64;

struct Direction {
  PacketLink& from;
  PacketLink& to;
  DelayLine line;
  bool blocked = false;  // `to` has no room

  void turn(Instant now) {
    for (int i = 0; i < kFramesPerTurn; ++i) {
      auto frame = from.receive();
      if (!frame) break;
      line.push(now, std::move(*frame));
    }
    blocked = false;
    while (line.due() && *line.due() <= now) {
      if (!to.send(line.front())) {
        blocked = true;
        break;
      }
      line.pop();
    }
  }
};

int complain(const std::string& sentence) {
  std::fprintf(stderr, "fireline-lab-delay: %s\n", sentence.c_str());
  return 1;
}

void report(const char* name, const Direction& direction) {
  const auto& counts = direction.line.counts();
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%s: frames %llu, carried %llu, lost %llu, late %llu, full %llu, kernel drops %llu\n", name,
              number(counts.frames), number(counts.carried), number(counts.lost), number(counts.late),
              number(counts.full), number(direction.from.kernel_drops()));
}

// What this wire could have carried at most: by the time that its thread was busy with what it did carry, and by what
// may be under way at once.
void report_ceiling(std::uint64_t bytes, Duration delay) {
  timespec used{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  const double busy = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  const auto gigabits = [](double count, double seconds) { return seconds > 0 ? count * 8 / seconds / 1e9 : 0; };
  const double thread = gigabits(static_cast<double>(bytes), busy);
  const double line = gigabits(kLineBytesMax, std::chrono::duration<double>(delay).count());
  std::printf("ceiling: %.3f Gbit/s (%.3f GB in %.3f s of CPU: %.3f; %zu MiB on the way: %.3f)\n",
              delay > Duration::zero() ? std::min(thread, line) : thread, static_cast<double>(bytes) / 1e9, busy,
              thread, kLineBytesMax >> 20, line);
}

// Until a signal: sleeps for the next frame, due or arriving.
void run(Direction& there, Direction& back, int signals) {
  while (true) {
    const Instant now = io::read_clocks().boot;
    there.turn(now);
    back.turn(now);
    std::optional<Instant> next;
    for (const Direction* direction : {&there, &back}) {
      if (direction->blocked || !direction->line.due()) continue;
      if (!next || *direction->line.due() < *next) next = direction->line.due();
    }
    const auto events = [](bool blocked) { return static_cast<short>(blocked ? POLLIN | POLLOUT : POLLIN); };
    std::array<pollfd, 3> entries{pollfd{there.from.fd(), events(back.blocked), 0},
                                  pollfd{back.from.fd(), events(there.blocked), 0}, pollfd{signals, POLLIN, 0}};
    timespec wait{};
    if (next) {
      const auto left = std::max(Duration::zero(), *next - io::read_clocks().boot);
      wait.tv_sec = static_cast<std::time_t>(left / std::chrono::seconds(1));
      wait.tv_nsec = static_cast<long>((left % std::chrono::seconds(1)).count());
    }
    (void)::ppoll(entries.data(), entries.size(), next ? &wait : nullptr, nullptr);
    if ((entries[2].revents & POLLIN) != 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A wire between two interfaces that takes time and may lose or reorder segments.", "fireline-lab-delay");
  std::string left;
  std::string right;
  double milliseconds = 0;
  double loss = 0;
  double reorder = 0;
  double late_milliseconds = 1;
  std::uint64_t seed = 1;
  app.set_version_flag("--version", "fireline-lab-delay " FIRELINE_VERSION);
  app.add_option("LEFT", left, "One interface")->required();
  app.add_option("RIGHT", right, "The other")->required();
  app.add_option("--delay", milliseconds, "Milliseconds each way (default 0)")->check(CLI::Range(0.0, 10000.0));
  app.add_option("--loss", loss, "Share of the segments each way that are lost, 0 to 1 (default 0)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--reorder", reorder, "Share of the segments each way that others overtake, 0 to 1 (default 0)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--late-by", late_milliseconds, "Milliseconds that those are later (default 1)")
      ->check(CLI::Range(0.0, 10000.0));
  app.add_option("--seed", seed, "Of losses and reordering (default 1)");
  if (const auto exit = parse_command_line(app, argc, argv)) return leave(*exit, "fireline-lab-delay");

  auto first = PacketLink::open(left);
  if (!first) return complain(first.error().to_string());
  auto second = PacketLink::open(right);
  if (!second) return complain(second.error().to_string());
  const auto time = [](double given) {
    return std::chrono::round<Duration>(std::chrono::duration<double, std::milli>(given));
  };
  const DelayOptions options{
      .delay = time(milliseconds), .loss = loss, .reorder = reorder, .late_by = time(late_milliseconds)};
  Direction there{.from = *first, .to = *second, .line = DelayLine(options, seed)};
  Direction back{.from = *second, .to = *first, .line = DelayLine(options, seed + 1)};

  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const io::FileDescriptor signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) return complain("cannot receive signals");
  std::printf("%s and %s are joined\n", left.c_str(), right.c_str());
  std::fflush(stdout);
  run(there, back, signals.get());
  report("there", there);
  report("back", back);
  report_ceiling(there.line.counts().bytes + back.line.counts().bytes, options.delay);
  return 0;
}
