#include "core/policy/suggestion.h"

#include <algorithm>
#include <array>

namespace fireline::policy {
namespace {

constexpr std::size_t kEditsMax = 2;

// Levenshtein's distance.
std::size_t edits(std::string_view a, std::string_view b) {
  std::array<std::size_t, kSuggestionBytesMax + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kSuggestionBytesMax) return {};
  std::string_view nearest;
  std::size_t least = std::min(kEditsMax + 1, word.size());
  for (const std::string_view candidate : known) {
    if (candidate.size() > kSuggestionBytesMax) continue;
    const std::size_t distance = edits(word, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest.empty() ? std::string() : "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace fireline::policy
