#include "tools/tunnel/program_base.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "core/crypto/x25519.h"
#include "platform/linux/nice_value.h"
#include "platform/linux/privileges.h"
#include "platform/linux/socket_buffer_limits.h"
#include "tools/common/block_signals.h"
#include "tools/tunnel/login.h"
#include "tools/tunnel/system_calls.h"

namespace fireline::tunnel {
namespace {

// Between two looks at whether everything is sent: it is, as a rule, at the first.
constexpr Duration kSentInterval = std::chrono::milliseconds(5);

}  // namespace

ProgramBase::ProgramBase(ProgramKind kind, const ProgramOptions& options, io::EventLoop& loop)
    : kind_(kind), options_(options), loop_(loop), tunnel_options_(options.tunnel()), suspend_(read_suspend_clocks()) {}

ProgramBase::~ProgramBase() = default;

Result<void, std::string> ProgramBase::set_up(const crypto::SecretText& token) {
  const auto handle = [this](int signal) {
    if (signal == SIGTERM || signal == SIGINT) return end(0, signal == SIGTERM ? "SIGTERM" : "SIGINT");
    on_signal(signal);
  };
  if (!loop_.watch_signals(kind_.signals, handle)) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  const auto key = crypto::generate_private_key(random_);
  if (auto opened = open_privileged(key); !opened) return opened;
  auto login = make_login(kind_.role, options_, token, crypto::public_key(key));
  if (!login) return err(std::move(login.error()));
  login->give_up_after = options_.max_partition_time;

  // Before there are other threads: each has capabilities and a nice value of its own. What is left changes addresses
  // and routes.
  const auto nice_refused = platform::set_nice_value(options_.nice);
  const auto refused = platform::drop_privileges({CAP_NET_ADMIN});
  if (auto started = start_logging(); !started) return started;
  if (nice_refused) spdlog::warn("{}", *nice_refused);
  if (refused) spdlog::warn("{}", *refused);
  if (auto opened = open_portal(std::move(*login)); !opened) return opened;
  if (auto opened = open_rest(); !opened) return opened;
  confine();
  return {};
}

Result<void, std::string> ProgramBase::open_privileged(const crypto::Key& key) {
  if (kind_.raise_buffers) buffers_ = platform::raise_socket_buffer_limits();
  auto tunnel = open_tunnel(key);
  if (!tunnel) return err(std::move(tunnel.error()));
  tunnel_ = *tunnel;
  auto host = make_linux_host_network(options_.tun);
  if (!host) return err(std::move(host.error()));
  host_ = std::move(*host);
  auto status = LineServer::start(loop_, options_.status_socket, [this](std::string_view line) {
    return portal_ ? answer_status(line) : std::string("starting\n");
  });
  if (!status) return err(std::move(status.error()));
  status_ = std::move(*status);
  return {};
}

Result<void, std::string> ProgramBase::start_logging() {
  auto logging = Logging::start(options_.log);
  if (!logging) return err(std::move(logging.error()));
  logging_ = std::move(*logging);
  for (const auto& note : options_.notes) spdlog::info("{}", note);
  if (!buffers_.empty()) spdlog::info("{}", buffers_);
  return {};
}

Result<void, std::string> ProgramBase::open_portal(PortalSessionOptions login) {
  auto link = PortalLink::open(
      loop_, random_, std::move(login),
      {.message = [this](std::string_view event, std::string_view payload) { on_message(event, payload); },
       .fatal = [this](const std::string& why) { end(1, why); },
       .closed = [this] { portal_closes_ = false; }});
  if (!link) return err(std::move(link.error()));
  portal_ = std::move(*link);
  return {};
}

void ProgramBase::confine() {
  if (!options_.seccomp) return spdlog::warn("--no-seccomp: every system call is allowed");
  if (const auto refused =
          allow_program_calls(!options_.log.folder.empty(), io::chosen(options_.udp_io) == io::UdpIo::io_uring)) {
    spdlog::warn("{}: it runs without", *refused);
  }
}

int ProgramBase::run() {
  spdlog::info("{} {} serves {}, portal {}", kind_.name, FIRELINE_VERSION, options_.tun, options_.portal->to_string());
  tunnel_->start();
  running_ = true;
  portal_->start();
  look_for_sleep();
  if (!ending_) loop_.run();
  return exit_code_ == 0 ? 0 : complain(kind_.name, fatal_, exit_code_);
}

// Relays have forgotten us, NATs too, and the portal's connection is one of which TCP would learn in minutes.
void ProgramBase::look_for_sleep() {
  if (const auto slept = suspend_.look(read_suspend_clocks())) {
    spdlog::info("the machine slept for {} s", std::chrono::round<std::chrono::seconds>(*slept).count());
    tunnel_->resume();
    portal_->resume();
  }
  static_cast<void>(loop_.after(SuspendWatch::kInterval, [this] { look_for_sleep(); }));
}

// Peers learn of it at once and look for another way.
void ProgramBase::end(int code, std::string_view why) {
  if (std::exchange(ending_, true)) return;
  exit_code_ = code;
  if (code != 0) fatal_ = why;
  spdlog::log(code == 0 ? spdlog::level::info : spdlog::level::err, "ending: {}", why);
  on_ending();
  if (portal_) {
    portal_closes_ = portal_->session().status().joined;
    portal_->stop();
  }
  if (running_) tunnel_->close_all();
  end_when_sent(loop_.now().boot + kFarewellMax);
}

void ProgramBase::end_when_sent(Instant deadline) {
  if (!portal_closes_ && (!running_ || tunnel_->sent_all())) return loop_.stop();
  if (loop_.now().boot >= deadline) {
    spdlog::warn("not everything could be sent within {} s", kFarewellMax / std::chrono::seconds(1));
    return loop_.stop();
  }
  const auto again = loop_.after(kSentInterval, [this, deadline] { end_when_sent(deadline); });
  if (again == io::EventLoop::Id::none) loop_.stop();
}

int complain(std::string_view program, std::string_view sentence, int code) {
  fmt::print(stderr, "{}: {}\n", program, sentence);
  return code;
}

int ask_status(const char* program, const ProgramOptions& options) {
  const auto answer = ask_line(options.status_socket, options.status_line);
  if (!answer) {
    return complain(program, fmt::format("nobody answers at {}: {}: does it run here, and may you use its socket?",
                                         options.status_socket, answer.error().message()));
  }
  fmt::print("{}", *answer);
  return 0;
}

int run_program(const ProgramKind& kind, const crypto::SecretText& token,
                const std::function<std::unique_ptr<ProgramBase>(io::EventLoop&)>& make) {
  block_signals(kind.signals);  // before any thread starts
  auto loop = io::EventLoop::make();
  if (!loop) return complain(kind.name, fmt::format("cannot make the event loop: {}", loop.error().message()));
  const auto program = make(**loop);
  if (const auto ready = program->set_up(token); !ready) return complain(kind.name, ready.error());
  return program->run();
}

}  // namespace fireline::tunnel
