// What a client does when the portal says something, when its engine does, and when the network under it is another one
// (platform specification 6.8 and 7.3, portal specification 3). Nothing here touches the outside but through the
// ports, so that tests run it without any.
//
// Lifetime: what Outside names outlives it; handlers may end the loop and may not destroy it.
// Threads: the control thread's.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/tunnel/client.h"
#include "tools/tunnel/engine_port.h"
#include "tools/tunnel/host_network.h"
#include "tools/tunnel/portal_port.h"

namespace fireline::client {

// From our seeing another network to the last hook of somebody who waits for it to settle.
inline constexpr Duration kSameChange = std::chrono::seconds(2);

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
  // Another key, other sockets, another login; TUN device, addresses and routes stay. Somebody asks for it, or the
  // network is another one, which `sentence` says. Hooks of network managers say so by SIGHUP, too: what they say of a
  // change for which the session was reset within kSameChange is done already. False: nothing was.
  bool hang_up(Now now);
  void change_network(Now now, std::string_view sentence);

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

  void reset(std::string_view why);

  Outside outside_;
  std::optional<Instant> network_changed_;
  tunnel::ResourceList resources_;
  bool ready_ = false;
};

}  // namespace fireline::client
