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
#include "io/data_plane.h"
#include "io/event_loop.h"
#include "io/icmp_errors.h"
#include "io/pool.h"
#include "io/tun_device.h"
#include "tools/node/event_engine.h"
#include "tools/node/exchange.h"
#include "tools/node/node_report.h"
#include "tools/node/options.h"
#include "tools/node/rendezvous.h"

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
  LabNode(const Options& options, const Rendezvous& rendezvous, io::EventLoop& loop, std::unique_ptr<io::TunDevice> tun,
          std::unique_ptr<crypto::Aead> aead, std::move_only_function<void(std::string)> failed);

  [[nodiscard]] std::string bind();
  void announce_relays();
  void upsert(const Intent& intent);
  void on_record(const Record& record);
  void on_events();
  void on_event(const node::NodeEvent& event);
  void lost(std::string_view why);
  void on_unreachable(const Endpoint& destination);

  const Options& options_;
  const Rendezvous& rendezvous_;
  io::EventLoop& loop_;
  crypto::SystemRandom random_;
  io::BufferPool trains_;
  io::BufferPool packets_;
  std::unique_ptr<io::TunDevice> tun_;
  std::unique_ptr<crypto::Aead> aead_;
  crypto::Key private_key_;
  node::Node node_;
  EventEngine engine_;
  io::DataPlane plane_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<io::IcmpErrors> icmp_;
  std::move_only_function<void(std::string)> failed_;
  std::uint16_t port_v4_ = 0;
  std::uint16_t port_v6_ = 0;
  std::string session_;           // empty: none
  std::optional<Intent> intent_;  // of the session
  Instant last_intent_{};
  io::EventLoop::Id event_watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id closed_watch_ = io::EventLoop::Id::none;
  io::EventLoop::Id again_ = io::EventLoop::Id::none;         // the next intent after a lost connection
  io::EventLoop::Id relays_again_ = io::EventLoop::Id::none;  // what a portal would do when no relay is left
};

}  // namespace fireline::lab
