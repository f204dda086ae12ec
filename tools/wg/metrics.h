// The status as Prometheus text, exposition format 0.0.4. Names are those of the table in docs/fireline-wg.md with
// every dot replaced by an underscore, label names as well; counters carry no "_total", so that each name has one
// spelling everywhere. Cardinality is bounded: labels are names from the program's own lists, never an address or a
// key.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/wg/status.h"

namespace fireline::wg {

enum class MetricKind : std::uint8_t { counter, gauge };

struct MetricFamily {
  std::string_view name;  // dotted
  MetricKind kind;
  std::string_view help;
};

// All of them; docs/fireline-wg.md lists them for the operator.
[[nodiscard]] std::span<const MetricFamily> metric_families() noexcept;
// Null for a name that is no metric.
[[nodiscard]] const MetricFamily* find_metric(std::string_view dotted_name) noexcept;

// Everything of the report that is a number, followed by report.samples.
[[nodiscard]] std::vector<Sample> samples_of(const StatusReport& report);

inline constexpr std::string_view kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";
// Families in the table's order; a sample of an unknown name is left out. At most kMetricSamplesMax samples.
inline constexpr std::size_t kMetricSamplesMax = 4096;  // ten times what the lists of names add up to
[[nodiscard]] std::string prometheus_text(const std::vector<Sample>& samples);

}  // namespace fireline::wg
