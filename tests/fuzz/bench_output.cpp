// What ping and iperf3 print, as the benchmark reads it: numbers that can be sorted and compared, or a sentence.
// Input: a byte that chooses the reader, then the text.
// libraries: fireline_bench_output
// covers: tools/bench/ping_output.cpp tools/bench/iperf_output.cpp
// mutator: json
#include <algorithm>
#include <cmath>
#include <span>

#include "tests/fuzz/heap_buffers.h"
#include "tools/bench/iperf_output.h"
#include "tools/bench/ping_output.h"

using namespace fireline;

namespace {

void check_ping(std::string_view text) {
  const bench::PingReplies replies = bench::read_ping(text);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  fuzz::require(replies.times.size() + replies.duplicates <= lines);
  for (const double time : replies.times) fuzz::require(std::isfinite(time) && time >= 0);
}

void check_iperf(std::string_view text) {
  const auto result = bench::read_iperf(text);
  if (!result) {
    fuzz::require(!result.error().empty());
    return;
  }
  fuzz::require(text.find('{') != std::string_view::npos);
  fuzz::require(std::isfinite(result->bits_per_second) && std::isfinite(result->bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  std::string_view text;
  if (!bytes.empty()) text = {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
  data[0] % 2 == 0 ? check_ping(text) : check_iperf(text);
  return 0;
}
