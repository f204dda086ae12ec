// `token create|list|revoke`: what an operator does with tokens, on the same store that the portal has open.
// Threads: the store's. Errors: exit code 1 and a sentence. A token's text is written once, to `output`, and kept
// nowhere; a token whose text cannot be written is revoked.
#pragma once
#include <iosfwd>
#include <optional>
#include <string>

#include "core/policy/document.h"
#include "tools/portal/store.h"

namespace fireline::portal_tool {

// Portal specification 6.1.
inline constexpr portal::Timestamp kUserTokenSeconds = 7L * 24 * 3600;

struct TokenRequest {
  portal::TokenKind kind = portal::TokenKind::client;
  std::string owner;                       // name of an actor or a site in the policy; empty for a relay
  std::optional<portal::Timestamp> lasts;  // seconds; none: kUserTokenSeconds for a user's, else for ever
  bool as_environment = false;             // the token as a line of an environment file
};

int create_token(SqliteStore& store, const policy::Document& document, const TokenRequest& request,
                 portal::Timestamp now, std::ostream& output, std::ostream& errors);
// One line for each: id, kind, owner, state, times.
int list_tokens(SqliteStore& store, portal::Timestamp now, std::ostream& output, std::ostream& errors);
int revoke_token(SqliteStore& store, const std::string& id, portal::Timestamp now, std::ostream& output,
                 std::ostream& errors);

}  // namespace fireline::portal_tool
