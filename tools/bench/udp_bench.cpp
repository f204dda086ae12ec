#include "tools/bench/udp_bench.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"
#include "tools/bench/report_files.h"
#include "tools/bench/report_parts.h"
#include "tools/bench/statistics.h"
#include "tools/bench/thread_cost.h"
#include "tools/bench/udp_methods.h"

namespace fireline::bench {
namespace {

// One wave fits the receiver's socket buffer (16 MiB, some 2.3 KiB charged for each datagram) with room to spare.
constexpr std::size_t kWaveDatagrams = 60 * kCallDatagrams;
constexpr int kWavesPerRound = 4;
// With GRO the last train reaches the socket a moment after the send returns.
constexpr int kLateMilliseconds = 200;

constexpr std::size_t kBytesMin = 16;
constexpr std::size_t kBytesMax = 1472;  // an Ethernet frame's worth

struct Figure {
  std::unique_ptr<UdpMethod> method;
  std::vector<double> send_ns;  // per datagram, one per round
  std::vector<double> receive_ns;
};

struct WaveCost {  // CPU time
  double send_ns = 0;
  double receive_ns = 0;
};

// Sends a wave and takes it out again; waiting for the last train is not part of either figure.
WaveCost run_wave(UdpMethod& method) {
  WaveCost cost;
  const double sending = thread_nanoseconds();
  method.send(kWaveDatagrams);
  cost.send_ns = thread_nanoseconds() - sending;
  std::size_t received = 0;
  for (;;) {
    const double receiving = thread_nanoseconds();
    for (std::size_t count; received < kWaveDatagrams && (count = method.receive()) > 0;) received += count;
    cost.receive_ns += thread_nanoseconds() - receiving;
    if (received >= kWaveDatagrams) return cost;
    pollfd waiting{.fd = method.poll_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kLateMilliseconds) != 1) {
      throw BenchError(std::string(method.send_name()) + ": only " + std::to_string(received) + " of " +
                       std::to_string(kWaveDatagrams) + " datagrams arrived: the figures would be wrong");
    }
  }
}

void run_round(Figure& figure, bool counts) {
  WaveCost total;
  for (int wave = 0; wave < kWavesPerRound; ++wave) {
    const WaveCost cost = run_wave(*figure.method);
    total.send_ns += cost.send_ns;
    total.receive_ns += cost.receive_ns;
  }
  if (!counts) return;
  constexpr double kDatagrams = static_cast<double>(kWaveDatagrams) * kWavesPerRound;
  figure.send_ns.push_back(total.send_ns / kDatagrams);
  figure.receive_ns.push_back(total.receive_ns / kDatagrams);
}

std::vector<Figure> measure(Underlay underlay, const UdpBenchOptions& options) {
  const NamespacePair lab(underlay);
  std::vector<Figure> figures;
  for (auto& method : make_udp_methods(lab.a(), lab.b(), options.bytes)) {
    figures.push_back({.method = std::move(method), .send_ns = {}, .receive_ns = {}});
  }
  const bool shown = ::isatty(STDERR_FILENO) == 1;
  for (int round = 0; round <= options.rounds; ++round) {
    check_interrupt();
    if (shown) std::fprintf(stderr, "\r\033[K%s: round %d of %d", name_of(underlay), round, options.rounds);
    for (Figure& figure : figures) run_round(figure, round > 0);
  }
  if (shown) std::fprintf(stderr, "\r\033[K");
  return figures;
}

void print_cell(const Summary& summary) {
  std::printf(" %9.0f (%6.0f to %6.0f)", summary.median, summary.low, summary.high);
}

nlohmann::json to_json(const Summary& summary, const std::vector<double>& rounds) {
  return {{"median_ns", summary.median}, {"least_ns", summary.low}, {"most_ns", summary.high}, {"round_ns", rounds}};
}

nlohmann::json report(Underlay underlay, const std::vector<Figure>& figures) {
  std::printf("\nunderlay %s\n%-24s %26s  %-24s %26s\n", name_of(underlay), "send", "ns", "receive", "ns");
  nlohmann::json rows = nlohmann::json::array();
  for (const Figure& figure : figures) {
    const Summary send = summarize(figure.send_ns).value_or(Summary{});
    const Summary receive = summarize(figure.receive_ns).value_or(Summary{});
    std::printf("%-24s", figure.method->send_name());
    print_cell(send);
    std::printf("  %-24s", figure.method->receive_name());
    print_cell(receive);
    std::printf("\n");
    rows.push_back({{"send", figure.method->send_name()},
                    {"receive", figure.method->receive_name()},
                    {"send_cost", to_json(send, figure.send_ns)},
                    {"receive_cost", to_json(receive, figure.receive_ns)}});
  }
  return rows;
}

void run(const UdpBenchOptions& options) {
  if (options.rounds < 1) throw BenchError("ask for at least one round");
  if (options.bytes < kBytesMin || options.bytes > kBytesMax) {
    throw BenchError("datagrams may have " + std::to_string(kBytesMin) + " to " + std::to_string(kBytesMax) + " bytes");
  }
  watch_interrupts();
  const Machine machine = describe_machine();
  const std::size_t train = train_datagrams(options.bytes);
  std::printf(
      "UDP on one thread, CPU nanoseconds per datagram of %zu bytes, %zu per sendmmsg, %zu per train: median of %d "
      "rounds (least to most)\n",
      options.bytes, kCallDatagrams, train, options.rounds);
  auto json = report_head("udp", options.command, machine);
  json["rounds"] = options.rounds;
  json["bytes"] = options.bytes;
  json["call_datagrams"] = kCallDatagrams;
  json["train_datagrams"] = train;
  for (const Underlay underlay : {Underlay::plain, Underlay::software_gso}) {
    json["underlay"][name_of(underlay)] = report(underlay, measure(underlay, options));
  }
  if (const auto written = write_report(options.files, json); !written) {
    throw BenchError(written.error());
  }
}

}  // namespace

int run_udp_bench(const UdpBenchOptions& options) {
  try {
    run(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fireline-bench udp: %s\n", error.what());
    return 1;
  }
}

}  // namespace fireline::bench
