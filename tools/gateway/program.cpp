#include "tools/gateway/program.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "core/crypto/x25519.h"
#include "io/http.h"
#include "io/loop_thread.h"
#include "platform/linux/firewall/network_setup.h"
#include "platform/linux/interface_addresses.h"
#include "platform/linux/netlink_events.h"
#include "platform/linux/privileges.h"
#include "platform/linux/socket_buffer_limits.h"
#include "platform/linux/token_file.h"
#include "tools/common/block_signals.h"
#include "tools/common/line_server.h"
#include "tools/gateway/options.h"
#include "tools/gateway/reactions.h"
#include "tools/gateway/report.h"
#include "tools/tunnel/login.h"
#include "tools/tunnel/portal_link.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::gateway {
namespace {

constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT};
// Platform specification 7.5: a goodbye to each client and a close frame to the portal.
constexpr Duration kFarewell = std::chrono::milliseconds(300);

class Program {
 public:
  Program(const Options& options, io::EventLoop& loop) : options_(options), loop_(loop) {}

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> set_up(const crypto::SecretText& token);
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> open_tunnel(const crypto::Key& key);
  [[nodiscard]] Result<void, std::string> watch_addresses();
  void listen();
  void tell_addresses();
  void end(int code, std::string_view why);
  [[nodiscard]] std::string answer(std::string_view line);

  const Options& options_;
  io::EventLoop& loop_;
  const tunnel::TunnelOptions tunnel_options_ = options_.program.tunnel();
  crypto::SystemRandom random_;
  int exit_code_ = 0;
  bool ending_ = false;
  bool ready_ = false;
  // Destroyed from the last to the first.
  std::unique_ptr<Logging> logging_;
  std::unique_ptr<tunnel::Tunnel<tunnel::Gateway>> tunnel_;
  std::unique_ptr<tunnel::HostNetwork> host_;
  std::optional<platform::NetlinkEvents> addresses_;
  std::unique_ptr<tunnel::PortalLink> portal_;
  std::unique_ptr<Reactions> reactions_;
  std::unique_ptr<io::HttpServer> health_;
  std::unique_ptr<LineServer> status_;
};

Result<void, std::string> Program::set_up(const crypto::SecretText& token) {
  if (!loop_.watch_signals(kSignals, [this](int signal) { end(0, signal == SIGTERM ? "SIGTERM" : "SIGINT"); })) {
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
  auto login = tunnel::make_login(portal::Role::gateway, options_.program, token, crypto::public_key(key));
  if (!login) return err(std::move(login.error()));
  login->give_up_after = portal::kGiveUpAfter;

  // Before there are other threads: each has capabilities of its own. What is left changes addresses and routes.
  const auto refused = platform::drop_privileges({CAP_NET_ADMIN});
  auto logging =
      Logging::start({.name = "fireline", .level = options_.program.log_level, .format = options_.program.log_format});
  if (!logging) return err(std::move(logging.error()));
  logging_ = std::move(*logging);
  if (refused) spdlog::warn("{}", *refused);
  if (!buffers.empty()) spdlog::info("{}", buffers);
  listen();

  auto link = tunnel::PortalLink::open(
      loop_, random_, std::move(*login),
      {.message = [this](std::string_view event, std::string_view payload) { reactions_->on_message(event, payload); },
       .fatal = [this](std::string why) { end(1, why); }});
  if (!link) return err(std::move(link.error()));
  portal_ = std::move(*link);
  reactions_ = std::make_unique<Reactions>(Reactions::Outside{.engine = *tunnel_,
                                                              .portal = *portal_,
                                                              .host = *host_,
                                                              .fatal = [this](std::string why) { end(1, why); },
                                                              .ready = [this] { ready_ = true; }});
  return watch_addresses();
}

Result<void, std::string> Program::open_tunnel(const crypto::Key& key) {
  const auto make = [&](tunnel::Devices& devices) {
    return std::make_unique<tunnel::Gateway>(node::NodeOptions{.tun_offloads = devices.merging()}, key,
                                             io::read_clocks(), devices.trains, devices.packets, devices.random,
                                             *devices.aead);
  };
  auto tunnel = tunnel::Tunnel<tunnel::Gateway>::open(
      tunnel_options_, loop_, make,
      {.event = [this](const tunnel::GatewayEvent& event) { reactions_->on_event(event); },
       .failed = [this](std::string why) { end(1, why); }});
  if (!tunnel) return err(std::move(tunnel.error()));
  tunnel_ = std::move(*tunnel);
  return {};
}

// What the Internet resource must not reach.
void Program::tell_addresses() {
  std::vector<IpAddress> addresses;
  for (const auto& one : platform::interface_addresses()) addresses.push_back(one.address);
  tunnel_->run([&](tunnel::Gateway& gateway, Now, packet::Output&) { gateway.set_host_addresses(addresses); });
}

Result<void, std::string> Program::watch_addresses() {
  auto events = platform::NetlinkEvents::open();
  if (!events) return err(events.error().sentence);
  addresses_ = std::move(*events);
  static_cast<void>(loop_.watch(addresses_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    const auto changed = addresses_->drain();
    if (!changed) return end(1, changed.error().sentence);
    if (*changed) tell_addresses();
  }));
  tell_addresses();
  return {};
}

// Serving clients must not depend on it.
void Program::listen() {
  auto server =
      io::HttpServer::listen_for(loop_, options_.health, io::only_get([this](std::string_view path) {
                                   if (path == "/healthz") return io::HttpResponse{.status = 200, .body = {}};
                                   if (path == "/readyz")
                                     return io::HttpResponse{.status = ready_ ? 200 : 503, .body = {}};
                                   return io::HttpResponse{.status = 404, .body = "there is /healthz and /readyz\n"};
                                 }));
  if (server) {
    health_ = std::move(*server);
    return;
  }
  spdlog::info("no health check on {}: {}", options_.health.to_string(), server.error().message());
}

std::string Program::answer(std::string_view line) {
  if (!tunnel_ || !portal_) return "starting\n";
  return answer_status(line, *tunnel_, portal_->session());
}

int Program::run() {
  spdlog::info("fireline-gateway {} serves {}, portal {}", FIRELINE_VERSION, options_.program.tun,
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
    tunnel_->run([](tunnel::Gateway& gateway, Now now, packet::Output& output) { gateway.close_all(now, output); });
  }
  if (loop_.after(kFarewell, [this] { loop_.stop(); }) == io::EventLoop::Id::none) loop_.stop();
}

int complain(std::string_view sentence, int code = 1) {
  fmt::print(stderr, "fireline-gateway: {}\n", sentence);
  return code;
}

int change_network(const Options& options) {
  const platform::NetworkSetup setup{.interface = options.program.tun};
  const auto report = options.command == Options::Command::set_up_network ? platform::set_up_network(setup)
                                                                          : platform::tear_down_network(setup);
  if (!report) return complain(report.error().sentence);
  for (const auto& done : report->done) fmt::print("{}\n", done);
  for (const auto& warning : report->warnings) fmt::print(stderr, "warning: {}\n", warning);
  return 0;
}

int ask_status(const Options& options) {
  const auto answer = ask_line(options.program.status_socket, options.json ? "status" : "status text");
  if (!answer) {
    return complain(fmt::format("nobody answers at {}: {}", options.program.status_socket, answer.error().message()));
  }
  fmt::print("{}", *answer);
  return 0;
}

// Command line, environment, systemd's credential: the first of them.
Result<crypto::SecretText, std::string> find_token(const Options& options,
                                                   const std::optional<crypto::SecretText>& environment) {
  if (!options.token.empty()) return options.token;
  if (environment) return *environment;
  const auto credential = platform::read_credential();
  if (!credential) return err("there is no token: set FIREZONE_TOKEN; " + credential.error().sentence);
  return *credential;
}

int run_gateway(const Options& options, const crypto::SecretText& token) {
  if (options.check_privileges && !platform::has_capability(CAP_NET_ADMIN)) {
    return complain("it needs CAP_NET_ADMIN for the network interface: run as root, or grant it in the unit");
  }
  block_signals(kSignals);  // before any thread starts
  auto loop = io::EventLoop::make();
  if (!loop) return complain(fmt::format("cannot make the event loop: {}", loop.error().message()));
  Program program(options, **loop);
  if (const auto ready = program.set_up(token); !ready) return complain(ready.error());
  return program.run();
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  const auto environment = platform::take_environment_token();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-gateway");
  switch (options->command) {
    case Options::Command::set_up_network:
    case Options::Command::tear_down_network:
      return change_network(*options);
    case Options::Command::status:
      return ask_status(*options);
    case Options::Command::run:
      break;
  }
  const auto token = find_token(*options, environment);
  if (!token) return complain(token.error());
  return run_gateway(*options, *token);
}

}  // namespace fireline::gateway
