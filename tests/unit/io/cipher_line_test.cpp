// Helpers as a model: nobody's thread runs, the test gives each a turn in an order drawn from a seed. Whoever runs the
// jobs, each is run once and the works leave in the order in which they were planned.
#include "io/cipher_line.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <vector>

#include "io/limits.h"
#include "tests/unit/io/data_plane_parts.h"

namespace fireline::io {
namespace {

constexpr std::size_t kBytes = 64;                        // of each job
constexpr std::size_t kTaskCost = 1000;                   // two jobs
constexpr std::size_t kJobsMax = 40;                      // of a work
constexpr std::size_t kNoTaskJobs = 3;                    // a work of so many is not worth a task
constexpr std::size_t kWorksLeast = 300;                  // of a run
using Memory = std::array<std::byte, kJobsMax * kBytes>;  // of a work

class CipherLineTest : public testing::Test {
 protected:
  explicit CipherLineTest(std::size_t helpers = 3, unsigned busy_works = 0) {
    for (std::size_t i = 0; i < helpers; ++i) {
      helpers_.push_back(std::make_unique<CipherHelper>(std::make_unique<FlipCipher>(), helpers_waker_, waker_));
    }
    line_ = std::make_unique<CipherLine>(engine_, own_, list(), CipherThreshold{kTaskCost, busy_works});
  }

  // Plans a work whose bytes are all its number's.
  void plan(std::size_t jobs) {
    packet::Work& work = line_->next();
    auto& memory = memory_[planned_ % kWorksInFlight];
    memory.fill(pattern(planned_));
    ASSERT_TRUE(work.jobs.empty());
    for (std::size_t i = 0; i < jobs; ++i) {
      work.jobs.push_back({.data = memory.data() + i * kBytes, .bytes = static_cast<std::uint32_t>(kBytes)});
    }
    ++planned_;
    line_->start();
  }

  // Takes the oldest work if it is finished: it has to be the next, and each of its jobs was run once.
  bool commit() {
    packet::Work* work = line_->finished();
    if (work == nullptr) return false;
    const std::byte expected = pattern(committed_) ^ std::byte{0x5A};
    for (const crypto::AeadJob& job : work->jobs) {
      EXPECT_TRUE(job.authentic);
      for (const std::byte byte : std::span(job.data, job.bytes)) {
        if (byte != expected) ADD_FAILURE() << "work " << committed_;
        if (byte != expected) return false;
      }
    }
    work->jobs.clear();
    line_->retire();
    ++committed_;
    return true;
  }

  [[nodiscard]] static std::byte pattern(std::size_t number) { return static_cast<std::byte>(number); }
  [[nodiscard]] std::vector<CipherHelper*> list() const {
    std::vector<CipherHelper*> list;
    for (const auto& helper : helpers_) list.push_back(helper.get());
    return list;
  }

  PassOn engine_{Endpoint()};
  FlipCipher own_;
  Waker waker_;
  Waker helpers_waker_;
  std::vector<std::unique_ptr<CipherHelper>> helpers_;
  std::unique_ptr<CipherLine> line_;
  std::array<Memory, kWorksInFlight> memory_{};
  std::size_t planned_ = 0;
  std::size_t committed_ = 0;
};

TEST_F(CipherLineTest, WorksLeaveInOrderWhoeverRunsTheirTasksAndWhen) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (const std::size_t end = planned_ + kWorksLeast; committed_ < end && !HasFailure();) {
      switch (random() % 8) {
        case 0:
          if (line_->has_room()) plan(random() % kJobsMax);
          break;
        case 1:
          while (commit()) {
          }
          break;
        case 2:
          line_->help();
          break;
        default:
          (void)helpers_[random() % helpers_.size()]->turn({});
          break;
      }
    }
    while (line_->help() || commit()) {
    }
    EXPECT_EQ(committed_, planned_);
  }
  const auto all = line_->counters().get(CipherCounter::tasks);
  const auto own = line_->counters().get(CipherCounter::tasks_own);
  EXPECT_GT(own, 0u);
  EXPECT_GT(all, own) << "helpers ran some";
}

TEST_F(CipherLineTest, WithoutAnyTurnOfAHelperThePacketThreadDoesAllAndNothingTwice) {
  // Far more tasks than the helpers' queues hold.
  for (std::size_t i = 0; i < 100; ++i) {
    plan(kJobsMax);
    while (line_->help()) {
    }
    ASSERT_TRUE(commit());
  }
  EXPECT_EQ(line_->counters().get(CipherCounter::tasks), line_->counters().get(CipherCounter::tasks_own));
  // What their queues still hold was done: nothing of the next work is on offer yet, and none of it is touched.
  for (const auto& helper : helpers_) {
    while (helper->turn({})) {
    }
  }
  plan(kJobsMax);
  EXPECT_EQ(line_->finished(), nullptr);
  EXPECT_TRUE(helpers_[0]->turn({})) << "the queues take tasks again";
  while (line_->help()) {
  }
  EXPECT_TRUE(commit());
}

TEST_F(CipherLineTest, AnEntryOfAnEarlierOfferRunsWhatIsOnOfferNow) {
  plan(kJobsMax);
  while (line_->help()) {
  }
  ASSERT_TRUE(commit());
  plan(kJobsMax);  // in the other place
  while (line_->help()) {
  }
  ASSERT_TRUE(commit());
  plan(kJobsMax);  // in the first one again: each queue has two entries for each of its tasks
  for (const auto& helper : helpers_) {
    while (helper->turn({})) {
    }
  }
  EXPECT_FALSE(line_->help()) << "nothing is left";
  EXPECT_TRUE(commit());
}

TEST_F(CipherLineTest, AWorkWithOpenTasksHoldsBackTheWorksBehindIt) {
  plan(kJobsMax);
  plan(kNoTaskJobs);  // done at once
  EXPECT_FALSE(line_->has_room());
  while (helpers_[1]->turn({})) {
  }
  while (helpers_[2]->turn({})) {
  }
  EXPECT_EQ(line_->finished(), nullptr) << "the first helper's tasks are open";
  while (helpers_[0]->turn({})) {
  }
  EXPECT_TRUE(commit());
  EXPECT_TRUE(commit());
  EXPECT_TRUE(line_->has_room());
}

TEST_F(CipherLineTest, LittleWorkIsDoneAtOnce) {
  for (std::size_t jobs = 0; jobs <= kNoTaskJobs; ++jobs) {
    plan(jobs);
    EXPECT_TRUE(commit()) << jobs;
  }
  EXPECT_EQ(line_->counters().get(CipherCounter::tasks), 0u);
}

TEST_F(CipherLineTest, TheLastTaskOfAWorkWakesThePacketThreadAndNoOther) {
  plan(kJobsMax);
  waker_.announce_sleep();
  pollfd woken{waker_.fd(), POLLIN, 0};
  for (const auto& helper : helpers_) {
    EXPECT_EQ(::poll(&woken, 1, 0), 0);
    while (helper->turn({})) {
    }
  }
  EXPECT_EQ(::poll(&woken, 1, 0), 1);
  waker_.awake(true);
  EXPECT_TRUE(commit());
}

class NoHelpers : public CipherLineTest {
 protected:
  NoHelpers() : CipherLineTest(0) {}
};

TEST_F(NoHelpers, EveryWorkIsDoneAtOnceAndLeavesBeforeTheNext) {
  for (std::size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(line_->has_room());
    plan(kJobsMax);
    EXPECT_FALSE(line_->has_room());
    EXPECT_FALSE(line_->help());
    EXPECT_TRUE(commit());
  }
}

class BusyFirst : public CipherLineTest {
 protected:
  BusyFirst() : CipherLineTest(1, 2) {}

  [[nodiscard]] bool is_offered() {
    const auto before = line_->counters().get(CipherCounter::tasks);
    plan(kJobsMax);
    while (line_->help()) {
    }
    EXPECT_TRUE(commit());
    return line_->counters().get(CipherCounter::tasks) > before;
  }
};

TEST_F(BusyFirst, HelpIsAskedForWhenThereIsNoRestBetweenWorks) {
  for (int rests = 0; rests < 3; ++rests) {
    EXPECT_FALSE(is_offered());
    plan(kNoTaskJobs);  // too little to say that there is much to do
    EXPECT_TRUE(commit());
    EXPECT_FALSE(is_offered());
    EXPECT_TRUE(is_offered());
    EXPECT_TRUE(is_offered());
    line_->rest();
  }
}

TEST_F(BusyFirst, WhoRestsBehindEachWorkIsNotHelped) {
  for (int works = 0; works < 10; ++works) {
    EXPECT_FALSE(is_offered());
    line_->rest();
  }
}

}  // namespace
}  // namespace fireline::io
