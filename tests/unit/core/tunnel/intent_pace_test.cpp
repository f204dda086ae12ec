#include "core/tunnel/intent_pace.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/core/tunnel/client_values.h"

namespace fireline::tunnel {
namespace {

using namespace std::chrono_literals;
using test::uuid;
using enum IntentReason;

const Uuid kResource = uuid(1);

// What happens at that time: a packet that would have the portal asked, or news.
struct Step {
  Duration at;
  enum : std::uint8_t { ask, wait, grant, refuse, renew, forget } what;
  IntentReason reason = no_gateway;
};

struct Row {
  const char* sentence;
  std::vector<Step> steps;
};

const Row kRows[] = {
    {"without an answer every two seconds, for as long as it takes",
     {{0s, Step::ask}, {1999ms, Step::wait}, {2s, Step::ask}, {3s, Step::wait}, {4s, Step::ask}, {1h, Step::ask}}},
    {"refused: half as often each time, and every minute in the end",
     {{0s, Step::ask},
      {0s, Step::refuse},
      {3999ms, Step::wait},
      {4s, Step::ask},
      {4s, Step::refuse},
      {11s, Step::wait},
      {12s, Step::ask},
      {12s, Step::refuse},
      {27s, Step::wait},
      {28s, Step::ask},
      {28s, Step::refuse},
      {59s, Step::wait},
      {60s, Step::ask},
      {60s, Step::refuse},
      {119s, Step::wait},
      {120s, Step::ask},
      {120s, Step::refuse},
      {179s, Step::wait},
      {180s, Step::ask}}},
    {"refused, and nobody tried for two minutes: begins anew",
     {{0s, Step::ask}, {0s, Step::refuse}, {4s, Step::ask}, {4s, Step::refuse}, {124s, Step::ask}, {126s, Step::ask}}},
    {"refused, and changed meanwhile: begins anew",
     {{0s, Step::ask}, {0s, Step::refuse}, {1s, Step::renew}, {1999ms, Step::wait}, {2s, Step::ask}}},
    {"granted, and lost: at once",
     {{0s, Step::ask}, {100ms, Step::grant}, {200ms, Step::ask}, {300ms, Step::wait}, {2200ms, Step::ask}}},
    {"silent: every two seconds, whatever was granted and refused before",
     {{0s, Step::ask},
      {100ms, Step::grant},
      {1s, Step::wait, silent},
      {2s, Step::ask, silent},
      {2100ms, Step::grant},
      {3s, Step::wait, silent},
      {4s, Step::ask, silent},
      {4s, Step::refuse},
      {6s, Step::ask, silent}}},
    {"silent, and lost: at once",
     {{0s, Step::ask}, {0s, Step::grant}, {2s, Step::ask, silent}, {2100ms, Step::grant}, {2200ms, Step::ask}}},
    {"granted again and again, and prohibited all the same: half as often each time",
     {{0s, Step::ask},
      {100ms, Step::grant},
      {1s, Step::wait, prohibited},
      {2s, Step::ask, prohibited},
      {2100ms, Step::grant},
      {5s, Step::wait, prohibited},
      {6s, Step::ask, prohibited},
      {6100ms, Step::grant},
      {13s, Step::wait, prohibited},
      {14s, Step::ask, prohibited}}},
    {"prohibited, and lost: at once, and then every two seconds",
     {{0s, Step::ask},
      {0s, Step::grant},
      {2s, Step::ask, prohibited},
      {2s, Step::grant},
      {6s, Step::ask, prohibited},
      {6s, Step::grant},
      {7s, Step::ask},
      {9s, Step::ask}}},
    {"forgotten: as if it had never been there",
     {{0s, Step::ask}, {0s, Step::refuse}, {0s, Step::forget}, {1s, Step::ask}, {3s, Step::ask}}},
};

TEST(IntentPace, HowOftenThePortalIsAsked) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    IntentPace pace;
    for (const Step& step : row.steps) {
      SCOPED_TRACE(std::chrono::duration_cast<std::chrono::milliseconds>(step.at).count());
      switch (step.what) {
        case Step::ask:
        case Step::wait:
          EXPECT_EQ(pace.ask(Instant(1000s) + step.at, kResource, step.reason), step.what == Step::ask);
          break;
        case Step::grant:
          pace.granted(kResource);
          break;
        case Step::refuse:
          pace.refused(kResource);
          break;
        case Step::renew:
          pace.renew(kResource);
          break;
        case Step::forget:
          pace.forget(kResource);
          break;
      }
    }
  }
}

TEST(IntentPace, EachResourceHasItsOwn) {
  IntentPace pace;
  EXPECT_TRUE(pace.ask(Instant(1000s), kResource, no_gateway));
  pace.refused(kResource);
  EXPECT_TRUE(pace.ask(Instant(1000s), uuid(2), no_gateway));
  EXPECT_TRUE(pace.ask(Instant(1002s), uuid(2), no_gateway));
  EXPECT_FALSE(pace.ask(Instant(1002s), kResource, no_gateway));
  pace.granted(uuid(3));
  pace.refused(uuid(3));
  EXPECT_TRUE(pace.ask(Instant(1002s), uuid(3), no_gateway)) << "answers that nobody asked for are nothing";
}

}  // namespace
}  // namespace fireline::tunnel
