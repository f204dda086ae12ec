// Which packets of a resource pass: protocols and port ranges. Source: tunnel specification 5.2, portal
// specification 2.4. Lifetime: values. Threads: any. Limit: kFiltersMax.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fireline::policy {

// Rules of one resource. A real portal allows some tens; beyond this a message is refused.
inline constexpr std::size_t kFiltersMax = 1024;

enum class FilterProtocol : std::uint8_t { tcp, udp, icmp };

// Ports of the resource's side, inclusive; with first > last none. ICMP: every type, ports unused.
struct Filter {
  FilterProtocol protocol = FilterProtocol::tcp;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  friend auto operator<=>(const Filter&, const Filter&) noexcept = default;
};

// An empty list permits everything, unknown protocols included. One that became empty because entries were not
// understood permits nothing.
struct FilterList {
  std::vector<Filter> filters;
  bool skipped = false;  // entries of unknown protocols were left out

  [[nodiscard]] bool permits_everything() const noexcept { return filters.empty() && !skipped; }
  friend bool operator==(const FilterList&, const FilterList&) noexcept = default;
};

}  // namespace fireline::policy
