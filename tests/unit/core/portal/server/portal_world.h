// A control plane with devices, tokens and grants in maps, on a scripted clock, and what it does as short lines:
//   "alice < init net far"   "gw1 < reject_access alice net"   "alice closed"
// Names stand for ids (tests/unit/core/policy/documents.h), for tokens, keys and connections.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/portal/server/control_plane.h"
#include "core/portal/server/control_plane_state.h"
#include "tests/unit/core/policy/documents.h"
#include "tests/unit/core/policy/times.h"
#include "tests/unit/core/portal/server/map_store.h"

namespace fireline::portal {

class PortalWorld {
 public:
  // Tokens "alice" and "robot" of clients, "lab" and "away" of gateways, "relay" and "relay2". Monday 12:00.
  explicit PortalWorld(policy::Document document = policy::document({policy::policy({0}, {0, 3})}));

  // Connects as the device of that name; the first word of the name up to a dot is the external_id: "alice.2" is a
  // second connection of it. Returns the status: 101 is a connection.
  unsigned connect(Role role, const std::string& name, const std::string& token, const std::string& key = "",
                   const std::string& agent = "");
  void join(const std::string& name);
  // Connected and joined, what it was told is forgotten.
  void client(const std::string& name = "alice", const std::string& token = "alice", const std::string& key = "",
              const std::string& agent = "");
  void gateway(const std::string& name = "gw1", const std::string& token = "lab", const std::string& key = "",
               const std::string& agent = "");
  void relay(const std::string& name = "r1", const std::string& secret = "s1",
             const std::string& address = "203.0.113.1", const std::string& token = "relay");
  void close(const std::string& name);
  void send(const std::string& name, const std::string& frame);
  void say(const std::string& name, const std::string& event, const nlohmann::json& payload);
  void ask(const std::string& client, const std::string& resource, std::vector<std::string> connected = {});
  // The gateway agrees to the last flow that it was asked for.
  void agree(const std::string& gateway);
  void pass(Duration time);
  void set(policy::Document document);
  void restart();

  // So much of what it was sent it has not read.
  void owe(const std::string& name, std::size_t bytes) { owed_[connections_.at(name)] = bytes; }

  // Everything since the last call.
  [[nodiscard]] std::vector<std::string> lines();
  [[nodiscard]] std::uint64_t count(PortalCounter counter) const { return plane->counters().get(counter); }
  [[nodiscard]] const nlohmann::json& last(const std::string& name) { return last_[name]; }

  static constexpr UnixTime kStart = policy::at(0, 12);
  std::string source = "192.0.2.7";  // of whoever connects next
  MapStore store;
  MapGrants grants;
  ScriptedRandom random;
  Now now{Instant(std::chrono::hours(1)), kStart};
  std::shared_ptr<const policy::Document> document;
  std::unique_ptr<ControlPlane> plane;

 private:
  void begin();
  void drain();
  [[nodiscard]] std::string describe(const std::string& name, const nlohmann::json& frame);
  [[nodiscard]] std::string name_of_id(const std::string& id) const;
  [[nodiscard]] std::string id_text(const std::string& name) const;

  std::map<std::string, ConnectionId> connections_;
  std::map<ConnectionId, std::string> names_;
  std::map<ConnectionId, std::size_t> owed_;
  std::map<std::string, Role> roles_;
  std::map<std::string, std::string> relay_secrets_;
  std::map<std::string, nlohmann::json> last_;
  std::map<std::string, std::string> refs_;
  std::vector<std::string> lines_;
  std::uint64_t next_connection_ = 1;
};

using Lines = std::vector<std::string>;

}  // namespace fireline::portal
