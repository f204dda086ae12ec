#include "tools/bench/results.h"

#include <fmt/format.h>

#include <algorithm>

namespace fireline::bench {
namespace {

constexpr std::array<MeasureText, kMeasures> kTexts = {{
    {"tcp_one_gbps", "TCP 1 stream, Gbit/s", 2, true},
    {"tcp_four_gbps", "TCP 4 streams, Gbit/s", 2, true},
    {"tcp_reverse_gbps", "TCP reverse, Gbit/s", 2, true},
    {"cpu_seconds_per_gigabyte", "CPU s/GB, both ends", 2, true},
    {"busy_seconds_per_gigabyte", "CPU s/GB, whole machine", 2, false},
    {"udp_flood_goodput_gbps", "UDP GSO flood, Gbit/s", 2, true},
    {"udp_flood_offered_gbps", "  offered", 2, false},
    {"udp_single_goodput_gbps", "UDP single, Gbit/s", 2, true},
    {"udp_single_offered_gbps", "  offered", 2, false},
    {"udp_loss_free_gbps", "UDP loss-free rate, Gbit/s", 2, true},
    {"udp_loss_free_goodput_gbps", "  goodput at that rate", 2, false},
    {"udp_overload_goodput_gbps", "  goodput at twice", 2, false},
    {"udp_overload_factor", "  offered then, times rate", 2, false},
    {"quic_goodput_gbps", "QUIC-like, Gbit/s", 2, true},
    {"quic_cpu_seconds_per_gigabyte", "  CPU s/GB, both ends", 2, true},
    {"ping_idle_average_ms", "ping idle, ms", 3, true},
    {"ping_idle_p50_ms", "  p50", 3, false},
    {"ping_idle_p99_ms", "  p99", 3, false},
    {"ping_loaded_average_ms", "ping under TCP, ms", 3, true},
    {"ping_loaded_p50_ms", "  p50", 3, false},
    {"ping_loaded_p99_ms", "  p99", 3, false},
    {"udp_reorders", "reorders, UDP", 0, false},
    {"tcp_reorders", "reorders, TCP", 0, false},
    {"duplicates", "duplicates", 0, false},
    {"tcp_out_of_order", "TCP out of order queued", 0, false},
    {"tcp_retransmits", "TCP retransmits", 0, false},
    {"tun_read_packets_per_call", "packets/TUN read", 1, false},
    {"udp_send_packets_per_call", "packets/UDP send", 1, false},
    {"udp_receive_packets_per_call", "packets/UDP receive", 1, false},
    {"tun_write_packets_per_call", "packets/TUN write", 1, false},
}};

const std::vector<double>* generator_of(const Block& block, Measure measure) {
  switch (measure) {
    case Measure::flood_goodput:
      return &block.generators.flood;
    case Measure::single_goodput:
      return &block.generators.single;
    case Measure::loss_free_rate:
    case Measure::loss_free_goodput:
    case Measure::overload_goodput:
    case Measure::quic_goodput:
      return &block.generators.paced;
    default:
      return nullptr;
  }
}

}  // namespace

const MeasureText& text_of(Measure measure) {
  return kTexts[static_cast<std::size_t>(measure)];
}

const Series* Block::find(Candidate::Kind kind) const {
  const auto found =
      std::find_if(series.begin(), series.end(), [&](const Series& one) { return one.candidate().kind == kind; });
  return found == series.end() ? nullptr : &*found;
}

const Series* Block::find_fireline(Candidate::Kind kind) const {
  const auto found = std::ranges::find_if(series, [&](const Series& one) {
    return one.candidate().kind == kind && (one.candidate().fireline || one.candidate().is_node());
  });
  return found == series.end() ? nullptr : &*found;
}

std::optional<std::string> refuse_ratios(const Block& block) {
  const Series* forwarder = block.find(Candidate::Kind::forwarder);
  const Series* veth = block.find(Candidate::Kind::veth);
  if (forwarder == nullptr) return "no ratios: the forwarder did not run: add it to --peers";
  if (veth == nullptr) return "no ratios: veth did not run, so nothing vouches for the forwarder: add it to --peers";
  const auto forwarder_rate = forwarder->summary(Measure::tcp_one);
  const auto veth_rate = veth->summary(Measure::tcp_one);
  if (!forwarder_rate || !veth_rate) return "no ratios: forwarder or veth has no figure for TCP, one stream";
  if (forwarder_rate->median >= kForwarderShare * veth_rate->median) return std::nullopt;
  return fmt::format(
      "no ratios: forwarder {:.2f} Gbit/s is {:.1f} % of veth {:.2f} Gbit/s, below {:.0f} %: the yardstick is "
      "implausible in this run (is the machine busy?)",
      forwarder_rate->median, 100 * forwarder_rate->median / veth_rate->median, veth_rate->median,
      100 * kForwarderShare);
}

std::optional<std::string> refuse_ratio(const Block& block, Measure measure, const Series& series) {
  const std::vector<double>* generator = generator_of(block, measure);
  if (generator == nullptr) return std::nullopt;
  const auto alone = summarize(*generator);
  const auto rate = series.summary(measure);
  const std::string title(text_of(measure).title);
  if (!rate) return std::nullopt;
  if (!alone) return fmt::format("no ratio for {}: the generator alone was not measured", title);
  const Series* forwarder = block.find(Candidate::Kind::forwarder);
  const auto yardstick = forwarder == nullptr ? std::nullopt : forwarder->summary(measure);
  const auto refusal = [&](const std::string& who, double margin, double claimed) {
    return fmt::format(
        "no ratio for {} of {}: the generator alone makes {:.2f} Gbit/s, less than {:.1f} times {}'s {:.2f}", title,
        series.candidate().label(), alone->median, margin, who, claimed);
  };
  if (alone->median < kGeneratorMargin * rate->median) {
    return refusal(series.candidate().label(), kGeneratorMargin, rate->median);
  }
  if (yardstick && alone->median < kYardstickMargin * yardstick->median) {
    return refusal("forwarder", kYardstickMargin, yardstick->median);
  }
  return std::nullopt;
}

std::optional<double> ratio_to_forwarder(const Block& block, Measure measure, const Series& series) {
  if (refuse_ratios(block) || refuse_ratio(block, measure, series)) return std::nullopt;
  const Series* forwarder = block.find(Candidate::Kind::forwarder);
  const auto yardstick = forwarder->summary(measure);
  const auto value = series.summary(measure);
  if (!yardstick || !value || yardstick->median <= 0) return std::nullopt;
  return value->median / yardstick->median;
}

}  // namespace fireline::bench
