// What the portal's counters say: each row moves those it names and no others, and each counter has a row.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/core/portal/server/portal_world.h"

namespace fireline::portal {
namespace {

using nlohmann::json;
using policy::Document;

std::map<std::string, std::uint64_t> values(const PortalWorld& world) {
  std::map<std::string, std::uint64_t> values;
  world.plane->counters().for_each(
      [&](std::string_view name, std::uint64_t value) { values[std::string(name)] = value; });
  return values;
}

// A name and by how much, in the order of names: "flow.asked 1".
Lines moved(const PortalWorld& world, const std::map<std::string, std::uint64_t>& before) {
  Lines lines;
  for (const auto& [name, value] : values(world)) {
    if (value != before.at(name)) lines.push_back(name + ' ' + std::to_string(value - before.at(name)));
  }
  return lines;
}

struct Row {
  const char* sentence;
  void (*before)(PortalWorld&);
  void (*act)(PortalWorld&);
  Lines moved;
};

void nobody(PortalWorld&) {}
void pair(PortalWorld& world) {
  world.gateway();
  world.client();
}
void asked(PortalWorld& world) {
  pair(world);
  world.ask("alice", "net");
}
void change(PortalWorld& world, void (*change)(Document&)) {
  Document document = *world.document;
  change(document);
  document.link();
  world.set(std::move(document));
}
json candidates(const char* peer) {
  return {{"gateway_ids", json::array({policy::id_of(peer).to_string()})}, {"candidates", json::array({"c"})}};
}

const Row kRows[] = {
    {"a login", nobody, [](PortalWorld& w) { w.connect(Role::client, "alice", "alice"); }, {"login.accepted 1"}},
    {"a relay without an address",
     nobody,
     [](PortalWorld& w) { w.connect(Role::relay, "r1", "relay"); },
     {"login.drop.bad_request 1"}},
    {"a token that nobody made",
     nobody,
     [](PortalWorld& w) { w.connect(Role::client, "alice", "guess"); },
     {"login.drop.bad_token 1"}},
    {"a gateway with the key of another one",
     pair,
     [](PortalWorld& w) { w.connect(Role::gateway, "gw2", "lab", "gw1"); },
     {"login.drop.bad_request 1"}},
    {"a guess too many",
     nobody,
     [](PortalWorld& w) {
       for (std::uint32_t i = 0; i <= kLoginFailuresMax; ++i) w.connect(Role::client, "alice", "guess");
     },
     {"login.drop.bad_token " + std::to_string(kLoginFailuresMax), "login.drop.limited 1"}},
    {"a connection too many",
     [](PortalWorld& w) {
       for (std::size_t i = 0; i < kConnectionsMax; ++i) w.connect(Role::client, "alice", "alice");
     },
     [](PortalWorld& w) { w.connect(Role::client, "alice", "alice"); },
     {"login.drop.full 1"}},
    {"a store that fails",
     nobody,
     [](PortalWorld& w) {
       w.store.broken = true;
       w.connect(Role::client, "alice", "alice");
     },
     {"login.drop.store 1"}},
    {"an actor with a device too many, all of them connected",
     [](PortalWorld& w) {
       w.store.owner_max = 1;
       w.client();
     },
     [](PortalWorld& w) { w.connect(Role::client, "phone", "alice"); },
     {"login.drop.devices 1"}},
    {"a relay at the address of another token's",
     [](PortalWorld& w) { w.relay(); },
     [](PortalWorld& w) { w.connect(Role::relay, "r2", "relay2", "203.0.113.1"); },
     {"login.drop.place 1"}},
    {"the same, logged in before that one joined",
     [](PortalWorld& w) {
       w.connect(Role::relay, "r2", "relay2", "203.0.113.1");
       w.relay();
     },
     [](PortalWorld& w) { w.say("r2", "phx_join", {{"stamp_secret", "s2"}}); },
     {"relay.drop.place 1"}},
    {"a relay at the address of another one of its token",
     [](PortalWorld& w) { w.relay(); },
     [](PortalWorld& w) { w.relay("r2", "s2"); },
     {"login.accepted 1", "relay.superseded 1"}},
    {"a relay too many",
     [](PortalWorld& w) {
       for (std::size_t i = 0; i < kPresentRelaysMax; ++i) {
         w.relay("r" + std::to_string(i), "s" + std::to_string(i), "203.0.113." + std::to_string(i));
       }
     },
     [](PortalWorld& w) { w.relay("one more", "more", "198.51.100.1"); },
     {"login.accepted 1", "relay.drop.full 1"}},
    {"a device that connects again, and what its older connection still says",
     pair,
     [](PortalWorld& w) {
       w.client("alice.2", "alice");
       w.ask("alice", "net");
     },
     {"device.superseded 1", "frame.drop.superseded 1", "login.accepted 1"}},
    {"a token that is revoked",
     pair,
     [](PortalWorld& w) {
       w.store.named("alice").revoked = 1;
       w.plane->tokens_changed(w.now);
     },
     {"token.ended 1"}},
    {"an actor that leaves the policy",
     pair,
     [](PortalWorld& w) { change(w, [](Document& d) { d.actors.erase(d.actors.begin()); }); },
     {"owner.ended 1"}},
    {"no frame", pair, [](PortalWorld& w) { w.send("alice", "[]"); }, {"frame.drop.bad 1"}},
    {"another topic",
     pair,
     [](PortalWorld& w) { w.send("alice", R"({"topic":"relay","event":"x","payload":null,"ref":1})"); },
     {"frame.drop.topic 1"}},
    {"an event that nobody knows",
     pair,
     [](PortalWorld& w) { w.say("alice", "nope", json::object()); },
     {"frame.drop.unknown 1"}},
    {"a flow that the gateway agrees to",
     pair,
     [](PortalWorld& w) {
       w.ask("alice", "net");
       w.agree("gw1");
     },
     {"flow.asked 1", "flow.authorized 1"}},
    {"a resource that no policy gives",
     pair,
     [](PortalWorld& w) { w.ask("alice", "dns"); },
     {"flow.asked 1", "flow.not_found 1"}},
    {"a policy that does not hold now",
     pair,
     [](PortalWorld& w) {
       change(w, [](Document& d) { d.policies[0].conditions.expires = policy::at(0); });
       w.ask("alice", "net");
     },
     {"flow.asked 1", "flow.forbidden 1"}},
    {"a site without gateways",
     [](PortalWorld& w) { w.client(); },
     [](PortalWorld& w) { w.ask("alice", "net"); },
     {"flow.asked 1", "flow.offline 1"}},
    {"a client that asks without end",
     [](PortalWorld& w) {
       w.set(policy::document_of(kFlowsClientMax + 1));
       pair(w);
     },
     [](PortalWorld& w) {
       for (std::size_t i = 0; i <= kFlowsClientMax; ++i) w.ask("alice", "n" + std::to_string(i));
     },
     {"flow.asked " + std::to_string(kFlowsClientMax + 1), "flow.drop.limited 1"}},
    {"a question that waits and comes again",
     asked,
     [](PortalWorld& w) { w.ask("alice", "net"); },
     {"flow.asked 1", "flow.drop.repeated 1"}},
    {"a question to a gateway that does not read",
     [](PortalWorld& w) {
       pair(w);
       w.owe("gw1", kQuestionsUnsentMax + 1);
     },
     [](PortalWorld& w) { w.ask("alice", "net"); },
     {"flow.asked 1", "flow.drop.slow 1"}},
    {"an answer for a client that left",
     asked,
     [](PortalWorld& w) {
       w.close("alice");
       w.agree("gw1");
     },
     {"flow.drop.stale 1"}},
    {"an answer to no question",
     pair,
     [](PortalWorld& w) { w.say("gw1", "flow_authorized", {{"ref", "x"}}); },
     {"flow.drop.bad_ref 1"}},
    {"a gateway that left, and another one in its place",
     asked,
     [](PortalWorld& w) {
       w.close("gw1");
       w.gateway("gw2");
       w.ask("alice", "net");
     },
     {"flow.asked 1", "flow.moved 1", "login.accepted 1"}},
    {"candidates for a gateway that is there",
     pair,
     [](PortalWorld& w) { w.say("alice", "broadcast_ice_candidates", candidates("gw1")); },
     {"candidates.passed 1"}},
    {"candidates for one that is not",
     pair,
     [](PortalWorld& w) { w.say("alice", "broadcast_ice_candidates", candidates("gw9")); },
     {"candidates.drop.offline 1"}},
    {"candidates for a gateway that is asked for three hundred flows at once",
     [](PortalWorld& w) {
       pair(w);
       w.owe("gw1", 300 * 1300);
     },
     [](PortalWorld& w) { w.say("alice", "broadcast_ice_candidates", candidates("gw1")); },
     {"candidates.passed 1"}},
    {"candidates for a gateway that does not read",
     [](PortalWorld& w) {
       pair(w);
       w.owe("gw1", kCandidatesUnsentMax + 1);
     },
     [](PortalWorld& w) { w.say("alice", "broadcast_ice_candidates", candidates("gw1")); },
     {"candidates.drop.slow 1"}},
    {"a grant that the policy takes away",
     asked,
     [](PortalWorld& w) { change(w, [](Document& d) { d.policies.clear(); }); },
     {"access.rejected 1"}},
    {"a grant that ends earlier than it did",
     asked,
     [](PortalWorld& w) { change(w, [](Document& d) { d.policies[0].conditions.expires = policy::at(1); }); },
     {"access.expiry_updated 1"}},
    {"a relay that comes to two that have none",
     pair,
     [](PortalWorld& w) { w.relay(); },
     {"login.accepted 1", "relays.announced 2"}}};

TEST(PortalCounters, EachSaysWhatHappened) {
  std::set<std::string> seen;
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    PortalWorld world;
    row.before(world);
    const auto before = values(world);
    row.act(world);
    EXPECT_EQ(moved(world, before), row.moved);
    for (const std::string& line : row.moved) seen.insert(line.substr(0, line.find(' ')));
  }
  for (const auto& [name, value] : values(PortalWorld())) EXPECT_TRUE(seen.contains(name)) << name << " has no row";
}

}  // namespace
}  // namespace fireline::portal
