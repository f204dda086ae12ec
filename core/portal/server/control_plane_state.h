// What the control plane's parts share. Each part is a set of functions over it, one file pair for each question:
// who is it (logins), what is a client told (client_channel), a gateway (gateway_channel), a relay's peers
// (relay_channel), and what follows from a new policy or from time (policy_change).
// Lifetime: document and stores outlive it. Threads: one.
#pragma once
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/base/counters.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/policy/document.h"
#include "core/policy/evaluate.h"
#include "core/portal/server/actions.h"
#include "core/portal/server/flows.h"
#include "core/portal/server/grants.h"
#include "core/portal/server/login_limiter.h"
#include "core/portal/server/presence.h"
#include "core/portal/server/relay_roster.h"
#include "core/portal/server/resource_texts.h"
#include "core/portal/server/untold_rejections.h"
#include "core/portal/store.h"

namespace fireline::portal {

enum class PortalCounter : std::uint8_t {
  login_accepted,
  login_bad_request,  // 404, 422
  login_bad_token,    // 401
  login_limited,      // 503: too many failures of this source
  login_full,         // 503: kConnectionsMax
  login_store,        // 503: the store failed
  login_devices,      // 503: kDevicesOwnerMax or kDevicesMax, and no device of the owner that could give way
  login_place,        // 503: a relay of another token is at the address, or one of its own since less than kRelayHold
  device_superseded,  // a device joined on a newer connection
  relay_superseded,   // connections closed: another relay of the same token took the place
  relay_place,        // connections closed: at the join a relay of another token was at the address, or had the secret
  relay_full,         // connections closed: kPresentRelaysMax at the join
  token_ended,        // connections closed: token revoked or expired
  owner_ended,        // connections closed: actor or site is no longer in the policy
  frame_bad,          // no frame: dropped
  frame_topic,        // "unmatched topic"
  frame_unknown,      // "unknown_message": event, or payload of a known one
  frame_superseded,   // of an older connection of a device: dropped
  flow_asked,         // create_flow
  flow_not_found,
  flow_forbidden,
  flow_offline,
  flow_limited,     // kFlowsMax and the other limits of flows.h, kGrantsMax: no answer
  flow_slow,        // the gateway does not read: kQuestionsUnsentMax; no answer
  flow_repeated,    // the same question waits: kFlowRepeat
  flow_authorized,  // answered by the gateway
  flow_stale,       // authorised, but the client or the grant has gone
  flow_bad_ref,     // "invalid_ref"
  flow_moved,       // another gateway than before: the client was told to forget first
  candidates_passed,
  candidates_offline,  // for a peer that is not there
  candidates_slow,     // for a peer that does not read: kCandidatesUnsentMax
  access_rejected,     // reject_access
  expiry_updated,      // access_authorization_expiry_updated
  relays_announced,    // relays_presence
  count_
};
[[nodiscard]] constexpr std::string_view name_of(PortalCounter counter) noexcept {
  constexpr std::array<std::string_view, static_cast<std::size_t>(PortalCounter::count_)> kNames{
      "login.accepted",
      "login.drop.bad_request",
      "login.drop.bad_token",
      "login.drop.limited",
      "login.drop.full",
      "login.drop.store",
      "login.drop.devices",
      "login.drop.place",
      "device.superseded",
      "relay.superseded",
      "relay.drop.place",
      "relay.drop.full",
      "token.ended",
      "owner.ended",
      "frame.drop.bad",
      "frame.drop.topic",
      "frame.drop.unknown",
      "frame.drop.superseded",
      "flow.asked",
      "flow.not_found",
      "flow.forbidden",
      "flow.offline",
      "flow.drop.limited",
      "flow.drop.slow",
      "flow.drop.repeated",
      "flow.authorized",
      "flow.drop.stale",
      "flow.drop.bad_ref",
      "flow.moved",
      "candidates.passed",
      "candidates.drop.offline",
      "candidates.drop.slow",
      "access.rejected",
      "access.expiry_updated",
      "relays.announced"};
  return kNames[static_cast<std::size_t>(counter)];
}

// Which gateways a client's process was sent to, by resource: a baseline client aborts when a resource moves to another
// gateway unannounced. It outlives connections, and ends with the key, which is the process's.
struct ClientMemory {
  crypto::PublicKey key;
  std::unordered_map<Uuid, Uuid> gateways;

  [[nodiscard]] bool serves(const Uuid& resource, const Uuid& gateway) const {
    const auto found = gateways.find(resource);
    return found != gateways.end() && found->second == gateway;
  }
};

struct ControlPlaneState {
  ControlPlaneState(std::shared_ptr<const policy::Document> first, Store& device_store, GrantStore& grant_store,
                    crypto::Random& source)
      : document(std::move(first)), store(device_store), random(source), grants(grant_store) {}

  std::shared_ptr<const policy::Document> document;
  ResourceTexts resource_texts;  // the document's
  Store& store;
  crypto::Random& random;
  Actions actions;
  Presence presence;
  RelayRoster relays;
  FlowTable flows;
  GrantTable grants;
  UntoldRejections untold;
  std::optional<Instant> rejections_due;  // a gateway that is online waits for some
  std::optional<Instant> untold_warned;
  std::optional<Instant> grants_swept;  // make_room()
  LoginLimiter limiter;
  UnsentBytes unsent_bytes;                         // empty: nobody is slow
  std::unordered_map<Uuid, ClientMemory> memories;  // by client; at most one for each device
  Counters<PortalCounter> counters;
};

// Any peer may send candidates without end, and a connection that overflows is closed: whoever has not read that much
// gets no more of them. Half of what a connection may owe (io/websocket_server.h): the questions of 1,500 flows, which
// count as well, leave room for candidates.
inline constexpr std::size_t kCandidatesUnsentMax = std::size_t{2} << 20;

// The same for questions to a gateway, of which one device may ask for hundreds within a round trip: whoever asks must
// not cut the gateway off. More than for candidates, which therefore never stop questions; the rest is for what is said
// once, such as the end of a grant.
inline constexpr std::size_t kQuestionsUnsentMax = std::size_t{3} << 20;

// The same for the ends of grants, of which one change of the policy may bring more than a connection may owe: the rest
// follows when the gateway has read.
inline constexpr std::size_t kRejectionsUnsentMax = (std::size_t{3} << 20) + (std::size_t{1} << 19);
inline constexpr Duration kRejectionsEvery = std::chrono::milliseconds(200);

// Whether candidates for this peer, who is null when offline, go out; counts either way.
[[nodiscard]] inline bool takes_candidates(ControlPlaneState& state, const Session* peer) {
  const auto outcome = [&] {
    if (peer == nullptr) return PortalCounter::candidates_offline;
    const bool slow = state.unsent_bytes && state.unsent_bytes(peer->id) > kCandidatesUnsentMax;
    return slow ? PortalCounter::candidates_slow : PortalCounter::candidates_passed;
  }();
  state.counters.add(outcome);
  return outcome == PortalCounter::candidates_passed;
}

[[nodiscard]] inline Timestamp unix_seconds(Now now) noexcept {
  return std::chrono::floor<std::chrono::seconds>(now.wall).time_since_epoch().count();
}
[[nodiscard]] inline policy::Context context_of(const IpAddress& source, Now now) noexcept {
  return {.now = std::chrono::floor<std::chrono::seconds>(now.wall), .source = source};
}

}  // namespace fireline::portal
