// The texts that a policy file's values are made of. Each function says in one sentence what it expected.
// Threads: any. Limits: as document.h and filter.h. Source: portal specification 2 and 6.3; RFC 3339 for times.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "core/policy/filter.h"
#include "core/policy/weekly_windows.h"

namespace fireline::policy {

// The sentence behind "expected": what it should have been.
template <class T>
using Parsed = Result<T, std::string>;

[[nodiscard]] Parsed<Filter> parse_filter(std::string_view text);        // "tcp", "tcp/443", "udp/1000-2000", "icmp"
[[nodiscard]] Parsed<Prefix> parse_network(std::string_view text);       // with its length, no host bits
[[nodiscard]] Parsed<Prefix> parse_source(std::string_view text);        // a network or an address
[[nodiscard]] Parsed<std::int64_t> parse_clock(std::string_view text);   // "09:00" to "24:00", as seconds of the day
[[nodiscard]] Parsed<std::int64_t> parse_day(std::string_view text);     // "monday" is 0
[[nodiscard]] Parsed<UnixSeconds> parse_instant(std::string_view text);  // "2026-12-31T18:00:00Z"
[[nodiscard]] Parsed<std::string> parse_pattern(std::string_view text);  // a DNS name with wildcards, in lower case
[[nodiscard]] Parsed<std::string> parse_domain(std::string_view text);   // a DNS name, in lower case

// Whether it has an address in common with the ranges of devices, proxies and sentinels (6.3).
[[nodiscard]] bool overlaps_reserved(const Prefix& prefix);

}  // namespace fireline::policy
