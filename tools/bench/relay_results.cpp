#include "tools/bench/relay_results.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/bench/loss_free_rate.h"

namespace fireline::bench {
namespace {

using Kind = RelayCandidate::Kind;

constexpr std::array<RelayMeasureText, kRelayMeasures> kTexts{{
    {"single_cpu_us", "singles at 80 kpps: relay us", 2, true, false},
    {"single_busy_us", "  whole machine us", 2, false, false},
    {"single_loss_percent", "  lost %", 2, false, false},
    {"single_flood_up_kpps", "singles unpaced up kpps", 0, true, true},
    {"single_flood_down_kpps", "singles unpaced down kpps", 0, true, true},
    {"train_rate_up_kpps", "trains loss-free up kpps", 0, true, true},
    {"train_rate_down_kpps", "trains loss-free down kpps", 0, true, true},
    {"train_cpu_us", "  relay us", 3, true, false},
    {"train_busy_us", "  whole machine us", 3, false, false},
    {"cores_rate_up_kpps", "a sender a core up kpps", 0, true, true},
    {"cores_rate_down_kpps", "a sender a core down kpps", 0, true, true},
    {"cores_busy_us", "  whole machine us", 3, true, false},
    {"latency_p50_us", "round trip p50 us", 0, false, false},
    {"latency_p99_us", "round trip p99 us", 0, false, false},
    {"fairness_up", "Jain, twice the load, up", 3, false, false},
    {"fairness_down", "Jain, twice the load, down", 3, false, false},
    {"overload_carried_kpps", "  carried, squeezed, kpps", 0, false, false},
    {"overload_factor", "  offered over carried", 2, false, false},
    {"setups_per_second", "allocate + bind per s", 0, true, false},
    {"setup_cpu_us", "  relay us each", 1, true, false},
    {"reorders", "reordered", 0, false, false},
    {"duplicates", "duplicates", 0, false, false},
}};

std::optional<std::string> refuse_claim(const RelayBlock& block, RelayMeasure measure, double claim) {
  const RelaySeries* forwarding = block.find(Kind::forwarding);
  const auto forwarded = forwarding != nullptr ? forwarding->median(measure) : std::nullopt;
  if (!forwarded) return fmt::format("no figure of kernel forwarding for {}", text_of(measure).key);
  if (*forwarded >= kForwardingMargin * claim) return std::nullopt;
  return fmt::format("kernel forwarding gives {:.0f} kpps ({}), less than {} times {:.0f}", *forwarded,
                     text_of(measure).key, kForwardingMargin, claim);
}

std::optional<double> plain_ratio(const RelayBlock& block, RelayMeasure measure, const RelaySeries& series) {
  const RelaySeries* coturn = block.find(Kind::coturn);
  if (coturn == nullptr || coturn == &series) return std::nullopt;
  const auto ours = series.median(measure);
  const auto theirs = coturn->median(measure);
  if (!ours || !theirs || *theirs <= 0) return std::nullopt;
  return *ours / *theirs;
}

Judgement judge_ratio(const RelayBlock& block, const RelaySeries& series, RelayMeasure measure, double bound,
                      bool at_least) {
  Judgement judgement;
  judgement.rule = fmt::format("{} {} {:.2f} x coturn", text_of(measure).key, at_least ? ">=" : "<=", bound);
  const auto ratio = plain_ratio(block, measure, series);
  if (!ratio) {
    judgement.figure = "not measured for both";
    return judgement;
  }
  const bool reached = at_least ? *ratio >= bound : *ratio <= bound;
  // A lab that is too slow makes a ratio of rates smaller, never larger, unless it is coturn that it slows down.
  const auto excess = refuse_ratio(block, measure, series);
  const auto why =
      text_of(measure).is_rate
          ? refuse_claim(block, measure, (reached ? 1 : bound) * *block.find(Kind::coturn)->median(measure))
          : excess;
  if (why) {
    judgement.figure = *why;
    return judgement;
  }
  const std::size_t rounds = series.values(measure).size();
  const bool more = excess && reached;
  judgement.figure = fmt::format("{}{:.2f} x ({:.2f} of {:.2f}), {} rounds", more ? "over " : "", more ? bound : *ratio,
                                 *series.median(measure), *block.find(Kind::coturn)->median(measure), rounds);
  if (rounds < kJudgedRounds) {
    judgement.figure += fmt::format(": {} are needed", kJudgedRounds);
    return judgement;
  }
  judgement.verdict = reached ? Verdict::pass : Verdict::fail;
  return judgement;
}

Judgement judge_fairness(const RelaySeries& series, RelayMeasure measure) {
  constexpr double kLeast = 0.95;
  Judgement judgement;
  judgement.rule = fmt::format("{} >= {}", text_of(measure).key, kLeast);
  const auto index = series.median(measure);
  const auto factor = series.median(RelayMeasure::overload_factor);
  if (!index || !factor) {
    judgement.figure = "not measured";
    return judgement;
  }
  judgement.figure = fmt::format("{:.3f} at {:.2f} x what is carried", *index, *factor);
  if (*factor < kOverloadLeast) {
    judgement.figure += ": the generator made no overload";
    return judgement;
  }
  judgement.verdict = *index >= kLeast ? Verdict::pass : Verdict::fail;
  return judgement;
}

}  // namespace

const RelayMeasureText& text_of(RelayMeasure measure) {
  return kTexts[static_cast<std::size_t>(measure)];
}

std::optional<double> RelaySeries::median(RelayMeasure measure) const {
  const auto summary = summarize(values(measure));
  if (!summary) return std::nullopt;
  return summary->median;
}

const RelaySeries* RelayBlock::find(Kind kind) const {
  const auto found =
      std::find_if(series.begin(), series.end(), [&](const RelaySeries& one) { return one.candidate().kind == kind; });
  return found == series.end() ? nullptr : &*found;
}

std::optional<std::string> refuse_ratio(const RelayBlock& block, RelayMeasure measure, const RelaySeries& series) {
  if (measure == RelayMeasure::single_cpu) {
    return refuse_claim(block, RelayMeasure::single_flood_up, kFixedRate / 1000);
  }
  if (text_of(measure).is_rate) {
    const auto median = series.median(measure);
    return median ? refuse_claim(block, measure, *median) : std::nullopt;
  }
  if (measure != RelayMeasure::train_cpu) return std::nullopt;
  for (const RelayMeasure rate : {RelayMeasure::train_rate_up, RelayMeasure::train_rate_down}) {
    const auto median = series.median(rate);
    if (!median) continue;
    if (auto why = refuse_claim(block, rate, std::min(*median, kTrainCpuRate / 1000))) return why;
  }
  return std::nullopt;
}

std::optional<double> ratio_to_coturn(const RelayBlock& block, RelayMeasure measure, const RelaySeries& series) {
  if (refuse_ratio(block, measure, series)) return std::nullopt;
  return plain_ratio(block, measure, series);
}

std::vector<Judgement> judge_flatness(std::span<const RelayBlock> blocks) {
  constexpr double kMost = 1.2;
  std::vector<Judgement> judgements;
  for (const RelayBlock& least : blocks) {
    const auto same = [&](const RelayBlock& other) {
      return other.underlay == least.underlay && other.payload_bytes == least.payload_bytes;
    };
    const RelayBlock* most = &least;
    bool is_least = true;
    for (const RelayBlock& other : blocks) {
      if (!same(other)) continue;
      is_least = is_least && other.allocations >= least.allocations;
      if (other.allocations > most->allocations) most = &other;
    }
    if (!is_least || most == &least) continue;
    for (const RelayMeasure measure : {RelayMeasure::single_cpu, RelayMeasure::train_cpu}) {
      Judgement judgement;
      judgement.rule = fmt::format("{} of {} <= {} x of {} allocations", text_of(measure).key, most->allocations, kMost,
                                   least.allocations);
      const RelaySeries* few = least.find(Kind::fireline);
      const RelaySeries* many = most->find(Kind::fireline);
      const double base = few == nullptr ? 0 : few->median(measure).value_or(0);
      const double cost = many == nullptr ? 0 : many->median(measure).value_or(0);
      if (base <= 0 || cost <= 0) {
        judgement.figure = "not measured for both";
      } else {
        judgement.figure = fmt::format("{:.2f} x ({:.2f} of {:.2f} us), {} bytes, {}", cost / base, cost, base,
                                       least.payload_bytes, name_of(least.underlay));
        judgement.verdict = cost <= kMost * base ? Verdict::pass : Verdict::fail;
      }
      judgements.push_back(std::move(judgement));
    }
  }
  return judgements;
}

std::vector<Judgement> judge(const RelayBlock& block, const RelaySeries& series) {
  switch (series.candidate().kind) {
    case Kind::fireline:
      return {judge_ratio(block, series, RelayMeasure::single_cpu, 0.9, false),
              judge_ratio(block, series, RelayMeasure::train_rate_up, 4, true),
              judge_ratio(block, series, RelayMeasure::train_rate_down, 4, true),
              judge_ratio(block, series, RelayMeasure::train_cpu, 1.0 / 3, false),
              judge_ratio(block, series, RelayMeasure::setups, 2, true),
              judge_fairness(series, RelayMeasure::fairness_up),
              judge_fairness(series, RelayMeasure::fairness_down)};
    case Kind::fireline_xdp:
      // The loss-free rate: where coturn loses most of a flood, the lab's sockets are what limits XDP. From every core:
      // who sends segments the train, runs the hop and delivers, so that one sender is the limit before XDP is.
      return {judge_ratio(block, series, RelayMeasure::cores_rate_up, 5, true),
              judge_ratio(block, series, RelayMeasure::cores_rate_down, 5, true)};
    default:
      return {};
  }
}

}  // namespace fireline::bench
