#include "core/base/form_urlencoding.h"

#include <gtest/gtest.h>

namespace fireline {
namespace {

TEST(FormUrlencoding, EscapesWhatTheFormSays) {
  struct Row {
    const char* rule;
    std::string_view text;
    const char* encoded;
  };
  const Row rows[] = {
      {"letters and digits stay", "azAZ09", "azAZ09"},
      {"four signs stay", "*-._", "*-._"},
      {"space is a plus", "a b", "a+b"},
      {"base64's signs are escaped in upper case", "+/=", "%2B%2F%3D"},
      {"the tilde is escaped", "~", "%7E"},
      {"UTF-8 byte by byte", "\xc3\xa9", "%C3%A9"},
      {"zero and line breaks", std::string_view("\0\r\n", 3), "%00%0D%0A"},
      {"nothing is nothing", "", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    std::string out = "x=";
    append_form_urlencoded(out, row.text);
    EXPECT_EQ(out, std::string("x=") + row.encoded);
  }
}

}  // namespace
}  // namespace fireline
