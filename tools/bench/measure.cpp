// One round of one candidate: TCP, CPU, packets per call, UDP, ping.
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "tools/bench/cpu_meter.h"
#include "tools/bench/iperf.h"
#include "tools/bench/loss_free_rate.h"
#include "tools/bench/ping.h"
#include "tools/bench/swallow.h"
#include "tools/bench/tunnel_bench.h"
#include "tools/bench/udp_generator.h"
#include "tools/forwarder/devices.h"

namespace fireline::bench {
namespace {

using std::chrono::milliseconds;

constexpr double kGiga = 1e9;
constexpr milliseconds kFloodTime{1500};
constexpr milliseconds kProbeTime{300};  // of one step of the loss-free search
constexpr double kOfferedLeast = 0.95;   // of the rate asked for
constexpr int kIdlePings = 100;
constexpr std::size_t kHeaderBytes = 28;  // IPv4 and UDP

std::size_t payload_of(int mtu) {
  return static_cast<std::size_t>(mtu) - kHeaderBytes;
}

class Round {
 public:
  Round(const TunnelBenchOptions& options, const NamespacePair& lab, int mtu, Series& series)
      : options_(options), lab_(lab), mtu_(mtu), series_(series), running_(series.candidate(), lab, mtu) {}

  void measure() {
    const bool tunnel = series_.candidate().kind != Candidate::Kind::veth;
    if (options_.ping) attempt("ping idle", [&] { ping_idle(); });
    if (options_.tcp || options_.ping) {
      const IperfServer server(lab_.b());
      if (options_.tcp) {
        attempt("TCP one stream", [&] { tcp(1, false, Measure::tcp_one); });
        attempt("TCP four streams", [&] { tcp(4, false, Measure::tcp_four); });
        attempt("TCP reverse", [&] { tcp(1, true, Measure::tcp_reverse); });
      }
      if (options_.ping) attempt("ping under TCP", [&] { ping_loaded(); });
    }
    // GSO trains cross a bare veth unsegmented: its UDP figures would be an artefact.
    if (options_.udp && tunnel) attempt("UDP", [&] { udp(); });
  }

 private:
  void attempt(const char* what, const std::function<void()>& action) {
    try {
      action();
    } catch (const Interrupted&) {
      throw;
    } catch (const BenchError& error) {
      series_.add_failure(fmt::format("{}: {}", what, error.what()));
    }
  }

  void tcp(int streams, bool reverse, Measure measure) {
    const bool bulk = measure == Measure::tcp_one;
    const auto counters = [&] { return std::pair{running_.counters(true), running_.counters(false)}; };
    const auto programs_before = bulk ? counters() : std::pair<ProgramCounters, ProgramCounters>{};
    const KernelCounters a_before = kernel_counters(lab_.a());
    const KernelCounters b_before = kernel_counters(lab_.b());
    const CpuTimes cpu_before = cpu_times(running_.processes());
    const TcpResult result =
        run_iperf(lab_.a(), {running_.address_b(), streams, reverse, std::chrono::seconds(options_.seconds)});
    const CpuTimes cpu_after = cpu_times(running_.processes());
    const KernelCounters a_after = kernel_counters(lab_.a());
    const KernelCounters b_after = kernel_counters(lab_.b());

    series_.add(measure, result.bits_per_second / kGiga);
    series_.add(Measure::tcp_retransmits, static_cast<double>(result.retransmits));
    const auto grown = [](const KernelCounters& before, const KernelCounters& after, const char* name) {
      const auto old = before.find(name);
      const auto current = after.find(name);
      if (old == before.end() || current == after.end()) return 0.0;
      return static_cast<double>(current->second - old->second);
    };
    const auto both = [&](const char* name) { return grown(a_before, a_after, name) + grown(b_before, b_after, name); };
    // What a sender found to have been late rather than lost: true reorders. Segments queued out of order also follow
    // from plain loss, so they are shown beside and not judged.
    series_.add(Measure::tcp_reorders,
                both("TcpExt.TCPSACKReorder") + both("TcpExt.TCPTSReorder") + both("TcpExt.TCPRenoReorder"));
    series_.add(Measure::tcp_out_of_order, both("TcpExt.TCPOFOQueue"));
    if (!bulk || result.bytes <= 0) return;
    const double gigabytes = result.bytes / kGiga;
    series_.add(Measure::busy_per_gigabyte, (cpu_after.machine - cpu_before.machine) / gigabytes);
    if (!running_.processes().empty()) {
      series_.add(Measure::cpu_per_gigabyte, (cpu_after.processes - cpu_before.processes) / gigabytes);
    }
    const auto programs_after = counters();
    // In the data direction: a sends, b receives.
    packets(programs_before.first, programs_after.first, "tun.read.segments", "tun.read.calls",
            Measure::tun_read_packets);
    packets(programs_before.first, programs_after.first, "udp.send.datagrams", "udp.send.calls",
            Measure::udp_send_packets);
    packets(programs_before.second, programs_after.second, "udp.receive.datagrams", "udp.receive.calls",
            Measure::udp_receive_packets);
    packets(programs_before.second, programs_after.second, "tun.write.segments", "tun.write.calls",
            Measure::tun_write_packets);
  }

  void packets(const ProgramCounters& before, const ProgramCounters& after, const char* packet_counter,
               const char* call_counter, Measure measure) {
    const auto grown = [&](const char* name) {
      const auto old = before.find(name);
      const auto current = after.find(name);
      if (old == before.end() || current == after.end() || current->second < old->second) return 0.0;
      return static_cast<double>(current->second - old->second);
    };
    const double calls = grown(call_counter);
    if (calls > 0) series_.add(measure, grown(packet_counter) / calls);
  }

  void ping_idle() {
    const PingResult result = run_ping(lab_.a(), running_.address_b(), kIdlePings);
    series_.add(Measure::ping_idle_average, result.average);
    series_.add(Measure::ping_idle_p50, result.p50);
    series_.add(Measure::ping_idle_p99, result.p99);
    series_.add(Measure::duplicates, static_cast<double>(result.duplicates));
    series_.add_pings(&Pings::idle, result.times);
  }

  void ping_loaded() {
    // Pings begin after slow start and end before the stream does.
    const auto time = std::chrono::seconds(std::max(options_.seconds, 2));
    Child load(iperf_client(lab_.a(), {running_.address_b(), 1, false, time}));
    pause_for(milliseconds(500));
    const auto count = static_cast<int>((time - milliseconds(800)) / milliseconds(10));
    const PingResult result = run_ping(lab_.a(), running_.address_b(), count);
    load.wait(time + std::chrono::seconds(10));
    const auto tcp = read_iperf(load.output());
    if (!tcp) throw BenchError(tcp.error());
    series_.add(Measure::ping_loaded_average, result.average);
    series_.add(Measure::ping_loaded_p50, result.p50);
    series_.add(Measure::ping_loaded_p99, result.p99);
    series_.add_pings(&Pings::loaded, result.times);
  }

  UdpResult load(std::size_t train, double gigabits, milliseconds time) {
    const UdpPath path{lab_.a(), lab_.b(), running_.address_b()};
    const std::size_t payload = payload_of(mtu_);
    const UdpResult result =
        run_udp(path, {payload, train, gigabits * kGiga / (8 * static_cast<double>(payload)), time});
    reordered_ += result.reordered;
    duplicates_ += result.duplicates;
    return result;
  }

  void udp() {
    const UdpResult flood = load(kFloodTrain, 0, kFloodTime);
    series_.add(Measure::flood_goodput, flood.goodput / kGiga);
    series_.add(Measure::flood_offered, flood.offered / kGiga);
    const UdpResult single = load(1, 0, kFloodTime);
    series_.add(Measure::single_goodput, single.goodput / kGiga);
    series_.add(Measure::single_offered, single.offered / kGiga);

    const double rate = search_loss_free_rate(flood.goodput / kGiga / 2, [&](double gigabits) {
      const UdpResult probe = load(kPacedTrain, gigabits, kProbeTime);
      // A rate that the sender did not reach is not shown to be carried.
      return probe.offered < kOfferedLeast * gigabits * kGiga ? 1.0 : probe.loss() + probe.late();
    });
    series_.add(Measure::loss_free_rate, rate);
    if (rate > 0) {
      series_.add(Measure::loss_free_goodput, load(kPacedTrain, rate, kFloodTime).goodput / kGiga);
      const UdpResult twice = load(kPacedTrain, 2 * rate, kFloodTime);
      series_.add(Measure::overload_goodput, twice.goodput / kGiga);
      series_.add(Measure::overload_factor, twice.offered / kGiga / rate);
    } else {
      series_.add_failure("UDP: no rate was carried without loss");
    }
    quic();
    series_.add(Measure::udp_reorders, static_cast<double>(reordered_));
    series_.add(Measure::duplicates, static_cast<double>(duplicates_));
  }

  void quic() {
    const std::size_t payload = std::min(payload_of(mtu_), kQuicPayloadMax);
    const CpuTimes before = cpu_times(running_.processes());
    const UdpResult result = run_udp({lab_.a(), lab_.b(), running_.address_b()},
                                     {.payload_bytes = payload, .train = kQuicTrain, .time = kFloodTime, .quic = true});
    const CpuTimes after = cpu_times(running_.processes());
    reordered_ += result.reordered;
    duplicates_ += result.duplicates;
    series_.add(Measure::quic_goodput, result.goodput / kGiga);
    const double gigabytes = static_cast<double>(result.received * payload) / kGiga;
    if (gigabytes > 0) series_.add(Measure::quic_cpu_per_gigabyte, (after.processes - before.processes) / gigabytes);
  }

  const TunnelBenchOptions& options_;
  const NamespacePair& lab_;
  int mtu_;
  Series& series_;
  RunningCandidate running_;
  std::uint64_t reordered_ = 0;
  std::uint64_t duplicates_ = 0;
};

}  // namespace

void measure_candidate(const TunnelBenchOptions& options, const NamespacePair& lab, int mtu, Series& series) {
  Round(options, lab, mtu, series).measure();
}

void measure_generators(const NamespacePair& lab, int mtu, GeneratorSeries& generators) {
  const std::string name = fmt::format("fl{}s", getpid());
  io::FileDescriptor sink;
  io::FileDescriptor swallowing;
  try {
    const InsideNamespace inside(lab.a());
    sink = io::FileDescriptor(forwarder::open_tun(name, static_cast<std::size_t>(mtu), true).descriptor);
    swallowing = swallow_egress(if_nametoindex(name.c_str()));
  } catch (const std::runtime_error& error) {
    throw BenchError(error.what());
  }
  run_in(lab.a(), fmt::format("ip address add 10.98.0.1/24 dev {}", name));
  const UdpPath path{lab.a(), "", "10.98.0.2"};
  const auto offered = [&](std::size_t train) {
    return run_udp(path, {payload_of(mtu), train, 0, milliseconds(500)}).offered / kGiga;
  };
  generators.flood.push_back(offered(kFloodTrain));
  generators.single.push_back(offered(1));
  generators.paced.push_back(offered(kPacedTrain));
}

}  // namespace fireline::bench
