#include "core/packet/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "tests/unit/core/packet/packets.h"

namespace fireline::packet {
namespace {

using test::from_hex;
using test::Packet;
using test::slow_sum;

class ChecksumBackend : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!use_checksum_backend(GetParam())) GTEST_SKIP() << "this CPU has no " << GetParam();
  }
  void TearDown() override { (void)use_checksum_backend(before_); }

 private:
  std::string_view before_ = checksum_backend();
};

Packet random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Packet bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Each size from 0 to 4096 at each place in a 64-byte line, against the reference grown byte by byte.
void compare_all_sizes(const Packet& bytes) {
  constexpr std::size_t kSizes = 4096;
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    std::uint32_t reference = 0;
    for (std::size_t size = 0; size <= kSizes; ++size) {
      ASSERT_EQ(fold(sum(ConstBytes(bytes).subspan(alignment, size))), reference) << size << " at " << alignment;
      const auto next = std::to_integer<std::uint32_t>(bytes[alignment + size]);
      reference += size % 2 == 0 ? next << 8 : next;
      if (reference > 0xFFFF) reference -= 0xFFFF;
    }
  }
}

TEST_P(ChecksumBackend, SumEqualsTheReferenceForEverySizeAndAlignment) {
  compare_all_sizes(random_bytes(4096 + 65, 1));
  compare_all_sizes(Packet(4096 + 65, std::byte{0xFF}));
}

TEST_P(ChecksumBackend, CopyCopiesExactlyWhatItSums) {
  const Packet from = random_bytes(4096 + 64, 2);
  Packet to(4096 + 64 + 64 + 1);
  for (std::size_t alignment = 0; alignment < 64; alignment += 5) {
    for (std::size_t size = 0; size <= 4096; ++size) {
      const std::size_t place = (alignment * 7 + size) % 64;
      to[place + size] = std::byte{0xA5};
      const ConstBytes source = ConstBytes(from).subspan(alignment, size);
      ASSERT_EQ(fold(copy_and_sum(to.data() + place, source.data(), size)), fold(sum(source)));
      ASSERT_TRUE(std::ranges::equal(ConstBytes(to).subspan(place, size), source)) << size << " at " << alignment;
      ASSERT_EQ(to[place + size], std::byte{0xA5}) << "wrote behind the end: " << size;
    }
  }
}

TEST_P(ChecksumBackend, ALargePacketOfOnesDoesNotOverflow) {
  const Packet ones(70000, std::byte{0xFF});
  EXPECT_EQ(fold(sum(ones)), 0xFFFF);
  EXPECT_EQ(fold(sum(ones, ~Sum{0})), 0xFFFF) << "the carry out of the top counts";
}

TEST_P(ChecksumBackend, PiecesAtEvenOffsetsAddUp) {
  const Packet bytes = random_bytes(3001, 3);
  for (const std::size_t cut : std::array<std::size_t, 5>{0, 2, 64, 1398, 3000}) {
    const ConstBytes all = bytes;
    EXPECT_EQ(fold(sum(all.subspan(cut), sum(all.first(cut)))), slow_sum(bytes)) << cut;
    EXPECT_EQ(fold(add(sum(all.subspan(cut)), sum(all.first(cut)))), slow_sum(bytes)) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChecksumBackend, testing::Values("portable", "avx2", "avx512"),
                         [](const auto& row) { return std::string(row.param); });

TEST(Checksum, ABackendThatDoesNotExistIsRefused) {
  const auto before = checksum_backend();
  EXPECT_FALSE(use_checksum_backend("abacus"));
  EXPECT_EQ(checksum_backend(), before);
}

TEST(Checksum, ExampleOfRfc1071Section3) {
  const Packet bytes = from_hex("0001f203f4f5f6f7");
  EXPECT_EQ(fold(sum(bytes)), 0xDDF2);
  EXPECT_EQ(checksum_of(sum(bytes)), 0x220D);
}

TEST(Checksum, AWordInHostOrderCountsAsItsBytes) {
  EXPECT_EQ(fold(word_sum(0x1234)), 0x1234);
  EXPECT_EQ(fold(add(sum(from_hex("0102")), word_sum(0x1020))), 0x1122);
}

struct UpdateRow {
  const char* rule;
  std::uint16_t checksum;
  std::uint16_t before;
  std::uint16_t after;
  std::uint16_t expected;
};

const UpdateRow kUpdateRows[] = {
    {"the example of RFC 1624 section 4 gives 0x0000, not 0xFFFF", 0xDD2F, 0x5555, 0x3285, 0x0000},
    {"no change leaves the checksum", 0x1234, 0x4500, 0x4500, 0x1234},
    {"one more in the message is one less in the checksum", 0x1234, 0x4500, 0x4501, 0x1233},
};

TEST(Checksum, IncrementalUpdateOfRfc1624) {
  for (const auto& row : kUpdateRows) {
    EXPECT_EQ(update_checksum(row.checksum, row.before, row.after), row.expected) << row.rule;
  }
}

TEST(Checksum, IncrementalUpdateEqualsSummingAgain) {
  std::mt19937 random(4);
  for (int round = 0; round < 10000; ++round) {
    Packet bytes = random_bytes(20, static_cast<unsigned>(round));
    const std::uint16_t checksum = checksum_of(sum(bytes));
    const std::size_t at = random() % 10 * 2;
    const std::uint16_t before = load_be16(bytes, at);
    const auto after = static_cast<std::uint16_t>(random());
    store_be16(bytes, at, after);
    // 0 and 0xFFFF are the same number in a sum.
    const auto updated = update_checksum(checksum, before, after);
    EXPECT_EQ(fold(sum(bytes, word_sum(updated))), 0xFFFF);
  }
}

TEST(Checksum, PseudoHeaders) {
  for (const bool v6 : {false, true}) {
    for (const bool udp : {false, true}) {
      const Packet packet = test::make_packet({.v6 = v6, .udp = udp});
      const ConstBytes bytes = packet;
      const ConstBytes addresses = v6 ? bytes.subspan(8, 32) : bytes.subspan(12, 8);
      const std::size_t half = addresses.size() / 2;
      const auto transport = static_cast<std::uint32_t>(packet.size() - (v6 ? 40 : 20));
      EXPECT_EQ(fold(pseudo_header_sum(addresses.first(half), addresses.last(half), udp ? 17 : 6, transport)),
                test::slow_pseudo_sum(packet));
    }
  }
  EXPECT_EQ(fold(pseudo_header_sum(from_hex("00000000"), from_hex("00000000"), 0, 0x0001'0002)), 3)
      << "the length has 32 bits";
}

struct CompleteRow {
  const char* rule;
  const char* packet;
  std::size_t start;
  std::size_t offset;
  const char* expected;  // empty: refused
};

const CompleteRow kCompleteRows[] = {
    {"the sum covers start to end, the open field included", "ffff 0001 0000 0003", 2, 2, "ffff 0001 fffb 0003"},
    {"a result of zero is stored as 0xFFFF", "fffe 0001", 0, 2, "fffe ffff"},
    {"the field may be the last word", "00010002", 2, 0, "0001fffd"},
    {"a field half outside is refused", "00010002", 2, 1, ""},
    {"a field outside is refused", "00010002", 0, 4, ""},
    {"a start behind the end is refused", "00010002", 5, 0, ""},
    {"an offset that would wrap is refused", "00010002", 2, ~std::size_t{0} - 3, ""},
    {"the largest offset is refused", "00010002", 2, ~std::size_t{0}, ""},
    {"the largest start is refused", "00010002", ~std::size_t{0}, 2, ""},
};

TEST(Checksum, CompletingWhatTheKernelLeftOpen) {
  for (const auto& row : kCompleteRows) {
    SCOPED_TRACE(row.rule);
    Packet packet = from_hex(row.packet);
    const bool accepted = *row.expected != '\0';
    EXPECT_EQ(complete_checksum(packet, row.start, row.offset), accepted);
    EXPECT_EQ(packet, from_hex(accepted ? row.expected : row.packet));
  }
}

}  // namespace
}  // namespace fireline::packet
