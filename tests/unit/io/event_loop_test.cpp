#include "io/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <vector>

#include "tests/unit/io/eventfd.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(EventLoop, DeliversReadiness) {
  auto loop = EventLoop::make().value();
  const auto ready = make_eventfd(1);
  int calls = 0;
  ASSERT_NE(loop->watch(ready.get(), EPOLLIN, [&](EventLoop::Events) { ++calls; }), EventLoop::Id::none);
  loop->turn(0s);
  loop->turn(0s);
  EXPECT_EQ(calls, 2) << "readiness is level-triggered";
}

TEST(EventLoop, ARemovedHandlerIsNotCalledForAnEventOfTheSameTurn) {
  auto loop = EventLoop::make().value();
  const auto first = make_eventfd(1);
  const auto second = make_eventfd(1);
  int calls = 0;
  EventLoop::Id ids[2];
  ids[0] = loop->watch(first.get(), EPOLLIN, [&](EventLoop::Events) {
    ++calls;
    loop->unwatch(ids[1]);
  });
  ids[1] = loop->watch(second.get(), EPOLLIN, [&](EventLoop::Events) {
    ++calls;
    loop->unwatch(ids[0]);
  });
  loop->turn(0s);
  EXPECT_EQ(calls, 1) << "whichever came first removed the other";
}

TEST(EventLoop, AHandlerMayRemoveItself) {
  auto loop = EventLoop::make().value();
  const auto ready = make_eventfd(1);
  int calls = 0;
  EventLoop::Id id{};
  id = loop->watch(ready.get(), EPOLLIN, [&, guard = std::make_unique<int>(7)](EventLoop::Events) {
    loop->unwatch(id);
    calls += *guard;  // the handler's own state is still alive
  });
  loop->turn(0s);
  loop->turn(0s);
  EXPECT_EQ(calls, 7);
}

TEST(EventLoop, APausedWatchIsSilentUntilItIsChangedBack) {
  auto loop = EventLoop::make().value();
  const auto ready = make_eventfd(1);
  int calls = 0;
  const auto id = loop->watch(ready.get(), EPOLLIN, [&](EventLoop::Events) { ++calls; });
  loop->change(id, 0);
  loop->turn(0s);
  EXPECT_EQ(calls, 0);
  loop->change(id, EPOLLIN);
  loop->turn(0s);
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, TimersFireInTheOrderOfTheirDeadlines) {
  auto loop = EventLoop::make().value();
  std::vector<int> fired;
  const auto start = loop->now().boot;
  (void)loop->at(start + 2ms, [&] {
    fired.push_back(2);
    loop->stop();
  });
  (void)loop->at(start + 1ms, [&] { fired.push_back(1); });
  (void)loop->at(start - 1h, [&] { fired.push_back(0); });
  const auto cancelled = loop->at(start + 1ms, [&] { fired.push_back(9); });
  loop->cancel(cancelled);
  loop->run();
  EXPECT_THAT(fired, ElementsAre(0, 1, 2));
  EXPECT_GE(loop->now().boot, start + 2ms) << "never before its deadline";
}

TEST(EventLoop, ATimerThatRearmsItselfForNowFiresOncePerTurn) {
  auto loop = EventLoop::make().value();
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    (void)loop->at(loop->now().boot, again);
  };
  again();
  loop->turn(1s);
  EXPECT_EQ(calls, 2);
}

TEST(EventLoop, RefusesMoreThanItsLimits) {
  auto loop = EventLoop::make().value();
  for (std::size_t i = 0; i < EventLoop::kTimersMax; ++i) ASSERT_NE(loop->after(1h, [] {}), EventLoop::Id::none);
  EXPECT_EQ(loop->after(1h, [] {}), EventLoop::Id::none);
  std::vector<FileDescriptor> descriptors;
  for (std::size_t i = 0; i < EventLoop::kWatchesMax; ++i) {
    descriptors.push_back(make_eventfd(0));
    ASSERT_NE(loop->watch(descriptors.back().get(), EPOLLIN, [](EventLoop::Events) {}), EventLoop::Id::none);
  }
  descriptors.push_back(make_eventfd(0));
  EXPECT_EQ(loop->watch(descriptors.back().get(), EPOLLIN, [](EventLoop::Events) {}), EventLoop::Id::none);
  EXPECT_EQ(loop->watch(-1, EPOLLIN, [](EventLoop::Events) {}), EventLoop::Id::none) << "no descriptor";
}

TEST(EventLoop, DeliversSignals) {
  auto loop = EventLoop::make().value();
  std::vector<int> signals;
  ASSERT_TRUE(loop->watch_signals({SIGUSR1, SIGUSR2}, [&](int signal) { signals.push_back(signal); }));
  raise(SIGUSR1);
  raise(SIGUSR2);
  loop->turn(1s);
  EXPECT_THAT(signals, ElementsAre(SIGUSR1, SIGUSR2));
}

}  // namespace
}  // namespace fireline::io
