#include "tools/bench/acceptance.h"

#include <fmt/format.h>

#include "tools/bench/loss_free_rate.h"

namespace fireline::bench {
namespace {

constexpr double kTcpShare = 0.55;
constexpr double kCpuFactor = 2.6;
constexpr double kFloodShare = 0.40;
constexpr double kSingleShare = 0.50;
constexpr double kOverloadShare = 0.9;
constexpr double kPingIdleMilliseconds = 0.25;
constexpr double kPingLoadedMilliseconds = 1.5;
constexpr double kPingFactor = 1.5;
constexpr double kPacketsPerCall = 20;
constexpr double kNodeShare = 0.95;
constexpr double kRelayedShare = 0.60;

Judgement decided(bool passed, std::string rule, std::string figure) {
  return {passed ? Verdict::pass : Verdict::fail, std::move(rule), std::move(figure)};
}

class Judge {
 public:
  Judge(const Block& block, const Series& series) : block_(block), series_(series) {}

  Judgement share(Measure measure, double least) const {
    const std::string rule = fmt::format("{} >= {:.0f} % of forwarder", text_of(measure).title, 100 * least);
    const auto ratio = ratio_to_forwarder(block_, measure, series_);
    if (!ratio) return {Verdict::not_judged, rule, why_not(measure)};
    return decided(*ratio >= least, rule, fmt::format("{:.1f} %{}", 100 * *ratio, of(measure)));
  }

  // Of the first candidate of fireline's of that kind; both run the same packets through the same namespaces.
  Judgement share_of(Candidate::Kind kind, Measure measure, double least) const {
    const Series* other = block_.find_fireline(kind);
    const std::string name = other == nullptr ? std::string("what it is compared with") : other->candidate().label();
    const std::string rule = fmt::format("{} >= {:.0f} % of {}", text_of(measure).title, 100 * least, name);
    const auto ours = series_.summary(measure);
    const auto theirs = other == nullptr ? std::nullopt : other->summary(measure);
    if (!ours || !theirs || theirs->median <= 0) return {Verdict::not_judged, rule, "not measured for both"};
    const double share = ours->median / theirs->median;
    return decided(share >= least, rule,
                   fmt::format("{:.1f} % ({:.2f} of {:.2f})", 100 * share, ours->median, theirs->median));
  }

  Judgement factor(Measure measure, double most) const {
    const std::string rule = fmt::format("{} <= {:.1f} x forwarder", text_of(measure).title, most);
    const auto ratio = ratio_to_forwarder(block_, measure, series_);
    if (!ratio) return {Verdict::not_judged, rule, why_not(measure)};
    return decided(*ratio <= most, rule, fmt::format("{:.2f} x{}", *ratio, of(measure)));
  }

  Judgement overload() const {
    const std::string rule = "UDP goodput at twice the loss-free rate >= 0.9 x goodput at that rate";
    const auto at_rate = series_.summary(Measure::loss_free_goodput);
    const auto at_twice = series_.summary(Measure::overload_goodput);
    const auto factor = series_.summary(Measure::overload_factor);
    if (!at_rate || !at_twice || !factor || at_rate->median <= 0) {
      return {Verdict::not_judged, rule, "no loss-free rate found"};
    }
    if (factor->median < kOverloadLeast) {
      return {Verdict::not_judged, rule, fmt::format("the sender offers {:.2f} times that rate", factor->median)};
    }
    if (const auto why = refuse_ratio(block_, Measure::loss_free_rate, series_)) {
      return {Verdict::not_judged, rule, *why};
    }
    return decided(at_twice->median >= kOverloadShare * at_rate->median, rule,
                   fmt::format("{:.2f} x ({:.2f} of {:.2f} Gbit/s)", at_twice->median / at_rate->median,
                               at_twice->median, at_rate->median));
  }

  Judgement ping(Measure measure, double milliseconds) const {
    const std::string rule =
        fmt::format("{} <= {:.2f} or <= {:.1f} x forwarder", text_of(measure).title, milliseconds, kPingFactor);
    const auto value = series_.summary(measure);
    if (!value) return {Verdict::not_judged, rule, "not measured"};
    const auto ratio = ratio_to_forwarder(block_, measure, series_);
    const std::string figure =
        ratio ? fmt::format("{:.3f} ms, {:.2f} x", value->median, *ratio) : fmt::format("{:.3f} ms", value->median);
    return decided(value->median <= milliseconds || (ratio && *ratio <= kPingFactor), rule, figure);
  }

  Judgement none(Measure measure) const {
    const std::string rule = fmt::format("{} = 0 in every round", text_of(measure).title);
    const auto value = series_.summary(measure);
    if (!value) return {Verdict::not_judged, rule, "not measured"};
    return decided(value->high == 0, rule, fmt::format("at most {:.0f}", value->high));
  }

  Judgement batch(Measure measure) const {
    const std::string rule = fmt::format("{} >= {:.0f} in bulk TCP", text_of(measure).title, kPacketsPerCall);
    const auto value = series_.summary(measure);
    if (!value) return {Verdict::not_judged, rule, "the program gives no such counter"};
    return decided(value->median >= kPacketsPerCall, rule, fmt::format("{:.1f}", value->median));
  }

 private:
  std::string why_not(Measure measure) const {
    if (const auto why = refuse_ratios(block_)) return *why;
    if (const auto why = refuse_ratio(block_, measure, series_)) return *why;
    return "not measured";
  }
  std::string of(Measure measure) const {
    const Series* forwarder = block_.find(Candidate::Kind::forwarder);
    return fmt::format(" ({:.2f} of {:.2f})", series_.summary(measure)->median, forwarder->summary(measure)->median);
  }

  const Block& block_;
  const Series& series_;
};

}  // namespace

std::vector<Judgement> judge(const Block& block, const Series& series) {
  const Judge judge(block, series);
  if (series.candidate().is_node()) {
    const bool relayed = series.candidate().kind == Candidate::Kind::node_relayed;
    const auto of = relayed ? Candidate::Kind::node : Candidate::Kind::tunnel;
    const double least = relayed ? kRelayedShare : kNodeShare;
    return {judge.share_of(of, Measure::tcp_one, least), judge.share_of(of, Measure::tcp_four, least),
            judge.share_of(of, Measure::tcp_reverse, least), judge.none(Measure::tcp_reorders)};
  }
  return {
      judge.share(Measure::tcp_one, kTcpShare),
      judge.share(Measure::tcp_four, kTcpShare),
      judge.share(Measure::tcp_reverse, kTcpShare),
      judge.factor(Measure::cpu_per_gigabyte, kCpuFactor),
      judge.share(Measure::flood_goodput, kFloodShare),
      judge.share(Measure::single_goodput, kSingleShare),
      judge.overload(),
      judge.ping(Measure::ping_idle_average, kPingIdleMilliseconds),
      judge.ping(Measure::ping_loaded_average, kPingLoadedMilliseconds),
      judge.none(Measure::udp_reorders),
      judge.none(Measure::tcp_reorders),
      judge.batch(Measure::tun_read_packets),
      judge.batch(Measure::udp_send_packets),
      judge.batch(Measure::udp_receive_packets),
      judge.batch(Measure::tun_write_packets),
  };
}

}  // namespace fireline::bench
