// One round of one relay: singles, trains, round trips, fairness, set-up.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "tools/bench/core_affinity.h"
#include "tools/bench/cpu_meter.h"
#include "tools/bench/loss_free_rate.h"
#include "tools/bench/relay_bench.h"
#include "tools/bench/relay_load.h"
#include "tools/bench/squeeze.h"

namespace fireline::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFixedTime{1500};
constexpr milliseconds kFloodTime{800};
constexpr milliseconds kProbeTime{250};  // of one step of the loss-free search
constexpr double kOfferedLeast = 0.95;   // of the rate asked for
constexpr std::size_t kRoundTrips = 2000;
constexpr std::size_t kFairAllocations = 100;
// Short, and the relay squeezed, so that the generator can make twice what a relay carries.
constexpr std::size_t kFairPayload = 64;
constexpr std::size_t kSetups = 3000;
// With a sender on each core: of each, enough to be spread over a relay's threads.
constexpr std::size_t kCoresFlows = 4;
constexpr std::size_t kCoresMost = 8;
constexpr double kMicro = 1e6;
constexpr double kKilo = 1e3;

// Peer socket and flows of one candidate: through the relay, or plain where the kernel forwards.
class Path {
 public:
  Path(const RelayCandidate& candidate, const RelayLab& lab, const TurnServer& server, std::size_t allocations)
      : forwarding_(candidate.kind == RelayCandidate::Kind::forwarding),
        peer_(bench_socket(forwarding_ ? lab.far() : lab.near(),
                           {IpAddress::parse(forwarding_ ? kFarAddress : kPeerAddress).value(), 0, 0})) {
    const Endpoint peer = local_endpoint(peer_.get());
    if (forwarding_) {
      plain_ = plain_flows(lab.near(), peer, allocations);
    } else {
      clients_ = std::make_unique<TurnClients>(lab.near(), server, peer, allocations);
    }
  }
  [[nodiscard]] Lane lane() const { return {forwarding_ ? plain_ : clients_->flows(), peer_.get()}; }
  [[nodiscard]] double setup_seconds() const noexcept { return clients_ ? clients_->seconds() : 0; }

 private:
  bool forwarding_;
  io::FileDescriptor peer_;
  std::unique_ptr<TurnClients> clients_;
  std::vector<Flow> plain_;
};

// The lab's trains cross in another way while this lives.
class Crossing {
 public:
  Crossing(const RelayLab& lab, Trains how) : lab_(lab) { lab_.let_cross(how); }
  ~Crossing() {
    try {
      lab_.let_cross(Trains::as_underlay);
    } catch (const std::exception&) {
      // Interrupted: the lab goes away.
    }
  }
  Crossing(const Crossing&) = delete;
  Crossing& operator=(const Crossing&) = delete;

 private:
  const RelayLab& lab_;
};

class Round {
 public:
  Round(const RelayBenchOptions& options, const RelayLab& lab, std::size_t payload, std::size_t allocations,
        RelaySeries& series)
      : options_(options), lab_(lab), payload_(payload), series_(series), running_(series.candidate(), lab) {
    open_paths(1, allocations);
  }

  void measure() {
    const bool relay = series_.candidate().kind != RelayCandidate::Kind::forwarding;
    if (options_.latency) attempt("round trips", [&] { latency(); });
    if (options_.singles) attempt("singles", [&] { singles(); });
    if (options_.trains) attempt("trains", [&] { trains(); });
    if (options_.cores) attempt("cores", [&] { cores(); });
    series_.add(RelayMeasure::reorders, static_cast<double>(reordered_));
    series_.add(RelayMeasure::duplicates, static_cast<double>(duplicates_));
    if (options_.fairness && relay) attempt("fairness", [&] { fairness(); });
    if (options_.setup && relay) attempt("set-up", [&] { setup(); });
  }

 private:
  void open_paths(std::size_t count, std::size_t allocations) {
    paths_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      std::optional<OnCore> here;
      if (count > 1) here.emplace(i);
      paths_.push_back(std::make_unique<Path>(series_.candidate(), lab_, running_.server(), allocations));
    }
  }

  [[nodiscard]] std::vector<Lane> lanes() const {
    std::vector<Lane> lanes;
    for (const auto& path : paths_) lanes.push_back(path->lane());
    return lanes;
  }

  struct Spent {
    double packets = 0;
    double relay = 0;    // CPU seconds of the relay's process
    double machine = 0;  // busy seconds of all CPUs
    double lost = 0;
    double sent = 0;
  };

  void attempt(const char* what, const std::function<void()>& action) {
    try {
      action();
    } catch (const Interrupted&) {
      throw;
    } catch (const BenchError& error) {
      series_.add_failure(fmt::format("{}: {}", what, error.what()));
    }
  }

  RelayResult load(Direction direction, std::size_t burst, double rate, milliseconds time, Spent* spent = nullptr) {
    const CpuTimes before = cpu_times(running_.processes());
    const RelayResult result = run_relay_load(lanes(), {direction, payload_, burst, rate, time});
    const CpuTimes after = cpu_times(running_.processes());
    reordered_ += result.reordered;
    duplicates_ += result.duplicates;
    if (spent == nullptr) return result;
    spent->packets += static_cast<double>(result.received);
    spent->relay += after.processes - before.processes;
    spent->machine += after.machine - before.machine;
    spent->sent += static_cast<double>(result.sent);
    spent->lost += static_cast<double>(result.sent - std::min(result.sent, result.received));
    return result;
  }

  void add_spent(const Spent& spent, RelayMeasure relay, RelayMeasure machine) {
    if (spent.packets == 0) throw BenchError("nothing arrived");
    // XDP runs in whoever delivers the frame; its process idles, which says nothing.
    if (!is_xdp() && !running_.processes().empty()) series_.add(relay, spent.relay / spent.packets * kMicro);
    series_.add(machine, spent.machine / spent.packets * kMicro);
  }

  void latency() {
    const std::vector<double> times =
        relay_round_trips(lanes()[0].flows[0], lanes()[0].peer_socket, payload_, kRoundTrips);
    if (times.size() < kRoundTrips * 99 / 100) {
      throw BenchError(fmt::format("{} of {} came back", times.size(), kRoundTrips));
    }
    series_.add(RelayMeasure::latency_p50, *percentile(times, 50));
    series_.add(RelayMeasure::latency_p99, *percentile(times, 99));
  }

  void singles() {
    const Crossing singly(lab_, Trains::as_singles);
    Spent spent;
    for (const Direction direction : {Direction::to_peer, Direction::to_client}) {
      const RelayResult result = load(direction, kSingleBurst, kFixedRate, kFixedTime, &spent);
      if (result.offered() < kOfferedLeast * kFixedRate) {
        throw BenchError(fmt::format("the generator made {:.0f} instead of {:.0f} datagrams per second",
                                     result.offered(), kFixedRate));
      }
    }
    add_spent(spent, RelayMeasure::single_cpu, RelayMeasure::single_busy);
    series_.add(RelayMeasure::single_loss, 100 * spent.lost / spent.sent);
    series_.add(RelayMeasure::single_flood_up, load(Direction::to_peer, kFloodBurst, 0, kFloodTime).carried() / kKilo);
    series_.add(RelayMeasure::single_flood_down,
                load(Direction::to_client, kFloodBurst, 0, kFloodTime).carried() / kKilo);
  }

  [[nodiscard]] bool is_xdp() const { return series_.candidate().kind == RelayCandidate::Kind::fireline_xdp; }
  // Trains cannot cross XDP whole.
  [[nodiscard]] Trains trains_cross() const { return is_xdp() ? Trains::merged : Trains::as_underlay; }

  void trains() {
    const Crossing crossing(lab_, trains_cross());
    Spent spent;
    series_.add(RelayMeasure::train_rate_up, train_rate(Direction::to_peer, spent));
    series_.add(RelayMeasure::train_rate_down, train_rate(Direction::to_client, spent));
    add_spent(spent, RelayMeasure::train_cpu, RelayMeasure::train_busy);
  }

  void cores() {
    const Crossing crossing(lab_, trains_cross());
    Spent spent;
    open_paths(std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, kCoresMost), kCoresFlows);
    series_.add(RelayMeasure::cores_rate_up, train_rate(Direction::to_peer, spent));
    series_.add(RelayMeasure::cores_rate_down, train_rate(Direction::to_client, spent));
    if (spent.packets == 0) throw BenchError("nothing arrived");
    series_.add(RelayMeasure::cores_busy, spent.machine / spent.packets * kMicro);
  }

  // Loss-free, in thousands per second. Adds to `spent` what a load at that rate takes, at kTrainCpuRate at most.
  double train_rate(Direction direction, Spent& spent) {
    const double flood = load(direction, kRelayTrain, 0, kFloodTime).carried();
    const double rate = search_loss_free_rate(flood / 2, [&](double per_second) {
      const RelayResult probe = load(direction, kRelayTrain, per_second, kProbeTime);
      // A rate that the sender did not reach is not shown to be carried.
      return probe.offered() < kOfferedLeast * per_second ? 1.0 : probe.loss();
    });
    if (rate > 0) (void)load(direction, kRelayTrain, std::min(rate, kTrainCpuRate), kFloodTime, &spent);
    return rate / kKilo;
  }

  // Equal shares of twice what all of them got through when nobody paced.
  void fairness() {
    const Crossing singly(lab_, Trains::as_singles);
    open_paths(1, kFairAllocations);
    payload_ = std::min(payload_, kFairPayload);
    const Squeeze squeeze(running_.processes());
    double least_factor = 0;
    double least_carried = 0;
    for (const Direction direction : {Direction::to_peer, Direction::to_client}) {
      const double carried = load(direction, kFloodBurst, 0, kFloodTime).carried();
      const RelayResult result = load(direction, kFloodBurst, 2 * carried, kFloodTime);
      series_.add(direction == Direction::to_peer ? RelayMeasure::fairness_up : RelayMeasure::fairness_down,
                  jain_index(result.per_flow));
      const double factor = result.carried() > 0 ? result.offered() / result.carried() : 0;
      least_carried = least_carried == 0 ? result.carried() : std::min(least_carried, result.carried());
      least_factor = least_factor == 0 ? factor : std::min(least_factor, factor);
    }
    series_.add(RelayMeasure::overload_carried, least_carried / kKilo);
    series_.add(RelayMeasure::overload_factor, least_factor);
  }

  void setup() {
    const CpuTimes before = cpu_times(running_.processes());
    open_paths(1, kSetups);
    const CpuTimes after = cpu_times(running_.processes());
    series_.add(RelayMeasure::setup_cpu, (after.processes - before.processes) / kSetups * kMicro);
    series_.add(RelayMeasure::setups, static_cast<double>(kSetups) / paths_[0]->setup_seconds());
  }

  const RelayBenchOptions& options_;
  const RelayLab& lab_;
  std::size_t payload_;
  RelaySeries& series_;
  RunningRelay running_;
  std::vector<std::unique_ptr<Path>> paths_;
  std::uint64_t reordered_ = 0;
  std::uint64_t duplicates_ = 0;
};

}  // namespace

void measure_relay(const RelayBenchOptions& options, const RelayLab& lab, std::size_t payload_bytes,
                   std::size_t allocations, RelaySeries& series) {
  Round(options, lab, payload_bytes, allocations, series).measure();
}

}  // namespace fireline::bench
