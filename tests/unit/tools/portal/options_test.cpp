#include "tools/portal/options.h"

#include <gtest/gtest.h>

#include "tests/unit/io/without_ipv6.h"

namespace fireline::portal_tool {
namespace {

std::vector<std::string> listens(std::vector<const char*> words) {
  words.insert(words.begin(), "fireline-portal");
  const auto options = parse_options(static_cast<int>(words.size()), words.data());
  if (!options) return {"error: " + options.error().text};
  std::vector<std::string> listens;
  for (const Endpoint& endpoint : options->listen) listens.push_back(endpoint.to_string());
  return listens;
}

using Listens = std::vector<std::string>;

TEST(Options, WithACertificateTheDefaultIsEveryAddressOfTheFamiliesThatThereAre) {
  const std::vector<const char*> tls{"--tls-cert", "a", "--tls-key", "b"};
  EXPECT_EQ(listens({}), Listens{"127.0.0.1:8081"});
  EXPECT_EQ(listens(tls), (Listens{"[::]:8081", "0.0.0.0:8081"}));
  io::without_ipv6([&] {
    EXPECT_EQ(listens({}), Listens{"127.0.0.1:8081"});
    EXPECT_EQ(listens(tls), Listens{"0.0.0.0:8081"});
    EXPECT_EQ(listens({"--listen", "[::1]:8081"}), Listens{"[::1]:8081"}) << "what a person says is not left out";
  });
}

TEST(Options, DaysAreADecimalNumber) {
  const auto days = [](const char* word) {
    const std::vector<const char*> words{"fireline-portal", "token", "create", "relay", "--days", word};
    return parse_options(static_cast<int>(words.size()), words.data());
  };
  EXPECT_EQ(days("36500")->valid_days, 36'500);
  EXPECT_EQ(days("010")->valid_days, 10) << "not octal";
  for (const char* wrong : {"0x10", "0", "-1", "36501", "7d", ""}) {
    const auto options = days(wrong);
    ASSERT_FALSE(options) << wrong;
    EXPECT_EQ(options.error().text, std::string("--days cannot be \"") + wrong + "\": use a number from 1 to 36500");
  }
}

TEST(Options, StatusIsOneOfTwoForms) {
  const std::vector<const char*> words{"fireline-portal", "status", "--json", "--metrics"};
  const auto options = parse_options(static_cast<int>(words.size()), words.data());
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().text, "--json excludes --metrics: see fireline-portal --help");
}

}  // namespace
}  // namespace fireline::portal_tool
