#include <gtest/gtest.h>

#include "tools/common/log_filter.h"
#include "tools/relay/event_log.h"
#include "tools/relay/rate.h"

namespace fireline::relay {
namespace {

TEST(LogFilter, Directives) {
  struct Row {
    const char* rule;
    const char* directives;
    const char* target;
    std::optional<spdlog::level::level_enum> level;
  };
  const Row rows[] = {
      {"without directives it is info", "", "relay", spdlog::level::info},
      {"a bare level is everybody's", "debug", "wire", spdlog::level::debug},
      {"a target has its own", "warn,wire=trace", "wire", spdlog::level::trace},
      {"which is nobody else's", "warn,wire=trace", "relay", spdlog::level::warn},
      {"the later directive wins", "wire=trace,wire=off", "wire", spdlog::level::off},
      {"levels are words in any case", "RELAY=info,eBPF=ERROR", "eBPF", spdlog::level::err},
      {"spaces around are nothing", " debug , wire = warn ", "wire", spdlog::level::warn},
      {"paths of modules are targets", "a::b-c=trace", "a::b-c", spdlog::level::trace},
      {"a word that is no level", "verbose", "relay", std::nullopt},
      {"a target without a level", "wire=", "relay", std::nullopt},
      {"a level without a target", "=info", "relay", std::nullopt},
      {"a target that is none", "wi re=info", "relay", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto filter = LogFilter::parse(row.directives);
    ASSERT_EQ(filter.has_value(), row.level.has_value());
    if (!filter) continue;
    EXPECT_EQ(filter->level_of(row.target), *row.level);
  }
  std::string many;
  for (std::size_t i = 0; i <= kLogDirectivesMax; ++i) many += "info,";
  EXPECT_FALSE(LogFilter::parse(many)) << "the number of directives is bounded";
}

TEST(Rate, StepsOfAThousandWithTwoDecimals) {
  struct Row {
    double bytes;
    const char* text;
  };
  const Row rows[] = {{0, "0.00 B/s"},     {42, "42.00 B/s"},       {999, "999.00 B/s"},
                      {1000, "1.00 kB/s"}, {1536, "1.54 kB/s"},     {955333999, "955.33 MB/s"},
                      {1e9, "1.00 GB/s"},  {12.5e12, "12.50 TB/s"}, {5e15, "5000.00 TB/s"}};
  for (const Row& row : rows) EXPECT_EQ(rate_text(row.bytes), row.text);
}

TEST(EventLog, LinesAndLevels) {
  const Event base{.kind = EventKind::channel_bound,
                   .client = *Endpoint::parse("198.51.100.7:51820"),
                   .port = 50000,
                   .families = {.v4 = true, .v6 = true},
                   .channel = 0x4001,
                   .peer = *Endpoint::parse("[2001:db8::1]:9"),
                   .lifetime_seconds = 600,
                   .method = 3,
                   .error_code = 437};
  struct Row {
    EventKind kind;
    std::uint16_t method;
    std::uint16_t code;
    spdlog::level::level_enum level;
    const char* text;
  };
  using enum EventKind;
  const Row rows[] = {
      {binding_answered, 1, 0, spdlog::level::info, "binding answered: client=198.51.100.7:51820"},
      {allocation_created, 3, 0, spdlog::level::info,
       "allocation created: client=198.51.100.7:51820 allocation=50000 family=ipv4+ipv6 lifetime=600s"},
      {allocation_expired, 3, 0, spdlog::level::info, "allocation expired: client=198.51.100.7:51820 allocation=50000"},
      {channel_bound, 9, 0, spdlog::level::info,
       "channel bound: client=198.51.100.7:51820 allocation=50000 channel=0x4001 peer=[2001:db8::1]:9"},
      {request_refused, 3, 401, spdlog::level::debug,
       "request refused: method=allocate error=401 sender=198.51.100.7:51820"},
      {request_refused, 9, 438, spdlog::level::debug,
       "request refused: method=channelbind error=438 sender=198.51.100.7:51820"},
      {request_refused, 3, 437, spdlog::level::debug,
       "request refused: method=allocate error=437 sender=198.51.100.7:51820"},
      {request_refused, 4, 437, spdlog::level::info,
       "request refused: method=refresh error=437 sender=198.51.100.7:51820"},
      {request_refused, 3, 508, spdlog::level::warn,
       "request refused: method=allocate error=508 sender=198.51.100.7:51820"},
  };
  for (const Row& row : rows) {
    Event event = base;
    event.kind = row.kind;
    event.method = row.method;
    event.error_code = row.code;
    EXPECT_EQ(line_of(event).text, row.text);
    EXPECT_EQ(line_of(event).level, row.level) << row.text;
  }
}

TEST(EventLog, AFloodIsCountedInsteadOfWritten) {
  EventLog log;
  const Instant begin{std::chrono::seconds(100)};
  for (unsigned i = 0; i < kLinesPerSecond + 5; ++i) log.write({.kind = EventKind::binding_answered}, begin);
  EXPECT_EQ(log.left_out(), 5u);
  log.write({.kind = EventKind::binding_answered}, begin + std::chrono::seconds(1));
  EXPECT_EQ(log.left_out(), 0u);
}

}  // namespace
}  // namespace fireline::relay
