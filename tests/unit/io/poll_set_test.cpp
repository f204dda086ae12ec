// What the kernel watches follows what was added for the last sleep.
#include "io/poll_set.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

#include "tests/unit/io/eventfd.h"

namespace fireline::io {
namespace {

void signal(const FileDescriptor& event) {
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(event.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
}

// Whether it was ready in a set of its own interest and nothing else.
bool looks_ready(PollSet& set, int fd, short events = POLLIN) {
  bool ready = false;
  set.clear();
  set.add(fd, events, &ready);
  set.look();
  return ready;
}

TEST(PollSet, WhatIsReadyIsReportedAgainUntilItIsServed) {
  PollSet set;
  const auto event = make_eventfd(0);
  EXPECT_FALSE(looks_ready(set, event.get()));
  signal(event);
  EXPECT_TRUE(looks_ready(set, event.get()));
  EXPECT_TRUE(looks_ready(set, event.get()));
  std::uint64_t count = 0;
  ASSERT_EQ(::read(event.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  EXPECT_FALSE(looks_ready(set, event.get()));
}

TEST(PollSet, WhatIsLeftOutDoesNotEndASleep) {
  PollSet set;
  const auto left_out = make_eventfd(0);
  const auto wanted = make_eventfd(0);
  EXPECT_FALSE(looks_ready(set, left_out.get()));
  signal(left_out);
  EXPECT_FALSE(looks_ready(set, wanted.get()));
  signal(wanted);
  EXPECT_TRUE(looks_ready(set, wanted.get()));
  EXPECT_TRUE(looks_ready(set, left_out.get())) << "added again";
}

TEST(PollSet, EachInterestInADescriptorHearsOfItsOwnEvents) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const FileDescriptor near(ends[0]);
  FileDescriptor far(ends[1]);
  PollSet set;
  const auto look = [&](bool& readable, bool& writable) {
    readable = writable = false;
    set.clear();
    set.add(near.get(), POLLIN, &readable);
    set.add(near.get(), POLLOUT, &writable);
    set.look();
  };
  bool readable = false;
  bool writable = false;
  look(readable, writable);
  EXPECT_FALSE(readable);
  EXPECT_TRUE(writable);
  ASSERT_EQ(::send(far.get(), "x", 1, 0), 1);
  look(readable, writable);
  EXPECT_TRUE(readable);
  EXPECT_TRUE(looks_ready(set, near.get(), POLLIN)) << "the writer went, the reader stays";
  char byte = 0;
  ASSERT_EQ(::recv(near.get(), &byte, 1, 0), 1);
  EXPECT_FALSE(looks_ready(set, near.get(), POLLIN)) << "writable is nothing to the reader";
}

TEST(PollSet, ANumberThatIsAnothersAfterForgetIsWatchedAnew) {
  PollSet set;
  auto first = make_eventfd(0);
  const int number = first.get();
  EXPECT_FALSE(looks_ready(set, number));
  set.forget();
  first.reset();
  const auto other = make_eventfd(0);
  ASSERT_EQ(other.get(), number) << "the lowest that is free";
  EXPECT_FALSE(looks_ready(set, number));
  signal(other);
  EXPECT_TRUE(looks_ready(set, number));
}

// Its file lives on in a duplicate, whose readiness nobody could serve.
TEST(PollSet, ForgetEndsTheWatchOfAFileThatOutlivesItsNumber) {
  PollSet set;
  auto first = make_eventfd(0);
  const int number = first.get();
  const FileDescriptor duplicate(::dup(number));
  EXPECT_FALSE(looks_ready(set, number));
  set.forget();
  first.reset();
  const auto other = make_eventfd(0);
  ASSERT_EQ(other.get(), number);
  signal(duplicate);
  EXPECT_FALSE(looks_ready(set, number));
}

// As io_uring does, which completes requests on the way out of an interrupted sleep. In a thread of its own: one that
// had a ring is interrupted at that ring's end too (io/uring.h).
TEST(PollSet, WhatTheInterruptionOfASleepMakesReadyIsReported) {
  static int interrupted = -1;
  const auto event = make_eventfd(0);
  interrupted = event.get();
  struct sigaction act{};
  act.sa_handler = [](int) {
    const std::uint64_t one = 1;
    (void)!::write(interrupted, &one, sizeof one);
  };
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGALRM, &act, &before), 0);
  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &alarm, nullptr), 0);
  bool ready = false;
  std::thread([&] {
    PollSet set;
    set.add(event.get(), POLLIN, &ready);
    const itimerval soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 20'000}};
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    ::setitimer(ITIMER_REAL, &soon, nullptr);
    set.sleep();
  }).join();
  EXPECT_TRUE(ready);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  ASSERT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
}

// A regular file, which epoll takes never and poll(2) always: what a descriptor looks like for which epoll has no
// memory.
class RefusedByEpoll : public testing::Test {
 protected:
  bool look(bool with_refused) {
    bool ready = false;
    wanted_ready_ = false;
    set_.clear();
    if (with_refused) set_.add(refused_.get(), POLLIN, &ready);
    set_.add(wanted_.get(), POLLIN, &wanted_ready_);
    set_.look();
    return ready;
  }

  const FileDescriptor refused_{::memfd_create("refused", MFD_CLOEXEC)};
  const FileDescriptor wanted_ = make_eventfd(0);
  PollSet set_;
  bool wanted_ready_ = false;
};

TEST_F(RefusedByEpoll, EndsTheSleepNevertheless) {
  EXPECT_TRUE(look(true));
  EXPECT_FALSE(wanted_ready_);
  EXPECT_TRUE(look(true)) << "is not taken for watched";
}

TEST_F(RefusedByEpoll, HidesNothingBesideIt) {
  signal(wanted_);
  EXPECT_TRUE(look(true));
  EXPECT_TRUE(wanted_ready_);
  EXPECT_FALSE(look(false)) << "epoll again";
  EXPECT_TRUE(wanted_ready_);
}

}  // namespace
}  // namespace fireline::io
