// What fireline-gateway and fireline-client are alike as programs: the order of their set-up, the session with the
// portal, the status socket, signals, an end that says goodbye. Each derives from it and adds its engine, its reactions
// and what it watches.
//
//   portal ─ PortalLink ──┐                            ┌── LineServer  status socket
//   signals, what a       │                            │
//   program watches ──────┤  EventLoop (control)  ─────┤
//                         └── Reactions ── Tunnel<Core>, HostNetwork
//
// Privileges: everything that needs them is opened before drop_privileges() and before the first other thread; the
// filter of system calls is the last step. Lifetime: options and loop outlive it. Threads: the control thread's.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/crypto/secret_text.h"
#include "core/portal/login_url.h"
#include "io/event_loop.h"
#include "tools/common/line_server.h"
#include "tools/common/suspend_watch.h"
#include "tools/tunnel/host_network.h"
#include "tools/tunnel/portal_link.h"
#include "tools/tunnel/program_options.h"
#include "tools/tunnel/tunnel_life.h"

namespace fireline::tunnel {

// Platform specification 7.5: goodbyes and the portal's close frame; the end comes as soon as they are sent.
inline constexpr Duration kFarewellMax = std::chrono::seconds(1);

struct ProgramKind {
  const char* name = "";  // "fireline-gateway"
  portal::Role role = portal::Role::client;
  std::initializer_list<int> signals{};  // of the program's life; block_signals() has had them
  bool raise_buffers = false;
};

class ProgramBase {
 public:
  ProgramBase(ProgramKind kind, const ProgramOptions& options, io::EventLoop& loop);
  virtual ~ProgramBase();
  ProgramBase(const ProgramBase&) = delete;
  ProgramBase& operator=(const ProgramBase&) = delete;

  // The error is one sentence.
  [[nodiscard]] Result<void, std::string> set_up(const crypto::SecretText& token);
  // Until a signal or something fatal. The exit code.
  [[nodiscard]] int run();

 protected:
  // Called by set_up() in this order: with all privileges; with those that stay.
  [[nodiscard]] virtual Result<TunnelLife*, std::string> open_tunnel(const crypto::Key& key) = 0;
  [[nodiscard]] virtual Result<void, std::string> open_rest() = 0;
  virtual void on_message(std::string_view event, std::string_view payload) = 0;
  // SIGTERM and SIGINT end the program.
  virtual void on_signal(int) {}
  virtual void on_ending() {}
  [[nodiscard]] virtual std::string answer_status(std::string_view line) = 0;

  // Once; later calls do nothing.
  void end(int code, std::string_view why);

  [[nodiscard]] const TunnelOptions& tunnel_options() const noexcept { return tunnel_options_; }
  [[nodiscard]] io::EventLoop& loop() noexcept { return loop_; }
  [[nodiscard]] crypto::Random& random() noexcept { return random_; }
  // There from open_rest() on.
  [[nodiscard]] HostNetwork& host() noexcept { return *host_; }
  [[nodiscard]] PortalLink& portal() noexcept { return *portal_; }

 private:
  [[nodiscard]] Result<void, std::string> open_privileged(const crypto::Key& key);
  [[nodiscard]] Result<void, std::string> start_logging();
  [[nodiscard]] Result<void, std::string> open_portal(PortalSessionOptions login);
  void confine();
  void look_for_sleep();
  void end_when_sent(Instant deadline);

  const ProgramKind kind_;
  const ProgramOptions& options_;
  io::EventLoop& loop_;
  const TunnelOptions tunnel_options_;
  crypto::SystemRandom random_;
  SuspendWatch suspend_;
  std::string buffers_;  // what became of raising them
  int exit_code_ = 0;
  std::string fatal_;  // why it ends with another code
  bool running_ = false;
  bool ending_ = false;
  bool portal_closes_ = false;
  TunnelLife* tunnel_ = nullptr;
  // Destroyed from the last to the first.
  std::unique_ptr<Logging> logging_;
  std::unique_ptr<HostNetwork> host_;
  std::unique_ptr<PortalLink> portal_;
  std::unique_ptr<LineServer> status_;
};

// ---- their commands ----

// Prints the sentence to standard error; the code.
[[nodiscard]] int complain(std::string_view program, std::string_view sentence, int code = 1);
// Prints what the program that runs here answers.
[[nodiscard]] int ask_status(const char* program, const ProgramOptions& options);
// Makes the loop and the program, sets it up and runs it. The exit code.
[[nodiscard]] int run_program(const ProgramKind& kind, const crypto::SecretText& token,
                              const std::function<std::unique_ptr<ProgramBase>(io::EventLoop&)>& make);

}  // namespace fireline::tunnel
