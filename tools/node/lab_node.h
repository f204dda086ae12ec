// The node of fireline-lab-node with its devices: what the program's events do to it.
//
// Lifetime: loop, rendezvous and options outlive it. Threads: the control thread's; its data plane has others.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/crypto/random.h"
#include "core/node/node.h"
#include "io/event_loop.h"
#include "tools/node/exchange.h"
#include "tools/node/node_report.h"
#include "tools/node/options.h"
#include "tools/node/rendezvous.h"
#include "tools/tunnel/tunnel.h"

namespace fireline::lab {

class LabNode {
 public:
  // `failed` is called later, with a sentence, when the interface goes away. The error is one sentence.
  [[nodiscard]] static Result<std::unique_ptr<LabNode>, std::string> start(
      const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop,
      std::move_only_function<void(std::string)> failed);
  ~LabNode();
  LabNode(const LabNode&) = delete;
  LabNode& operator=(const LabNode&) = delete;

  // A client's: the intent, written for the gateway, and its own upsert. Connected already: an upsert that reuses.
  void connect();
  // Ends the connection with a goodbye.
  void close();
  // A client's network reset: new key, new sockets, and a new intent if there was one.
  void reset();

  [[nodiscard]] NodeReport report();

 private:
  LabNode(const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop);
  [[nodiscard]] std::unique_ptr<node::Node> make_node(tunnel::Devices& devices);
  void with_node(const std::function<void(node::Node&, Now, packet::Output&)>& command) { tunnel_->run(command); }
  void announce_relays();
  void upsert(const Intent& intent);
  void on_record(const Record& record);
  void on_event(const node::NodeEvent& event);
  void lost(std::string_view why);

  const Options& options_;
  const Rendezvous& rendezvous_;
  io::EventLoop& loop_;
  crypto::SystemRandom random_;
  crypto::Key private_key_;
  tunnel::TunnelOptions tunnel_options_;
  std::unique_ptr<tunnel::Tunnel<node::Node>> tunnel_;
  std::unique_ptr<Exchange> exchange_;
  std::string session_;           // empty: none
  std::optional<Intent> intent_;  // of the session
  Instant last_intent_{};
  io::EventLoop::Id again_ = io::EventLoop::Id::none;         // the next intent after a lost connection
  io::EventLoop::Id relays_again_ = io::EventLoop::Id::none;  // what a portal would do when no relay is left
};

}  // namespace fireline::lab
