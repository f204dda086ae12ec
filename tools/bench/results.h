// What is measured, and the figures of one block (one underlay, one MTU): per candidate and measure one value a round.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/candidate.h"
#include "tools/bench/statistics.h"

namespace fireline::bench {

enum class Measure : std::uint8_t {
  tcp_one,
  tcp_four,
  tcp_reverse,
  cpu_per_gigabyte,
  busy_per_gigabyte,
  flood_goodput,
  flood_offered,
  single_goodput,
  single_offered,
  loss_free_rate,
  loss_free_goodput,
  overload_goodput,
  overload_factor,
  quic_goodput,
  quic_cpu_per_gigabyte,
  ping_idle_average,
  ping_idle_p50,
  ping_idle_p99,
  ping_loaded_average,
  ping_loaded_p50,
  ping_loaded_p99,
  udp_reorders,
  tcp_reorders,
  duplicates,
  tcp_out_of_order,
  tcp_retransmits,
  tun_read_packets,
  udp_send_packets,
  udp_receive_packets,
  tun_write_packets,
  count_
};
inline constexpr std::size_t kMeasures = static_cast<std::size_t>(Measure::count_);

struct MeasureText {
  std::string_view key;    // in JSON
  std::string_view title;  // in the table
  int digits = 2;
  bool ratio = false;  // the table shows the ratio to the forwarder
};
[[nodiscard]] const MeasureText& text_of(Measure measure);

// Every reply of every round, in milliseconds: their distribution.
struct Pings {
  std::vector<double> idle;
  std::vector<double> loaded;
};

class Series {
 public:
  explicit Series(Candidate candidate) : candidate_(std::move(candidate)) {}

  void add(Measure measure, double value) { values_[static_cast<std::size_t>(measure)].push_back(value); }
  void add_pings(std::vector<double> Pings::* of, const std::vector<double>& milliseconds) {
    (pings_.*of).insert((pings_.*of).end(), milliseconds.begin(), milliseconds.end());
  }
  void add_failure(std::string sentence) { failures_.push_back(std::move(sentence)); }

  [[nodiscard]] const Candidate& candidate() const noexcept { return candidate_; }
  [[nodiscard]] const std::vector<double>& values(Measure measure) const {
    return values_[static_cast<std::size_t>(measure)];
  }
  [[nodiscard]] std::optional<Summary> summary(Measure measure) const { return summarize(values(measure)); }
  [[nodiscard]] const Pings& pings() const noexcept { return pings_; }
  [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

 private:
  Candidate candidate_;
  std::array<std::vector<double>, kMeasures> values_;
  Pings pings_;
  std::vector<std::string> failures_;
};

// The senders alone, into a TUN device that swallows everything: what they could offer. Gbit/s, one value a round.
struct GeneratorSeries {
  std::vector<double> flood;
  std::vector<double> single;
  std::vector<double> paced;
};

struct Block {
  Underlay underlay = Underlay::plain;
  int mtu = 0;
  std::vector<Series> series;
  GeneratorSeries generators;

  // The first of that kind; null: none.
  [[nodiscard]] const Series* find(Candidate::Kind kind) const;
  // The first of that kind that is fireline's own program.
  [[nodiscard]] const Series* find_fireline(Candidate::Kind kind) const;
};

// Why no ratio to the forwarder may be given; empty: it may.
// The yardstick: the forwarder reaches at least kForwarderShare of the bare veth, TCP, one stream, in this run.
[[nodiscard]] std::optional<std::string> refuse_ratios(const Block& block);
// The generator: alone it makes at least kGeneratorMargin times the rate claimed for the candidate, and at least
// kYardstickMargin times the forwarder's, which would otherwise be the generator's figure and flatter the candidate.
// Only for measures of UDP goodput; others are never refused.
[[nodiscard]] std::optional<std::string> refuse_ratio(const Block& block, Measure measure, const Series& series);

inline constexpr double kForwarderShare = 0.55;
inline constexpr double kGeneratorMargin = 2;
inline constexpr double kYardstickMargin = 1.5;

// Median of the series over the forwarder's median, where both exist and nothing is refused.
[[nodiscard]] std::optional<double> ratio_to_forwarder(const Block& block, Measure measure, const Series& series);

}  // namespace fireline::bench
