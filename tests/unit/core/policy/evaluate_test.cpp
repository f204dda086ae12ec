#include "core/policy/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/core/policy/documents.h"
#include "tests/unit/core/policy/times.h"

namespace fireline::policy {
namespace {

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

Conditions within(std::vector<Window> windows) {
  Conditions conditions;
  conditions.windows = WeeklyWindows(windows);
  return conditions;
}
Conditions until(UnixSeconds end) {
  Conditions conditions;
  conditions.expires = end;
  return conditions;
}
Conditions from(std::string_view prefix) {
  Conditions conditions;
  conditions.sources = {Prefix::parse(prefix).value()};
  return conditions;
}
Conditions both(const Conditions& a, const Conditions& b) {
  Conditions conditions = a;
  if (b.windows) conditions.windows = b.windows;
  if (b.expires) conditions.expires = b.expires;
  if (!b.sources.empty()) conditions.sources = b.sources;
  return conditions;
}

using Properties = std::vector<Property>;

struct Row {
  const char* sentence;
  std::vector<Policy> policies;
  const char* actor;
  const char* resource;
  // Access until, or the refusal with what is violated.
  bool granted;
  std::size_t policy = 0;
  std::optional<UnixSeconds> until = {};
  Refusal refusal = Refusal::not_found;
  Properties violated = {};
};

// Asked on Monday at 12:00 from 192.0.2.7.
const Row kRows[] = {
    {.sentence = "a policy of one of the actor's groups gives access for ever",
     .policies = {policy({1}, {0})},
     .actor = "alice",
     .resource = "net",
     .granted = true},
    {.sentence = "everyone's policy gives access to a service account",
     .policies = {policy({0}, {0})},
     .actor = "robot",
     .resource = "net",
     .granted = true},
    {.sentence = "a policy of another group gives nothing",
     .policies = {policy({1}, {0})},
     .actor = "robot",
     .resource = "net",
     .granted = false},
    {.sentence = "a policy for another resource gives nothing",
     .policies = {policy({1}, {1})},
     .actor = "alice",
     .resource = "net",
     .granted = false},
    {.sentence = "a resource that no site serves is not found",
     .policies = {policy({0}, {2})},
     .actor = "alice",
     .resource = "lost",
     .granted = false},
    {.sentence = "an unknown resource is not found",
     .policies = {policy({0}, {0})},
     .actor = "alice",
     .resource = "other",
     .granted = false},
    {.sentence = "within its window a policy gives access until the window ends",
     .policies = {policy({0}, {0}, within({hours(0, 9, 17)}))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .until = at(0, 17)},
    {.sentence = "outside of the window it is forbidden by the time",
     .policies = {policy({0}, {0}, within({hours(1, 9, 17)}))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::current_utc_datetime}},
    {.sentence = "the window's first second is part of it",
     .policies = {policy({0}, {0}, within({hours(0, 12, 13)}))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .until = at(0, 13)},
    {.sentence = "the window's end is not",
     .policies = {policy({0}, {0}, within({hours(0, 11, 12)}))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::current_utc_datetime}},
    {.sentence = "a policy that expires later gives access until then",
     .policies = {policy({0}, {0}, until(at(3)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .until = at(3)},
    {.sentence = "one second before it expires a policy still holds",
     .policies = {policy({0}, {0}, until(at(0, 12, 0, 1)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .until = at(0, 12, 0, 1)},
    {.sentence = "at the second of its expiry it holds no longer",
     .policies = {policy({0}, {0}, until(at(0, 12)))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::current_utc_datetime}},
    {.sentence = "window and expiry: the earlier one counts",
     .policies = {policy({0}, {0}, both(within({hours(0, 9, 17)}), until(at(0, 15))))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .until = at(0, 15)},
    {.sentence = "the network that the client comes from is within the condition's",
     .policies = {policy({0}, {0}, from("192.0.2.0/24"))},
     .actor = "alice",
     .resource = "net",
     .granted = true},
    {.sentence = "another network is forbidden by the address",
     .policies = {policy({0}, {0}, from("198.51.100.0/24"))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::remote_ip}},
    {.sentence = "all of IPv6 holds no IPv4 address",
     .policies = {policy({0}, {0}, from("::/0"))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::remote_ip}},
    {.sentence = "all conditions of a policy must hold, and each violated one is named once",
     .policies = {policy({0}, {0}, both(from("198.51.100.0/24"), until(at(0, 1)))),
                  policy({1}, {0}, from("203.0.113.0/24"))},
     .actor = "alice",
     .resource = "net",
     .granted = false,
     .refusal = Refusal::forbidden,
     .violated = {Property::remote_ip, Property::current_utc_datetime}},
    {.sentence = "of several policies that hold the one that lasts longest is taken",
     .policies = {policy({0}, {0}, until(at(1))), policy({0}, {0}, until(at(4))), policy({0}, {0}, until(at(2)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 1,
     .until = at(4)},
    {.sentence = "for ever lasts longer than any second",
     .policies = {policy({0}, {0}, until(at(1))), policy({1}, {0})},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 1},
    {.sentence = "a policy that begins when another ends goes on with it",
     .policies = {policy({0}, {0}, within({hours(0, 17, 22)})), policy({0}, {0}, until(at(0, 17)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 1,
     .until = at(0, 22)},
    {.sentence = "and so does what follows that",
     .policies = {policy({0}, {0}, within({hours(0, 22, 23)})), policy({0}, {0}, within({hours(0, 17, 22)})),
                  policy({0}, {0}, until(at(0, 17)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 2,
     .until = at(0, 23)},
    {.sentence = "not one for another source, or after a gap",
     .policies = {policy({0}, {0}, both(within({hours(0, 17, 22)}), from("198.51.100.0/24"))),
                  policy({0}, {0}, within({hours(0, 18, 22)})), policy({0}, {0}, until(at(0, 17)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 2,
     .until = at(0, 17)},
    {.sentence = "of equals the first is named",
     .policies = {policy({1}, {0}, until(at(1))), policy({0}, {0}, until(at(1)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 0,
     .until = at(1)},
    {.sentence = "one policy that holds is enough",
     .policies = {policy({0}, {0}, from("198.51.100.0/24")), policy({1}, {0}, until(at(1)))},
     .actor = "alice",
     .resource = "net",
     .granted = true,
     .policy = 1,
     .until = at(1)},
};

TEST(Access, Table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.sentence);
    const Document asked = document(row.policies);
    const Actor& actor = *asked.actor(id_of(row.actor));
    const Context context{.now = at(0, 12), .source = address("192.0.2.7")};
    const auto answer = access(asked, actor, id_of(row.resource), context);
    ASSERT_EQ(answer.has_value(), row.granted);
    if (answer) {
      EXPECT_EQ(answer->policy, row.policy);
      EXPECT_EQ(answer->until, row.until);
    } else {
      EXPECT_EQ(answer.error().reason, row.refusal);
      EXPECT_EQ(answer.error().violated, row.violated);
    }

    // The list of visible resources says the same.
    const auto visible = visible_resources(asked, actor, context);
    const Resource* resource = asked.resource(id_of(row.resource));
    const bool listed = resource != nullptr && std::ranges::any_of(visible, [&](std::size_t place) {
                          return &asked.resources[place] == resource;
                        });
    EXPECT_EQ(listed, row.granted);
  }
}

TEST(VisibleResources, AreThoseOfAllPoliciesAscendingAndOnce) {
  const Document asked = document({policy({1}, {3}), policy({0}, {0, 2, 3})});
  const Context context{.now = at(0, 12), .source = address("192.0.2.7")};
  EXPECT_EQ(visible_resources(asked, asked.actors[0], context), (std::vector<std::size_t>{0, 3}));
  EXPECT_EQ(visible_resources(asked, asked.actors[1], context), (std::vector<std::size_t>{0, 3}));
  const Document empty = document({});
  EXPECT_TRUE(visible_resources(empty, empty.actors[0], context).empty());
}

TEST(Property, HasThePortalsNames) {
  EXPECT_EQ(name_of(Property::remote_ip), "remote_ip");
  EXPECT_EQ(name_of(Property::current_utc_datetime), "current_utc_datetime");
}

struct ChangeRow {
  const char* sentence;
  std::vector<Policy> policies;
  std::optional<UnixSeconds> next;
};

// Asked on Monday at 12:00.
const ChangeRow kChanges[] = {
    {"no policy: never", {}, std::nullopt},
    {"policies without times: never", {policy({0}, {0}), policy({0}, {1}, from("192.0.2.0/24"))}, std::nullopt},
    {"the next expiry of all", {policy({0}, {0}, until(at(3))), policy({0}, {1}, until(at(2)))}, at(2)},
    {"what is over for good changes nothing",
     {policy({0}, {0}, both(within({hours(1, 0, 1)}), until(at(0, 12))))},
     std::nullopt},
    {"the end of a window", {policy({0}, {0}, within({hours(0, 9, 17)}))}, at(0, 17)},
    {"the beginning of a window", {policy({0}, {0}, within({hours(2, 9, 17)}))}, at(2, 9)},
    {"expiry within a window", {policy({0}, {0}, both(within({hours(0, 9, 17)}), until(at(0, 13))))}, at(0, 13)},
};

TEST(NextChange, Table) {
  for (const ChangeRow& row : kChanges) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(next_change(document(row.policies), at(0, 12)), row.next);
  }
}

}  // namespace
}  // namespace fireline::policy
