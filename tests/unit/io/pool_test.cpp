#include "io/pool.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace fireline::io {
namespace {

using packet::Buffer;

constexpr std::size_t kBytes = 1024;

TEST(BufferPool, TheLastBufferGivenBackIsTheNextOneTaken) {
  Waker waker;
  BufferPool pool("test", kBytes, 4 * kBytes);
  pool.adopt(&waker);
  Buffer first = pool.acquire();
  Buffer second = pool.acquire();
  std::byte* const hot = second.data();
  second.reset();
  first.reset();
  std::byte* const hotter = pool.acquire().data();
  EXPECT_NE(hotter, hot);
  EXPECT_EQ(pool.made(), 2u);
}

TEST(BufferPool, IsLimitedInBytesAndCountsWhatIsOut) {
  Waker waker;
  BufferPool pool("test", kBytes, 3 * kBytes);
  pool.adopt(&waker);
  std::vector<Buffer> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(pool.acquire());
    ASSERT_TRUE(held.back());
    EXPECT_EQ(held.back().capacity(), kBytes);
  }
  EXPECT_EQ(pool.out(), 3u);
  EXPECT_FALSE(pool.acquire());
  EXPECT_EQ(pool.exhausted(), 1u);
  held.pop_back();
  EXPECT_EQ(pool.out(), 2u);
  EXPECT_TRUE(pool.acquire());
}

TEST(BufferPool, ABufferHasItsHeadAndTailroom) {
  Waker waker;
  BufferPool pool("test", kBytes, 2 * kBytes);
  pool.adopt(&waker);
  Buffer buffer = pool.acquire();
  // AddressSanitizer sees a slot that is too small.
  for (std::byte* p = buffer.data() - packet::kHeadroomBytes; p < buffer.data() + kBytes + packet::kTailroomBytes;
       ++p) {
    *p = std::byte{0x5A};
  }
}

TEST(BufferPool, AnotherThreadsReturnWakesTheStarvingOwner) {
  Waker waker;
  BufferPool pool("test", kBytes, kBytes);
  pool.adopt(&waker);
  Buffer only = pool.acquire();
  waker.announce_sleep();
  ASSERT_FALSE(pool.acquire());
  std::thread other([buffer = std::move(only)]() mutable { buffer.reset(); });
  pollfd fd{waker.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&fd, 1, -1), 1);
  other.join();
  waker.awake(true);
  EXPECT_TRUE(pool.acquire());
}

// A thread that starts when the owner has ended gets its memory, thread-local variables and all.
TEST(BufferPool, AThreadInThePlaceOfTheOwnersIsAnotherOne) {
  Waker waker;
  BufferPool pool("test", kBytes, kBytes);
  Buffer only;
  std::thread([&] {
    pool.adopt(&waker);
    only = pool.acquire();
    waker.announce_sleep();
    ASSERT_FALSE(pool.acquire());
  }).join();
  std::thread([&] { only.reset(); }).join();
  pollfd fd{waker.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&fd, 1, 0), 1) << "given back through the queue, which wakes who starves";
}

TEST(BufferPool, SurvivesATrafficOfReturnsFromOtherThreads) {
  constexpr int kRounds = 20000;
  Waker owner_waker;
  Waker other_waker;
  BufferPool pool("test", kBytes, 8 * kBytes);
  pool.adopt(&owner_waker);
  std::atomic<bool> done{false};
  moodycamel::ConcurrentQueue<Buffer> handed;
  std::thread other([&] {
    Buffer buffer;
    while (!done.load() || handed.size_approx() > 0) {
      if (handed.try_dequeue(buffer)) buffer.reset();
    }
  });
  for (int i = 0; i < kRounds;) {
    Buffer buffer = pool.acquire();
    if (!buffer) continue;
    buffer.data()[0] = std::byte{1};
    handed.enqueue(std::move(buffer));
    ++i;
  }
  done.store(true);
  other.join();
  EXPECT_EQ(pool.out(), 0u);
  EXPECT_LE(pool.made(), 8u);
}

}  // namespace
}  // namespace fireline::io
