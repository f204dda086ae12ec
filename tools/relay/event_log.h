// The server's events as log lines with the levels of the relay specification's section 2.9. Nothing is written per
// packet; what foreign senders cause is bounded to kLinesPerSecond, and the rest is counted in one line.
// Lifetime: a value. Threads: the loop's.
#pragma once
#include <spdlog/common.h>

#include <cstdint>
#include <string>

#include "core/base/time.h"
#include "relay/protocol/host.h"

namespace fireline::relay {

// Some hundred clients arriving at once are told one by one; a flood of requests is not.
inline constexpr unsigned kLinesPerSecond = 1000;

struct EventLine {
  spdlog::level::level_enum level = spdlog::level::info;
  std::string text;
};
[[nodiscard]] spdlog::level::level_enum level_of(const Event& event) noexcept;
[[nodiscard]] EventLine line_of(const Event& event);

class EventLog {
 public:
  void write(const Event& event, Instant now);
  // What was left out in this second; starts the next one.
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

 private:
  Instant second_;
  unsigned lines_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace fireline::relay
