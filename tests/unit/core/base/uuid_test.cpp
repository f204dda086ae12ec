// UUIDs as text: RFC 9562 section 4 and the forms that portal specification 1.2 names.
#include "core/base/uuid.h"

#include <gtest/gtest.h>

namespace fireline {
namespace {

TEST(Uuid, IsReadInEveryForm) {
  struct Row {
    const char* rule;
    const char* text;
  };
  const Row rows[] = {
      {"hyphenated", "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"},
      {"upper case", "0B8E3A52-6C1E-4D7C-9A63-2B7F9D0C1E11"},
      {"32 digits", "0b8e3a526c1e4d7c9a632b7f9d0c1e11"},
      {"in braces", "{0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11}"},
      {"a URN", "urn:uuid:0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"},
      {"a URN in upper case", "URN:UUID:0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto id = Uuid::parse(row.text);
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(id->to_string(), "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11");
  }
}

TEST(Uuid, NothingElseIsOne) {
  struct Row {
    const char* rule;
    const char* text;
  };
  const Row rows[] = {
      {"empty", ""},
      {"a digit missing", "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e1"},
      {"a digit too many", "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e111"},
      {"no hex digit", "0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e1g"},
      {"a hyphen in another place", "0b8e3a526-c1e-4d7c-9a63-2b7f9d0c1e11"},
      {"one brace", "{0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"},
      {"braces about 32 digits", "{0b8e3a526c1e4d7c9a632b7f9d0c1e11}"},
      {"a URN of 32 digits", "urn:uuid:0b8e3a526c1e4d7c9a632b7f9d0c1e11"},
      {"space in front", " 0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11"},
      {"64 digits", "0b8e3a526c1e4d7c9a632b7f9d0c1e110b8e3a526c1e4d7c9a632b7f9d0c1e11"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_FALSE(Uuid::parse(row.text).has_value());
  }
}

TEST(Uuid, Version4SetsVersionAndVariantAlone) {
  std::array<std::uint8_t, 16> ones;
  ones.fill(0xff);
  EXPECT_EQ(Uuid::version4(ones).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(Uuid::version4({}).to_string(), "00000000-0000-4000-8000-000000000000");
}

TEST(Uuid, OrderIsThatOfTheText) {
  const auto low = *Uuid::parse("0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e11");
  const auto high = *Uuid::parse("0b8e3a52-6c1e-4d7c-9a63-2b7f9d0c1e12");
  EXPECT_LT(low, high);
  EXPECT_LT(low.to_string(), high.to_string());
  EXPECT_NE(std::hash<Uuid>{}(low), std::hash<Uuid>{}(high));
}

}  // namespace
}  // namespace fireline
