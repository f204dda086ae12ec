#include "tools/gateway/program.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "io/http.h"
#include "io/huge_memory.h"
#include "io/loop_thread.h"
#include "platform/linux/firewall/network_setup.h"
#include "platform/linux/interface_addresses.h"
#include "platform/linux/netlink_events.h"
#include "platform/linux/privileges.h"
#include "platform/linux/token_file.h"
#include "tools/common/retry.h"
#include "tools/gateway/options.h"
#include "tools/gateway/reactions.h"
#include "tools/gateway/report.h"
#include "tools/tunnel/program_base.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::gateway {
namespace {

constexpr const char* kName = "fireline-gateway";
constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT};

class Program final : public tunnel::ProgramBase {
 public:
  Program(const tunnel::ProgramKind& kind, const Options& options, io::EventLoop& loop)
      : ProgramBase(kind, options.program, loop), options_(options) {}

 private:
  [[nodiscard]] Result<tunnel::TunnelLife*, std::string> open_tunnel(const crypto::Key& key) override;
  [[nodiscard]] Result<void, std::string> open_rest() override;
  void on_message(std::string_view event, std::string_view payload) override { reactions_->on_message(event, payload); }
  [[nodiscard]] std::string answer_status(std::string_view line) override {
    return gateway::answer_status(line, *tunnel_, portal().session());
  }
  [[nodiscard]] Result<void, std::string> watch_addresses();
  [[nodiscard]] bool tell_addresses();
  void listen();

  const Options& options_;
  bool ready_ = false;
  // Destroyed from the last to the first.
  std::unique_ptr<tunnel::Tunnel<tunnel::Gateway>> tunnel_;
  std::optional<platform::NetlinkEvents> addresses_;
  Retry addresses_told_{loop(), [this] { return tell_addresses(); }};
  std::unique_ptr<Reactions> reactions_;
  std::unique_ptr<io::HttpServer> health_;
};

Result<tunnel::TunnelLife*, std::string> Program::open_tunnel(const crypto::Key& key) {
  const auto make = [&](tunnel::Devices& devices) {
    return std::make_unique<tunnel::Gateway>(
        node::NodeOptions{.tun_offloads = devices.merging(), .memory = io::huge_memory()}, key, io::read_clocks(),
        devices.trains, devices.packets, devices.random, *devices.aead);
  };
  auto tunnel = tunnel::Tunnel<tunnel::Gateway>::open(
      tunnel_options(), loop(), make,
      {.event = [this](const tunnel::GatewayEvent& event) { reactions_->on_event(event); },
       .failed = [this](const std::string& why) { end(1, why); }});
  if (!tunnel) return err(std::move(tunnel.error()));
  tunnel_ = std::move(*tunnel);
  return tunnel_.get();
}

Result<void, std::string> Program::open_rest() {
  listen();
  reactions_ = std::make_unique<Reactions>(Reactions::Outside{.engine = *tunnel_,
                                                              .portal = portal(),
                                                              .host = host(),
                                                              .fatal = [this](const std::string& why) { end(1, why); },
                                                              .ready = [this] { ready_ = true; }});
  return watch_addresses();
}

// What the Internet resource must not reach.
bool Program::tell_addresses() {
  const auto found = platform::interface_addresses();
  if (!found) {
    if (!addresses_told_.failing()) {
      spdlog::warn(
          "{}; it is tried again: the Internet resource goes by what was known before, and reaches nothing at first",
          found.error().sentence);
    }
    return false;
  }
  std::vector<IpAddress> addresses;
  for (const auto& one : *found) addresses.push_back(one.address);
  tunnel_->run([&](tunnel::Gateway& gateway, Now, packet::Output&) { gateway.set_host_addresses(addresses); });
  return true;
}

Result<void, std::string> Program::watch_addresses() {
  auto events = platform::NetlinkEvents::open();
  if (!events) return err(events.error().sentence);
  addresses_ = std::move(*events);
  static_cast<void>(loop().watch(addresses_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    const auto changed = addresses_->drain();
    if (!changed) return end(1, changed.error().sentence);
    if (*changed) addresses_told_.start();
  }));
  addresses_told_.start();
  return {};
}

// Serving clients must not depend on it.
void Program::listen() {
  auto server =
      io::HttpServer::listen_for(loop(), options_.health, io::only_get([this](std::string_view path) {
                                   if (path == "/healthz") return io::HttpResponse{.status = 200, .body = {}};
                                   if (path == "/readyz")
                                     return io::HttpResponse{.status = ready_ ? 200 : 503, .body = {}};
                                   return io::HttpResponse{.status = 404, .body = "there is /healthz and /readyz\n"};
                                 }),
                                 io::kHealthLimits);
  if (server) {
    health_ = std::move(*server);
    return;
  }
  spdlog::info("no health check on {}: {}", options_.health.to_string(), server.error().message());
}

int change_network(const Options& options) {
  // The library that talks to nftables would print its own words before ours.
  if (const auto missing = platform::missing_network_admin()) return tunnel::complain(kName, *missing);
  const platform::NetworkSetup setup{.interface = options.program.tun};
  const auto report = options.command == Options::Command::set_up_network ? platform::set_up_network(setup)
                                                                          : platform::tear_down_network(setup);
  if (!report) return tunnel::complain(kName, report.error().sentence);
  for (const auto& done : report->done) fmt::print("{}\n", done);
  for (const auto& warning : report->warnings) fmt::print(stderr, "warning: {}\n", warning);
  return 0;
}

// Command line, environment, systemd's credential: the first of them. The first two may name a file of it.
Result<crypto::SecretText, std::string> find_token(const Options& options,
                                                   const std::optional<crypto::SecretText>& environment) {
  if (!options.token.empty() || environment) {
    auto token = platform::token_or_its_file(options.token.empty() ? *environment : options.token);
    if (!token) return err(std::move(token.error().sentence));
    return std::move(*token);
  }
  const auto credential = platform::read_credential();
  if (!credential && credential.error().code == ENOENT) {
    return err(
        std::string("there is no token: set FIREZONE_TOKEN, or give a unit the credential FIREZONE_TOKEN "
                    "(LoadCredential=FIREZONE_TOKEN:FILE)"));
  }
  if (!credential) return err(credential.error().sentence);
  return *credential;
}

int run_gateway(const Options& options, const crypto::SecretText& token) {
  const auto missing = options.check_privileges ? platform::missing_network_admin() : std::nullopt;
  if (missing) return tunnel::complain(kName, *missing);
  const tunnel::ProgramKind kind{
      .name = kName, .role = portal::Role::gateway, .signals = kSignals, .raise_buffers = options.raise_buffers};
  return tunnel::run_program(kind, token,
                             [&](io::EventLoop& loop) { return std::make_unique<Program>(kind, options, loop); });
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  const auto environment = platform::take_environment_token();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), kName);
  switch (options->command) {
    case Options::Command::set_up_network:
    case Options::Command::tear_down_network:
      return change_network(*options);
    case Options::Command::status:
      return tunnel::ask_status(kName, options->program);
    case Options::Command::run:
      break;
  }
  const auto token = find_token(*options, environment);
  if (!token) return tunnel::complain(kName, token.error());
  return run_gateway(*options, *token);
}

}  // namespace fireline::gateway
