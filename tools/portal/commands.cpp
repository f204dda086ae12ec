#include "tools/portal/commands.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "core/crypto/random.h"
#include "io/loop_thread.h"
#include "tools/common/line_server.h"
#include "tools/portal/policy_command.h"
#include "tools/portal/policy_file.h"
#include "tools/portal/store.h"
#include "tools/portal/token_command.h"

namespace fireline::portal_tool {
namespace {

int ask_status(const Options& options) {
  const auto answer = ask_line(options.status_socket, options.metrics ? "metrics"
                                                      : options.json  ? "status"
                                                                      : "status text");
  if (answer) {
    std::fputs(answer->c_str(), stdout);
    return 0;
  }
  fmt::print(stderr, "fireline-portal: cannot ask {}: {}: does a portal run here, and may you use its socket?\n",
             options.status_socket, answer.error().message());
  return 1;
}

int manage_tokens(const Options& options) {
  const auto fail = [](std::string_view why) {
    fmt::print(stderr, "fireline-portal: {}\n", why);
    return 1;
  };
  crypto::SystemRandom random;
  // Tokens may be made before the portal ran for the first time; the others would make nothing but a mistake.
  std::error_code ignored;
  if (options.command == Command::token_create) {
    make_folder_of(options.state);
  } else if (!std::filesystem::exists(options.state, ignored)) {
    return fail("there is no " + options.state + ": name your portal's with --state");
  }
  const auto store = SqliteStore::open(options.state, random);
  if (!store) return fail(store.error() + ": is --state that of your portal, and may you write it?");
  const auto now = std::chrono::floor<std::chrono::seconds>(io::read_clocks().wall).time_since_epoch().count();
  if (options.command == Command::token_list) return list_tokens(**store, now, std::cout, std::cerr);
  if (options.command == Command::token_revoke) {
    return revoke_token(**store, options.token_id, now, std::cout, std::cerr);
  }
  const auto document = read_policy_file(options.policy);
  if (!document) return fail(document.error());
  TokenRequest request{
      .kind = options.token_kind, .owner = options.owner, .lasts = {}, .as_environment = options.as_environment};
  if (options.valid_days) request.lasts = *options.valid_days * 86'400;
  return create_token(**store, **document, request, now, std::cout, std::cerr);
}

}  // namespace

int run_subcommand(const Options& options) {
  // A token whose reader is gone has to be revoked: the write fails instead.
  (void)std::signal(SIGPIPE, SIG_IGN);
  if (options.command == Command::status) return ask_status(options);
  if (options.command == Command::check) return check_policy(options.policy, std::cout, std::cerr);
  return manage_tokens(options);
}

}  // namespace fireline::portal_tool
