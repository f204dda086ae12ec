// Every errno of sendmsg at every place: what reaches the kernel, in which calls, and what is counted.
#include "io/datagram_sender.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include "tests/unit/io/scripted_syscalls.h"

namespace fireline::io {
namespace {

constexpr Instant kStart{std::chrono::hours(1)};
constexpr std::size_t kSegmentBytes = 100;

// Trains whose datagrams carry the numbers 0, 1, 2, … in their first four bytes.
class Trains {
 public:
  void add(std::size_t datagrams, const char* destination = "192.0.2.1:51820",
           std::size_t segment_bytes = kSegmentBytes, std::size_t last_bytes = 0) {
    memory_.emplace_back(datagrams * segment_bytes - (last_bytes != 0 ? segment_bytes - last_bytes : 0));
    Bytes bytes = memory_.back();
    for (std::size_t i = 0; i < datagrams; ++i) store_le32(bytes, i * segment_bytes, next_++);
    packet::UdpTrain train;
    train.bytes = bytes;
    train.segment_bytes = static_cast<std::uint16_t>(segment_bytes);
    train.destination = *Endpoint::parse(destination);
    batch.trains.push_back(train);
  }
  std::vector<std::uint32_t> numbers() const {
    std::vector<std::uint32_t> all(next_);
    std::iota(all.begin(), all.end(), 0U);
    return all;
  }

  packet::UdpSendBatch batch;

 private:
  std::deque<std::vector<std::byte>> memory_;
  std::uint32_t next_ = 0;
};

// What goes, and in which calls, must not depend on how many messages the sender plans ahead: `chain_messages` 1 is the
// plain backend, more is io_uring's.
struct Sender {
  explicit Sender(std::size_t chain_messages)
      : sender(3, Family::v4, packet::kTrainSegments, syscalls, chain_messages) {}
  ScriptedSyscalls syscalls;
  DatagramSender sender;

  // Calls send() until it is done, as a caller would after each wake-up. Returns how often it was called.
  std::size_t send_all(const packet::UdpSendBatch& batch, Instant now = kStart) {
    SendCursor cursor;
    for (std::size_t calls = 1; calls < 100; ++calls) {
      if (sender.send(batch, cursor, now) == IoStatus::done) return calls;
    }
    ADD_FAILURE() << "send() never came to an end";
    return 0;
  }
  std::uint64_t count(UdpSendCounter which) const { return sender.counters().get(which); }
};

struct Row {
  const char* rule;
  std::vector<std::size_t> trains;  // datagrams of each
  bool local;                       // trains have a sticky source
  std::vector<int> script;
  const char* attempts;
  std::vector<std::uint32_t> lost;  // numbers that must not arrive; all others exactly once and in order
  UdpSendCounter counted;
  std::uint64_t count;
  std::size_t send_calls;  // 1: never blocked
};

const std::vector<Row> kRows = {
    {"a train goes out in one call", {5}, false, {}, "5:ok", {}, UdpSendCounter::gso_calls, 1, 1},
    {"one datagram is no train", {1}, false, {}, "1:ok", {}, UdpSendCounter::gso_calls, 0, 1},
    {"100 datagrams go in chunks of 64", {100}, false, {}, "64:ok 36:ok", {}, UdpSendCounter::datagrams, 100, 1},
    {"the rest of one datagram is sent without a segment size",
     {65},
     false,
     {},
     "64:ok 1:ok",
     {},
     UdpSendCounter::gso_calls,
     1,
     1},
    {"EAGAIN in the middle of a train goes on at the first unsent chunk",
     {150, 2},
     false,
     {0, EAGAIN},
     "64:ok 64:EAGAIN 64:ok 22:ok 2:ok",
     {},
     UdpSendCounter::would_block,
     1,
     2},
    {"EAGAIN between trains repeats none of them",
     {3, 3, 3},
     false,
     {0, EAGAIN, EAGAIN},
     "3:ok 3:EAGAIN 3:EAGAIN 3:ok 3:ok",
     {},
     UdpSendCounter::would_block,
     2,
     3},
    {"EINTR is tried again at once",
     {3},
     false,
     {EINTR, EINTR},
     "3:EINTR 3:EINTR 3:ok",
     {},
     UdpSendCounter::datagrams,
     3,
     1},
    {"EIO: the train goes singly at once",
     {3},
     false,
     {EIO},
     "3:EIO 1:ok 1:ok 1:ok",
     {},
     UdpSendCounter::gso_refused,
     1,
     1},
    {"EIO in the middle: what went is not repeated, the rest goes singly",
     {67},
     false,
     {0, EIO},
     "64:ok 3:EIO 1:ok 1:ok 1:ok",
     {},
     UdpSendCounter::datagrams,
     67,
     1},
    {"after EIO the next train of the path goes singly from the start",
     {2, 2},
     false,
     {EIO},
     "2:EIO 1:ok 1:ok 1:ok 1:ok",
     {},
     UdpSendCounter::gso_refused,
     1,
     1},
    {"EINVAL without a source is a refusal too",
     {3},
     false,
     {EINVAL},
     "3:EINVAL 1:ok 1:ok 1:ok",
     {},
     UdpSendCounter::gso_refused,
     1,
     1},
    {"EAGAIN among the singles after EIO neither loses nor repeats",
     {3},
     false,
     {EIO, 0, EAGAIN},
     "3:EIO 1:ok 1:EAGAIN 1:ok 1:ok",
     {},
     UdpSendCounter::datagrams,
     3,
     2},
    {"EAGAIN before the first single asks again for the whole train",
     {2},
     false,
     {EIO, EAGAIN, EIO},
     "2:EIO 1:EAGAIN 2:EIO 1:ok 1:ok",
     {},
     UdpSendCounter::datagrams,
     2,
     2},
    {"EINVAL with a source: first without it, it may have vanished",
     {3},
     true,
     {EINVAL},
     "3+:EINVAL 3:ok",
     {},
     UdpSendCounter::without_source,
     1,
     1},
    {"a vanished source is left out for the rest of its train only",
     {65, 2},
     true,
     {EINVAL},
     "64+:EINVAL 64:ok 1:ok 2+:ok",
     {},
     UdpSendCounter::without_source,
     2,
     1},
    {"EINVAL with and without source is a refusal, and the singles keep their source",
     {2},
     true,
     {EINVAL, EINVAL},
     "2+:EINVAL 2:EINVAL 1+:ok 1+:ok",
     {},
     UdpSendCounter::gso_refused,
     1,
     1},
    {"EADDRNOTAVAIL with a source is tried without",
     {1},
     true,
     {EADDRNOTAVAIL},
     "1+:EADDRNOTAVAIL 1:ok",
     {},
     UdpSendCounter::without_source,
     1,
     1},
    {"no route from the source's interface: the kernel chooses another",
     {2},
     true,
     {ENETUNREACH},
     "2+:ENETUNREACH 2:ok",
     {},
     UdpSendCounter::without_source,
     1,
     1},
    {"EINVAL for a single datagram drops it and goes on",
     {1, 1},
     false,
     {EINVAL},
     "1:EINVAL 1:ok",
     {0},
     UdpSendCounter::drop_invalid,
     1,
     1},
    {"EMSGSIZE on a train is path MTU: the fitting ones still go",
     {3},
     false,
     {EMSGSIZE, EMSGSIZE, 0, 0},
     "3:EMSGSIZE 1:EMSGSIZE 1:ok 1:ok",
     {0},
     UdpSendCounter::drop_too_big,
     1,
     1},
    {"EMSGSIZE is no refusal: the next train is one call again",
     {2, 2},
     false,
     {EMSGSIZE},
     "2:EMSGSIZE 1:ok 1:ok 2:ok",
     {},
     UdpSendCounter::gso_refused,
     0,
     1},
    {"nor is EINVAL, the old kernels' word for it, where a datagram of the train is too large itself",
     {3, 2},
     false,
     {EINVAL, EMSGSIZE, 0, 0},
     "3:EINVAL 1:EMSGSIZE 1:ok 1:ok 2:ok",
     {0},
     UdpSendCounter::gso_refused,
     1,
     1},
    {"ENOBUFS once is tried again at once",
     {2},
     false,
     {ENOBUFS},
     "2:ENOBUFS 2:ok",
     {},
     UdpSendCounter::kernel_busy,
     0,
     1},
    {"ENOBUFS twice waits for the caller's timer",
     {2, 1},
     false,
     {ENOBUFS, ENOBUFS},
     "2:ENOBUFS 2:ENOBUFS 2:ok 1:ok",
     {},
     UdpSendCounter::kernel_busy,
     1,
     2},
    {"EPERM drops the train and goes on with the next",
     {3, 1},
     false,
     {EPERM},
     "3:EPERM 1:ok",
     {0, 1, 2},
     UdpSendCounter::drop_denied,
     3,
     1},
    {"EACCES likewise", {1, 1}, false, {EACCES}, "1:EACCES 1:ok", {0}, UdpSendCounter::drop_denied, 1, 1},
    {"an unreachable network drops the train",
     {3, 1},
     false,
     {ENETUNREACH},
     "3:ENETUNREACH 1:ok",
     {0, 1, 2},
     UdpSendCounter::drop_unreachable,
     3,
     1},
    {"an unreachable host in the middle drops the rest only",
     {66, 1},
     false,
     {0, EHOSTUNREACH},
     "64:ok 2:EHOSTUNREACH 1:ok",
     {64, 65},
     UdpSendCounter::drop_unreachable,
     2,
     1},
    {"unreachable with and without source",
     {2, 1},
     true,
     {ENETUNREACH, ENETUNREACH},
     "2+:ENETUNREACH 2:ENETUNREACH 1+:ok",
     {0, 1},
     UdpSendCounter::drop_unreachable,
     2,
     1},
    {"a pending error of an earlier datagram costs nothing",
     {2},
     false,
     {ECONNREFUSED},
     "2:ECONNREFUSED 2:ok",
     {},
     UdpSendCounter::datagrams,
     2,
     1},
    {"an errno nobody knows drops the train",
     {2, 1},
     false,
     {EPROTO, EPROTO},
     "2:EPROTO 2:EPROTO 1:ok",
     {0, 1},
     UdpSendCounter::drop_other,
     2,
     1},
    {"EIO for a single datagram drops it", {1, 1}, false, {EIO}, "1:EIO 1:ok", {0}, UdpSendCounter::drop_other, 1, 1},
};

class DatagramSenderTest : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Chains, DatagramSenderTest, testing::Values(1, 2, 16),
                         [](const auto& row) { return "of" + std::to_string(row.param); });

TEST_P(DatagramSenderTest, ReactsToEachErrno) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    Trains trains;
    for (const std::size_t datagrams : row.trains) trains.add(datagrams);
    if (row.local) {
      for (auto& train : trains.batch.trains) train.local = {.address = *IpAddress::parse("192.0.2.9"), .interface = 2};
    }
    Sender it(GetParam());
    it.syscalls.send_script.assign(row.script.begin(), row.script.end());
    EXPECT_EQ(it.send_all(trains.batch), row.send_calls);
    EXPECT_EQ(it.syscalls.attempts, row.attempts);
    auto expected = trains.numbers();
    std::erase_if(expected, [&](std::uint32_t n) { return std::ranges::count(row.lost, n) != 0; });
    EXPECT_EQ(it.syscalls.reached, expected);
    EXPECT_EQ(it.count(row.counted), row.count) << name_of(row.counted);
    // The ledger: each datagram was sent or dropped under exactly one name.
    EXPECT_EQ(it.count(UdpSendCounter::datagrams), expected.size());
    const std::uint64_t dropped = it.count(UdpSendCounter::drop_too_big) + it.count(UdpSendCounter::drop_unreachable) +
                                  it.count(UdpSendCounter::drop_denied) + it.count(UdpSendCounter::drop_invalid) +
                                  it.count(UdpSendCounter::drop_busy) + it.count(UdpSendCounter::drop_other);
    EXPECT_EQ(dropped, row.lost.size());
  }
}

TEST_P(DatagramSenderTest, NothingIsLostOrRepeatedUnderAnySequenceOfTransientErrors) {
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // thousands of senders with a first refusal each
  // All scripts of five results out of these; the errors that lose nothing.
  const std::vector<int> results = {0, EAGAIN, EIO, EINVAL, ENOBUFS, EINTR};
  std::size_t scripts = 0;
  for (std::size_t code = 0; code < 6 * 6 * 6 * 6 * 6; ++code) {
    Sender it(GetParam());
    std::size_t digits = code;
    bool refused_single = false;
    for (int i = 0; i < 5; ++i, digits /= 6) it.syscalls.send_script.push_back(results[digits % 6]);
    Trains trains;
    trains.add(66);
    trains.add(3);
    it.send_all(trains.batch);
    // A refusal of a single datagram (EIO, EINVAL) is a drop by rule; those scripts are of the other test.
    refused_single = it.count(UdpSendCounter::drop_invalid) + it.count(UdpSendCounter::drop_other) != 0;
    if (refused_single) continue;
    ++scripts;
    ASSERT_EQ(it.syscalls.reached, trains.numbers()) << it.syscalls.attempts;
  }
  spdlog::set_level(level);
  EXPECT_GT(scripts, 2000U);
}

TEST_P(DatagramSenderTest, EndlessLackOfKernelMemoryDropsOneTrainAndNotTheOthers) {
  Trains trains;
  trains.add(2);
  trains.add(1);
  Sender it(GetParam());
  it.syscalls.send_script.assign(std::size_t{2} * kKernelBusyAttempts, ENOBUFS);
  SendCursor cursor;
  for (unsigned attempt = 1; attempt < kKernelBusyAttempts; ++attempt) {
    ASSERT_EQ(it.sender.send(trains.batch, cursor, kStart), IoStatus::would_block);
    ASSERT_TRUE(cursor.kernel_busy);
  }
  EXPECT_EQ(it.sender.send(trains.batch, cursor, kStart), IoStatus::done);
  EXPECT_FALSE(cursor.kernel_busy);
  EXPECT_EQ(it.syscalls.reached, std::vector<std::uint32_t>{2});
  EXPECT_EQ(it.count(UdpSendCounter::drop_busy), 2U);
}

TEST_P(DatagramSenderTest, EagainIsNotKernelBusy) {
  Trains trains;
  trains.add(1);
  Sender it(GetParam());
  it.syscalls.send_script = {ENOBUFS, ENOBUFS, EAGAIN};
  SendCursor cursor;
  EXPECT_EQ(it.sender.send(trains.batch, cursor, kStart), IoStatus::would_block);
  EXPECT_TRUE(cursor.kernel_busy);
  EXPECT_EQ(it.sender.send(trains.batch, cursor, kStart), IoStatus::would_block);
  EXPECT_FALSE(cursor.kernel_busy) << "POLLOUT will tell";
}

TEST_P(DatagramSenderTest, AClosedSocketIsToldAndNothingIsCountedAsDropped) {
  for (const int code : {EBADF, ENOTSOCK, EPIPE}) {
    Trains trains;
    trains.add(2);
    Sender it(GetParam());
    it.syscalls.send_script = {code};
    SendCursor cursor;
    EXPECT_EQ(it.sender.send(trains.batch, cursor, kStart), IoStatus::closed);
    EXPECT_EQ(cursor.train, 0U);
  }
}

TEST_P(DatagramSenderTest, ChunksKeepBelowTheLargestDatagram) {
  struct Limits {
    const char* rule;
    std::size_t segment_bytes;
    std::size_t datagrams;
    std::size_t last_bytes;  // 0: full
    const char* attempts;
  };
  for (const Limits& row : std::vector<Limits>{
           {"1,316 bytes: 49 in one call", 1316, 64, 0, "49:ok 15:ok"},
           {"148 bytes: the segments limit", 148, 70, 0, "64:ok 6:ok"},
           {"a short last one fits where a full one would not", 1452, 46, 100, "46:ok"},
           {"60,000 bytes: singly", 60000, 2, 0, "1:ok 1:ok"},
       }) {
    SCOPED_TRACE(row.rule);
    Trains trains;
    trains.add(row.datagrams, "192.0.2.1:1", row.segment_bytes, row.last_bytes);
    Sender it(GetParam());
    it.send_all(trains.batch);
    EXPECT_EQ(it.syscalls.attempts, row.attempts);
    EXPECT_EQ(it.syscalls.reached, trains.numbers());
  }
}

TEST_P(DatagramSenderTest, AShorterLastDatagramKeepsItsLength) {
  Trains trains;
  trains.add(66, "192.0.2.1:1", kSegmentBytes, 7);
  Sender it(GetParam());
  it.send_all(trains.batch);
  EXPECT_EQ(it.syscalls.attempts, "64:ok 2:ok");
  EXPECT_EQ(it.count(UdpSendCounter::bytes), 65 * kSegmentBytes + 7);
}

TEST_P(DatagramSenderTest, ARefusingPathSendsSinglyForTenMinutesAndOthersDoNot) {
  Trains refusing;
  refusing.add(3, "192.0.2.1:1");
  Trains neighbour;
  neighbour.add(3, "192.0.2.200:1");
  Trains other;
  other.add(3, "198.51.100.1:1");
  Sender it(GetParam());
  it.syscalls.send_script = {EIO};
  it.send_all(refusing.batch, kStart);

  it.syscalls.attempts.clear();
  const Instant later = kStart + kGsoRefusalTime - Duration(1);
  it.send_all(refusing.batch, later);
  it.send_all(neighbour.batch, later);
  it.send_all(other.batch, later);
  EXPECT_EQ(it.syscalls.attempts, "1:ok 1:ok 1:ok 1:ok 1:ok 1:ok 3:ok") << "the same /24 shares the route";
  EXPECT_EQ(it.sender.gso().refused_paths(), 1U);
  EXPECT_EQ(it.sender.gso().last_errno(), EIO);

  it.syscalls.attempts.clear();
  it.send_all(refusing.batch, kStart + kGsoRefusalTime);
  EXPECT_EQ(it.syscalls.attempts, "3:ok");
  EXPECT_EQ(it.sender.gso().refused_paths(), 0U);
}

TEST_P(DatagramSenderTest, SeveralRefusingPathsSwitchTheSocket) {
  Sender it(GetParam());
  Trains trains;
  for (const char* destination : {"192.0.2.1:1", "198.51.100.1:1", "203.0.113.1:1", "10.0.0.1:1"}) {
    EXPECT_TRUE(it.sender.gso().enabled());
    Trains one;
    one.add(2, destination);
    it.syscalls.send_script = {EIO};
    it.send_all(one.batch);
  }
  EXPECT_FALSE(it.sender.gso().enabled());
  it.syscalls.attempts.clear();
  Trains innocent;
  innocent.add(2, "172.16.0.1:1");
  it.send_all(innocent.batch, kStart + std::chrono::minutes(9));
  EXPECT_EQ(it.syscalls.attempts, "1:ok 1:ok");
  it.syscalls.attempts.clear();
  it.send_all(innocent.batch, kStart + kGsoRefusalTime);
  EXPECT_EQ(it.syscalls.attempts, "2:ok");
  EXPECT_TRUE(it.sender.gso().enabled());
}

TEST_P(DatagramSenderTest, AnImpossibleDestinationBlamesNoPath) {
  Sender it(GetParam());
  it.syscalls.send_rule = [](std::size_t, bool, const msghdr&) { return EINVAL; };
  Trains trains;
  trains.add(3, "192.0.2.1:1");
  it.send_all(trains.batch);
  EXPECT_EQ(it.count(UdpSendCounter::drop_invalid), 3U);
  it.syscalls.send_rule = nullptr;
  it.syscalls.attempts.clear();
  it.send_all(trains.batch);
  EXPECT_EQ(it.syscalls.attempts, "3:ok");
}

TEST_P(DatagramSenderTest, MoreThan64SegmentsAreLoweredTo64BeforeAnythingIsRefused) {
  ScriptedSyscalls syscalls;
  DatagramSender sender(3, Family::v4, 128, syscalls);
  syscalls.send_rule = [](std::size_t segments, bool, const msghdr&) { return segments > 64 ? EINVAL : 0; };
  Trains trains;
  trains.add(128);
  SendCursor cursor;
  EXPECT_EQ(sender.send(trains.batch, cursor, kStart), IoStatus::done);
  EXPECT_EQ(syscalls.attempts, "128:EINVAL 64:ok 64:ok");
  EXPECT_EQ(syscalls.reached, trains.numbers());
  EXPECT_EQ(sender.gso().segments_max(), 64U);
  EXPECT_EQ(sender.gso().refused_paths(), 0U);
}

TEST_P(DatagramSenderTest, ADestinationOfTheOtherFamilyIsDroppedAndCounted) {
  Sender it(GetParam());
  Trains trains;
  trains.add(3, "[2001:db8::1]:1");
  trains.add(1);
  it.send_all(trains.batch);
  EXPECT_EQ(it.count(UdpSendCounter::drop_invalid), 3U);
  EXPECT_EQ(it.syscalls.attempts, "1:ok");
}

}  // namespace
}  // namespace fireline::io
