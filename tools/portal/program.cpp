#include "tools/portal/program.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
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
#include "platform/linux/service_notify.h"
#include "tools/common/block_signals.h"
#include "tools/common/line_server.h"
#include "tools/portal/commands.h"
#include "tools/portal/grant_file.h"
#include "tools/portal/options.h"
#include "tools/portal/policy_file.h"
#include "tools/portal/report.h"
#include "tools/portal/store.h"
#include "tools/portal/system_calls.h"

namespace fireline::portal_tool {
namespace {

// As many connections as the listener takes, files, and some to spare.
constexpr std::uint64_t kDescriptors = 4096 + 256;
// A revoked token ends its connections this soon, and a policy that no watch tells of is read this late.
constexpr Duration kFilesEvery = std::chrono::seconds(1);
// A turn's output waits for the commit at its end, unless there is this much: one `init` with a thousand resources.
constexpr std::size_t kTurnBytes = std::size_t{256} << 10;
// Editors write a file in several steps.
constexpr Duration kSettle = std::chrono::milliseconds(200);
constexpr std::uint16_t kPrivilegedPorts = 1024;

class Program {
 public:
  Program(const Options& options, io::EventLoop& loop, platform::ServiceNotify notify) noexcept
      : options_(options), loop_(loop), notify_(std::move(notify)) {}
  [[nodiscard]] Result<void, std::string> set_up();
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> listen();
  [[nodiscard]] Result<void, std::string> confine();
  void upgrade(const io::WebSocketUpgrade& request);
  void renew_certificate();
  void reload();
  void watch_policy();
  void reload_soon();
  void look_at_files();
  void settle_soon();
  void settle();
  void answer_logins(bool stored);
  void drain();
  void on_signal(int signal);
  [[nodiscard]] std::string answer(std::string_view line) const;
  [[nodiscard]] Report report() const;

  const Options& options_;
  io::EventLoop& loop_;
  crypto::SystemRandom random_;
  std::vector<std::string> warnings_;
  Instant started_;
  FileStamp stamp_;
  std::string policy_error_;
  platform::ServiceNotify notify_;
  struct Login {
    io::WebSocketId id = io::WebSocketId::none;
    Endpoint source;
    Result<portal::Role, portal::Refusal> decision;
  };
  std::vector<Login> logins_;  // of this turn, unanswered
  io::EventLoop::Id settling_ = io::EventLoop::Id::none;
  io::EventLoop::Id reloading_ = io::EventLoop::Id::none;
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
  if (!loop_.watch_signals({SIGTERM, SIGINT, SIGHUP}, [this](int number) { on_signal(number); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  if (auto fewer = platform::raise_descriptor_limit(kDescriptors)) warnings_.push_back(std::move(*fewer));
  stamp_ = stamp_of(options_.policy);
  auto document = read_policy_file(options_.policy);
  if (!document) return err(std::move(document.error()));

  make_folder_of(options_.state);
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
  auto logging = Logging::start(options_.log);
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
  callbacks.upgrade = [this](const io::WebSocketUpgrade& request) {
    upgrade(request);
    return std::nullopt;
  };
  callbacks.opened = [](io::WebSocketId) {};
  callbacks.text = [this](io::WebSocketId id, std::string_view text) {
    plane_->text(connection(id), text, loop_.now());
    settle_soon();
  };
  callbacks.closed = [this](io::WebSocketId id, const std::string& sentence) {
    spdlog::debug("connection {} ended: {}", std::to_underlying(id), sentence);
    plane_->closed(connection(id), loop_.now());
    settle_soon();
  };
  auto server = io::WebSocketServer::listen(
      loop_,
      {.endpoints = options_.listen, .certificate_file = options_.tls_cert, .key_file = options_.tls_key, .limits = {}},
      std::move(callbacks));
  if (!server) return err(std::move(server.error()));
  server_ = std::move(*server);
  plane_->set_unsent_bytes([this](portal::ConnectionId id) { return server_->unsent_bytes(web_socket(id)); });
  return {};
}

void Program::upgrade(const io::WebSocketUpgrade& request) {
  // The target holds the token: it stays out of every line below.
  const std::string target = std::string(request.path) + '?' + std::string(request.query);
  auto decision = plane_->admit(connection(request.id),
                                {.target = target,
                                 .user_agent = request.user_agent,
                                 .authorization = request.authorization,
                                 .source = request.source.address},
                                loop_.now());
  logins_.push_back({.id = request.id, .source = request.source, .decision = std::move(decision)});
  settle_soon();
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
  look_at_files();
  settle();
  if (const auto failed = notify_.ready()) spdlog::warn("{}", failed->sentence);
  loop_.run();
  spdlog::info("Goodbye!");
  return 0;
}

void Program::on_signal(int signal) {
  if (signal == SIGHUP) {
    renew_certificate();
    return reload();
  }
  static_cast<void>(notify_.stopping());
  loop_.stop();
}

void Program::renew_certificate() {
  if (options_.tls_cert.empty()) return;
  if (const auto renewed = server_->replace_certificate(options_.tls_cert, options_.tls_key); !renewed) {
    return spdlog::error("the certificate in force stays: {}", renewed.error());
  }
  spdlog::info("the certificate was read again");
}

// All of it or nothing. A service manager that cannot be told changes neither.
void Program::reload() {
  static_cast<void>(notify_.reloading());
  stamp_ = stamp_of(options_.policy);
  auto document = read_policy_file(options_.policy);
  if (document) {
    policy_error_.clear();
    plane_->set_policy(std::move(*document), loop_.now());
    settle();
    spdlog::info("the policy file was read again");
    static_cast<void>(notify_.status("the policy is that of the file"));
  } else {
    policy_error_ = std::move(document.error());
    spdlog::error("the policy in force stays, the file has mistakes:\n{}", policy_error_);
    static_cast<void>(notify_.status("the policy in force stays, the file has mistakes: " + policy_error_));
  }
  static_cast<void>(notify_.ready());
}

void Program::watch_policy() {
  auto folder = std::filesystem::path(options_.policy).parent_path().string();
  if (folder.empty()) folder = ".";
  auto watch = io::FileWatch::make(
      loop_, folder, [this] { return stamp_of(options_.policy) == stamp_; }, [this] { reload_soon(); });
  if (!watch) return spdlog::warn("changes of {} are noticed a second later: {}", folder, watch.error().message());
  watch_ = std::move(*watch);
}

// A watch tells once; another one begins when the file has settled.
void Program::reload_soon() {
  if (reloading_ != io::EventLoop::Id::none) return;
  reloading_ = loop_.after(kSettle, [this] {
    reloading_ = io::EventLoop::Id::none;
    reload();
    watch_policy();
  });
}

void Program::look_at_files() {
  // A path that leads through a link into another folder changes without a word of its own folder's watch.
  if (stamp_of(options_.policy) != stamp_) reload_soon();
  if (store_->changed_elsewhere()) {
    plane_->tokens_changed(loop_.now());
    settle_soon();
  }
  static_cast<void>(loop_.after(kFilesEvery, [this] { look_at_files(); }));
}

// What the inputs of a turn caused leaves together, behind one commit: a burst of logins waits for the disk once.
void Program::settle_soon() {
  if (plane_->pending_bytes() >= kTurnBytes) return settle();
  if (settling_ != io::EventLoop::Id::none) return;
  settling_ = loop_.at(loop_.now().boot, [this] { settle(); });
}

void Program::settle() {
  loop_.cancel(std::exchange(settling_, io::EventLoop::Id::none));
  answer_logins(plane_->commit());
  drain();
}

void Program::answer_logins(bool stored) {
  for (Login& login : std::exchange(logins_, {})) {
    if (login.decision && !stored) {
      plane_->closed(connection(login.id), loop_.now());
      login.decision = err(portal::refusal::storage_failed());
    }
    if (login.decision) {
      spdlog::info("{} from {} logged in", name_of(*login.decision), login.source.to_string());
      server_->answer(login.id, {.status = 101, .body = {}, .idle = portal::idle_timeout(*login.decision)});
      continue;
    }
    const portal::Refusal& refusal = login.decision.error();
    spdlog::warn("login from {} refused: {} {}", login.source.to_string(), refusal.status, refusal.body);
    server_->answer(login.id, {.status = static_cast<int>(refusal.status), .body = refusal.body});
  }
}

void Program::drain() {
  while (auto action = plane_->poll_action()) {
    if (auto* frame = std::get_if<portal::SendFrame>(&*action)) {
      frame->shared ? server_->send(web_socket(frame->to), std::move(frame->shared))
                    : server_->send(web_socket(frame->to), std::move(frame->text));
    } else if (const auto* close = std::get_if<portal::CloseConnection>(&*action)) {
      server_->close(web_socket(close->id));
    } else if (const auto* line = std::get_if<portal::LogLine>(&*action)) {
      line->warning ? spdlog::warn("{}", line->text) : spdlog::info("{}", line->text);
    }
  }
  loop_.cancel(timer_);
  timer_ = loop_.at(plane_->poll_timeout(), [this] {
    plane_->handle_timeout(loop_.now());
    settle_soon();
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

int serve(const Options& options, platform::ServiceNotify notify) {
  block_signals({SIGTERM, SIGINT, SIGHUP});
  auto loop = io::EventLoop::make();
  if (!loop) {
    fmt::print(stderr, "fireline-portal: cannot make the event loop: {}\n", loop.error().message());
    return 1;
  }
  Program program(options, **loop, std::move(notify));
  if (const auto ready = program.set_up(); !ready) {
    fmt::print(stderr, "fireline-portal: {}\n", ready.error());
    return 1;
  }
  return program.run();
}

}  // namespace

int run_portal(int argc, const char* const* argv) {
  auto notify = platform::ServiceNotify::take_environment();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-portal");
  return options->command == Command::run ? serve(*options, std::move(notify)) : run_subcommand(*options);
}

}  // namespace fireline::portal_tool
