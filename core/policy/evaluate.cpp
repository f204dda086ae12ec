#include "core/policy/evaluate.h"

#include <algorithm>
#include <array>

namespace fireline::policy {
namespace {

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
  for (const std::size_t index : actor.policies) {
    const Policy& policy = document.policies[index];
    if (!std::ranges::binary_search(policy.resources, place)) continue;
    named = true;
    const Period time = period(policy.conditions, context.now);
    const bool source = source_holds(policy.conditions, context.source);
    if (!source) violated[static_cast<std::size_t>(Property::remote_ip)] = true;
    if (!time.holds) violated[static_cast<std::size_t>(Property::current_utc_datetime)] = true;
    if (!source || !time.holds) continue;
    if (!best || lasts_longer(time.until, best->until)) best = Access{.policy = index, .until = time.until};
  }
  if (best) return *best;

  Denial denial{.reason = named ? Refusal::forbidden : Refusal::not_found, .violated = {}};
  for (const Property property : {Property::remote_ip, Property::current_utc_datetime}) {
    if (violated[static_cast<std::size_t>(property)]) denial.violated.push_back(property);
  }
  return err(std::move(denial));
}

std::vector<std::size_t> visible_resources(const Document& document, const Actor& actor, const Context& context) {
  std::vector<bool> visible(document.resources.size());
  for (const std::size_t index : actor.policies) {
    const Policy& policy = document.policies[index];
    if (!period(policy.conditions, context.now).holds) continue;
    if (!source_holds(policy.conditions, context.source)) continue;
    for (const std::size_t resource : policy.resources) visible[resource] = true;
  }
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
