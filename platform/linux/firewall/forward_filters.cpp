#include "platform/linux/firewall/forward_filters.h"

#include <simdjson.h>

#include <algorithm>
#include <set>
#include <utility>

namespace fireline::platform {
namespace {

using simdjson::dom::element;

std::string text(element object, std::string_view key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

struct Chain {
  std::string family;
  std::string table;
  std::string name;
  bool drops = false;  // what no rule has decided
};

bool has(element statement, std::string_view key) {
  return statement[key].error() == simdjson::SUCCESS;
}

// A rule that applies to every packet and lets none pass.
bool drops_everything(simdjson::dom::array statements) {
  bool drops = false;
  for (const element one : statements) {
    drops = drops || has(one, "drop") || has(one, "reject");
    if (!has(one, "drop") && !has(one, "reject") && !has(one, "counter") && !has(one, "log")) return false;
  }
  return drops;
}

bool names(element side, std::string_view interface) {
  std::string_view one;
  if (side.get(one) == simdjson::SUCCESS) return one == interface;
  simdjson::dom::array set;
  if (side["set"].get(set) != simdjson::SUCCESS) return false;
  return std::ranges::any_of(set, [&](element item) { return item.get(one) == simdjson::SUCCESS && one == interface; });
}

bool accepts(simdjson::dom::array statements, std::string_view interface) {
  bool ours = false;
  bool accept = false;
  for (const element one : statements) {
    accept = accept || has(one, "accept");
    element match;
    element right;
    std::string_view key;
    if (one["match"].get(match) != simdjson::SUCCESS || match["right"].get(right) != simdjson::SUCCESS) continue;
    if (match["left"]["meta"]["key"].get(key) != simdjson::SUCCESS || key != "iifname") continue;
    ours = ours || (text(match, "op") == "==" && names(right, interface));
  }
  return ours && accept;
}

}  // namespace

std::vector<std::string> forward_obstacles(const std::string& ruleset_json, std::string_view interface,
                                           std::string_view own_table) {
  simdjson::dom::parser parser;
  simdjson::dom::array objects;
  if (parser.parse(ruleset_json)["nftables"].get(objects) != simdjson::SUCCESS) return {};
  std::vector<Chain> chains;
  std::set<std::pair<std::string, std::string>> open_tables;  // with a rule that accepts the interface
  for (const element object : objects) {
    element chain;
    if (object["chain"].get(chain) == simdjson::SUCCESS && text(chain, "hook") == "forward" &&
        text(chain, "table") != own_table) {
      chains.push_back(
          {text(chain, "family"), text(chain, "table"), text(chain, "name"), text(chain, "policy") == "drop"});
    }
    element rule;
    simdjson::dom::array statements;
    if (object["rule"].get(rule) != simdjson::SUCCESS || rule["expr"].get(statements) != simdjson::SUCCESS) continue;
    const std::string family = text(rule, "family");
    const std::string table = text(rule, "table");
    if (accepts(statements, interface)) open_tables.emplace(family, table);
    for (Chain& one : chains) {
      if (one.family != family || one.table != table || one.name != text(rule, "chain")) continue;
      one.drops = one.drops || drops_everything(statements);
    }
  }
  std::vector<std::string> sentences;
  const std::string name(interface);
  for (const Chain& chain : chains) {
    if (!chain.drops || open_tables.contains({chain.family, chain.table})) continue;
    const std::string place = chain.family + " " + chain.table + " " + chain.name;
    sentences.push_back("the firewall chain `" + place +
                        "` drops forwarded packets, which no rule of ours can overrule: " + "run `nft insert rule " +
                        place + " iifname " + name + " accept` and `nft insert rule " + place + " oifname " + name +
                        " accept`");
  }
  return sentences;
}

}  // namespace fireline::platform
