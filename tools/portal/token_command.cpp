#include "tools/portal/token_command.h"

#include <ctime>
#include <ostream>
#include <span>

#include "core/crypto/secret.h"

namespace fireline::portal_tool {
namespace {

int fail(std::ostream& errors, const std::string& sentence) {
  errors << sentence << '\n';
  return 1;
}

int fail(std::ostream& errors, portal::StoreError error) {
  return fail(errors, error == portal::StoreError::full ? "there are as many tokens as the store takes"
                                                        : "the store cannot be used at this time");
}

std::string time_text(portal::Timestamp time) {
  const std::time_t seconds = time;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

const char* state_of(const portal::Token& token, portal::Timestamp now) {
  if (token.revoked) return "revoked";
  return token.valid(now) ? "valid" : "expired";
}

}  // namespace

int create_token(SqliteStore& store, const policy::Document& document, const TokenRequest& request,
                 portal::Timestamp now, std::ostream& output, std::ostream& errors) {
  Uuid owner;
  std::optional<portal::Timestamp> lasts = request.lasts;
  switch (request.kind) {
    case portal::TokenKind::client: {
      const policy::Actor* actor = document.actor_named(request.owner);
      if (actor == nullptr) return fail(errors, "the policy has no actor \"" + request.owner + "\"");
      if (!lasts && actor->kind == policy::ActorKind::user) lasts = kUserTokenSeconds;
      owner = actor->id;
      break;
    }
    case portal::TokenKind::gateway: {
      const policy::Site* site = document.site_named(request.owner);
      if (site == nullptr) return fail(errors, "the policy has no site \"" + request.owner + "\"");
      owner = site->id;
      break;
    }
    case portal::TokenKind::relay:
      if (!request.owner.empty()) return fail(errors, "a relay's token belongs to nobody: expected no name");
      break;
  }
  if (lasts && *lasts <= 0) return fail(errors, "a token has to last for a second at least");
  auto made =
      store.create_token(request.kind, owner, request.owner, now, lasts ? std::optional(now + *lasts) : std::nullopt);
  if (!made) return fail(errors, made.error());
  output << made->text << '\n';
  crypto::wipe(std::as_writable_bytes(std::span(made->text)));
  errors << "token " << made->token.id.to_string() << ": shown once, it is stored nowhere\n";
  return 0;
}

int list_tokens(SqliteStore& store, portal::Timestamp now, std::ostream& output, std::ostream& errors) {
  const auto tokens = store.tokens();
  if (!tokens) return fail(errors, tokens.error());
  for (const portal::Token& token : *tokens) {
    output << token.id.to_string() << ' ' << name_of(token.kind) << " \"" << token.owner_name << "\" "
           << state_of(token, now) << " created " << time_text(token.created);
    if (token.expires) output << " expires " << time_text(*token.expires);
    if (token.last_used) output << " used " << time_text(*token.last_used);
    if (token.revoked) output << " revoked " << time_text(*token.revoked);
    output << '\n';
  }
  return 0;
}

int revoke_token(SqliteStore& store, const std::string& id, portal::Timestamp now, std::ostream& output,
                 std::ostream& errors) {
  const auto parsed = Uuid::parse(id);
  if (!parsed) return fail(errors, "expected a token's id, as `token list` shows it; found \"" + id + "\"");
  const auto revoked = store.revoke_token(*parsed, now);
  if (!revoked) return fail(errors, revoked.error());
  if (!*revoked) return fail(errors, "there is no token " + parsed->to_string() + " that could be revoked");
  output << "revoked " << parsed->to_string() << '\n';
  return 0;
}

}  // namespace fireline::portal_tool
