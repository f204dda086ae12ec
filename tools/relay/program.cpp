#include "tools/relay/program.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <latch>
#include <optional>
#include <utility>

#include "core/crypto/random.h"
#include "io/event_loop.h"
#include "io/http.h"
#include "io/loop_thread.h"
#include "platform/linux/privileges.h"
#include "platform/linux/seccomp.h"
#include "relay/protocol/server.h"
#include "relay/relay_loop.h"
#include "tools/common/block_signals.h"
#include "tools/relay/credentials_file.h"
#include "tools/relay/event_log.h"
#include "tools/relay/logging.h"
#include "tools/relay/options.h"
#include "tools/relay/peer_rules_file.h"
#include "tools/relay/portal_connection.h"
#include "tools/relay/rate.h"
#include "tools/relay/report.h"
#include "tools/relay/revision.h"
#include "tools/relay/seeded_random.h"
#include "tools/relay/system_calls.h"
#include "tools/relay/xdp_path.h"

namespace fireline::relay {
namespace {

// Two sockets for each port of the default range, listeners, and some to spare (relay specification, section 2.1).
constexpr std::uint64_t kDescriptors = 40'000;
// Of those, for what is no relay socket: log, maps, route and control sockets, connections to both HTTP listeners.
constexpr std::uint64_t kOtherDescriptors = 100;
// The debug ring holds 10,000 frames, a call takes 4,096 of them; what comes faster is counted and not told.
constexpr Duration kFramesEvery = std::chrono::milliseconds(20);
constexpr Duration kStatisticsEvery = std::chrono::seconds(10);
constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};

// An unprivileged process gets no larger receive buffers than this (socket(7)).
std::optional<std::uint64_t> receive_buffer_limit() {
  std::ifstream file("/proc/sys/net/core/rmem_max");
  std::uint64_t bytes = 0;
  if (file >> bytes) return bytes;
  return std::nullopt;
}

std::size_t sockets_max() {
  const std::uint64_t limit = platform::descriptor_limit();
  return limit > 2 * kOtherDescriptors ? limit - kOtherDescriptors : limit / 2;
}

class Program {
 public:
  Program(const RelayOptions& options, io::EventLoop& control) noexcept : options_(options), control_(control) {}

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> set_up();
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> confine(const Credentials& credentials);
  [[nodiscard]] ServerConfig server_config(Credentials credentials, PeerRules peers) const;
  void on_signal(int number);
  [[nodiscard]] Result<void, std::string> reload();
  void listen();
  void listen_on(const char* flag, const Endpoint& endpoint, io::HttpRequestHandler handler,
                 const io::StreamLimits& limits, std::unique_ptr<io::HttpServer>& out);
  [[nodiscard]] io::HttpResponse answer_health(std::string_view path) const;
  [[nodiscard]] io::HttpResponse answer_control(const io::HttpRequest& request);
  [[nodiscard]] io::HttpResponse change_filter(const io::HttpRequest& request);
  [[nodiscard]] RelayReport report() const;
  [[nodiscard]] std::uint64_t userspace_bytes() const;
  void log_statistics();
  void log_frames();
  void say_start() const;
  void fail(const std::string& sentence);

  const RelayOptions& options_;
  io::EventLoop& control_;
  crypto::SystemRandom system_random_;
  std::unique_ptr<SeededRandom> seeded_random_;
  std::vector<std::string> warnings_;  // from before the log is open
  Instant started_;
  std::uint64_t logged_bytes_ = 0;
  Instant logged_at_;
  EventLog events_;
  std::string fatal_;  // why it ends with code 1
  // Destroyed from the last to the first: the log goes last, the server before its host.
  std::unique_ptr<RelayLogging> logging_;
  std::unique_ptr<XdpPath> xdp_;
  std::unique_ptr<RelayLoop> loop_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<PortalConnection> portal_;  // null: it runs on its own
  std::unique_ptr<io::HttpServer> health_;
  std::unique_ptr<io::HttpServer> endpoint_;
};

Result<void, std::string> Program::set_up() {
  if (!control_.watch_signals(kSignals, [this](int number) { on_signal(number); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  if (auto fewer = platform::raise_descriptor_limit(kDescriptors)) warnings_.push_back(std::move(*fewer));
  if (!platform::grow_descriptor_table(kDescriptors)) warnings_.push_back("the table of open files grows as it fills");
  if (options_.rng_seed) seeded_random_ = std::make_unique<SeededRandom>(*options_.rng_seed);
  crypto::Random& random = seeded_random_ ? static_cast<crypto::Random&>(*seeded_random_) : system_random_;
  auto credentials = read_credentials(options_, random);
  if (!credentials) return err(std::move(credentials.error()));
  auto peers = read_peer_rules(options_);
  if (!peers) return err(std::move(peers.error()));

  auto loop =
      RelayLoop::make({.families = {.v4 = options_.public_ip4.has_value(), .v6 = options_.public_ip6.has_value()},
                       .listen_port = options_.listen_port,
                       .bind_ip4 = options_.bind_ip4,
                       .bind_ip6 = options_.bind_ip6,
                       .gso = options_.gso,
                       .gro = options_.gro,
                       .sockets_max = sockets_max()},
                      control_);
  if (!loop) return err(loop.error().to_string());
  loop_ = std::move(*loop);
  if (options_.offload) {
    auto xdp = XdpPath::open(options_);
    if (!xdp) return err(std::move(xdp.error()));
    xdp_ = std::move(*xdp);
    loop_->set_fast_path(*xdp_);
    warnings_.insert(warnings_.end(), xdp_->warnings().begin(), xdp_->warnings().end());
  }
  listen();

  if (const auto confined = confine(*credentials); !confined) return confined;

  server_ = std::make_unique<Server>(server_config(std::move(*credentials), std::move(*peers)), *loop_, random);
  loop_->serve(*server_);
  loop_->set_wire_log(spdlog::get("wire"));
  loop_->set_observer([this](const Event& event) { events_.write(event, loop_->now().boot); });
  return {};
}

// The end of the set-up: opening files for writing, listening and loading programs are over.
Result<void, std::string> Program::confine(const Credentials& credentials) {
  // The log's thread gives up its privileges before its first line, and before the filter of system calls, which holds
  // for all threads, would keep it from that. The portal's has none from the beginning.
  std::latch dropped(1);
  auto logging = RelayLogging::start(options_, [&dropped] {
    static_cast<void>(platform::drop_privileges());
    dropped.count_down();
  });
  if (!logging) return err(std::move(logging.error()));
  dropped.wait();
  logging_ = std::move(*logging);
  if (auto refused = platform::drop_privileges()) warnings_.push_back(std::move(*refused));
  if (auto refused = xdp_ ? xdp_->check_access() : std::nullopt) return err(std::move(*refused));
  if (options_.portal) {
    auto portal = PortalConnection::open(control_, system_random_, options_, std::get<FirezoneCredentials>(credentials),
                                         [this](const std::string& sentence) { fail(sentence); });
    if (!portal) return err(std::move(portal.error()));
    portal_ = std::move(*portal);
  }
  if (!options_.seccomp) {
    warnings_.push_back("--no-seccomp: every system call is allowed");
  } else if (auto refused =
                 platform::allow_only(platform::common_calls(), relay_calls(xdp_ != nullptr, portal_ != nullptr))) {
    warnings_.push_back(*refused + ": it runs without");
  }
  return {};
}

ServerConfig Program::server_config(Credentials credentials, PeerRules peers) const {
  return {.public_ip4 = options_.public_ip4,
          .public_ip6 = options_.public_ip6,
          .listen_port = options_.listen_port,
          .lowest_port = options_.lowest_port,
          .highest_port = options_.highest_port,
          .software = fmt::format("fireline-relay; rev={}", kRevision),
          .credentials = std::move(credentials),
          .peers = std::move(peers),
          .limits = options_.limits};
}

int Program::run() {
  started_ = io::read_clocks().boot;
  logged_at_ = started_;
  say_start();
  log_statistics();
  if (options_.offload && options_.offload->debug) log_frames();
  // In the control loop's first turn, when its clock is read.
  if (portal_) static_cast<void>(control_.at(started_, [this] { portal_->start(); }));
  loop_->run();
  if (fatal_.empty()) {
    spdlog::info("Goodbye!");
    return 0;
  }
  fmt::print(stderr, "fireline-relay: {}\n", fatal_);
  return 1;
}

// Its supervisor starts it again, with a token that is good or when the portal is back.
void Program::fail(const std::string& sentence) {
  spdlog::error("{}", sentence);
  fatal_ = sentence;
  loop_->stop();
}

void Program::on_signal(int number) {
  if (number != SIGHUP) return loop_->stop();
  if (const auto done = reload(); !done) spdlog::warn("SIGHUP changes nothing: {}", done.error());
}

// All of it or nothing. The stamp secret stays: another one would be another relay.
Result<void, std::string> Program::reload() {
  auto peers = read_peer_rules(options_);
  if (!peers) return err(std::move(peers.error()));
  std::size_t users = 0;
  if (options_.auth == AuthKind::fixed) {
    auto credentials = read_credentials(options_, system_random_);
    if (!credentials) return err(std::move(credentials.error()));
    users = std::get<StaticCredentials>(*credentials).size();
    server_->set_credentials(std::move(*credentials));
  }
  spdlog::info("SIGHUP: {} users, {} prefixes allowed, {} denied", users, peers->allow.size(), peers->deny.size());
  server_->set_peer_rules(std::move(*peers));
  return {};
}

void Program::say_start() const {
  for (const std::string& warning : warnings_) spdlog::warn("{}", warning);
  for (const std::string& note : options_.notes) spdlog::info("{}", note);
  if (options_.rng_seed) spdlog::warn("--rng-seed makes ports, nonces and secrets predictable: for tests only");
  if (options_.auth == AuthKind::firezone && options_.secret_file.empty() && !options_.portal) {
    spdlog::warn("the stamp secret was drawn at start and nobody knows it: use --secret-file, or --auth static");
  }
  const auto limit = receive_buffer_limit();
  if (limit && *limit < kAllocationReceiveBytes) {
    spdlog::info("net.core.rmem_max is {}: raise it to {} so that allocations ride out bursts", *limit,
                 kAllocationReceiveBytes);
  }
  for (const auto* server : {health_.get(), endpoint_.get()}) {
    if (server != nullptr) spdlog::info("HTTP on {}", server->endpoint().to_string());
  }
  if (endpoint_ && !io::is_loopback(endpoint_->endpoint().address)) {
    spdlog::warn("--control-endpoint is open to everybody who reaches it: use a loopback address");
  }
  spdlog::info("fireline-relay {} (rev {}) listens on port {}, allocates {} to {}, credentials: {}, fast path: {}",
               FIRELINE_VERSION, kRevision, options_.listen_port, options_.lowest_port, options_.highest_port,
               options_.auth == AuthKind::fixed ? "static" : "firezone", xdp_ ? xdp_->description() : "off");
}

// ---- HTTP ----

void Program::listen() {
  listen_on("--health-check-addr", options_.health,
            io::only_get([this](std::string_view path) { return answer_health(path); }), io::kHealthLimits, health_);
  listen_on(
      "--control-endpoint", options_.control,
      [this](const io::HttpRequest& request) { return answer_control(request); }, io::kHttpLimits, endpoint_);
}

// Relaying must not depend on it.
void Program::listen_on(const char* flag, const Endpoint& endpoint, io::HttpRequestHandler handler,
                        const io::StreamLimits& limits, std::unique_ptr<io::HttpServer>& out) {
  auto server = io::HttpServer::listen_for(control_, endpoint, std::move(handler), limits);
  if (server) {
    out = std::move(*server);
    return;
  }
  warnings_.push_back(fmt::format("cannot listen on {} {}: {}: relaying goes on without it", flag, endpoint.to_string(),
                                  server.error().message()));
}

io::HttpResponse Program::answer_health(std::string_view path) const {
  if (path == "/healthz") return {.status = 200, .body = {}};
  // Ready from the first turn on when there is no portal to wait for.
  if (path == "/readyz") {
    return {.status = !portal_ || portal_->joined() ? 200 : 503,
            .body = kRevision == std::string_view("xxxx") ? "" : kRevision};
  }
  return {.status = 404, .body = "there is /healthz and /readyz\n"};
}

io::HttpResponse Program::answer_control(const io::HttpRequest& request) {
  if (request.path == "/log_filter") return change_filter(request);
  if (request.path != "/metrics" && request.path != "/status") {
    return {.status = 404, .body = "there is /status, /metrics and POST /log_filter?directives=\n"};
  }
  if (request.method != "GET") return {.status = 405, .body = "only GET\n", .allow = "GET, HEAD"};
  if (request.path == "/status") {
    return {.status = 200, .content_type = "application/json", .body = status_text(report())};
  }
  return {.status = 200, .content_type = std::string(kMetricsContentType), .body = metrics_text(report())};
}

io::HttpResponse Program::change_filter(const io::HttpRequest& request) {
  if (request.method != "POST") return {.status = 405, .body = "only POST\n", .allow = "POST"};
  const auto directives = io::query_value(request.query, "directives");
  if (!directives) return {.status = 400, .body = "the parameter directives is missing\n"};
  const auto filter = LogFilter::parse(*directives);
  if (!filter) return {.status = 400, .body = filter.error() + "\n"};
  logging_->set_filter(*filter);
  return {.status = 200, .body = {}};
}

// ---- numbers ----

std::uint64_t Program::userspace_bytes() const {
  return server_->counters().get(ServerCounter::client_bytes) + server_->counters().get(ServerCounter::peer_bytes);
}

RelayReport Program::report() const {
  loop_->count_kernel_drops();
  RelayReport report{.version = FIRELINE_VERSION,
                     .auth = options_.auth == AuthKind::fixed ? "static" : "firezone",
                     .uptime_seconds = static_cast<std::uint64_t>(
                         std::chrono::duration_cast<std::chrono::seconds>(io::read_clocks().boot - started_).count()),
                     .public_addresses = {},
                     .listen_port = options_.listen_port,
                     .gso = loop_->gso_enabled(),
                     .fast_path = xdp_ ? xdp_->description() : "off",
                     .userspace_bytes = userspace_bytes(),
                     .fast_path_bytes = 0,
                     .portal = {},
                     .gauges = {},
                     .counters = {},
                     .responses = {}};
  for (const auto& address : {options_.public_ip4, options_.public_ip6}) {
    if (address) report.public_addresses.push_back(address->to_string());
  }
  const ServerGauges gauges = server_->gauges();
  report.gauges = {{"allocations", gauges.allocations},
                   {"channels.bound", gauges.bound_channels},
                   {"channels.cooling_down", gauges.cooling_channels},
                   {"permissions", gauges.permissions},
                   {"nonces", gauges.nonces},
                   {"answer_sources", gauges.answer_sources},
                   {"ports.unusable", gauges.unusable_ports},
                   {"sockets", loop_->sockets()},
                   {"send.waiting_bytes", loop_->waiting_bytes()}};
  const auto add = [&report](std::string_view name, std::uint64_t value) {
    report.counters.push_back({std::string(name), value});
  };
  loop_->counters().for_each(add);
  server_->counters().for_each(add);
  if (portal_) portal_->add_to(report, io::read_clocks().boot);
  if (xdp_) report.fast_path_bytes = xdp_->add_counters(report.counters);
  server_->responses().for_each([&report](std::string_view method, std::uint16_t code, std::uint64_t value) {
    report.responses.push_back({std::string(method), code, value});
  });
  return report;
}

void Program::log_statistics() {
  const Instant now = io::read_clocks().boot;
  const std::uint64_t bytes = userspace_bytes();
  const double seconds = std::chrono::duration<double>(now - logged_at_).count();
  if (seconds > 0) {
    const ServerGauges gauges = server_->gauges();
    spdlog::info("statistics: allocations={} channels={} throughput={}", gauges.allocations, gauges.bound_channels,
                 rate_text(static_cast<double>(bytes - logged_bytes_) / seconds));
    logged_at_ = now;
    logged_bytes_ = bytes;
  }
  static_cast<void>(control_.at(now + kStatisticsEvery, [this] { log_statistics(); }));
}

void Program::log_frames() {
  xdp_->log_frames();
  static_cast<void>(control_.after(kFramesEvery, [this] { log_frames(); }));
}

}  // namespace

int run_relay(int argc, const char* const* argv) {
  const auto options = parse_relay_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-relay");
  // Before the log's thread starts: a signal that one thread does not block ends the process without a word.
  block_signals(kSignals);
  auto control = io::EventLoop::make();
  if (!control) {
    fmt::print(stderr, "fireline-relay: cannot make the event loop: {}\n", control.error().message());
    return 1;
  }
  Program program(*options, **control);
  if (const auto ready = program.set_up(); !ready) {
    fmt::print(stderr, "fireline-relay: {}\n", ready.error());
    return 1;
  }
  return program.run();
}

}  // namespace fireline::relay
