// `check FILE`: says whether a policy file could be used. Threads: any.
#pragma once
#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/policy/document.h"

namespace fireline::portal_tool {

// The document of a file, or the sentences to show, each with the file's name in front.
[[nodiscard]] Result<policy::Document, std::vector<std::string>> load_policy(const std::string& path);

// Exit code 0, and one line of what the file holds; or 1, and its mistakes on `errors`.
int check_policy(const std::string& path, std::ostream& output, std::ostream& errors);

}  // namespace fireline::portal_tool
