#include "tests/sim/scenario.h"

#include <algorithm>
#include <array>

#include "tests/sim/dice.h"

namespace fireline::sim {
namespace {

using namespace std::chrono_literals;
using enum Dependence;

constexpr Dependence kDependences[] = {endpoint_independent, address_dependent, address_and_port_dependent};

NatOptions draw_nat(Dice& dice) {
  NatOptions nat;
  nat.mapping = dice.pick(kDependences);
  nat.filtering = dice.pick(kDependences);
  nat.ports = dice.chance(500) ? PortRule::preserving : PortRule::random;
  nat.hairpin = dice.chance(300);
  nat.inbound_refreshes = dice.chance(500);
  constexpr Duration kExpiries[] = {31s, 60s, 120s, 300s};
  nat.expiry = dice.pick(kExpiries);
  return nat;
}

NatOptions draw_firewall(Dice& dice) {
  NatOptions firewall;
  firewall.ports = PortRule::identity;
  firewall.filtering = dice.pick(kDependences);
  firewall.expiry = 120s;
  return firewall;
}

struct Weather {
  bool lossy;
  bool bursts;
  bool reorders;
  bool duplicates;
};

LinkOptions draw_link(Dice& dice, const Weather& weather) {
  LinkOptions link;
  link.delay = dice.between(Duration(1ms), Duration(60ms));
  if (dice.chance(300)) link.jitter = dice.between(Duration(1ms), Duration(20ms));
  if (weather.lossy) link.loss_per_mille = static_cast<unsigned>(dice.between(1, 80));
  if (weather.bursts) link.burst_begin_per_mille = static_cast<unsigned>(dice.between(1, 10));
  if (weather.reorders) link.reorder_per_mille = static_cast<unsigned>(dice.between(1, 100));
  if (weather.duplicates) link.duplicate_per_mille = static_cast<unsigned>(dice.between(1, 50));
  constexpr std::size_t kMtus[] = {1500, 1500, 1500, 1492, 1400, 1364};  // the least: IPv6, UDP, channel and tunnel
  link.mtu = dice.pick(kMtus);
  link.keeps_trains = !dice.chance(250);
  return link;
}

SiteSpec draw_site(Dice& dice, const Weather& weather) {
  SiteSpec site;
  const std::uint64_t families = dice.below(10);
  site.v4 = families != 0;
  site.v6 = families == 0 || families >= 7;
  if (site.v4 && !dice.chance(120)) site.nat4 = draw_nat(dice);
  if (site.v6 && dice.chance(700)) site.firewall6 = draw_firewall(dice);
  site.up = draw_link(dice, weather);
  site.down = draw_link(dice, weather);
  site.inner_network = static_cast<unsigned>(dice.below(3));
  return site;
}

Talk draw_talk(Dice& dice, Duration start, Duration longest) {
  Talk talk;
  talk.start = start;
  talk.length = dice.between(Duration(20s), longest);
  constexpr Duration kIntervals[] = {200ms, 500ms, 1s, 4s};
  talk.interval = dice.pick(kIntervals);
  talk.batch = dice.chance(300) ? dice.between(2, 40) : 1;
  if (talk.batch > 1) talk.interval = std::max(talk.interval, Duration(1s));
  constexpr std::size_t kBytes[] = {40, 100, 576, 1000, 1280};
  talk.bytes = dice.pick(kBytes);
  const std::uint64_t direction = dice.below(4);
  talk.up = direction != 1;
  talk.down = direction != 2;
  return talk;
}

// Talks and pauses until the end. A pause may be shorter than what makes a connection idle, or longer than a channel or
// a session lives.
std::vector<Talk> draw_talks(Dice& dice, Duration end) {
  std::vector<Talk> talks;
  Duration at = dice.between(Duration(200ms), Duration(3s));
  while (at < end - 10s) {
    talks.push_back(draw_talk(dice, at, 240s));
    at += talks.back().length;
    const std::uint64_t pause = dice.below(10);
    if (pause < 3) {
      at += dice.between(Duration(1s), Duration(25s));
    } else if (pause < 8) {
      at += dice.between(Duration(25s), Duration(240s));
    } else {
      at += dice.between(Duration(600s), Duration(900s));
    }
  }
  return talks;
}

struct Weight {
  ActionKind kind;
  unsigned weight;
};
constexpr Weight kWeights[] = {
    {ActionKind::roam, 10},           {ActionKind::relay_killed, 8},      {ActionKind::relay_vanished, 8},
    {ActionKind::relay_replaced, 6},  {ActionKind::nat_rebooted, 10},     {ActionKind::link_broken, 8},
    {ActionKind::upsert_repeated, 8}, {ActionKind::psk_changed, 5},       {ActionKind::client_suspended, 5},
    {ActionKind::client_closes, 8},   {ActionKind::gateway_restarted, 6}, {ActionKind::wall_jumped, 3},
    {ActionKind::portal_slow, 4},     {ActionKind::peers_parted, 8},
};

ActionKind draw_kind(Dice& dice) {
  unsigned total = 0;
  for (const Weight& weight : kWeights) total += weight.weight;
  std::uint64_t ticket = dice.below(total);
  for (const Weight& weight : kWeights) {
    if (ticket < weight.weight) return weight.kind;
    ticket -= weight.weight;
  }
  return ActionKind::upsert_repeated;
}

Action draw_action(Dice& dice, const Scenario& scenario, Duration time) {
  Action action{.time = time, .kind = draw_kind(dice)};
  action.variant = static_cast<unsigned>(dice.below(12));
  switch (action.kind) {
    case ActionKind::roam:
      action.subject = dice.below(scenario.clients.size());
      action.other = dice.below(scenario.sites.size());
      break;
    case ActionKind::relay_killed:
    case ActionKind::relay_vanished:
    case ActionKind::relay_returned:
    case ActionKind::relay_replaced:
      action.subject = dice.below(scenario.relays.size());
      action.length = dice.between(Duration(1s), Duration(200s));
      break;
    case ActionKind::nat_rebooted:
      action.subject = dice.below(scenario.sites.size());
      break;
    case ActionKind::link_broken:
      action.subject = dice.below(scenario.sites.size());
      action.length = dice.between(Duration(1s), Duration(40s));
      break;
    case ActionKind::upsert_repeated:
    case ActionKind::psk_changed:
    case ActionKind::client_closes:
      action.subject = dice.below(scenario.pairs.size());
      break;
    case ActionKind::client_suspended:
      action.subject = dice.below(scenario.clients.size());
      action.length = dice.between(Duration(2s), Duration(900s));
      break;
    case ActionKind::gateway_restarted:
      action.subject = dice.below(scenario.gateways.size());
      action.length = dice.between(Duration(200ms), Duration(10s));
      break;
    case ActionKind::wall_jumped:
      action.subject = dice.below(scenario.clients.size() + scenario.gateways.size());
      action.length = dice.between(Duration(-86400s), Duration(86400s));
      break;
    case ActionKind::peers_parted:
      action.subject = scenario.clients[dice.below(scenario.clients.size())];
      action.other = scenario.gateways[dice.below(scenario.gateways.size())];
      action.length = dice.between(Duration(20s), Duration(300s));
      break;
    case ActionKind::portal_slow:
    case ActionKind::count_:
      action.length = dice.between(Duration(1s), Duration(20s));
      break;
  }
  return action;
}

// Scenarios that chance alone makes too seldom. Something happens while a connection is idle, and nothing else until it
// is wanted again:
void draw_idle_accident(Dice& dice, Scenario& scenario) {
  for (SiteSpec& site : scenario.sites) {
    for (LinkOptions* link : {&site.up, &site.down}) link->loss_per_mille = link->burst_begin_per_mille = 0;
  }
  const Duration first = dice.between(Duration(25s), Duration(60s));
  // Before the session's renewal at 120 s, or behind it: then nothing is sent for three minutes.
  const Duration accident = dice.chance(400) ? first + dice.between(Duration(30s), Duration(60s))
                                             : dice.between(Duration(125s), Duration(170s));
  const Duration second = accident + dice.between(Duration(260s), Duration(420s));
  constexpr ActionKind kKinds[] = {ActionKind::peers_parted, ActionKind::peers_parted,   ActionKind::nat_rebooted,
                                   ActionKind::relay_killed, ActionKind::relay_vanished, ActionKind::link_broken};
  Action action{.time = accident, .kind = dice.pick(kKinds)};
  action.variant = 2;
  action.length = 130s;  // of a broken link: longer than the client's idle timeout
  action.subject = dice.chance(500) ? scenario.clients[0] : scenario.gateways[0];
  if (action.kind == ActionKind::relay_killed || action.kind == ActionKind::relay_vanished) {
    action.subject = dice.below(scenario.relays.size());
  }
  if (action.kind == ActionKind::peers_parted) {
    action.subject = scenario.clients[0];
    action.other = scenario.gateways[0];
    action.length = Duration::zero();
  }
  const Duration quiet = action.kind == ActionKind::link_broken ? action.length : Duration(60s);
  scenario.actions = {action};
  scenario.length = second + quiet + 60s;
  for (PairSpec& pair : scenario.pairs) {
    Talk before = draw_talk(dice, 1s, 20s);
    before.length = first;
    Talk after = draw_talk(dice, second + quiet, 50s);
    after.up = after.down = true;
    pair.talks = {before, after};
  }
}

// A connection is closed, and wanted again when its channels have lapsed but keep their numbers: they were bound anew
// at five minutes, ended ten minutes later, and are another peer's five minutes after that.
void draw_lapsed_channels(Dice& dice, Scenario& scenario) {
  scenario.actions.clear();
  for (std::size_t i = 0; i < scenario.pairs.size(); ++i) {
    Talk before = draw_talk(dice, 1s, 60s);
    Talk after = draw_talk(dice, dice.between(Duration(640s), Duration(1190s)), 50s);
    scenario.actions.push_back(
        {.time = before.start + before.length + 5s, .kind = ActionKind::client_closes, .subject = i});
    scenario.pairs[i].talks = {before, after};
  }
  scenario.length = 1300s;
}

std::string seconds(Duration duration) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths < 0 ? -(tenths % 10) : tenths % 10) + " s";
}

std::string number(std::string_view word, std::size_t index) {
  return std::string(word) + " " + std::to_string(index);
}

}  // namespace

Scenario Scenario::draw(std::uint64_t seed, Duration length_max) {
  Scenario scenario;
  scenario.seed = seed;
  Dice shape(seed, "shape");
  const std::uint64_t size = shape.below(20);
  scenario.length =
      size < 15 ? shape.between(Duration(60s), Duration(600s)) : shape.between(Duration(600s), Duration(3600s));
  scenario.length = std::min(scenario.length, length_max);

  Dice sky(seed, "weather");
  const Weather weather{sky.chance(250), sky.chance(120), sky.chance(200), sky.chance(150)};
  Dice places(seed, "sites");
  const std::size_t sites = places.between(2, 4);
  for (std::size_t i = 0; i < sites; ++i) scenario.sites.push_back(draw_site(places, weather));

  Dice crossings(seed, "crossings");  // of its own, lest old seeds become others
  for (SiteSpec& site : scenario.sites) {
    if (site.nat4) site.nat4->strays = crossings.chance(500);
  }

  const std::size_t clients = shape.chance(250) ? 2 : 1;
  const std::size_t gateways = shape.chance(150) ? 2 : 1;
  for (std::size_t i = 0; i < clients; ++i) scenario.clients.push_back(shape.below(sites));
  for (std::size_t i = 0; i < gateways; ++i) scenario.gateways.push_back(shape.below(sites));
  const std::size_t relays = shape.between(1, 3);
  const bool only_v4 = shape.chance(80);
  for (std::size_t i = 0; i < relays; ++i) scenario.relays.push_back({true, !only_v4});

  Dice talk(seed, "talks");
  for (std::size_t c = 0; c < clients; ++c) {
    for (std::size_t g = 0; g < gateways; ++g) scenario.pairs.push_back({c, g, draw_talks(talk, scenario.length)});
  }

  Dice fate(seed, "actions");
  const std::size_t actions =
      fate.below(1 + static_cast<std::uint64_t>(std::min(scenario.length, Duration(900s)) / 60s));
  for (std::size_t i = 0; i < actions; ++i) {
    const Duration time = fate.between(Duration(1s), scenario.length);
    scenario.actions.push_back(draw_action(fate, scenario, time));
    const ActionKind kind = scenario.actions.back().kind;
    if (kind == ActionKind::relay_killed || kind == ActionKind::relay_vanished) {
      Action back = scenario.actions.back();
      back.kind = ActionKind::relay_returned;
      back.time += back.length;
      scenario.actions.push_back(back);
    }
  }
  Dice theme(seed, "theme");
  const std::uint64_t which = theme.below(100);
  if (which < 15) draw_idle_accident(theme, scenario);
  if (which >= 15 && which < 25) draw_lapsed_channels(theme, scenario);
  scenario.length = std::min(scenario.length, length_max);
  std::ranges::stable_sort(scenario.actions, {}, &Action::time);
  return scenario;
}

std::string_view name_of(ActionKind kind) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(ActionKind::count_)> kNames{
      "moves to",
      "is killed",
      "vanishes",
      "returns",
      "is replaced",
      "reboots its NAT",
      "loses its line",
      "is authorised again",
      "gets another preshared key",
      "sleeps",
      "says goodbye",
      "restarts",
      "sets its clock by",
      "cannot reach",
      "is slow"};
  static_assert(!kNames.back().empty());
  return kNames[static_cast<std::size_t>(kind)];
}

std::string SiteSpec::describe() const {
  std::string text = v4 && v6 ? "IPv4 and IPv6" : v4 ? "IPv4" : "IPv6";
  if (v4) text += nat4 ? ", " + nat4->describe() : ", public";
  if (firewall6) text += ", IPv6 " + firewall6->describe();
  return text + "; up " + up.describe() + "; down " + down.describe();
}

std::string Scenario::describe(const Action& action) const {
  const std::string word(name_of(action.kind));
  switch (action.kind) {
    case ActionKind::roam:
      return number("client", action.subject) + " moves to " + number("site", action.other);
    case ActionKind::relay_killed:
    case ActionKind::relay_vanished:
    case ActionKind::relay_returned:
    case ActionKind::relay_replaced:
      return number("relay", action.subject) + " " + word;
    case ActionKind::nat_rebooted:
      return number("site", action.subject) + " " + word;
    case ActionKind::link_broken:
      return number("site", action.subject) + " " + word + " for " + seconds(action.length) +
             (action.variant % 3 == 0   ? ", up"
              : action.variant % 3 == 1 ? ", down"
                                        : ", both ways");
    case ActionKind::upsert_repeated:
    case ActionKind::psk_changed:
    case ActionKind::client_closes:
      return number("pair", action.subject) + " " + word;
    case ActionKind::client_suspended:
      return number("client", action.subject) + " " + word + " for " + seconds(action.length);
    case ActionKind::gateway_restarted:
      return number("gateway", action.subject) + " " + word + (action.variant % 2 == 0 ? " with" : " without") +
             " goodbye, back after " + seconds(action.length);
    case ActionKind::wall_jumped:
      return number("node", action.subject) + " " + word + " " + seconds(action.length);
    case ActionKind::peers_parted:
      return number("site", action.subject) + " " + word + " " + number("site", action.other) +
             (action.length == Duration::zero() ? " any more" : " for " + seconds(action.length));
    case ActionKind::portal_slow:
    case ActionKind::count_:
      break;
  }
  return "the portal " + word + " for " + seconds(action.length);
}

std::string Scenario::describe() const {
  std::string text = "seed " + std::to_string(seed) + ", " + seconds(length) + " of virtual time\n";
  for (std::size_t i = 0; i < sites.size(); ++i) text += "  " + number("site", i) + ": " + sites[i].describe() + "\n";
  for (std::size_t i = 0; i < clients.size(); ++i) {
    text += "  " + number("client", i) + " at " + number("site", clients[i]) + "\n";
  }
  for (std::size_t i = 0; i < gateways.size(); ++i) {
    text += "  " + number("gateway", i) + " at " + number("site", gateways[i]) + "\n";
  }
  for (std::size_t i = 0; i < relays.size(); ++i) {
    text += "  " + number("relay", i) + (relays[i].v6 ? ": IPv4 and IPv6\n" : ": IPv4\n");
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    text += "  " + number("pair", i) + ": " + number("client", pairs[i].client) + " and " +
            number("gateway", pairs[i].gateway) + "\n";
    for (const Talk& talk : pairs[i].talks) {
      text += "    from " + seconds(talk.start) + " for " + seconds(talk.length) + ": " + std::to_string(talk.batch) +
              " x " + std::to_string(talk.bytes) + " bytes every " + seconds(talk.interval) +
              (talk.up && talk.down ? ""
               : talk.up            ? ", up"
                                    : ", down") +
              "\n";
    }
  }
  for (const Action& action : actions) text += "  at " + seconds(action.time) + ": " + describe(action) + "\n";
  return text;
}

}  // namespace fireline::sim
