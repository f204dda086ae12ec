#include "tools/relay/portal_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/base/byte_order_mark.h"
#include "platform/linux/token_file.h"
#include "tools/common/human_duration.h"
#include "tools/relay/text_file.h"

namespace fireline::relay {
namespace {

using crypto::SecretText;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<SecretText, std::string> read_token(const std::string& path) {
  const auto file = read_text_file("the portal token", path, platform::kTokenBytesMax, FileAccess::owner_alone);
  if (!file) return err(file.error());
  const auto token = trim(without_byte_order_mark(file->text));
  if (token.empty()) return err(fmt::format("the file {} holds no portal token: it is empty", path));
  return SecretText(token);
}

Result<SecretText, std::string> token_or_its_file(const SecretText& word) {
  auto token = platform::token_or_its_file(word);
  if (!token) return err(std::move(token.error().sentence));
  return std::move(*token);
}

// Empty: there is none anywhere.
Result<SecretText, std::string> find_token(const PortalWords& words) {
  if (!words.token.empty()) return token_or_its_file(SecretText(words.token));
  if (!words.environment_token.empty()) return token_or_its_file(words.environment_token);
  if (!words.token_file.empty()) return read_token(words.token_file);
  if (words.url.empty() || std::getenv("CREDENTIALS_DIRECTORY") == nullptr) return SecretText();
  const auto credential = platform::read_credential();
  return credential ? *credential : SecretText();
}

}  // namespace

void add_portal_flags(CLI::App& app, PortalWords& words) {
  if (const auto token = platform::take_environment_token()) words.environment_token = *token;
  app.add_option("TOKEN", words.token,
                 "Portal token, or a file of it; better FIREZONE_TOKEN: every user sees arguments");
  app.add_option("NAME", words.name, "Name that the portal shows")->envname("FIREZONE_NAME");
  const auto add = [&app](const char* flag, std::string& word, const char* help, const char* environment) {
    app.add_option(flag, word, help)->envname(environment)->group("Portal");
  };
  add("--api-url", words.url, "Portal to log in to (default: none, the relay runs on its own)", "FIREZONE_API_URL");
  add("--token-file", words.token_file, "File, mode 0600, of the portal token", "FIRELINE_RELAY_TOKEN_FILE");
  add("--ca-file", words.ca_file, "PEM file of certificates trusted beside the system's", "FIRELINE_CA_FILE");
  add("--max-partition-time", words.patience, "How long to go on without the portal: 15m, 24h (default), at most 3650d",
      "MAX_PARTITION_TIME");
}

Result<std::optional<PortalOptions>, std::string> read_portal_words(const PortalWords& words) {
  const auto token = find_token(words);
  if (!token) return err(token.error());
  if (words.url.empty()) {
    if (token->empty()) return std::nullopt;
    return err(
        std::string("there is a portal token and no portal: add --api-url (FIREZONE_API_URL), or leave the token out"));
  }
  if (token->empty()) {
    return err(std::string(
        "--api-url needs a token: set FIREZONE_TOKEN or --token-file; fireline-portal token create relay makes one"));
  }
  auto url = portal::PortalUrl::parse(words.url);
  if (!url) return err("--api-url: " + url.error());
  PortalOptions options{.url = std::move(*url), .token = *token, .name = words.name, .ca_file = words.ca_file};
  if (!words.patience.empty()) {
    const auto patience = parse_human_duration(words.patience);
    if (!patience) {
      return err(
          fmt::format("--max-partition-time cannot be \"{}\": use numbers with units, for example 15m, 24h, 30d, at "
                      "most 3650d",
                      words.patience));
    }
    options.patience = *patience;
  }
  return options;
}

}  // namespace fireline::relay
