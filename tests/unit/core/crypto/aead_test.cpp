#include "core/crypto/aead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/crypto/xaead.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::crypto {
namespace {

// Memory around each packet that nobody may touch: wider than the widest vector store.
constexpr std::size_t kGuardBytes = 128;
constexpr std::byte kGuard{0xa7};

class Packet {
 public:
  explicit Packet(ConstBytes plaintext)
      : memory_(plaintext.size() + kTagBytes + 2 * kGuardBytes, kGuard), bytes_(plaintext.size()) {
    std::ranges::copy(plaintext, data());
    std::fill_n(data() + bytes_, kTagBytes, std::byte{0});
  }

  [[nodiscard]] std::byte* data() { return memory_.data() + kGuardBytes; }
  [[nodiscard]] ConstBytes content() { return {data(), bytes_}; }
  [[nodiscard]] ConstBytes sealed() { return {data(), bytes_ + kTagBytes}; }
  [[nodiscard]] AeadJob job(const Key& key, std::uint64_t counter) {
    return {.key = &key, .counter = counter, .data = data(), .bytes = static_cast<std::uint32_t>(bytes_)};
  }
  [[nodiscard]] bool guards_whole() const {
    const auto is_guard = [](std::byte byte) { return byte == kGuard; };
    return std::ranges::all_of(ConstBytes(memory_).first(kGuardBytes), is_guard) &&
           std::ranges::all_of(ConstBytes(memory_).last(kGuardBytes), is_guard);
  }

 private:
  std::vector<std::byte> memory_;
  std::size_t bytes_;
};

void fill(Bytes bytes, std::mt19937_64& random) {
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
}

Key random_key(std::mt19937_64& random) {
  Key key;
  fill(key.mutable_bytes(), random);
  return key;
}

std::vector<std::unique_ptr<Aead>> all_backends() {
  std::vector<std::unique_ptr<Aead>> aeads;
  for (const AeadBackend backend : available_aead_backends()) aeads.push_back(make_aead(backend));
  return aeads;
}

void seal(Aead& aead, AeadJob job) {
  aead.seal({&job, 1});
}

bool open(Aead& aead, AeadJob job) {
  aead.open({&job, 1});
  return job.authentic;
}

class EachBackend : public testing::TestWithParam<AeadBackend> {
 protected:
  void SetUp() override { ASSERT_NE(aead_, nullptr); }
  std::unique_ptr<Aead> aead_ = make_aead(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Aead, EachBackend, testing::ValuesIn(available_aead_backends()), [](const auto& instance) {
  std::string name(name_of(instance.param));
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST_P(EachBackend, SaysWhichItIs) {
  EXPECT_EQ(aead_->backend(), GetParam());
}

TEST_P(EachBackend, GivesTheDataMessagesOfWireGuard) {
  struct Row {
    const char* rule;
    const char* key;
    std::uint64_t counter;
    const char* plaintext;
    const char* sealed;
  };
  const Row rows[] = {
      {"a keepalive is a tag alone", "a007faf842d83f5bd3be20a14e0ffcec34c84867b78b051980602713205922de", 0, "",
       "f1bce9fd9651b3f6b50c00179cbd1e01"},
      {"an IPv4 packet", "a007faf842d83f5bd3be20a14e0ffcec34c84867b78b051980602713205922de", 1,
       "4500001c000000004011b24e64400001644000021000100000080000",
       "8d1cd7b6b3b14856579ca1e52a90ffa186aae65b08ca59388cbbbce817577d5dfb69e6e3843d7267855253bd"},
      {"the key of zeros is a key", "0000000000000000000000000000000000000000000000000000000000000000", 0, "",
       "4eb972c9a8fb3a1b382bb4d36f5ffad1"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const Key key = *Key::from_hex(row.key);
    Packet packet(from_hex(row.plaintext));
    seal(*aead_, packet.job(key, row.counter));
    EXPECT_EQ(to_hex(packet.sealed()), row.sealed);
    EXPECT_TRUE(open(*aead_, packet.job(key, row.counter)));
    EXPECT_EQ(to_hex(packet.content()), row.plaintext);
    EXPECT_TRUE(packet.guards_whole());
  }
}

TEST_P(EachBackend, RunsBatchesOfMixedKeysAndLengths) {
  std::mt19937_64 random(64);
  for (const std::size_t count : {0U, 1U, 2U, 3U, 64U, 300U}) {
    SCOPED_TRACE(count);
    std::vector<Key> keys;
    std::vector<std::vector<std::byte>> plaintexts;
    std::vector<Packet> packets;
    std::vector<AeadJob> jobs;
    for (int i = 0; i < 5; ++i) keys.push_back(random_key(random));
    for (std::size_t i = 0; i < count; ++i) {
      plaintexts.emplace_back(random() % 1500);
      fill(plaintexts.back(), random);
      packets.emplace_back(plaintexts.back());
    }
    for (std::size_t i = 0; i < count; ++i) jobs.push_back(packets[i].job(keys[random() % keys.size()], random()));

    aead_->seal(jobs);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::byte> expected(plaintexts[i].size() + kTagBytes);
      aead_seal(*jobs[i].key, jobs[i].counter, plaintexts[i], {}, expected);
      ASSERT_TRUE(std::ranges::equal(packets[i].sealed(), expected)) << "packet " << i;
    }

    // Each third packet is damaged; the others must not notice.
    for (std::size_t i = 0; i < count; i += 3) packets[i].data()[plaintexts[i].size()] ^= std::byte{1};
    aead_->open(jobs);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(jobs[i].authentic, i % 3 != 0) << "packet " << i;
      if (jobs[i].authentic) {
        EXPECT_TRUE(std::ranges::equal(packets[i].content(), plaintexts[i])) << "packet " << i;
      }
      EXPECT_TRUE(packets[i].guards_whole()) << "packet " << i;
    }
  }
}

// A key object that dies may leave its address to the next session's key.
TEST_P(EachBackend, TakesANewKeyAtAnOldAddress) {
  std::mt19937_64 random(1);
  const auto plaintext = counting(100);
  Key place = random_key(random);
  Packet first(plaintext);
  seal(*aead_, first.job(place, 7));
  EXPECT_TRUE(open(*aead_, first.job(place, 7)));

  place = random_key(random);
  Packet second(plaintext);
  seal(*aead_, second.job(place, 7));
  std::vector<std::byte> expected(plaintext.size() + kTagBytes);
  aead_seal(place, 7, plaintext, {}, expected);
  EXPECT_TRUE(std::ranges::equal(second.sealed(), expected));
  EXPECT_TRUE(open(*aead_, second.job(place, 7)));
}

TEST_P(EachBackend, RefusesEveryDamagedBit) {
  std::mt19937_64 random(2);
  const Key key = random_key(random);
  Packet original(counting(40));
  seal(*aead_, original.job(key, 3));
  for (std::size_t bit = 0; bit < 8 * original.sealed().size(); ++bit) {
    Packet damaged = original;
    damaged.data()[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(open(*aead_, damaged.job(key, 3))) << "bit " << bit;
  }
  EXPECT_TRUE(open(*aead_, original.job(key, 3))) << "the undamaged packet still opens";
}

TEST_P(EachBackend, OpensWithTheRightKeyAndCounterOnly) {
  std::mt19937_64 random(3);
  const Key key = random_key(random);
  for (const std::size_t bytes : {0U, 1U, 1280U}) {
    Packet sealed(counting(bytes));
    seal(*aead_, sealed.job(key, 1ULL << 40));
    Key near_key = key;
    near_key.mutable_bytes()[31] ^= std::byte{1};
    struct Row {
      const char* rule;
      const Key& key;
      std::uint64_t counter;
      bool authentic;
    };
    const Row rows[] = {{"the right key and counter", key, 1ULL << 40, true},
                        {"the counter's low half alone", key, 0, false},
                        {"the next counter", key, (1ULL << 40) + 1, false},
                        {"a key that differs in one bit", near_key, 1ULL << 40, false},
                        {"the right pair after all those", key, 1ULL << 40, true}};
    for (const Row& row : rows) {
      Packet packet = sealed;
      EXPECT_EQ(open(*aead_, packet.job(row.key, row.counter)), row.authentic) << row.rule << ", " << bytes << " bytes";
    }
  }
}

#ifdef FIRELINE_SLOW_BUILD
constexpr std::size_t kRepeats = 20;  // each packet costs many times more in a sanitizer build
#else
constexpr std::size_t kRepeats = 50;  // 2,001 lengths: 100,050 packets
#endif
constexpr std::size_t kLongest = 2000;

// Every length up to 2,000 bytes: the same bytes from each backend, opened by each, damaged ones refused by each.
TEST(AeadBackends, AgreeOnRandomPackets) {
  const auto aeads = all_backends();
  std::mt19937_64 random(8439);
  std::vector<std::byte> plaintext(kLongest);
  fill(plaintext, random);
  for (std::size_t repeat = 0; repeat < kRepeats; ++repeat) {
    for (std::size_t bytes = 0; bytes <= kLongest; ++bytes) {
      const Key key = random_key(random);
      const std::uint64_t counter = random();
      const ConstBytes content = ConstBytes(plaintext).first(bytes);
      Packet reference(content);
      seal(*aeads.front(), reference.job(key, counter));
      Packet damaged = reference;
      damaged.data()[random() % damaged.sealed().size()] ^= static_cast<std::byte>(1U << (random() % 8));

      for (const auto& aead : aeads) {
        Packet packet(content);
        seal(*aead, packet.job(key, counter));
        ASSERT_TRUE(std::ranges::equal(packet.sealed(), reference.sealed()))
            << name_of(aead->backend()) << " " << bytes;
        // All backends gave these bytes: opening them opens every backend's packet.
        ASSERT_TRUE(open(*aead, packet.job(key, counter))) << name_of(aead->backend()) << " " << bytes;
        ASSERT_TRUE(std::ranges::equal(packet.content(), content)) << name_of(aead->backend()) << " " << bytes;
        ASSERT_TRUE(packet.guards_whole()) << name_of(aead->backend()) << " " << bytes;

        Packet bad = damaged;
        ASSERT_FALSE(open(*aead, bad.job(key, counter))) << name_of(aead->backend()) << " " << bytes;
        ASSERT_TRUE(bad.guards_whole()) << name_of(aead->backend()) << " " << bytes;
      }
    }
  }
}

TEST(AeadBackends, SealWholeSuperPackets) {
  const auto aeads = all_backends();
  std::mt19937_64 random(4);
  const Key key = random_key(random);
  for (const std::size_t bytes : {4095U, 4096U, 9000U, 16384U, 65535U}) {
    std::vector<std::byte> plaintext(bytes);
    fill(plaintext, random);
    Packet reference(plaintext);
    seal(*aeads.front(), reference.job(key, bytes));
    for (const auto& aead : aeads) {
      Packet packet(plaintext);
      seal(*aead, packet.job(key, bytes));
      EXPECT_TRUE(std::ranges::equal(packet.sealed(), reference.sealed())) << name_of(aead->backend()) << " " << bytes;
      EXPECT_TRUE(open(*aead, packet.job(key, bytes))) << name_of(aead->backend()) << " " << bytes;
      EXPECT_TRUE(packet.guards_whole()) << name_of(aead->backend()) << " " << bytes;
    }
  }
}

TEST(AeadBackends, ThoseOfEveryMachineAreAvailable) {
  EXPECT_THAT(available_aead_backends(), testing::IsSupersetOf({AeadBackend::openssl, AeadBackend::libsodium}));
}

TEST(AeadBackends, HaveNamesForStatusAndFlags) {
  EXPECT_EQ(name_of(AeadBackend::ipsec_mb), "ipsec-mb");
  EXPECT_EQ(name_of(AeadBackend::openssl), "openssl");
  EXPECT_EQ(name_of(AeadBackend::libsodium), "libsodium");
}

// A clock that makes one contestant fast: it is read twice per round, and the contestants take turns.
std::uint64_t scripted_time = 0;
std::size_t scripted_reads = 0;
std::size_t contestants = 0;
std::size_t fast_contestant = 0;

std::uint64_t scripted_elapsed() {
  const std::size_t read = scripted_reads++;
  const bool ends_a_round = read % 2 == 1;
  const std::size_t contestant = (read / 2) % contestants;
  const std::size_t round = (read / 2) / contestants;
  if (ends_a_round) {
    if (round == 0) {
      scripted_time += contestant == fast_contestant ? 5000 : 1;  // the dropped round says the opposite
    } else {
      scripted_time += contestant == fast_contestant ? 10 : 20;
    }
  }
  return scripted_time;
}

TEST(FastestAeadBackend, IsTheOneWithTheShortestRound) {
  const auto available = available_aead_backends();
  contestants = available.size();
  for (fast_contestant = 0; fast_contestant < contestants; ++fast_contestant) {
    scripted_time = 0;
    scripted_reads = 0;
    EXPECT_EQ(fastest_aead_backend(scripted_elapsed), available[fast_contestant]);
  }
}

TEST(FastestAeadBackend, IsTheFirstOfEquals) {
  EXPECT_EQ(fastest_aead_backend([]() -> std::uint64_t { return 0; }), available_aead_backends().front());
}

}  // namespace
}  // namespace fireline::crypto
