// What a gateway does when the portal says something and when its engine does (platform specification 7.4, portal
// specification 4). Nothing here touches the outside but through the ports, so that tests run it without any.
//
// Lifetime: what Outside names outlives it; handlers may end the loop and may not destroy it.
// Threads: the control thread's.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/portal/gateway_messages.h"
#include "core/tunnel/gateway.h"
#include "tools/tunnel/engine_port.h"
#include "tools/tunnel/host_network.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::gateway {

class Reactions {
 public:
  struct Outside {
    tunnel::EnginePort<tunnel::Gateway>& engine;
    tunnel::PortalPort& portal;
    tunnel::HostNetwork& host;
    std::function<void(std::string)> fatal;  // a sentence: the program ends
    std::function<void()> ready;             // addresses and routes are there, each time
  };
  explicit Reactions(Outside outside) noexcept : outside_(std::move(outside)) {}

  void on_message(std::string_view event, std::string_view payload);
  void on_event(const tunnel::GatewayEvent& event);

 private:
  void apply(const portal::Interface& interface);
  void handle(const portal::FlowAuthorized& message);
  void handle(const portal::IceCandidates& message);
  void handle(const tunnel::RelaysWanted&);
  void handle(const tunnel::GrantReport& report);
  void handle(const tunnel::ClientGone& gone);
  void handle(const tunnel::ClientReport& report);

  Outside outside_;
};

}  // namespace fireline::gateway
