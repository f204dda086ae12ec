#include "tools/client/program.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "core/crypto/x25519.h"
#include "io/loop_thread.h"
#include "platform/linux/link_scope_sync.h"
#include "platform/linux/network_monitor.h"
#include "platform/linux/privileges.h"
#include "platform/linux/service_notify.h"
#include "platform/linux/socket_buffer_limits.h"
#include "platform/linux/token_file.h"
#include "tools/client/options.h"
#include "tools/client/reactions.h"
#include "tools/client/report.h"
#include "tools/common/block_signals.h"
#include "tools/common/line_server.h"
#include "tools/tunnel/login.h"
#include "tools/tunnel/portal_link.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::client {
namespace {

constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};
// Platform specification 7.5: a goodbye to each gateway.
constexpr Duration kFarewell = std::chrono::milliseconds(300);

class Program {
 public:
  Program(const Options& options, io::EventLoop& loop, platform::ServiceNotify notify)
      : options_(options), loop_(loop), notify_(std::move(notify)) {}

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> set_up(const crypto::SecretText& token);
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> open_tunnel(const crypto::Key& key);
  [[nodiscard]] Result<void, std::string> watch_network();
  void look_at_network();
  void copy_link_routes();
  void on_signal(int signal);
  void on_ready();
  void end(int code, std::string_view why);
  [[nodiscard]] std::string answer(std::string_view line);

  const Options& options_;
  io::EventLoop& loop_;
  const tunnel::TunnelOptions tunnel_options_ = options_.program.tunnel();
  crypto::SystemRandom random_;
  platform::ServiceNotify notify_;
  int exit_code_ = 0;
  bool ending_ = false;
  // Destroyed from the last to the first.
  std::unique_ptr<Logging> logging_;
  std::unique_ptr<tunnel::Tunnel<tunnel::Client>> tunnel_;
  std::unique_ptr<tunnel::HostNetwork> host_;
  std::optional<platform::NetworkMonitor> network_;
  std::optional<platform::LinkScopeSync> links_;
  std::unique_ptr<tunnel::PortalLink> portal_;
  std::unique_ptr<Reactions> reactions_;
  io::EventLoop::Id network_timer_ = io::EventLoop::Id::none;
  io::EventLoop::Id links_timer_ = io::EventLoop::Id::none;
  std::unique_ptr<LineServer> status_;
};

Result<void, std::string> Program::set_up(const crypto::SecretText& token) {
  if (!loop_.watch_signals(kSignals, [this](int signal) { on_signal(signal); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  const auto buffers = options_.raise_buffers ? platform::raise_socket_buffer_limits() : std::string();
  const auto key = crypto::generate_private_key(random_);
  if (auto opened = open_tunnel(key); !opened) return opened;
  auto host = tunnel::make_linux_host_network(options_.program.tun);
  if (!host) return err(std::move(host.error()));
  host_ = std::move(*host);
  auto status =
      LineServer::start(loop_, options_.program.status_socket, [this](std::string_view line) { return answer(line); });
  if (!status) return err(std::move(status.error()));
  status_ = std::move(*status);
  auto login = tunnel::make_login(portal::Role::client, options_.program, token, crypto::public_key(key));
  if (!login) return err(std::move(login.error()));
  login->give_up_after = options_.max_partition_time;

  // Before there are other threads: each has capabilities of its own. What is left changes addresses and routes.
  const auto refused = platform::drop_privileges({CAP_NET_ADMIN});
  auto logging =
      Logging::start({.name = "fireline", .level = options_.program.log_level, .format = options_.program.log_format});
  if (!logging) return err(std::move(logging.error()));
  logging_ = std::move(*logging);
  if (refused) spdlog::warn("{}", *refused);
  if (!buffers.empty()) spdlog::info("{}", buffers);

  auto link = tunnel::PortalLink::open(
      loop_, random_, std::move(*login),
      {.message = [this](std::string_view event, std::string_view payload) { reactions_->on_message(event, payload); },
       .fatal = [this](std::string why) { end(1, why); }});
  if (!link) return err(std::move(link.error()));
  portal_ = std::move(*link);
  reactions_ = std::make_unique<Reactions>(Reactions::Outside{.engine = *tunnel_,
                                                              .portal = *portal_,
                                                              .host = *host_,
                                                              .random = random_,
                                                              .fatal = [this](std::string why) { end(1, why); },
                                                              .ready = [this] { on_ready(); }});
  return watch_network();
}

Result<void, std::string> Program::open_tunnel(const crypto::Key& key) {
  const auto make = [&](tunnel::Devices& devices) {
    const tunnel::ClientOptions client{.node = {.tun_offloads = devices.merging()},
                                       .internet_enabled = options_.internet_enabled,
                                       .ask_when_prohibited = options_.ask_when_prohibited};
    return std::make_unique<tunnel::Client>(client, key, io::read_clocks(), devices.trains, devices.packets,
                                            devices.random, *devices.aead);
  };
  auto tunnel = tunnel::Tunnel<tunnel::Client>::open(
      tunnel_options_, loop_, make,
      {.event = [this](const tunnel::ClientEvent& event) { reactions_->on_event(event); },
       .failed = [this](std::string why) { end(1, why); }});
  if (!tunnel) return err(std::move(tunnel.error()));
  tunnel_ = std::move(*tunnel);
  return {};
}

Result<void, std::string> Program::watch_network() {
  auto network = platform::NetworkMonitor::open(options_.program.tun);
  if (!network) return err(network.error().sentence);
  network_ = std::move(*network);
  static_cast<void>(loop_.watch(network_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    if (const auto deaf = network_->handle_readable(io::read_clocks().boot)) return end(1, deaf->sentence);
    look_at_network();
  }));
  auto links = platform::LinkScopeSync::open();
  if (!links) return err(links.error().sentence);
  links_ = std::move(*links);
  static_cast<void>(loop_.watch(links_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    if (const auto deaf = links_->handle_readable(io::read_clocks().boot)) return end(1, deaf->sentence);
    copy_link_routes();
  }));
  return {};
}

// Another network means a reset, when there is one.
void Program::look_at_network() {
  if (const auto change = network_->handle_timeout(io::read_clocks().boot)) {
    if (change->online) {
      reactions_->reset(change->sentence);
    } else {
      spdlog::info("{}", change->sentence);
    }
  }
  loop_.cancel(std::exchange(network_timer_, io::EventLoop::Id::none));
  if (const auto at = network_->poll_timeout()) network_timer_ = loop_.at(*at, [this] { look_at_network(); });
}

void Program::copy_link_routes() {
  if (const auto report = links_->handle_timeout(io::read_clocks().boot)) {
    for (const auto& detail : report->details) spdlog::debug("{}", detail);
  }
  loop_.cancel(std::exchange(links_timer_, io::EventLoop::Id::none));
  if (const auto at = links_->poll_timeout()) links_timer_ = loop_.at(*at, [this] { copy_link_routes(); });
}

void Program::on_ready() {
  static_cast<void>(links_->sync());
  if (const auto failed = notify_.ready()) return end(1, failed->sentence);
  spdlog::info("the tunnel is up");
  if (options_.exit) end(0, "--exit");
}

void Program::on_signal(int signal) {
  if (signal == SIGHUP) return reactions_->reset("SIGHUP");
  end(0, signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

std::string Program::answer(std::string_view line) {
  if (!tunnel_ || !portal_) return "starting\n";
  return answer_status(line, *tunnel_, portal_->session());
}

int Program::run() {
  spdlog::info("fireline-client {} serves {}, portal {}", FIRELINE_VERSION, options_.program.tun,
               options_.program.portal->to_string());
  tunnel_->start();
  portal_->start();
  if (!ending_) loop_.run();
  return exit_code_;
}

// Clients learn of it at once and look for another gateway.
void Program::end(int code, std::string_view why) {
  if (std::exchange(ending_, true)) return;
  exit_code_ = code;
  spdlog::log(code == 0 ? spdlog::level::info : spdlog::level::err, "ending: {}", why);
  if (portal_) portal_->stop();
  if (tunnel_) {
    tunnel_->run([](tunnel::Client& client, Now now, packet::Output& output) { client.close_all(now, output); });
  }
  if (loop_.after(kFarewell, [this] { loop_.stop(); }) == io::EventLoop::Id::none) loop_.stop();
}

int complain(std::string_view sentence, int code = 1) {
  fmt::print(stderr, "fireline-client: {}\n", sentence);
  return code;
}

int ask_status(const Options& options) {
  const auto answer = ask_line(options.program.status_socket, options.json ? "status" : "status text");
  if (!answer) {
    return complain(fmt::format("nobody answers at {}: {}", options.program.status_socket, answer.error().message()));
  }
  fmt::print("{}", *answer);
  return 0;
}

// Environment, then the file.
Result<crypto::SecretText, std::string> find_token(const Options& options,
                                                   const std::optional<crypto::SecretText>& environment) {
  if (environment) return *environment;
  const std::string path = options.token_path.empty() ? platform::kClientTokenPath : options.token_path;
  const auto token = platform::read_token_file(path);
  if (!token) return err(token.error().sentence);
  if (!*token) return err(fmt::format("Can't find the Firezone token in $FIREZONE_TOKEN or in `{}`", path));
  return **token;
}

// As far as it goes without the portal.
int check_set_up(const Options& options, const crypto::SecretText& token) {
  if (const auto login = tunnel::make_login(portal::Role::client, options.program, token, {}); !login) {
    return complain(login.error());
  }
  fmt::print("Check passed\n");
  return 0;
}

int run_client(const Options& options, const crypto::SecretText& token, platform::ServiceNotify notify) {
  if (options.check) return check_set_up(options, token);
  if (!platform::has_capability(CAP_NET_ADMIN)) {
    return complain("it needs CAP_NET_ADMIN for the network interface: run as root, or grant it in the unit");
  }
  block_signals(kSignals);  // before any thread starts
  auto loop = io::EventLoop::make();
  if (!loop) return complain(fmt::format("cannot make the event loop: {}", loop.error().message()));
  Program program(options, **loop, std::move(notify));
  if (const auto ready = program.set_up(token); !ready) return complain(ready.error());
  return program.run();
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  const auto environment = platform::take_environment_token();
  auto notify = platform::ServiceNotify::take_environment();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-client");
  if (options->command == Options::Command::status) return ask_status(*options);
  const auto token = find_token(*options, environment);
  if (!token) return complain(token.error());
  return run_client(*options, *token, std::move(notify));
}

}  // namespace fireline::client
