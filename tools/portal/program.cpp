#include "tools/portal/program.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include "core/crypto/random.h"
#include "core/portal/server/control_plane.h"
#include "core/portal/server/control_plane_state.h"
#include "io/event_loop.h"
#include "io/file_watch.h"
#include "io/loop_thread.h"
#include "io/websocket_server.h"
#include "platform/linux/privileges.h"
#include "platform/linux/seccomp.h"
#include "tools/common/block_signals.h"
#include "tools/common/line_server.h"
#include "tools/portal/grant_file.h"
#include "tools/portal/options.h"
#include "tools/portal/policy_command.h"
#include "tools/portal/policy_file.h"
#include "tools/portal/report.h"
#include "tools/portal/store.h"
#include "tools/portal/system_calls.h"
#include "tools/portal/token_command.h"

namespace fireline::portal_tool {
namespace {

// As many connections as the listener takes, files, and some to spare.
constexpr std::uint64_t kDescriptors = 4096 + 256;
// A revoked token ends its connections this soon.
constexpr Duration kStoreEvery = std::chrono::seconds(1);
// Editors write a file in several steps.
constexpr Duration kSettle = std::chrono::milliseconds(200);
constexpr std::uint16_t kPrivilegedPorts = 1024;

class Program {
 public:
  Program(const Options& options, io::EventLoop& loop) noexcept : options_(options), loop_(loop) {}
  [[nodiscard]] Result<void, std::string> set_up();
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> listen();
  [[nodiscard]] Result<void, std::string> confine();
  [[nodiscard]] io::WebSocketAnswer upgrade(const io::WebSocketUpgrade& request);
  void reload();
  void watch_policy();
  void look_at_store();
  void drain();
  [[nodiscard]] std::string answer(std::string_view line) const;
  [[nodiscard]] Report report() const;

  const Options& options_;
  io::EventLoop& loop_;
  crypto::SystemRandom random_;
  std::vector<std::string> warnings_;
  Instant started_;
  FileStamp stamp_;
  std::string policy_error_;
  io::EventLoop::Id timer_ = io::EventLoop::Id::none;
  // Destroyed from the last to the first.
  std::unique_ptr<Logging> logging_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<GrantFile> grants_;
  std::unique_ptr<portal::ControlPlane> plane_;
  std::unique_ptr<io::FileWatch> watch_;
  std::unique_ptr<LineServer> status_;
  std::unique_ptr<io::WebSocketServer> server_;
};

portal::ConnectionId connection(io::WebSocketId id) noexcept {
  return portal::ConnectionId(std::to_underlying(id));
}
io::WebSocketId web_socket(portal::ConnectionId id) noexcept {
  return io::WebSocketId(std::to_underlying(id));
}

Result<void, std::string> Program::set_up() {
  started_ = loop_.now().boot;
  if (!loop_.watch_signals({SIGTERM, SIGINT, SIGHUP},
                           [this](int number) { number == SIGHUP ? reload() : loop_.stop(); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  if (auto fewer = platform::raise_descriptor_limit(kDescriptors)) warnings_.push_back(std::move(*fewer));
  stamp_ = stamp_of(options_.policy);
  auto document = read_policy_file(options_.policy);
  if (!document) return err(std::move(document.error()));

  std::error_code ignored;
  const auto folder = std::filesystem::path(options_.state).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  auto store = SqliteStore::open(options_.state, random_);
  if (!store) return err(std::move(store.error()));
  store_ = std::move(*store);
  auto grants = GrantFile::open(options_.state + "-grants");
  if (!grants) return err(std::move(grants.error()));
  grants_ = std::move(*grants);
  plane_ = std::make_unique<portal::ControlPlane>(std::move(*document), *store_, *grants_, random_, loop_.now());

  auto status =
      LineServer::start(loop_, options_.status_socket, [this](std::string_view line) { return answer(line); });
  if (!status) return err(std::move(status.error()));
  status_ = std::move(*status);
  return confine();
}

// Threads inherit what this one has: privileges go before there are others, and the last of them behind the listeners.
Result<void, std::string> Program::confine() {
  const bool low = std::ranges::any_of(options_.listen, [](const Endpoint& e) { return e.port < kPrivilegedPorts; });
  if (auto refused = low ? platform::drop_privileges({CAP_NET_BIND_SERVICE}) : platform::drop_privileges()) {
    warnings_.push_back(std::move(*refused));
  }
  auto logging = Logging::start(
      {.name = "portal", .level = options_.log_level, .format = options_.log_format, .file = options_.log_file});
  if (!logging) return err(std::move(logging.error()));
  logging_ = std::move(*logging);
  if (auto listening = listen(); !listening) return listening;
  if (!options_.seccomp) {
    warnings_.push_back("--no-seccomp: every system call is allowed");
  } else if (auto refused = platform::allow_only(platform::common_calls(), portal_calls())) {
    warnings_.push_back(*refused + ": it runs without");
  }
  return {};
}

Result<void, std::string> Program::listen() {
  io::WebSocketServerCallbacks callbacks;
  callbacks.upgrade = [this](const io::WebSocketUpgrade& request) { return upgrade(request); };
  callbacks.opened = [](io::WebSocketId) {};
  callbacks.text = [this](io::WebSocketId id, std::string_view text) {
    plane_->text(connection(id), text, loop_.now());
    drain();
  };
  callbacks.closed = [this](io::WebSocketId id, const std::string& sentence) {
    spdlog::debug("connection {} ended: {}", std::to_underlying(id), sentence);
    plane_->closed(connection(id), loop_.now());
    drain();
  };
  auto server = io::WebSocketServer::listen(
      loop_,
      {.endpoints = options_.listen, .certificate_file = options_.tls_cert, .key_file = options_.tls_key, .limits = {}},
      std::move(callbacks));
  if (!server) return err(std::move(server.error()));
  server_ = std::move(*server);
  return {};
}

io::WebSocketAnswer Program::upgrade(const io::WebSocketUpgrade& request) {
  // The target holds the token: it stays out of every line below.
  const std::string target = std::string(request.path) + '?' + std::string(request.query);
  const auto role = plane_->admit(connection(request.id),
                                  {.target = target,
                                   .user_agent = request.user_agent,
                                   .authorization = request.authorization,
                                   .source = request.source.address},
                                  loop_.now());
  if (role) {
    spdlog::info("{} from {} logged in", name_of(*role), request.source.to_string());
    return {.status = 101, .body = {}, .idle = portal::idle_timeout(*role)};
  }
  spdlog::warn("login from {} refused: {} {}", request.source.to_string(), role.error().status, role.error().body);
  return {.status = static_cast<int>(role.error().status), .body = role.error().body};
}

int Program::run() {
  for (const std::string& warning : warnings_) spdlog::warn("{}", warning);
  if (options_.insecure_plaintext && options_.tls_cert.empty()) {
    spdlog::warn("--insecure-plaintext: tokens and keys cross the network readable");
  }
  for (const Endpoint& endpoint : server_->endpoints()) {
    spdlog::info("fireline-portal {} listens on {}{}", FIRELINE_VERSION, endpoint.to_string(),
                 options_.tls_cert.empty() ? "" : " with TLS");
  }
  watch_policy();
  look_at_store();
  drain();
  loop_.run();
  spdlog::info("Goodbye!");
  return 0;
}

// All of it or nothing.
void Program::reload() {
  stamp_ = stamp_of(options_.policy);
  auto document = read_policy_file(options_.policy);
  if (!document) {
    policy_error_ = std::move(document.error());
    spdlog::error("the policy in force stays, the file has mistakes: {}", policy_error_);
    return;
  }
  policy_error_.clear();
  plane_->set_policy(std::move(*document), loop_.now());
  drain();
  spdlog::info("the policy file was read again");
}

void Program::watch_policy() {
  auto folder = std::filesystem::path(options_.policy).parent_path().string();
  if (folder.empty()) folder = ".";
  auto watch = io::FileWatch::make(
      loop_, folder, [this] { return stamp_of(options_.policy) == stamp_; },
      [this] {
        // A watch tells once; another one begins when the file has settled.
        static_cast<void>(loop_.after(kSettle, [this] {
          reload();
          watch_policy();
        }));
      });
  if (!watch) return spdlog::warn("changes of {} are not noticed: send SIGHUP: {}", folder, watch.error().message());
  watch_ = std::move(*watch);
}

void Program::look_at_store() {
  if (store_->changed_elsewhere()) {
    plane_->tokens_changed(loop_.now());
    drain();
  }
  static_cast<void>(loop_.after(kStoreEvery, [this] { look_at_store(); }));
}

void Program::drain() {
  while (auto action = plane_->poll_action()) {
    if (auto* text = std::get_if<portal::SendText>(&*action)) {
      server_->send(web_socket(text->to), std::move(text->text));
    } else if (const auto* close = std::get_if<portal::CloseConnection>(&*action)) {
      server_->close(web_socket(close->id));
    } else if (const auto* line = std::get_if<portal::LogLine>(&*action)) {
      line->warning ? spdlog::warn("{}", line->text) : spdlog::info("{}", line->text);
    }
  }
  loop_.cancel(timer_);
  timer_ = loop_.at(plane_->poll_timeout(), [this] {
    plane_->handle_timeout(loop_.now());
    drain();
  });
}

std::string Program::answer(std::string_view line) const {
  if (line == "status") return status_json(report());
  if (line == "status text") return status_text(report());
  if (line == "metrics") return metrics_text(report());
  return "{\"error\": \"unknown request: ask for status, status text or metrics\"}\n";
}

Report Program::report() const {
  Report report{.uptime_seconds = static_cast<std::uint64_t>(
                    std::chrono::duration_cast<std::chrono::seconds>(loop_.now().boot - started_).count()),
                .listens = {},
                .tls = !options_.tls_cert.empty(),
                .policy_file = options_.policy,
                .policy_error = policy_error_,
                .plane = plane_->status(loop_.now()),
                .counters = {}};
  for (const Endpoint& endpoint : server_->endpoints()) report.listens.push_back(endpoint.to_string());
  const auto add = [&report](std::string_view name, std::uint64_t value) {
    report.counters.emplace_back(std::string(name), value);
  };
  plane_->counters().for_each(add);
  server_->counters().for_each(add);
  add("grants.write.drop", grants_->failures());
  return report;
}

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
  const auto store = SqliteStore::open(options.state, random);
  if (!store) return fail(store.error());
  const auto now = std::chrono::floor<std::chrono::seconds>(io::read_clocks().wall).time_since_epoch().count();
  if (options.command == Command::token_list) return list_tokens(**store, now, std::cout, std::cerr);
  if (options.command == Command::token_revoke) {
    return revoke_token(**store, options.token_id, now, std::cout, std::cerr);
  }
  const auto document = read_policy_file(options.policy);
  if (!document) return fail(document.error());
  TokenRequest request{.kind = options.token_kind, .owner = options.owner, .lasts = {}};
  if (options.valid_days) request.lasts = *options.valid_days * 86'400;
  return create_token(**store, **document, request, now, std::cout, std::cerr);
}

int serve(const Options& options) {
  block_signals({SIGTERM, SIGINT, SIGHUP});
  auto loop = io::EventLoop::make();
  if (!loop) {
    fmt::print(stderr, "fireline-portal: cannot make the event loop: {}\n", loop.error().message());
    return 1;
  }
  Program program(options, **loop);
  if (const auto ready = program.set_up(); !ready) {
    fmt::print(stderr, "fireline-portal: {}\n", ready.error());
    return 1;
  }
  return program.run();
}

}  // namespace

int run_portal(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-portal");
  if (options->command == Command::run) return serve(*options);
  if (options->command == Command::status) return ask_status(*options);
  if (options->command == Command::check) return check_policy(options->policy, std::cout, std::cerr);
  return manage_tokens(*options);
}

}  // namespace fireline::portal_tool
