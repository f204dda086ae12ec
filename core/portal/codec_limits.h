// How much one message may hold; beyond that it is refused.
// Source: portal specification 1.13 and what a portal of a large account sends, with room. Threads: any.
#pragma once
#include <cstddef>

namespace fireline::portal {

// A resource takes 200 bytes of JSON or more, so that 16 MiB hold no more than this.
inline constexpr std::size_t kResourcesMax = 80'000;
// Grants of a gateway: 120 bytes of JSON each.
inline constexpr std::size_t kAuthorizationsMax = 140'000;
inline constexpr std::size_t kSitesMax = 1024;
// Two relays with two addresses each are usual.
inline constexpr std::size_t kRelayEntriesMax = 64;
inline constexpr std::size_t kUpstreamsMax = 64;
// An agent keeps no more of one peer.
inline constexpr std::size_t kCandidatesMax = 256;
// Clients remember 100 gateways.
inline constexpr std::size_t kConnectedGatewaysMax = 256;
inline constexpr std::size_t kBroadcastPeersMax = 1024;
inline constexpr std::size_t kBroadcastBytesMax = std::size_t{32} << 10;  // of the candidates, which go to each peer
// A real portal's `ref` of a flow has about 1 KiB.
inline constexpr std::size_t kFlowReferenceBytesMax = 16'384;
// Names, descriptions, patterns and user names: longer ones are a mistake.
inline constexpr std::size_t kFieldBytesMax = 4096;

}  // namespace fireline::portal
