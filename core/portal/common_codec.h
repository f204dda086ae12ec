// The parts that client and gateway messages share, as JSON. Internal to the codecs.
// Source: portal specification 2. Lifetime: values. Threads: any. Readers fail the fields they are given.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/policy/filter.h"
#include "core/portal/candidate_broadcast.h"
#include "core/portal/common_messages.h"
#include "core/portal/json_fields.h"
#include "core/portal/message_text.h"

namespace fireline::portal {

using Json = nlohmann::ordered_json;

// What is not UTF-8 is replaced: a name from a configuration file must not end the program.
[[nodiscard]] std::string to_text(const Json& json);

[[nodiscard]] Interface read_interface(JsonFields fields, JsonFields& message);
// A gateway's: without DNS.
[[nodiscard]] Json write_addresses(const Interface& interface);
[[nodiscard]] Json write_interface(const Interface& interface);

// An absent key is an empty list when `optional`.
[[nodiscard]] RelayEntries read_relays(JsonFields& message, std::string_view key, bool optional);
[[nodiscard]] Json write_relays(const RelayEntries& relays);
[[nodiscard]] RelaysPresence read_relays_presence(JsonFields& message);
[[nodiscard]] Json write_relays_presence(const RelaysPresence& presence);

[[nodiscard]] policy::FilterList read_filters(std::span<const simdjson::dom::element> elements, JsonFields& message);
[[nodiscard]] Json write_filters(const policy::FilterList& list);

[[nodiscard]] IceCredentialText read_ice(JsonFields& message, std::string_view key);
[[nodiscard]] Json write_ice(const IceCredentialText& credentials);

[[nodiscard]] std::vector<Uuid> read_ids(JsonFields& message, std::string_view key, std::size_t limit);
[[nodiscard]] Json write_ids(std::span<const Uuid> ids);

// From the portal, with `peer_key` naming the other end.
[[nodiscard]] IceCandidates read_candidates(JsonFields& message, std::string_view peer_key, bool invalidate);
[[nodiscard]] MessageText write_candidates(const IceCandidates& candidates, std::string_view peer_key);
// To the portal, with `peers_key` naming a list.
[[nodiscard]] CandidateBroadcast read_broadcast(JsonFields& message, std::string_view peers_key, bool invalidate);
[[nodiscard]] MessageText write_broadcast(const IceCandidates& candidates, std::string_view peers_key);

inline constexpr std::string_view kInitEvent = "init";
inline constexpr std::string_view kRelaysPresenceEvent = "relays_presence";
inline constexpr std::string_view kCandidatesEvent = "ice_candidates";
inline constexpr std::string_view kInvalidateEvent = "invalidate_ice_candidates";
inline constexpr std::string_view kBroadcastEvent = "broadcast_ice_candidates";
inline constexpr std::string_view kBroadcastInvalidatedEvent = "broadcast_invalidated_ice_candidates";

}  // namespace fireline::portal
