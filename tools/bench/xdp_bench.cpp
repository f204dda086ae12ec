#include "tools/bench/xdp_bench.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/bench/core_affinity.h"
#include "tools/bench/process.h"
#include "tools/bench/report_parts.h"
#include "tools/bench/statistics.h"
#include "tools/bench/xdp_live.h"
#include "tools/bench/xdp_world.h"

namespace fireline::bench {
namespace {

using nlohmann::ordered_json;

constexpr int kBounceRuns = 100'000;  // 10 ms for one figure
// Of many channels so many take turns, spread over all of them. Each turn costs two RCU grace periods (20 ms each on an
// idle machine), and a turn shorter than a thousand runs measures the caches that the system call left behind.
constexpr int kBounceChannels = 100;
constexpr int kReasonRuns = 100'000;
constexpr int kLiveFrames = 200'000;

// Acceptance of the relay: a figure holds by itself, or by its ratio within the run.
constexpr double kHopNanoseconds = 130;
constexpr double kHopRatio = 1.75;
constexpr double kLiveMegapackets = 1.2;
constexpr double kLiveRatio = 0.8;

// What frames are compared with.
constexpr const char* kEmptyProgram = "empty program";
constexpr const char* kPlainHop = "plain hop";

constexpr double kNanosecondsPerMicrosecond = 1e3;

struct Figure {
  std::string name;
  std::function<Result<double, std::string>()> measure;  // nanoseconds
  std::vector<double> values{};

  [[nodiscard]] Summary summary() const { return summarize(values).value_or(Summary{}); }
  [[nodiscard]] double median() const { return summary().median; }
};

struct Group {
  std::string title;
  std::string baseline;  // the figure that ratios refer to; empty: none
  std::vector<Figure> figures{};

  [[nodiscard]] const Figure* find(const std::string& name) const {
    const auto at = std::ranges::find(figures, name, &Figure::name);
    return at == figures.end() ? nullptr : &*at;
  }
};

std::string direction(xdp_outcome outcome) {
  return std::string(relay::name_of(outcome)).substr(std::string("relayed.").size());
}

// Runs the frame to and fro; an even number of runs gives the frame back.
Result<double, std::string> bounce(const XdpWorld& world) {
  const auto frames = world.first();
  const std::size_t used = std::min<std::size_t>(frames.size(), kBounceChannels);
  const int repeat = kBounceRuns / static_cast<int>(used) / 2 * 2;
  double total = 0;
  for (std::size_t i = 0; i < used; ++i) {
    const auto ran = test_run(world.program().fd(), frames[i * frames.size() / used], repeat);
    if (!ran) return err(ran.error());
    if (ran->frame != frames[i * frames.size() / used]) return err(std::string("a bounced frame came back changed"));
    total += ran->nanoseconds;
  }
  return total / static_cast<double>(used);
}

Result<double, std::string> plain(int program, const FrameBytes& frame) {
  const auto ran = test_run(program, frame, kBounceRuns);
  if (!ran) return err(ran.error());
  return ran->nanoseconds;
}

// True when every figure could be measured; rounds alternate between all figures of a group.
Result<void, std::string> measure(Group& group, int rounds) {
  for (int round = 0; round <= rounds; ++round) {
    for (Figure& figure : group.figures) {
      const auto value = figure.measure();
      if (!value) return err(figure.name + ": " + value.error());
      if (round > 0) figure.values.push_back(*value);
    }
  }
  return {};
}

void print(const Group& group, bool rates) {
  std::printf("\n%s\n%-42s %28s %8s%s\n", group.title.c_str(), "", "ns: median (low to high)", "ratio",
              rates ? "     Mpps" : "");
  const Figure* baseline = group.find(group.baseline);
  for (const Figure& figure : group.figures) {
    const auto summary = figure.summary();
    std::printf("%-42s %10.0f (%6.0f to %6.0f)", figure.name.c_str(), summary.median, summary.low, summary.high);
    if (baseline != nullptr && baseline->median() > 0) std::printf(" %8.2f", summary.median / baseline->median());
    if (rates) std::printf(" %8.2f", kNanosecondsPerMicrosecond / summary.median);
    std::printf("\n");
  }
}

ordered_json as_json(const Group& group) {
  ordered_json figures = ordered_json::array();
  for (const Figure& figure : group.figures)
    figures.push_back({{"name", figure.name}, {"ns", summary_json(figure.values)}});
  return {{"title", group.title}, {"baseline", group.baseline}, {"figures", std::move(figures)}};
}

Judgement judge(const Group& group, const Figure& figure, double baseline) {
  const double ratio = figure.median() / baseline;
  const double rate = kNanosecondsPerMicrosecond / figure.median();
  Judgement judgement;
  bool holds = false;
  if (group.baseline == kEmptyProgram) {
    holds = rate >= kLiveMegapackets || 1 / ratio >= kLiveRatio;
    judgement.rule = fmt::format("{}: {} >= {:.1f} Mpps or {:.2f} x {}", group.title, figure.name, kLiveMegapackets,
                                 kLiveRatio, group.baseline);
    judgement.figure = fmt::format("{:.2f} Mpps, {:.2f} x", rate, 1 / ratio);
  } else {
    holds = figure.median() <= kHopNanoseconds || ratio <= kHopRatio;
    judgement.rule = fmt::format("{}: {} <= {:.0f} ns or {:.2f} x {}", group.title, figure.name, kHopNanoseconds,
                                 kHopRatio, group.baseline);
    judgement.figure = fmt::format("{:.0f} ns, {:.2f} x", figure.median(), ratio);
  }
  judgement.verdict = holds ? Verdict::pass : Verdict::fail;
  return judgement;
}

class XdpBench {
 public:
  explicit XdpBench(const XdpBenchOptions& options) : options_(options) {}

  Result<void, std::string> run() {
    if (options_.live) {
      auto live = XdpLive::make();
      if (!live) return err(live.error());
      live_.emplace(std::move(*live));
    }
    for (const int channels : options_.channels) {
      if (auto done = run_directions(channels); !done) return done;
    }
    return run_reasons();
  }

  [[nodiscard]] ordered_json groups() const {
    ordered_json groups = ordered_json::array();
    for (const auto& group : groups_) groups.push_back(as_json(group));
    return groups;
  }

  [[nodiscard]] std::vector<Judgement> judgements() const {
    std::vector<Judgement> all;
    for (const auto& group : groups_) {
      const Figure* baseline = group.find(group.baseline);
      if (baseline == nullptr) continue;
      for (const Figure& figure : group.figures) {
        if (figure.name != kEmptyProgram && figure.name != kPlainHop) {
          all.push_back(judge(group, figure, baseline->median()));
        }
      }
    }
    return all;
  }

 private:
  Result<void, std::string> run_directions(int channels) {
    std::vector<XdpWorld> worlds;
    for (const auto& pair : kXdpPairs) {
      auto world = XdpWorld::make(pair, channels);
      if (!world) return err(world.error());
      worlds.push_back(std::move(*world));
    }
    const std::string suffix = ", " + std::to_string(channels) + (channels == 1 ? " channel" : " channels");
    if (!live_) {
      auto live = XdpLive::make();  // for the programs to compare with
      if (!live) return err(live.error());
      live_.emplace(std::move(*live));
    }
    Group bounced{"One hop by bounce" + suffix, kPlainHop};
    const auto& frame = worlds.front().first().front();
    bounced.figures.push_back({kEmptyProgram, [this, &frame] { return plain(live_->empty_fd(), frame); }});
    bounced.figures.push_back({kPlainHop, [this, &frame] { return plain(live_->swap_fd(), frame); }});
    for (const auto& world : worlds) {
      const auto& [first, second] = world.pair();
      const std::string name = direction(first) + (first == second ? "" : " and back");
      bounced.figures.push_back({name, [&world] { return bounce(world); }});
    }
    if (auto done = finish(std::move(bounced), false); !done) return done;
    if (!options_.live) return {};

    Group live{"Live frames over a veth" + suffix, kEmptyProgram};
    const auto add = [&](const std::string& name, int program, std::span<const FrameBytes> frames) {
      live.figures.push_back({name, [this, program, frames] { return live_->run(program, frames, kLiveFrames); }});
    };
    add(kEmptyProgram, live_->empty_fd(), worlds.front().first());
    add(kPlainHop, live_->swap_fd(), worlds.front().first());
    for (const auto& world : worlds) {
      const auto& [first, second] = world.pair();
      add(direction(first), world.program().fd(), world.first());
      if (first != second) add(direction(second), world.program().fd(), world.second());
    }
    return finish(std::move(live), true);
  }

  Result<void, std::string> run_reasons() {
    const auto world = XdpReasonWorld::make();
    if (!world) return err(world.error());
    Group group{"Frames that pass or are dropped, by test run", ""};
    for (const auto& reason : world->reasons()) {
      group.figures.push_back(
          {std::string(relay::name_of(reason.outcome)), [&world, &reason]() -> Result<double, std::string> {
             const auto ran = test_run(world->program().fd(), reason.frame, kReasonRuns);
             if (!ran) return err(ran.error());
             return ran->nanoseconds;
           }});
    }
    return finish(std::move(group), false);
  }

  Result<void, std::string> finish(Group group, bool rates) {
    if (auto done = measure(group, options_.rounds); !done) return done;
    print(group, rates);
    for (auto& figure : group.figures) figure.measure = {};  // what it refers to goes
    groups_.push_back(std::move(group));
    return {};
  }

  const XdpBenchOptions& options_;
  std::optional<XdpLive> live_;
  std::vector<Group> groups_;
};

// Counters are per CPU and live frames must not change it; the namespace goes with the process.
Result<void, std::string> settle() {
  const cpu_set_t one = only(static_cast<unsigned>(::sched_getcpu()));
  if (::sched_setaffinity(0, sizeof(one), &one) != 0) return err(std::string("cannot stay on one CPU"));
  if (::unshare(CLONE_NEWNET) != 0) {
    return err(std::string("cannot make a network namespace: ") + std::strerror(errno) + ": run it as root");
  }
  return {};
}

}  // namespace

int run_xdp_bench(const XdpBenchOptions& options) {
  const Machine machine = describe_machine();
  print_heading(options.command, machine);
  XdpBench bench(options);
  auto done = settle();
  if (done) done = bench.run();
  if (!done) throw BenchError(done.error());
  ordered_json report = report_head("xdp", options.command, machine);
  report["rounds"] = options.rounds;
  report["groups"] = bench.groups();
  std::printf("\n");
  return conclude(std::move(report), bench.judgements(), options.files, options.check);
}

}  // namespace fireline::bench
