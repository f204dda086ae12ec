#include "tools/wg/program.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <latch>
#include <limits>

#include "io/http.h"
#include "io/tun_open.h"
#include "io/udp_io.h"
#include "platform/linux/link_monitor.h"
#include "platform/linux/nice_value.h"
#include "tools/common/block_signals.h"
#include "tools/common/retry.h"
#include "tools/common/shortage.h"
#include "tools/wg/metrics.h"
#include "tools/wg/privileges.h"

namespace fireline::wg {
namespace {

using platform::LinkEvent;
using platform::LinkMonitor;
using platform::LinkSocket;
using platform::ServiceNotify;

constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};

class Program {
 public:
  Program(const Options& options, io::EventLoop& loop, LinkSocket links, ServiceNotify manager) noexcept
      : options_(options), loop_(loop), manager_(std::move(manager)), links_(std::move(links)) {}

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> start(BackendFactory make_backend, const Directories& directories);
  [[nodiscard]] int run();

 private:
  [[nodiscard]] Result<void, std::string> listen_for_metrics();
  [[nodiscard]] Result<void, std::string> follow_link();
  void confine();
  [[nodiscard]] io::HttpResponse answer_http(std::string_view path);
  void on_signal(int signal);
  void on_link();
  void apply_link_state();
  void end(int code, std::string_view why);

  const Options& options_;
  io::EventLoop& loop_;
  ServiceNotify manager_;
  LinkSocket links_;  // until link_ takes it
  int exit_code_ = 0;
  std::string fatal_;  // why it ends with another code
  bool ending_ = false;
  // Destroyed from the last to the first: sockets vanish before the device, the device before the loop.
  std::unique_ptr<WgBackend> backend_;
  std::optional<LinkMonitor> link_;
  io::EventLoop::Id link_watch_ = io::EventLoop::Id::none;
  Retry link_read_{loop_, [this] {
                     on_link();
                     return ending_ || !link_->is_behind();
                   }};
  std::unique_ptr<io::HttpServer> metrics_;
  std::unique_ptr<LineServer> status_;
  std::unique_ptr<UapiServer> uapi_;
};

Result<void, std::string> Program::start(BackendFactory make_backend, const Directories& directories) {
  if (!loop_.watch_signals(kSignals, [this](int signal) { on_signal(signal); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  if (options_.metrics) {
    if (auto listening = listen_for_metrics(); !listening) return listening;
  }
  // The interface comes before the sockets: its name is exclusive in the kernel, which guards the sockets' files too.
  auto backend = make_backend(options_, loop_, [this] { end(0, "the interface was removed"); });
  if (!backend) return err(std::move(backend.error()));
  backend_ = std::move(*backend);
  if (auto following = follow_link(); !following) return following;

  const auto& name = backend_->interface_name();
  auto status = serve_status(loop_, *backend_, name, directories.status);
  if (!status) return err(std::move(status.error()));
  status_ = std::move(*status);
  // Last, for its presence means that everything is there.
  auto uapi = UapiServer::start(
      loop_, *backend_, name, [this] { end(0, "the configuration socket was removed"); }, directories.uapi);
  if (!uapi) return err(std::move(uapi.error()));
  uapi_ = std::move(*uapi);
  confine();
  return {};
}

Result<void, std::string> Program::listen_for_metrics() {
  const auto endpoint = *options_.metrics;
  auto server = io::HttpServer::listen(loop_, endpoint, [this](std::string_view path) { return answer_http(path); });
  if (server) {
    metrics_ = std::move(*server);
    return {};
  }
  const auto error = server.error();
  const char* fix = "";
  if (error == std::errc::address_in_use) fix = ": another process listens there: choose another port";
  if (error == std::errc::address_not_available) fix = ": no interface has this address: choose another with --metrics";
  if (error == std::errc::permission_denied) fix = ": run as root or choose a port above 1023";
  return err(fmt::format("cannot serve metrics on {}: {}{}", endpoint.to_string(), error.message(), fix));
}

Result<void, std::string> Program::follow_link() {
  auto link = LinkMonitor::open(backend_->interface_name(), std::move(links_));
  if (!link) {
    return err(fmt::format("cannot follow interface {}: {}", backend_->interface_name(), link.error().sentence));
  }
  link_ = std::move(*link);
  link_watch_ = loop_.watch(link_->fd(), EPOLLIN, [this](io::EventLoop::Events) { link_read_.start(); });
  if (link_watch_ == io::EventLoop::Id::none)
    return err(std::string("cannot follow the interface: too many descriptors"));
  apply_link_state();
  return {};
}

void Program::confine() {
  if (!options_.seccomp) return spdlog::warn("--no-seccomp: every system call is allowed");
  if (const auto refused = allow_device_calls(io::chosen(options_.udp_io) == io::UdpIo::io_uring)) {
    spdlog::warn("{}: it runs without", *refused);
  }
}

io::HttpResponse Program::answer_http(std::string_view path) {
  if (path == "/healthz") return {.status = 200, .body = "ok\n"};
  if (path != "/metrics") return {.status = 404, .body = "there is /metrics and /healthz\n"};
  if (!backend_) return {.status = 503, .body = "starting\n"};
  return {.status = 200,
          .content_type = std::string(kPrometheusContentType),
          .body = prometheus_text(samples_of(backend_->report()))};
}

int Program::run() {
  spdlog::info("fireline-wg {} serves {}: {}", FIRELINE_VERSION, backend_->interface_name(), uapi_->path());
  if (metrics_) {
    spdlog::info("metrics on http://{}/metrics", metrics_->endpoint().to_string());
    if (!io::is_loopback(metrics_->endpoint().address)) spdlog::warn("metrics are open to everybody who reaches them");
  }
  if (const auto failed = manager_.ready()) spdlog::warn("{}", failed->sentence);
  if (!ending_) loop_.run();
  static_cast<void>(manager_.stopping());
  loop_.unwatch(link_watch_);
  if (exit_code_ != 0) fmt::print(stderr, "fireline-wg: {}\n", fatal_);
  return exit_code_;
}

void Program::on_signal(int signal) {
  if (signal == SIGHUP) {
    spdlog::info("SIGHUP changes nothing: configuration comes over the socket, as with wg syncconf");
    return;
  }
  end(0, signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

void Program::on_link() {
  const auto events = link_->drain();
  if (!events) return end(1, events.error().sentence);
  for (const LinkEvent event : *events) {
    switch (event) {
      case LinkEvent::up:
        spdlog::info("the interface is up");
        backend_->link_up();
        break;
      case LinkEvent::down:
        spdlog::info("the interface is down");
        backend_->link_down();
        break;
      case LinkEvent::mtu_changed: {
        constexpr std::uint32_t kMax = std::numeric_limits<std::uint16_t>::max();
        const auto mtu = static_cast<std::uint16_t>(std::min(link_->state().mtu, kMax));
        spdlog::info("the interface's mtu is {}", mtu);
        backend_->mtu_changed(mtu);
        break;
      }
      case LinkEvent::moved:
        spdlog::info("the interface is in {} network namespace", link_->place().nsid ? "another" : "its first");
        break;
      case LinkEvent::lost:
        return end(1,
                   "the interface was moved to a network namespace where it cannot be followed: start fireline-wg with "
                   "CAP_NET_BROADCAST, and move its interface there or back");
      case LinkEvent::removed:
        return end(0, "the interface was removed");
    }
  }
}

// Somebody may have been quicker than we: the interface is visible from its creation.
void Program::apply_link_state() {
  const auto& state = link_->state();
  if (state.mtu != 0 && state.mtu != options_.mtu) {
    constexpr std::uint32_t kMax = std::numeric_limits<std::uint16_t>::max();
    backend_->mtu_changed(static_cast<std::uint16_t>(std::min(state.mtu, kMax)));
  }
  if (state.up) backend_->link_up();
}

void Program::end(int code, std::string_view why) {
  if (std::exchange(ending_, true)) return;
  exit_code_ = code;
  if (code != 0) fatal_ = why;
  spdlog::log(code == 0 ? spdlog::level::info : spdlog::level::err, "ending: {}", why);
  loop_.stop();
}

// The log file is opened with all privileges, since it may lie in another user's folder; the log's thread needs none
// and gives them up before the filter of system calls would keep it from that. The device's threads inherit from this
// one.
Result<std::unique_ptr<Logging>, std::string> start_logging(const Options& options) {
  const auto nice_refused = platform::set_nice_value(options.nice);
  std::latch dropped(1);
  auto log = Logging::start({.name = options.interface_name,
                             .level = options.log_level,
                             .format = options.log_format,
                             .file = options.log_file,
                             .quiet = !options.foreground,
                             .on_thread_start = [&dropped] {
                               keep_no_capabilities();
                               dropped.count_down();
                             }});
  if (!log) return log;
  dropped.wait();
  if (nice_refused) spdlog::warn("{}", *nice_refused);
  if (const auto refused = keep_device_capabilities()) spdlog::warn("{}", *refused);
  return log;
}

}  // namespace

int run_program(const Options& options, StartNotice notice, BackendFactory make_backend, LinkSocket links,
                ServiceNotify manager, const Directories& directories) {
  auto loop = io::EventLoop::make();
  if (!loop) {
    notice.failed(fmt::format("cannot make the event loop: {}", loop.error().message()));
    return 1;
  }
  Program program(options, **loop, std::move(links), std::move(manager));
  const auto start = [&]() -> Result<void, std::string> {
    try {
      return program.start(std::move(make_backend), directories);
    } catch (const std::exception& error) {
      return err(shortage_sentence(error));
    }
  };
  if (const auto started = start(); !started) {
    notice.failed(started.error());
    return 1;
  }
  notice.ready();
  return program.run();
}

int run_command(int argc, const char* const* argv, BackendFactory make_backend) {
  fill_standard_streams();
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-wg");
  if (options->command == Options::Command::status) {
    const auto answer = fetch_status(options->interface_name, options->json);
    if (answer) {
      fmt::print("{}", *answer);
    } else {
      fmt::print(stderr, "fireline-wg: {}\n", answer.error());
    }
    return answer ? 0 : 1;
  }
  StartNotice notice;
  if (!options->foreground) {
    auto fork = fork_to_background();
    if (!fork || fork->parent) {
      const auto verdict = fork ? *fork->parent : ParentExit{1, fork.error()};
      if (!verdict.sentence.empty()) fmt::print(stderr, "fireline-wg: {}\n", verdict.sentence);
      return verdict.code;
    }
    notice = std::move(fork->notice);
  }
  // Before the log's thread starts: a signal that one thread does not block ends the process without cleaning up.
  block_signals(kSignals);
  auto manager = ServiceNotify::take_environment();
  // Before capabilities go: these take two that nothing else needs.
  io::provide_tun_node();
  auto links = LinkSocket::open();
  if (!links) {
    notice.failed(links.error().sentence);
    return 1;
  }
  const auto log = start_logging(*options);
  if (!log) {
    notice.failed(log.error());
    return 1;
  }
  return run_program(*options, std::move(notice), std::move(make_backend), std::move(*links), std::move(manager));
}

}  // namespace fireline::wg
