// The relay's protocol: STUN Binding and TURN over UDP as an engine. Sans-I/O: it reads no clock and holds no socket;
// what it wants done it asks of a Host. Sources: RFC 8489, RFC 8656; relay specification section 1.
//
// Use: give each datagram of the control port to handle_control when its first byte is 0 to 3 and to from_client
// otherwise (which counts what is no channel data), each datagram of an allocation port to from_peer. Call
// handle_timeout when poll_timeout has come, before the datagrams read in that turn: from_client and from_peer know no
// time and forward what has not been expired.
//
// Cost: from_client and from_peer are one hash lookup each (two for a peer without channel), allocate nothing, and do
// not slow down with the number of allocations. An allocation with one channel takes about 400 bytes.
// Lifetime: host and random must outlive the server; its destructor calls nobody.
// Threads: one owner; counters may be read from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/base/counters.h"
#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/crypto/random.h"
#include "core/stun/channel_data.h"
#include "relay/protocol/host.h"
#include "relay/protocol/server_config.h"
#include "relay/protocol/server_counters.h"

namespace fireline::relay {

struct ServerState;

using stun::kChannelHeaderBytes;
// Of a Data indication around its payload: header, XOR-PEER-ADDRESS of IPv6, DATA's own header, padding.
inline constexpr std::size_t kDataIndicationOverheadMax = 20 + 24 + 4 + 3;

struct AllocationStatus {
  Endpoint client;
  std::uint16_t port = 0;
  Families families;
  std::string username;
  Instant expires;
  std::size_t bound_channels = 0;
  std::size_t permissions = 0;
};

class Server {
 public:
  Server(ServerConfig config, Host& host, crypto::Random& random);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A STUN message on the control port; anything else is dropped and counted. May call every function of the host.
  void handle_control(Now now, const Endpoint& client, std::span<const std::byte> datagram);

  // Channel data on the control port: send datagram[4, 4 + bytes) from `port` to `peer`. Nothing: dropped and counted.
  // May call the host's offload().
  struct ToPeer {
    std::uint16_t port = 0;
    Endpoint peer;
    std::size_t bytes = 0;
  };
  [[nodiscard]] std::optional<ToPeer> from_client(const Endpoint& client, std::span<const std::byte> channel_data);

  // `datagrams` of one peer with `bytes` in all (a received train needs one lookup) on an allocation port: send channel
  // number, length and data from the control port to `client`. Channel 0: there is a permission but no channel (--auth
  // static): send what write_data_indication writes.
  struct ToClient {
    Endpoint client;
    std::uint16_t channel = 0;
  };
  [[nodiscard]] std::optional<ToClient> from_peer(std::uint16_t port, const Endpoint& peer, std::size_t bytes,
                                                  std::size_t datagrams = 1);

  // Length of the message in `out`, at most data.size() + kDataIndicationOverheadMax. 0: it does not fit `out` or a
  // UDP datagram; counted.
  [[nodiscard]] std::size_t write_data_indication(const ToClient& to, const Endpoint& peer,
                                                  std::span<const std::byte> data, std::span<std::byte> out);

  // The next time at which handle_timeout has work; it may lie in the past, and is in the future or nothing after it.
  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout(Now now);

  // New users, or another secret: of the kind and realm that the server began with. Allocations stay until their next
  // Refresh, which a removed user cannot sign.
  void set_credentials(Credentials credentials);

  // New rules: channels and permissions of peers that they refuse go at once, fast path included.
  void set_peer_rules(PeerRules rules);

  [[nodiscard]] const Counters<ServerCounter>& counters() const noexcept;
  [[nodiscard]] const ResponseCounters& responses() const noexcept;
  [[nodiscard]] ServerGauges gauges() const noexcept;
  void for_each_allocation(const std::function<void(const AllocationStatus&)>& visit) const;

 private:
  std::unique_ptr<ServerState> state_;
};

}  // namespace fireline::relay
