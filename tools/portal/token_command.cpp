#include "tools/portal/token_command.h"

#include <algorithm>
#include <ctime>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

#include "core/crypto/secret.h"
#include "core/policy/suggestion.h"

namespace fireline::portal_tool {
namespace {

constexpr std::size_t kNamesShown = 10;

int fail(std::ostream& errors, const std::string& sentence) {
  errors << "fireline-portal: " << sentence << '\n';
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

// "; did you mean …", or what there is.
template <class Things>
std::string known_names(const std::string& name, const Things& things) {
  std::vector<std::string_view> names;
  for (const auto& thing : things) names.push_back(thing.name);
  std::string text = policy::suggestion(name, names);
  if (!text.empty() || names.empty()) return text;
  for (const std::string_view known : std::span(names).first(std::min(names.size(), kNamesShown))) {
    text += (text.empty() ? "; it has \"" : ", \"") + std::string(known) + '"';
  }
  return names.size() > kNamesShown ? text + ", …" : text;
}

// What follows for the person; the token itself went to `output`.
std::string explain(const portal::Token& token) {
  const std::string program = "fireline-" + std::string(name_of(token.kind));
  std::string text = "token " + token.id.to_string() + " for " + program;
  if (!token.owner_name.empty()) text += " of \"" + token.owner_name + '"';
  text += token.expires ? ", valid until " + time_text(*token.expires) : ", valid until it is revoked";
  return text + ". It is stored nowhere.\nTell " + program +
         ":  FIREZONE_TOKEN=<the token>  FIREZONE_API_URL=<wss:// or ws://, host and port of this portal>\n";
}

// Its text is lost: on a full disk, or behind a pipe that nobody reads.
int withdraw_token(SqliteStore& store, const portal::Token& token, portal::Timestamp now, std::ostream& errors) {
  const auto revoked = store.revoke_token(token.id, now);
  if (!revoked) {
    return fail(errors, "the token could not be written, nor be revoked: run `token revoke " + token.id.to_string() +
                            "` and make another one where there is room");
  }
  return fail(errors, "the token could not be written, and is revoked: make another one where there is room");
}

}  // namespace

int create_token(SqliteStore& store, const policy::Document& document, const TokenRequest& request,
                 portal::Timestamp now, std::ostream& output, std::ostream& errors) {
  Uuid owner;
  std::optional<portal::Timestamp> lasts = request.lasts;
  switch (request.kind) {
    case portal::TokenKind::client: {
      const policy::Actor* actor = document.actor_named(request.owner);
      if (actor == nullptr) {
        return fail(errors,
                    "the policy has no actor \"" + request.owner + '"' + known_names(request.owner, document.actors));
      }
      if (!lasts && actor->kind == policy::ActorKind::user) lasts = kUserTokenSeconds;
      owner = actor->id;
      break;
    }
    case portal::TokenKind::gateway: {
      const policy::Site* site = document.site_named(request.owner);
      if (site == nullptr) {
        return fail(errors,
                    "the policy has no site \"" + request.owner + '"' + known_names(request.owner, document.sites));
      }
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
  output << (request.as_environment ? "FIREZONE_TOKEN=" : "") << made->text << '\n' << std::flush;
  crypto::wipe(std::as_writable_bytes(std::span(made->text)));
  if (!output) return withdraw_token(store, made->token, now, errors);
  errors << explain(made->token);
  return 0;
}

int list_tokens(SqliteStore& store, portal::Timestamp now, std::ostream& output, std::ostream& errors) {
  const auto tokens = store.tokens();
  if (!tokens) return fail(errors, tokens.error());
  if (tokens->empty()) errors << "there is no token: make one with `token create`\n";
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
