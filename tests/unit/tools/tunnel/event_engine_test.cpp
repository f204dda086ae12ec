#include "tools/tunnel/event_engine.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <optional>

namespace fireline::tunnel {
namespace {

// An engine that makes as many events as it is told to.
class FakeCore final : public packet::Engine {
 public:
  std::deque<int> events;
  int next = 0;

  void make(int count) {
    for (int i = 0; i < count; ++i) events.push_back(next++);
  }
  std::optional<int> poll_event() {
    if (events.empty()) return std::nullopt;
    const int event = events.front();
    events.pop_front();
    return event;
  }

  std::unique_ptr<packet::Work> make_work() override { return std::make_unique<packet::Work>(); }
  void plan(Now, packet::TunBatch&, packet::Work&) override {}
  void plan(Now, packet::UdpBatch&, packet::Work&) override {}
  void commit(Now, packet::Work&, packet::Output&) override { make(1); }
  bool step_handshake(Now, packet::Output&) override {
    make(1);
    return true;
  }
  [[nodiscard]] std::optional<Instant> poll_timeout() const override { return std::nullopt; }
  void handle_timeout(Now, packet::Output&) override { make(1); }
  void stop_merging() override {}
};

bool readable(int fd) {
  pollfd poll_set{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll_set, 1, 0) == 1;
}

void clear(int fd) {
  eventfd_t ignored = 0;
  eventfd_read(fd, &ignored);
}

struct Row {
  const char* sentence;
  void (*act)(EventEngine<FakeCore>&, packet::Work&, packet::Output&);
};

TEST(EventEngine, WhateverMakesAnEventWakesTheControlThread) {
  constexpr Row kRows[]{
      {"a commit", [](auto& engine, auto& work, auto& output) { engine.commit({}, work, output); }},
      {"a handshake step", [](auto& engine, auto&, auto& output) { engine.step_handshake({}, output); }},
      {"a timer", [](auto& engine, auto&, auto& output) { engine.handle_timeout({}, output); }},
  };
  for (const Row& row : kRows) {
    FakeCore core;
    EventEngine<FakeCore> engine(core);
    packet::Work work;
    packet::Output output;
    EXPECT_FALSE(readable(engine.event_fd())) << row.sentence;
    row.act(engine, work, output);
    EXPECT_TRUE(readable(engine.event_fd())) << row.sentence;
    EXPECT_EQ(engine.take(), std::deque<int>{0}) << row.sentence;
  }
}

TEST(EventEngine, ACommandOfTheControlThreadWakesItToo) {
  FakeCore core;
  EventEngine<FakeCore> engine(core);
  core.make(2);
  engine.collect();
  EXPECT_TRUE(readable(engine.event_fd()));
  EXPECT_EQ(engine.take(), (std::deque<int>{0, 1}));
  clear(engine.event_fd());
  engine.collect();
  EXPECT_FALSE(readable(engine.event_fd())) << "nothing is new";
}

TEST(EventEngine, WhatExceedsTheLimitComesNextInOrder) {
  FakeCore core;
  EventEngine<FakeCore> engine(core);
  constexpr int kMore = 3;
  core.make(static_cast<int>(kEventsMax) + kMore);
  engine.collect();
  clear(engine.event_fd());
  EXPECT_EQ(engine.take().size(), kEventsMax);
  EXPECT_TRUE(readable(engine.event_fd())) << "the rest waits for another turn";
  EXPECT_EQ(engine.take(), (std::deque<int>{kEventsMax, kEventsMax + 1, kEventsMax + 2}));
}

}  // namespace
}  // namespace fireline::tunnel
