// What a client does when the portal says something, when its engine does, and when the network under it is another one
// (platform specification 6.8 and 7.3, portal specification 3). Nothing here touches the outside but through the
// ports, so that tests run it without any.
//
// Lifetime: what Outside names outlives it; handlers may end the loop and may not destroy it.
// Threads: the control thread's.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/crypto/random.h"
#include "core/tunnel/client.h"
#include "tools/tunnel/engine_port.h"
#include "tools/tunnel/host_network.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::client {

class Reactions {
 public:
  struct Outside {
    tunnel::EnginePort<tunnel::Client>& engine;
    tunnel::PortalPort& portal;
    tunnel::HostNetwork& host;
    crypto::Random& random;
    std::function<void(std::string)> fatal;  // a sentence: the program ends
    std::function<void()> ready;             // once: the first TUN configuration is applied
  };
  explicit Reactions(Outside outside) noexcept : outside_(std::move(outside)) {}

  void on_message(std::string_view event, std::string_view payload);
  void on_event(const tunnel::ClientEvent& event);
  // Another key, other sockets, another login. TUN device, addresses and routes stay. `why` is for the log.
  void reset(std::string_view why);

  // As the engine told it last.
  [[nodiscard]] const tunnel::ResourceList& resources() const noexcept { return resources_; }

 private:
  void handle(const tunnel::TunChanged&);
  void handle(const tunnel::ResourcesChanged&);
  void handle(const tunnel::RelaysWanted&);
  void handle(const portal::CreateFlow& message);
  void handle(const portal::IceCandidates& message);
  void handle(const tunnel::FlowReport& report);
  void handle(const tunnel::GatewayReport& report);
  [[nodiscard]] std::string name_of_resource(const Uuid& id) const;

  Outside outside_;
  tunnel::ResourceList resources_;
  bool ready_ = false;
};

}  // namespace fireline::client
