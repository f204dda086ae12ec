// A thread's stations among each other: who always has work takes nobody's turn.
#include "io/loop_thread.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <future>

namespace fireline::io {
namespace {

class Busy final : public Station {
 public:
  bool turn(Now) override {
    turns.fetch_add(1);
    return true;
  }
  void arm(PollSet&) override {}
  std::atomic<std::uint64_t> turns{0};
};

// Reads its descriptor when a poll found it readable, as a device's reader does.
class Reader final : public Station {
 public:
  bool turn(Now) override {
    if (!readable_) return false;
    readable_ = false;
    std::uint64_t value = 0;
    if (::read(fd.get(), &value, sizeof value) != sizeof value) return false;
    was_read.set_value(value);
    return true;
  }
  void arm(PollSet& set) override { set.add(fd.get(), POLLIN, &readable_); }

  FileDescriptor fd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::promise<std::uint64_t> was_read;

 private:
  bool readable_ = false;
};

TEST(LoopThread, AStationThatAlwaysHasWorkDoesNotKeepOthersFromTheirs) {
  Busy busy;
  Reader reader;
  LoopThread thread("test");
  thread.add(busy);
  thread.add(reader);
  auto was_read = reader.was_read.get_future();
  thread.start();
  while (busy.turns.load() == 0) std::this_thread::yield();
  const std::uint64_t seven = 7;
  ASSERT_EQ(::write(reader.fd.get(), &seven, sizeof seven), static_cast<ssize_t>(sizeof seven));
  EXPECT_EQ(was_read.get(), 7U);
  thread.stop();
  EXPECT_EQ(thread.sleeps(), 0U) << "it never rested";
}

class Idle final : public Station {
 public:
  bool turn(Now) override { return false; }
  void arm(PollSet&) override {}
};

// As of a waker whose thread stood still between asking who sleeps and the write.
TEST(LoopThread, AWakeUpThatComesLateEndsOneSleepAndNotTheNextOnes) {
  Idle idle;
  LoopThread thread("test");
  thread.add(idle);
  thread.start();
  while (thread.sleeps() == 0) std::this_thread::yield();
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(thread.waker().fd(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  while (thread.sleeps() == 1) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  thread.stop();
  EXPECT_LT(thread.sleeps(), 10U);
}

}  // namespace
}  // namespace fireline::io
