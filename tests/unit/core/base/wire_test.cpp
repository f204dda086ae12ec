#include "core/base/wire.h"

#include <gtest/gtest.h>

#include <array>

namespace fireline {
namespace {

constexpr std::array<std::byte, 9> kBytes = {std::byte{0x00}, std::byte{0x01}, std::byte{0x82},
                                             std::byte{0x03}, std::byte{0x84}, std::byte{0x05},
                                             std::byte{0x86}, std::byte{0x07}, std::byte{0x88}};

TEST(Wire, LoadsAtAnyAlignment) {
  EXPECT_EQ(load_u8(kBytes, 8), 0x88);
  EXPECT_EQ(load_be16(kBytes, 1), 0x0182);
  EXPECT_EQ(load_be32(kBytes, 1), 0x0182'0384u);
  EXPECT_EQ(load_le32(kBytes, 1), 0x8403'8201u);
  EXPECT_EQ(load_be64(kBytes, 1), 0x0182'0384'0586'0788u);
  EXPECT_EQ(load_le64(kBytes, 1), 0x8807'8605'8403'8201u);
}

TEST(Wire, StoresWhatLoadsGiveBack) {
  std::array<std::byte, 11> out{};
  const Bytes bytes = out;
  store_u8(bytes, 0, 0xAB);
  EXPECT_EQ(load_u8(bytes, 0), 0xAB);
  store_be16(bytes, 1, 0x1234);
  EXPECT_EQ(load_be16(bytes, 1), 0x1234);
  EXPECT_EQ(load_u8(bytes, 1), 0x12);
  store_be32(bytes, 1, 0x1234'5678);
  EXPECT_EQ(load_be32(bytes, 1), 0x1234'5678u);
  store_le32(bytes, 1, 0x1234'5678);
  EXPECT_EQ(load_be32(bytes, 1), 0x7856'3412u);
  store_be64(bytes, 1, 0x0123'4567'89AB'CDEF);
  EXPECT_EQ(load_be64(bytes, 1), 0x0123'4567'89AB'CDEFu);
  store_le64(bytes, 1, 0x0123'4567'89AB'CDEF);
  EXPECT_EQ(load_le64(bytes, 1), 0x0123'4567'89AB'CDEFu);
  EXPECT_EQ(load_u8(bytes, 0), 0xAB) << "nothing before";
  EXPECT_EQ(load_be16(bytes, 9), 0) << "nothing behind";
}

TEST(WireDeathTest, OutsideAborts) {
  EXPECT_DEATH((void)load_u8(kBytes, 9), "");
  EXPECT_DEATH((void)load_be16(kBytes, 8), "");
  EXPECT_DEATH((void)load_be64(kBytes, 2), "");
  std::array<std::byte, 3> out{};
  EXPECT_DEATH(store_be32(out, 0, 1), "");
  EXPECT_DEATH(store_u8(Bytes(), 0, 1), "");
  EXPECT_DEATH((void)load_be16(kBytes, ~std::size_t{0}), "") << "an offset that wraps is outside as well";
}

}  // namespace
}  // namespace fireline
