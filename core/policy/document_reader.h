// Reads the policy file: JSON with // and /* */ comments, at most kPolicyBytesMax. Format: docs/policy.md.
// It is foreign text: everything is checked, and as many mistakes as possible are said at
// once. Threads: any. Errors: 1 to kPolicyErrorsMax, in the order of the file; a document with an error is not used at
// all.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/policy/document.h"

namespace fireline::policy {

// The largest document within the limits of document.h has some 8 MiB.
inline constexpr std::size_t kPolicyBytesMax = std::size_t{16} << 20;
// More than anybody reads at once.
inline constexpr std::size_t kPolicyErrorsMax = 20;

struct PolicyError {
  std::size_t line = 1;    // from 1
  std::size_t column = 1;  // from 1, in bytes
  std::string place;       // "resources[2].address"; empty for the document itself
  std::string text;        // what was expected and what was found

  // "policy.json:12:7: resources[2].address: expected a network …"
  [[nodiscard]] std::string to_string(std::string_view file) const;
};

[[nodiscard]] Result<Document, std::vector<PolicyError>> read_document(std::string_view text);

// Ids that the file does not give: UUIDs of version 8 (RFC 9562 section 5.8) from SHA-256 over the account's id, the
// kind
// ("site", "resource", "group", "actor", "policy") and the name; the account's own from its slug. A renamed thing is a
// new one.
[[nodiscard]] Uuid account_id(std::string_view slug);
[[nodiscard]] Uuid derived_id(const Uuid& account, std::string_view kind, std::string_view name);

}  // namespace fireline::policy
