#include "tools/node/program.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "io/event_loop.h"
#include "platform/linux/nice_value.h"
#include "tools/command_line/command_line.h"
#include "tools/common/block_signals.h"
#include "tools/common/line_server.h"
#include "tools/node/lab_node.h"

namespace fireline::lab {
namespace {

constexpr std::initializer_list<int> kSignals{SIGTERM, SIGINT, SIGHUP};

void complain(std::string_view sentence) {
  fmt::print(stderr, "fireline-lab-node: {}\n", sentence);
}

class Program {
 public:
  Program(const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop) noexcept
      : options_(options), rendezvous_(rendezvous), loop_(loop) {}

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> start();
  [[nodiscard]] int run();

 private:
  [[nodiscard]] std::string answer(std::string_view line);
  void on_signal(int signal);
  void end(int code, std::string_view why);

  const Options& options_;
  const Rendezvous& rendezvous_;
  io::EventLoop& loop_;
  int exit_code_ = 0;
  bool ending_ = false;
  std::unique_ptr<LabNode> node_;
  std::unique_ptr<LineServer> server_;
};

Result<void, std::string> Program::start() {
  if (!loop_.watch_signals(kSignals, [this](int signal) { on_signal(signal); })) {
    return err(std::string("cannot receive signals: too many descriptors"));
  }
  auto node = LabNode::start(options_, rendezvous_, loop_, [this](const std::string& why) { end(1, why); });
  if (!node) return err(std::move(node.error()));
  node_ = std::move(*node);
  auto server =
      LineServer::start(loop_, options_.socket_path(), [this](std::string_view line) { return answer(line); });
  if (!server) return err(std::move(server.error()));
  server_ = std::move(*server);
  return {};
}

int Program::run() {
  spdlog::info("fireline-lab-node {} serves {}: {}", FIRELINE_VERSION, options_.tun, server_->path());
  if (options_.role == node::NodeRole::client && !options_.on_demand) node_->connect();
  if (!ending_) loop_.run();
  return exit_code_;
}

std::string Program::answer(std::string_view line) {
  if (line == "status") return to_json(node_->report());
  const bool client = options_.role == node::NodeRole::client;
  if (line == "connect" && client) {
    node_->connect();
    return "connecting\n";
  }
  if (line == "close") {
    node_->close();
    return "closed\n";
  }
  return client ? "ask for status, connect or close\n" : "ask for status or close: a gateway does not connect\n";
}

void Program::on_signal(int signal) {
  if (signal != SIGHUP) return end(0, signal == SIGTERM ? "SIGTERM" : "SIGINT");
  if (options_.role == node::NodeRole::gateway) {
    spdlog::info("SIGHUP changes nothing: a gateway keeps its key and its connections");
    return;
  }
  node_->reset();
}

void Program::end(int code, std::string_view why) {
  if (std::exchange(ending_, true)) return;
  exit_code_ = code;
  spdlog::log(code == 0 ? spdlog::level::info : spdlog::level::err, "ending: {}", why);
  loop_.stop();
}

int ask(const Options& options) {
  const auto answer = ask_line(options.socket_path(), options.question);
  if (!answer) {
    complain(fmt::format("nobody answers at {}: {}", options.socket_path(), answer.error().message()));
    return 1;
  }
  fmt::print("{}", *answer);
  return 0;
}

}  // namespace

int run_node(const Options& options) {
  const auto rendezvous = read_rendezvous(options.rendezvous);
  if (!rendezvous) {
    complain(rendezvous.error());
    return 1;
  }
  auto loop = io::EventLoop::make();
  if (!loop) {
    complain(fmt::format("cannot make the event loop: {}", loop.error().message()));
    return 1;
  }
  Program program(options, *rendezvous, **loop);
  if (const auto started = program.start(); !started) {
    complain(started.error());
    return 1;
  }
  return program.run();
}

int run_command(int argc, const char* const* argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return leave(options.error(), "fireline-lab-node");
  if (options->command == Options::Command::ask) return ask(*options);
  // Both before the log's thread starts. As every program with a data plane, for the sake of comparison.
  block_signals(kSignals);
  static_cast<void>(platform::set_nice_value());
  const auto log = Logging::start({.name = options->tun, .level = options->log_level, .format = options->log_format});
  if (!log) {
    complain(log.error());
    return 1;
  }
  return run_node(*options);
}

}  // namespace fireline::lab
