#include "tools/client/program.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <csignal>

#include "io/loop_thread.h"
#include "io/websocket_tls.h"
#include "platform/linux/link_scope_sync.h"
#include "platform/linux/network_monitor.h"
#include "platform/linux/privileges.h"
#include "platform/linux/service_notify.h"
#include "platform/linux/token_file.h"
#include "tools/client/options.h"
#include "tools/client/reactions.h"
#include "tools/client/report.h"
#include "tools/common/log_folder.h"
#include "tools/tunnel/login.h"
#include "tools/tunnel/program_base.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::client {
namespace {

constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};

class Program final : public tunnel::ProgramBase {
 public:
  Program(const tunnel::ProgramKind& kind, const Options& options, io::EventLoop& loop, platform::ServiceNotify notify)
      : ProgramBase(kind, options.program, loop), options_(options), notify_(std::move(notify)) {}
  ~Program() override;

 private:
  [[nodiscard]] Result<tunnel::TunnelLife*, std::string> open_tunnel(const crypto::Key& key) override;
  [[nodiscard]] Result<void, std::string> open_rest() override;
  void on_message(std::string_view event, std::string_view payload) override { reactions_->on_message(event, payload); }
  void on_signal(int) override;
  void on_ending() override { static_cast<void>(notify_.stopping()); }
  [[nodiscard]] std::string answer_status(std::string_view line) override {
    return client::answer_status(line, *tunnel_, portal().session());
  }
  [[nodiscard]] Result<void, std::string> watch_network();
  void look_at_network();
  void copy_link_routes();
  void on_ready();

  const Options& options_;
  platform::ServiceNotify notify_;
  io::EventLoop::Id network_timer_ = io::EventLoop::Id::none;
  io::EventLoop::Id links_timer_ = io::EventLoop::Id::none;
  // Destroyed from the last to the first.
  std::unique_ptr<tunnel::Tunnel<tunnel::Client>> tunnel_;
  std::optional<platform::NetworkMonitor> network_;
  std::optional<platform::LinkScopeSync> links_;
  std::unique_ptr<Reactions> reactions_;
};

// The routes into the tunnel go with its interface, the copies of the LAN's would stay.
Program::~Program() {
  if (!links_) return;
  const auto report = links_->withdraw();
  for (const auto& detail : report.details) spdlog::debug("{}", detail);
}

Result<tunnel::TunnelLife*, std::string> Program::open_tunnel(const crypto::Key& key) {
  const auto make = [&](tunnel::Devices& devices) {
    const tunnel::ClientOptions client{.node = {.tun_offloads = devices.merging()},
                                       .internet_enabled = options_.internet_enabled,
                                       .ask_when_prohibited = options_.ask_when_prohibited};
    return std::make_unique<tunnel::Client>(client, key, io::read_clocks(), devices.trains, devices.packets,
                                            devices.random, *devices.aead);
  };
  auto tunnel = tunnel::Tunnel<tunnel::Client>::open(
      tunnel_options(), loop(), make,
      {.event = [this](const tunnel::ClientEvent& event) { reactions_->on_event(event); },
       .failed = [this](const std::string& why) { end(1, why); }});
  if (!tunnel) return err(std::move(tunnel.error()));
  tunnel_ = std::move(*tunnel);
  return tunnel_.get();
}

Result<void, std::string> Program::open_rest() {
  reactions_ = std::make_unique<Reactions>(Reactions::Outside{.engine = *tunnel_,
                                                              .portal = portal(),
                                                              .host = host(),
                                                              .random = random(),
                                                              .fatal = [this](const std::string& why) { end(1, why); },
                                                              .ready = [this] { on_ready(); }});
  return watch_network();
}

Result<void, std::string> Program::watch_network() {
  auto network = platform::NetworkMonitor::open(options_.program.tun);
  if (!network) return err(network.error().sentence);
  network_ = std::move(*network);
  static_cast<void>(loop().watch(network_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    if (const auto deaf = network_->handle_readable(io::read_clocks().boot)) return end(1, deaf->sentence);
    look_at_network();
  }));
  auto links = platform::LinkScopeSync::open();
  if (!links) return err(links.error().sentence);
  links_ = std::move(*links);
  static_cast<void>(loop().watch(links_->fd(), EPOLLIN, [this](io::EventLoop::Events) {
    if (const auto deaf = links_->handle_readable(io::read_clocks().boot)) return end(1, deaf->sentence);
    copy_link_routes();
  }));
  return {};
}

// The change that somebody tells us of may be one of which the kernel's messages are on their way.
void Program::on_signal(int) {
  if (reactions_->hang_up(io::read_clocks())) network_->accept();
}

// Another network means a reset, when there is one.
void Program::look_at_network() {
  const Now now = io::read_clocks();
  if (const auto change = network_->handle_timeout(now.boot)) {
    if (change->online) {
      reactions_->change_network(now, change->sentence);
    } else {
      spdlog::info("{}", change->sentence);
    }
  }
  loop().cancel(std::exchange(network_timer_, io::EventLoop::Id::none));
  if (const auto at = network_->poll_timeout()) network_timer_ = loop().at(*at, [this] { look_at_network(); });
}

void Program::copy_link_routes() {
  const Instant now = io::read_clocks().boot;
  const auto report = links_->handle_timeout(now);
  if (report) {
    for (const auto& detail : report->details) spdlog::debug("{}", detail);
  }
  // The same changes may have been ones of our own interface.
  const auto due = host().poll_timeout();
  if (report || (due && *due <= now)) {
    if (const auto done = host().restore(now); !done) return end(1, done.error());
  }
  loop().cancel(std::exchange(links_timer_, io::EventLoop::Id::none));
  if (const auto at = earlier(links_->poll_timeout(), host().poll_timeout())) {
    links_timer_ = loop().at(*at, [this] { copy_link_routes(); });
  }
}

void Program::on_ready() {
  static_cast<void>(links_->sync());
  if (const auto failed = notify_.ready()) return end(1, failed->sentence);
  spdlog::info("the tunnel is up");
  if (options_.exit) end(0, "--exit");
}

// Environment, which may name a file, as containers do; then the client's own file.
Result<crypto::SecretText, std::string> find_token(const Options& options,
                                                   const std::optional<crypto::SecretText>& environment) {
  if (environment) {
    auto token = platform::token_or_its_file(*environment);
    if (!token) return err(std::move(token.error().sentence));
    return std::move(*token);
  }
  const std::string path = options.token_path.empty() ? platform::kClientTokenPath : options.token_path;
  const auto token = platform::read_token_file(path);
  if (!token) return err(token.error().sentence);
  if (!*token) return err(fmt::format("Can't find the Firezone token in $FIREZONE_TOKEN or in `{}`", path));
  return **token;
}

// As far as it goes without the portal and without an interface.
int check_set_up(const Options& options, const crypto::SecretText& token) {
  if (const auto missing = platform::missing_network_admin()) return tunnel::complain(kProgramName, *missing);
  if (const auto login = tunnel::make_login(portal::Role::client, options.program, token, {}); !login) {
    return tunnel::complain(kProgramName, login.error());
  }
  const auto& folder = options.program.log.folder;
  if (!folder.empty()) {
    if (const auto log = open_log_folder(folder, kProgramName); !log) {
      return tunnel::complain(kProgramName, log.error());
    }
  }
  if (const auto trust = io::WebSocketTls::make_client(options.program.ca_file); !trust) {
    return tunnel::complain(kProgramName, trust.error());
  }
  fmt::print("Check passed\n");
  return 0;
}

int run_client(const Options& options, const crypto::SecretText& token, platform::ServiceNotify notify) {
  if (options.check) return check_set_up(options, token);
  if (const auto missing = platform::missing_network_admin()) return tunnel::complain(kProgramName, *missing);
  const tunnel::ProgramKind kind{
      .name = kProgramName, .role = portal::Role::client, .signals = kSignals, .raise_buffers = options.raise_buffers};
  return tunnel::run_program(kind, token, [&](io::EventLoop& loop) {
    return std::make_unique<Program>(kind, options, loop, std::move(notify));
  });
}

}  // namespace

int run_command(int argc, const char* const* argv) {
  const auto environment = platform::take_environment_token();
  auto notify = platform::ServiceNotify::take_environment();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), kProgramName);
  if (options->command == Options::Command::status) return tunnel::ask_status(kProgramName, options->program);
  const auto token = find_token(*options, environment);
  if (!token) return tunnel::complain(kProgramName, token.error());
  return run_client(*options, *token, std::move(notify));
}

}  // namespace fireline::client
