// Every limit of the server that an operator may move, with its default and the reason for it. What happens at a limit
// is said beside its counter in server_counters.h.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/base/time.h"

namespace fireline::relay {

struct Limits {
  // One per port of the default range, 49152 to 65535. Fewer when the range is smaller.
  std::size_t allocations = 16384;
  // With --auth firezone a username has one allocation, whatever this says. With --auth static one user may stand for
  // many machines (load generators, a site behind one account): a quarter of the relay, so that no user is alone.
  std::size_t allocations_per_user = 4096;
  // The number space of a client socket, 0x4000 to 0x4FFF.
  std::size_t channels_per_allocation = 4096;
  // Bound and cooling down, at 200 bytes each: 200 MiB. 64 for each of all allocations on average, and four times what
  // the XDP maps hold.
  std::size_t channels = std::size_t{1} << 20;
  // Of all allocations of a user: a quarter, so that no user is alone.
  std::size_t channels_per_user = std::size_t{1} << 18;
  // An ICE agent has one peer address per candidate of the other side: tens. A bind takes one, too.
  std::size_t permissions_per_allocation = 1024;
  // Four client sockets for each allocation: who comes back after eviction is answered 438 and continues.
  std::size_t nonces = 65536;
  // Authenticated requests with one nonce. 10 and 100 made busy gateways bind their channels again in bursts.
  std::uint32_t nonce_uses = 10000;

  // Answers to what is not authenticated. A first request is answered once per client socket and some clients come in
  // bursts behind one NAT; above this a source is silent until time has passed.
  std::uint32_t answers_per_second_source = 50;
  std::uint32_t answers_burst_source = 200;
  // 20,000 answers of 144 bytes are 23 Mbit/s: what the relay may be made to send to forged sources in total.
  std::uint32_t answers_per_second_total = 20000;
  // Sources (an IPv4 address or an IPv6 /64) whose rate is remembered; the least recently used one is forgotten.
  std::size_t answer_sources = 16384;
  // Such an answer has at most this many tenths of the request's UDP payload: 3.2 is what a Binding of 20 bytes needs
  // for an IPv4 answer with SOFTWARE. 0 means no bound.
  std::uint32_t answer_ratio_tenths = 32;
};

// Answers to a client that has an allocation where its request is not authenticated (Binding, a stale nonce), before it
// shares with the strangers behind its address: who asks every 25 s and asks again needs four in five seconds.
inline constexpr std::chrono::milliseconds kClientAnswerInterval{100};
inline constexpr std::uint32_t kClientAnswerBurst = 20;

// How fast the host hears of channels whose end changed with allocation or permission: 3 us of system calls each with
// XDP, so 3 % of the loop's thread and 0.2 ms at once, however many channels and requests there are. All channels of a
// client, 4,096, take 0.4 s. To offer a channel that the host does not have asks for routes and counts as sixteen.
inline constexpr std::chrono::microseconds kReviewInterval{100};
inline constexpr std::uint32_t kReviewBurst = 64;
inline constexpr int kReviewOfferCost = 16;
// Of one allocation before the next one has its turn: a client with many channels does not keep the others waiting.
inline constexpr int kReviewTurn = 16;

// RFC 8656 sections 7.2, 9 and 12; relay specification sections 1.7 and 1.8.
inline constexpr std::chrono::seconds kAllocationDefault{600};
inline constexpr std::chrono::seconds kAllocationMax{3600};
inline constexpr std::chrono::seconds kPermissionTime{300};
inline constexpr std::chrono::seconds kChannelTime{600};
inline constexpr std::chrono::seconds kChannelCoolDown{300};  // expired, number and peer still taken

}  // namespace fireline::relay
