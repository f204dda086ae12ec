// Fair shares against a model of what stands behind them: a socket with a bounded buffer, a reader with three batches,
// and an engine that opens so many datagrams a second and no more. Time is simulated; no row depends on this machine.
#include "core/packet/fair_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace fireline::packet {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kDatagramBytes = 1232;
constexpr std::size_t kSocketDatagrams = 3000;  // 4 MiB with the kernel's overhead
constexpr std::size_t kLoudDatagrams = 1000;
constexpr std::size_t kChannelBatches = 3;
constexpr Duration kOpening = 10us;  // of a datagram: the engine's capacity is 100,000 a second, 1 Gbit/s
constexpr Duration kReading = 1us;
constexpr Duration kTick = 100us;

Endpoint sender(std::size_t number) {
  static const Endpoint kFirst = *Endpoint::parse("198.51.100.1:40000");
  return {.address = kFirst.address, .port = static_cast<std::uint16_t>(kFirst.port + number), .scope = 0};
}

ReceivedDatagrams single(Bytes bytes, std::size_t number) {
  return {.bytes = bytes,
          .segment_bytes = static_cast<std::uint16_t>(bytes.size()),
          .ecn = Ecn::not_ect,
          .source = sender(number),
          .local = {}};
}

struct Load {
  std::size_t number = 0;
  double per_second = 0;  // datagrams
};

struct Outcome {
  std::uint64_t sent = 0;
  std::uint64_t opened = 0;
  std::vector<Duration> waits;  // from the socket to the end of opening
  [[nodiscard]] double loss() const { return 1.0 - static_cast<double>(opened) / static_cast<double>(sent); }
  [[nodiscard]] Duration wait(double quantile) {
    std::ranges::sort(waits);
    return waits.empty() ? Duration::zero()
                         : waits[static_cast<std::size_t>(quantile * static_cast<double>(waits.size() - 1))];
  }
};

enum class Rule : std::uint8_t { none, dropping, loud_queue };

class Model {
 public:
  explicit Model(Rule rule) : rule_(rule) { share_.reset(rule == Rule::loud_queue); }

  // What becomes of what each sender sends from `since` on.
  std::vector<Outcome> run(const std::vector<Load>& loads, Duration length, Duration since) {
    std::vector<Outcome> outcomes(loads.size());
    std::vector<double> owed(loads.size());
    for (std::size_t i = 0; i < owed.size(); ++i) owed[i] = static_cast<double>(i * 5 % 8) / 8;  // not all at once
    for (Duration at{}; at < length; at += kTick, now_ += kTick) {
      for (std::size_t i = 0; i < loads.size(); ++i) {
        owed[i] += loads[i].per_second * std::chrono::duration<double>(kTick).count();
        for (; owed[i] >= 1; owed[i] -= 1) arrive(outcomes[i], i, loads[i].number, at >= since);
      }
      read();
      open(outcomes);
    }
    socket_.clear();
    loud_socket_.clear();
    channel_.clear();
    opened_ = 0;
    return outcomes;
  }
  [[nodiscard]] bool pressed() const { return share_.pressed(); }
  // How often the kernel's rule changed.
  [[nodiscard]] int changes() const { return changes_; }
  [[nodiscard]] std::vector<Sender> loud() const { return {share_.loud().begin(), share_.loud().end()}; }

 private:
  struct Datagram {
    std::size_t load = 0;
    std::size_t number = 0;
    Instant came{};
    bool judged = false;
  };

  void arrive(Outcome& outcome, std::size_t load, std::size_t number, bool judged) {
    outcome.sent += judged ? 1 : 0;
    if (std::ranges::find(share_.loud(), Sender{.endpoint = sender(number), .channel = 0}) != share_.loud().end()) {
      if (loud_socket_.size() < kLoudDatagrams) {
        loud_socket_.push_back({load, number, now_, judged});
      } else {
        share_.loud_overflowed();
      }
    } else if (socket_.size() < kSocketDatagrams) {
      socket_.push_back({load, number, now_, judged});
    } else {
      share_.overflowed();
    }
  }
  void read() {
    for (Duration spent{}; spent < kTick && channel_.size() < kChannelBatches;) {
      std::vector<Datagram> batch;
      if (share_.begin(now_ + spent)) ++changes_;
      std::size_t room = kUdpBatchDatagrams;
      for (; room != 0 && !socket_.empty(); --room) {
        spent += kReading;
        const Datagram one = socket_.front();
        socket_.pop_front();
        bytes_[0] = std::byte{4};
        const bool taken = share_.admit(single(bytes_, one.number));
        if (taken || rule_ == Rule::none) batch.push_back(one);
      }
      if (socket_.empty()) share_.drained();
      for (; room != 0 && socket_.empty() && !loud_socket_.empty(); --room) {
        spent += kReading;
        batch.push_back(loud_socket_.front());
        loud_socket_.pop_front();
      }
      const bool empty = socket_.empty() && loud_socket_.empty();
      if (loud_socket_.empty()) share_.loud_drained();
      if (!batch.empty()) channel_.push_back(std::move(batch));
      if (empty) return;
    }
  }
  void open(std::vector<Outcome>& outcomes) {
    for (budget_ = std::min(budget_ + kTick, 2 * kTick); !channel_.empty() && budget_ >= kOpening;
         budget_ -= kOpening) {
      auto& batch = channel_.front();
      const Datagram one = batch[opened_++];
      if (one.judged) {
        ++outcomes[one.load].opened;
        outcomes[one.load].waits.push_back(now_ + kTick - one.came);
      }
      if (opened_ < batch.size()) continue;
      channel_.pop_front();
      opened_ = 0;
    }
  }

  Rule rule_;
  FairShare share_{7};
  int changes_ = 0;
  Instant now_ = Instant(1h);
  std::array<std::byte, kDatagramBytes> bytes_{};
  std::deque<Datagram> socket_;
  std::deque<Datagram> loud_socket_;
  std::deque<std::vector<Datagram>> channel_;
  std::size_t opened_ = 0;
  Duration budget_{};
};

constexpr double kCapacity = 100'000;
constexpr double kMegabit = 1e6 / 8 / kDatagramBytes;

// The flood comes first in each tick: what room there is in the socket is its.
std::vector<Load> flood_and_quiet(std::size_t quiet) {
  std::vector<Load> loads{{0, 2 * kCapacity}};
  for (std::size_t i = 1; i <= quiet; ++i) loads.push_back({i, kMegabit});
  return loads;
}

class FairShareBy : public testing::TestWithParam<Rule> {};
INSTANTIATE_TEST_SUITE_P(Rules, FairShareBy, testing::Values(Rule::dropping, Rule::loud_queue), [](const auto& rule) {
  return std::string(rule.param == Rule::dropping ? "dropping" : "loud_queue");
});

// One client floods at twice the capacity, 50 others hold 1 Mbit/s each: loss at most 1 %, p99 at most 20 ms.
TEST_P(FairShareBy, AFloodTakesNothingFromFiftyOthers) {
  constexpr auto kSeconds = 2;
  auto outcomes = Model(GetParam()).run(flood_and_quiet(50), kSeconds * 1s, 0s);
  for (std::size_t i = 1; i <= 50; ++i) {
    EXPECT_LE(outcomes[i].loss(), 0.01) << "sender " << i;
    EXPECT_LE(outcomes[i].wait(0.99), 20ms) << "sender " << i;
  }
  double opened = 0;
  for (const auto& outcome : outcomes) opened += static_cast<double>(outcome.opened);
  EXPECT_GE(opened, 0.8 * kSeconds * kCapacity) << "dropping does not leave the engine idle";
}

TEST(FairShare, WithoutItTheFloodTakesHalfOfAll) {
  auto outcomes = Model(Rule::none).run(flood_and_quiet(50), 1s, 500ms);
  EXPECT_GE(outcomes[1].loss(), 0.4) << "else the model shows nothing";
  EXPECT_GE(outcomes[1].wait(0.5), 20ms);
}

struct Row {
  const char* rule;
  std::vector<Load> loads;
  std::vector<double> loss_min;
  std::vector<double> loss_max;
};

TEST_P(FairShareBy, WhoLosesWhat) {
  const Row rows[] = {
      {"a sender alone is never judged", {{1, kCapacity / 2}}, {0}, {0}},
      {"below the capacity nobody loses", {{1, 0.6 * kCapacity}, {2, 0.2 * kCapacity}}, {0, 0}, {0, 0}},
      {"two that are equally loud lose alike", {{1, kCapacity}, {2, kCapacity}}, {0.45, 0.45}, {0.65, 0.65}},
      {"the louder one pays alone while the other is below its half",
       {{1, 2 * kCapacity}, {2, 0.3 * kCapacity}},
       {0.6, 0},
       {0.8, 0.02}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto outcomes = Model(GetParam()).run(row.loads, 2s, 1s);
    for (std::size_t i = 0; i < row.loads.size(); ++i) {
      EXPECT_GE(outcomes[i].loss(), row.loss_min[i]) << i;
      EXPECT_LE(outcomes[i].loss(), row.loss_max[i] + 0.001) << i;
    }
  }
}

TEST(FairShare, ALoudQueueLeavesTheEngineNoIdleTime) {
  const auto outcomes = Model(Rule::loud_queue).run(flood_and_quiet(50), 2s, 1s);
  double opened = 0;
  for (const auto& outcome : outcomes) opened += static_cast<double>(outcome.opened);
  EXPECT_GE(opened, 0.98 * kCapacity) << "all but what waits in the end";
}

TEST_P(FairShareBy, ASenderAloneIsJudgedWhenTheSocketOverflows) {
  Model model(GetParam());
  static_cast<void>(model.run({{1, 1.1 * kCapacity}}, 200ms, 0s));
  EXPECT_FALSE(model.pressed()) << "the buffer holds 300 ms of that";
  static_cast<void>(model.run({{1, 2 * kCapacity}}, 2s, 0s));
  const std::vector<Sender> alone{{.endpoint = sender(1), .channel = 0}};
  EXPECT_TRUE(model.pressed() || model.loud() == alone) << "who else comes would find no room";
}

TEST_P(FairShareBy, WhenTheFloodEndsSoDoesTheJudging) {
  Model model(GetParam());
  static_cast<void>(model.run({{1, 2 * kCapacity}, {2, kMegabit}}, 1s, 0s));
  EXPECT_TRUE(model.pressed() || !model.loud().empty());
  static_cast<void>(model.run({{1, 0.1 * kCapacity}, {2, kMegabit}}, 2s, 0s));
  EXPECT_FALSE(model.pressed());
  EXPECT_TRUE(model.loud().empty());
}

struct Naming {
  const char* rule;
  std::vector<Load> loads;
  std::vector<std::size_t> loud;
  int changes_max;
};

TEST(FairShare, WhoIsPutIntoTheLoudQueue) {
  const Naming rows[] = {
      {"nobody below the capacity", {{1, 0.6 * kCapacity}, {2, 0.2 * kCapacity}}, {}, 0},
      {"the flood, once, and none of the others", flood_and_quiet(20), {0}, 1},
      {"not who is below half of it", {{1, 2 * kCapacity}, {2, 0.5 * kCapacity}}, {1}, 1},
      {"each of several", {{1, kCapacity}, {2, kCapacity}, {3, kMegabit}}, {1, 2}, 2},
  };
  for (const Naming& row : rows) {
    SCOPED_TRACE(row.rule);
    Model model(Rule::loud_queue);
    static_cast<void>(model.run(row.loads, 3s, 0s));
    std::vector<Sender> expected;
    for (const std::size_t number : row.loud) expected.push_back({.endpoint = sender(number), .channel = 0});
    auto loud = model.loud();
    std::ranges::sort(loud, {}, [](const Sender& each) { return each.endpoint; });
    EXPECT_EQ(loud, expected);
    EXPECT_LE(model.changes(), row.changes_max) << "the kernel's rule does not flap";
  }
}

TEST(FairShare, WhoDoesNotFitIntoTheListIsDroppedHere) {
  FairShare share(3);
  share.reset(true);
  std::vector<std::byte> bytes(1284);
  bytes[0] = kTransportDataType;
  Instant now{1h};
  std::uint64_t dropped = 0;
  for (int period = 0; period < 100; ++period, now += FairShare::kPeriod) {
    static_cast<void>(share.begin(now));
    for (std::size_t number = 0; number < 2 * FairShare::kLoudMax; ++number) {
      for (int i = 0; i < 50; ++i) dropped += share.admit(single(bytes, number)) ? 0u : 1u;
    }
  }
  EXPECT_EQ(share.loud().size(), FairShare::kLoudMax);
  EXPECT_GT(dropped, 0u);
}

// One of a thousand others shares the flood's slot; nobody reads the first queue to its end here.
TEST(FairShare, TheLouderOfTwoIsNamedAlsoWhenTheyShareASlot) {
  std::vector<std::byte> bytes(1284);
  bytes[0] = kTransportDataType;
  const std::vector<Sender> flood{{.endpoint = sender(0), .channel = 0}};
  for (std::size_t other = 1; other < 8 * FairShare::kSlots; ++other) {
    FairShare share(3);
    share.reset(true);
    Instant now{1h};
    for (int period = 0; period < 3; ++period, now += FairShare::kPeriod) {
      static_cast<void>(share.begin(now));
      for (int i = 0; i < 20; ++i) static_cast<void>(share.admit(single(bytes, 0)));
      static_cast<void>(share.admit(single(bytes, other)));
    }
    ASSERT_TRUE(std::ranges::equal(share.loud(), flood)) << "beside " << other;
  }
}

// A period is compared with the one just before it, not with the last one in which there was anything.
TEST(FairShare, WhoWasSilentForAPeriodBeginsAnew) {
  FairShare share(3);
  std::vector<std::byte> bytes(1284);
  bytes[0] = kTransportDataType;
  Instant now{1h};
  const auto send = [&](std::size_t number, int count) {
    int dropped = 0;
    for (int i = 0; i < count; ++i) dropped += share.admit(single(bytes, number)) ? 0 : 1;
    return dropped;
  };
  const auto next_period = [&] { static_cast<void>(share.begin(now += FairShare::kPeriod)); };
  for (int period = 0; period < 100; ++period, next_period()) static_cast<void>(send(0, 100) + send(1, 100));
  ASSERT_TRUE(share.pressed());
  ASSERT_GT(send(0, 10), 0) << "loud in the period before";
  next_period();
  static_cast<void>(send(1, 100));
  next_period();
  EXPECT_GT(send(1, 10), 0);
  EXPECT_EQ(send(0, 10), 0);
}

TEST(FairShare, MoreSendersThanSlots) {
  FairShare share(3);
  std::vector<std::byte> bytes(1284);
  bytes[0] = kTransportDataType;
  Instant now{1h};
  std::size_t sent = 0;
  std::size_t dropped = 0;
  for (int period = 0; period < 10; ++period, now += FairShare::kPeriod) {
    static_cast<void>(share.begin(now));
    for (std::size_t number = 0; number < 2 * FairShare::kSlots; ++number, ++sent) {
      dropped += share.admit(single(bytes, number)) ? 0u : 1u;
    }
  }
  EXPECT_TRUE(share.pressed());
  EXPECT_LT(dropped, sent / 100) << "only where more than eight share a slot";
}

// Under the pressure of one loud peer behind a relay.
struct Kind {
  const char* rule;
  std::vector<std::uint8_t> begin;
  std::size_t number;
  bool judged;
};

TEST(FairShare, WhatIsJudged) {
  const std::vector<std::uint8_t> loud{0x40, 0x01, 0x04, 0xFC, 4};
  const Kind rows[] = {
      {"transport data of the loud peer", loud, 0, true},
      {"a handshake over its channel", {0x40, 0x01, 0x04, 0xFC, 1}, 0, false},
      {"STUN over its channel", {0x40, 0x01, 0x04, 0xFC, 0}, 0, false},
      {"another peer's channel of the same relay", {0x40, 0x02, 0x04, 0xFC, 4}, 0, false},
      {"a channel without content", {0x40, 0x01, 0x00, 0x00}, 0, false},
      {"the relay's own STUN", {0x01, 0x01, 0x00, 0x00}, 0, false},
      {"the same channel number at another relay", loud, 1, false},
  };
  for (const Kind& row : rows) {
    SCOPED_TRACE(row.rule);
    FairShare share(3);
    std::vector<std::byte> bytes(1284);
    Instant now{1h};
    const auto send = [&](const std::vector<std::uint8_t>& begin, std::size_t number, std::size_t length) {
      std::ranges::transform(begin, bytes.begin(), [](std::uint8_t byte) { return std::byte{byte}; });
      return share.admit(single(Bytes(bytes).first(length), number));
    };
    for (int period = 0; period < 100; ++period, now += FairShare::kPeriod) {
      static_cast<void>(share.begin(now));
      for (int i = 0; i < 100; ++i) static_cast<void>(send(loud, 0, 1284));
      static_cast<void>(send(loud, 9, 1284));
    }
    ASSERT_TRUE(share.pressed());
    int dropped = 0;
    const std::size_t length = row.begin.size() > 4 ? 1284 : row.begin.size();
    for (int i = 0; i < 100; ++i) dropped += send(row.begin, row.number, length) ? 0 : 1;
    EXPECT_EQ(dropped > 0, row.judged);
  }
}

}  // namespace
}  // namespace fireline::packet
