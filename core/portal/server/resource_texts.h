// The resources of the document in force as clients are sent them, each written once: a thousand clients that join see
// mostly the same. Lifetime: clear() with each new document. Threads: one. Limit: as the document, some 300 bytes each.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/document.h"

namespace fireline::portal {

class ResourceTexts {
 public:
  // JSON; the view lives until clear().
  [[nodiscard]] std::string_view at(const policy::Document& document, std::size_t place);
  void clear() noexcept { texts_.clear(); }

 private:
  std::vector<std::string> texts_;  // by place; empty: not written yet
};

}  // namespace fireline::portal
