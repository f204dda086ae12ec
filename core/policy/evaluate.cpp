#include "core/policy/evaluate.h"

#include <algorithm>
#include <array>

namespace fireline::policy {
namespace {

// Policies that follow each other without a gap, looked at ahead: the days of a week. The review at the end goes on.
constexpr int kTouchingMax = 8;

// Whether the conditions that time decides hold, and the second at which that ends.
struct Period {
  bool holds = true;
  std::optional<UnixSeconds> until;
};

// Empty is "never", so it is the latest of all.
std::optional<UnixSeconds> earlier(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

bool lasts_longer(std::optional<UnixSeconds> a, std::optional<UnixSeconds> b) {
  return b && (!a || *a > *b);
}

Period period(const Conditions& conditions, UnixSeconds now) {
  if (conditions.expires && now >= *conditions.expires) return {.holds = false, .until = std::nullopt};
  if (conditions.windows && !conditions.windows->holds(now)) return {.holds = false, .until = std::nullopt};
  Period period{.holds = true, .until = conditions.expires};
  if (conditions.windows) period.until = earlier(period.until, conditions.windows->next_change(now));
  return period;
}

bool source_holds(const Conditions& conditions, const IpAddress& source) {
  return conditions.sources.empty() ||
         std::ranges::any_of(conditions.sources, [&](const Prefix& prefix) { return prefix.contains(source); });
}

// Until when access goes on without a gap where one policy begins in the second in which another ends: a gateway would
// take such a grant away, and the client, which sees the resource all the time, would not ask for another one.
std::optional<UnixSeconds> without_gap(const std::vector<const Conditions*>& all, std::optional<UnixSeconds> until) {
  for (int touching = 0; until && touching < kTouchingMax; ++touching) {
    std::optional<UnixSeconds> end = until;
    for (const Conditions* one : all) {
      const Period next = period(*one, *until);
      if (next.holds && lasts_longer(next.until, end)) end = next.until;
    }
    if (end == until) break;
    until = end;
  }
  return until;
}

}  // namespace

std::string_view name_of(Property property) noexcept {
  return property == Property::remote_ip ? "remote_ip" : "current_utc_datetime";
}

Result<Access, Denial> access(const Document& document, const Actor& actor, const Uuid& resource,
                              const Context& context) {
  const Resource* found = document.resource(resource);
  if (found == nullptr || found->sites.empty()) return err(Denial{});
  const auto place = static_cast<std::size_t>(found - document.resources.data());

  std::optional<Access> best;
  bool named = false;
  std::array<bool, 2> violated{};
  std::vector<const Conditions*> later;  // of all that the source permits
  document.for_each_policy(actor, [&](std::size_t index) {
    const Policy& policy = document.policies[index];
    if (!std::ranges::binary_search(policy.resources, place)) return;
    named = true;
    const Period time = period(policy.conditions, context.now);
    const bool source = source_holds(policy.conditions, context.source);
    if (!source) violated[static_cast<std::size_t>(Property::remote_ip)] = true;
    if (!time.holds) violated[static_cast<std::size_t>(Property::current_utc_datetime)] = true;
    if (source) later.push_back(&policy.conditions);
    if (!source || !time.holds) return;
    const bool first_of_equals = best && time.until == best->until && index < best->policy;
    if (!best || first_of_equals || lasts_longer(time.until, best->until)) {
      best = Access{.policy = index, .until = time.until};
    }
  });
  if (best) {
    best->until = without_gap(later, best->until);
    return *best;
  }

  Denial denial{.reason = named ? Refusal::forbidden : Refusal::not_found, .violated = {}};
  for (const Property property : {Property::remote_ip, Property::current_utc_datetime}) {
    if (violated[static_cast<std::size_t>(property)]) denial.violated.push_back(property);
  }
  return err(std::move(denial));
}

std::vector<std::size_t> visible_resources(const Document& document, const Actor& actor, const Context& context) {
  std::vector<bool> visible(document.resources.size());
  document.for_each_policy(actor, [&](std::size_t index) {
    const Policy& policy = document.policies[index];
    if (!period(policy.conditions, context.now).holds) return;
    if (!source_holds(policy.conditions, context.source)) return;
    for (const std::size_t resource : policy.resources) visible[resource] = true;
  });
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < visible.size(); ++place) {
    if (visible[place] && !document.resources[place].sites.empty()) places.push_back(place);
  }
  return places;
}

std::optional<UnixSeconds> next_change(const Document& document, UnixSeconds now) {
  std::optional<UnixSeconds> next;
  for (const Policy& policy : document.policies) {
    const Conditions& conditions = policy.conditions;
    if (conditions.expires) {
      if (now >= *conditions.expires) continue;  // over for good
      next = earlier(next, conditions.expires);
    }
    if (conditions.windows) next = earlier(next, conditions.windows->next_change(now));
  }
  return next;
}

}  // namespace fireline::policy
