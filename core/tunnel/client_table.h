// The clients that hold grants at this gateway, and the ways to find one. A client is here while it holds a grant,
// whether it is connected or not. Source: tunnel specification 5.1.
//
// Lifetime: plain; pointers to clients hold until the next call that is not const. Threads: one owner.
// Limits: kGrantsMax for each client; the number of clients is the caller's. Allocates when clients come and go alone.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/counters.h"
#include "core/crypto/keys.h"
#include "core/packet/icmp_error.h"
#include "core/tunnel/client_access.h"
#include "core/tunnel/gateway_counters.h"
#include "core/tunnel/gateway_event.h"

namespace fireline::tunnel {

// ICMP errors to one client. Firezone sends any number; what its applications need to see is one for each attempt.
inline constexpr std::uint32_t kAnswersPerSecond = 128;
inline constexpr std::uint32_t kAnswersBurst = 128;

struct GatewayClient {
  Uuid id;
  crypto::PublicKey key;
  IpAddress ipv4;
  IpAddress ipv6;
  portal::ClientDescription description;
  bool connected = false;  // its connection exists, a path perhaps not yet
  ClientAccess access;
  packet::IcmpRateLimiter answers{kAnswersPerSecond, kAnswersBurst};

  [[nodiscard]] const IpAddress& address(Family family) const noexcept { return family == Family::v4 ? ipv4 : ipv6; }
};

class ClientTable {
 public:
  explicit ClientTable(Counters<GatewayCounter>& counters) noexcept : counters_(counters) {}

  // What grant() would refuse.
  [[nodiscard]] std::optional<GrantOutcome> refusal(const portal::AuthorizeFlow& flow) const noexcept;
  // The client takes key and addresses of the flow, and is connected; who else has one of them loses everything.
  // Only without a refusal.
  void grant(const portal::AuthorizeFlow& flow);
  void reject(const portal::RejectAccess& message);
  void update_expiry(const portal::AuthorizationExpiryUpdated& message);
  // Filters of every grant for it. Appends clients that hold it as another kind.
  void update_resource(const policy::GatewayResource& resource, std::vector<Uuid>& other_kind);
  // Every grant that is not listed goes; of several lines for one the longest expiry holds.
  void retain(std::span<const portal::Authorization> authorizations);
  // What has expired goes, of all clients or of one; true: something went, and perhaps the client with it.
  void expire(UnixTime wall);
  bool expire(GatewayClient& client, UnixTime wall);
  // It said goodbye.
  void forget(const Uuid& id);
  void set_connected(const Uuid& id, bool connected);

  [[nodiscard]] GatewayClient* find(const Uuid& id) const noexcept;
  [[nodiscard]] GatewayClient* find(const crypto::PublicKey& key) const noexcept;
  [[nodiscard]] GatewayClient* find(const IpAddress& address) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return clients_.size(); }
  // visit(const GatewayClient&), by id.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, client] : clients_) visit(std::as_const(*client));
  }

  // Some grant has an expiry.
  [[nodiscard]] bool may_expire() const noexcept { return first_expiry_ != kNever; }
  // Another one: a verdict from before may be wrong.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  void changed() noexcept { ++version_; }
  // Clients whose last grant went since the last call.
  [[nodiscard]] std::vector<ClientGone> take_gone() { return std::exchange(gone_, {}); }

 private:
  using Clients = std::map<Uuid, std::unique_ptr<GatewayClient>>;

  void displace(const GatewayClient* other, const Uuid& id);
  // After a change of its grants: without any it goes.
  void settle(GatewayClient& client, GrantEnd reason);
  void unlink(const GatewayClient& client);
  void erase(const Uuid& id);

  Counters<GatewayCounter>& counters_;
  Clients clients_;
  std::unordered_map<crypto::PublicKey, GatewayClient*> by_key_;
  std::unordered_map<IpAddress, GatewayClient*> by_address_;
  std::vector<ClientGone> gone_;
  UnixTime first_expiry_ = kNever;  // of all clients; what was taken back meanwhile may be in it until then
  std::uint64_t version_ = 1;
};

}  // namespace fireline::tunnel
