// Command lines as tables: what is understood, and the sentences about what is not. The environment is the row's alone.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/result.h"
#include "tests/unit/tools/common/scoped_environment.h"
#include "tools/command_line/command_line.h"

namespace fireline::test {

template <class Options>
using Parser = Result<Options, EarlyExit> (*)(int, const char* const*);

template <class Options>
Result<Options, EarlyExit> parse_words(Parser<Options> parser, std::vector<const char*> words,
                                       const Variables& variables = {}) {
  const ScopedEnvironment environment(variables);
  words.insert(words.begin(), "program");
  return parser(static_cast<int>(words.size()), words.data());
}

template <class Options>
struct OptionRow {
  const char* sentence;
  std::vector<const char*> words;
  Variables variables;
  bool (*holds)(const Options&);
};

template <class Options>
void expect_understood(Parser<Options> parser, const std::vector<OptionRow<Options>>& rows) {
  for (const auto& row : rows) {
    const auto options = parse_words(parser, row.words, row.variables);
    ASSERT_TRUE(options) << row.sentence << ": " << options.error().text;
    EXPECT_TRUE(row.holds(*options)) << row.sentence;
  }
}

struct MistakeRow {
  std::vector<const char*> words;
  Variables variables;
  const char* part;  // of the sentence
};

// A word "secret" is never repeated.
template <class Options>
void expect_mistakes(Parser<Options> parser, int code, const std::vector<MistakeRow>& rows) {
  for (const auto& row : rows) {
    const auto options = parse_words(parser, row.words, row.variables);
    ASSERT_FALSE(options) << row.part;
    EXPECT_EQ(options.error().code, code) << row.part;
    EXPECT_THAT(options.error().text, testing::HasSubstr(row.part));
    EXPECT_THAT(options.error().text, testing::Not(testing::HasSubstr("secret")));
  }
}

}  // namespace fireline::test
