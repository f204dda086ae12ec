// Any bytes as a policy file: either a document whose places are within it, or mistakes that stand within the text.
// libraries: fireline_core_policy
// covers: core/policy/json_tree.cpp core/policy/object_reader.cpp core/policy/document_reader.cpp
// covers: core/policy/value_text.cpp core/policy/suggestion.cpp
// mutator: json
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/policy/document_reader.h"
#include "core/policy/evaluate.h"

using namespace fireline;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

template <class Things>
void require_places(const std::vector<std::size_t>& places, const Things& things) {
  require(std::ranges::is_sorted(places) && std::ranges::adjacent_find(places) == places.end());
  require(places.empty() || places.back() < things.size());
}

void check(const policy::Document& document) {
  for (const auto& resource : document.resources) {
    require(!resource.sites.empty() && !resource.name.empty() && document.resource(resource.id) == &resource);
    require(resource.kind != policy::ResourceKind::internet || resource.filters.filters.empty());
  }
  for (const auto& policy : document.policies) {
    require_places(policy.groups, document.groups);
    require_places(policy.resources, document.resources);
  }
  for (const auto& actor : document.actors) {
    require_places(actor.groups, document.groups);
    std::vector<bool> seen(document.policies.size());
    document.for_each_policy(actor, [&](std::size_t place) {
      require(place < seen.size() && !seen[place]);
      seen[place] = true;
    });
    (void)visible_resources(document, actor, {.now = {}, .source = {}});
  }
  (void)next_change(document, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = policy::read_document(text);
  if (document) {
    check(*document);
    return 0;
  }
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  require(!document.error().empty() && document.error().size() <= policy::kPolicyErrorsMax);
  for (const policy::PolicyError& error : document.error()) {
    require(error.line >= 1 && error.line <= lines && error.column >= 1 && error.column <= size + 1);
    require(!error.text.empty() && !error.to_string("file").empty());
  }
  return 0;
}
