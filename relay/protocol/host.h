// What the relay's protocol asks of the loop around it. Every call is synchronous and is made in the order in which
// its effects must happen: sockets are bound before the answer that names them, and fast-path entries are in place
// before the answer that a client takes as leave to send.
// Threads: called on the server's one owner thread, from inside of handle_control, handle_timeout, set_peer_rules and,
// of offload() alone, from_client.
// A host must not call back into the server from any of them.
// Source: relay specification sections 1.7, 1.8 and 4.8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/endpoint.h"
#include "core/base/time.h"

namespace fireline::relay {

// Address families of one allocation, or of the whole relay.
struct Families {
  bool v4 = false;
  bool v6 = false;

  [[nodiscard]] bool has(Family family) const noexcept { return family == Family::v4 ? v4 : v6; }
  friend bool operator==(const Families&, const Families&) noexcept = default;
};

// Everything that forwarding one channel takes, in either direction.
struct ChannelBinding {
  Endpoint client;
  std::uint16_t channel = 0;
  Endpoint peer;
  std::uint16_t port = 0;  // the allocation's
  Instant expires;         // the earliest end of channel, allocation and, with --auth static, permission
  bool padded = false;     // the client pads its channel data: all of the channel is to stay in user space

  friend bool operator==(const ChannelBinding&, const ChannelBinding&) noexcept = default;
};

// What happened, for the log. Nothing here is per packet.
enum class EventKind : std::uint8_t {
  binding_answered,      // client
  allocation_created,    // client, port, families, lifetime_seconds
  allocation_refreshed,  // client, port, lifetime_seconds
  allocation_deleted,    // client, port: Refresh with lifetime 0, or the same username came from elsewhere
  allocation_expired,    // client, port
  channel_bound,         // client, port, channel, peer
  channel_refreshed,     // client, port, channel, peer
  channel_expired,       // client, port, channel, peer
  channel_deleted,       // client, port, channel, peer: cooled down, refused by new peer rules, or with its allocation
  permission_installed,  // client, port, peer (port 0)
  request_refused,       // client, method, error_code
  request_unanswered,    // client, method: a username that no password belongs to
};

struct Event {
  EventKind kind{};
  Endpoint client{};
  std::uint16_t port = 0;
  Families families{};
  std::uint16_t channel = 0;
  Endpoint peer{};
  std::uint32_t lifetime_seconds = 0;
  std::uint16_t method = 0;  // STUN method number
  std::uint16_t error_code = 0;
};

class Host {
 public:
  // `not_offloaded`: this channel stays in user space. `full`: no entry of it is left in place; the server answers 508
  // and undoes the binding, but for a bound channel with --auth static, which stays in user space.
  enum class Offload : std::uint8_t { done, not_offloaded, full };
  // `unusable`: somebody has that port; the server draws another one and does not try this one again while it runs.
  // `exhausted`: no port could be opened now, for lack of descriptors, memory or the address; the server answers 508.
  enum class Opened : std::uint8_t { done, unusable, exhausted };

  virtual ~Host() = default;

  // Binds the sockets of `families` on that port before it returns. Unless `done`, nothing of it is left open.
  [[nodiscard]] virtual Opened open_port(std::uint16_t port, Families families) = 0;
  // Called once for each port opened, after withdraw() of all its channels.
  virtual void close_port(std::uint16_t port) = 0;

  // From the control port of the family of `to`. `message` is valid during the call alone.
  virtual void send_control(const Endpoint& to, std::span<const std::byte> message) = 0;
  // The payload of a Send indication, from the allocation port, family of `to`. `data` is valid during the call alone.
  virtual void send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) = 0;

  // Puts fast-path entries in place, anew where they are. Called on bind, refresh and revival of a channel, when a
  // permission comes, and with --auth static when the first padding of a channel does.
  [[nodiscard]] virtual Offload offload(const ChannelBinding& binding) = 0;
  // Gives what offload() put in place the new `expires`, which changed with allocation or permission. At most
  // kReviewBurst calls of it in one call of the server's.
  virtual void prolong(const ChannelBinding& binding) = 0;
  // Removes them. Also called for bindings that offload() declined, never for one that it found `full`.
  virtual void withdraw(const ChannelBinding& binding) = 0;

  virtual void report(const Event& event) { static_cast<void>(event); }
};

}  // namespace fireline::relay
