#include "tools/relay/peer_rules_file.h"

#include <fmt/format.h>

#include "core/base/byte_order_mark.h"
#include "platform/linux/interface_addresses.h"
#include "tools/relay/text_file.h"

namespace fireline::relay {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Empty: the line is in order.
std::string take_line(std::string_view line, AuthKind auth, PeerPrefixes& prefixes) {
  const std::size_t blank = line.find_first_of(kBlanks);
  const std::string_view word = line.substr(0, blank);
  const std::string_view value = blank == std::string_view::npos ? std::string_view() : trim(line.substr(blank));
  if (word != "allow" && word != "deny") return "write allow PREFIX or deny PREFIX";
  if (word == "allow" && auth == AuthKind::firezone) {
    return "allow belongs to --auth static: with --auth firezone private peers are allowed already";
  }
  const auto prefix = Prefix::parse(value);
  if (!prefix) return fmt::format("\"{}\" is no prefix: write ADDRESS/LENGTH, for example 10.0.0.0/8", value);
  if (prefixes.allow.size() + prefixes.deny.size() >= kPeerPrefixesMax) {
    return fmt::format("there are more than {} prefixes", kPeerPrefixesMax);
  }
  (word == "allow" ? prefixes.allow : prefixes.deny).push_back(*prefix);
  return {};
}

}  // namespace

Result<PeerPrefixes, std::string> parse_peer_rules(std::string_view text, AuthKind auth) {
  PeerPrefixes prefixes;
  text = without_byte_order_mark(text);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (const std::string wrong = take_line(line, auth, prefixes); !wrong.empty()) {
      return err(fmt::format("line {}: {}", number, wrong));
    }
  }
  return prefixes;
}

Result<PeerRules, std::string> read_peer_rules(const RelayOptions& options) {
  PeerRules rules{.refuse_private = options.auth == AuthKind::fixed,
                  .allow = options.allow_peers,
                  .deny = options.deny_peers,
                  .host_prefixes = {},
                  .own_addresses = {},
                  .lowest_port = options.lowest_port,
                  .highest_port = options.highest_port};
  if (!options.peer_rules_file.empty()) {
    const auto file = read_text_file("the peer rules of", options.peer_rules_file, kPeerRulesBytesMax, FileAccess::any);
    if (!file) return err(file.error());
    const auto prefixes = parse_peer_rules(file->text, options.auth);
    if (!prefixes) return err(fmt::format("{}: {}", options.peer_rules_file, prefixes.error()));
    rules.allow.insert(rules.allow.end(), prefixes->allow.begin(), prefixes->allow.end());
    rules.deny.insert(rules.deny.end(), prefixes->deny.begin(), prefixes->deny.end());
  }
  const auto own = platform::interface_addresses();
  if (!own) return err(own.error().sentence);
  for (const auto& [_, address, prefix] : *own) {
    rules.host_prefixes.push_back(prefix);
    rules.own_addresses.push_back(address);
  }
  return rules;
}

}  // namespace fireline::relay
