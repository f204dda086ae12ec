// The client's end of the tunnel: which packets go to which gateway, for whom the portal is asked, and what waits for
// its answer. A node (core/node/node.h) with the portal's resources in front of it. Sans-I/O; see core/packet/engine.h
// for the seam. Source: tunnel specification 1 and 2, portal specification 3; docs/client.md draws the states.
//
// Each TUN batch is looked through before the node plans it: what may not leave is dropped, what has no gateway yet
// waits here, and the portal is asked. Decrypted packets must come from their gateway's own address or from one of the
// networks that it was given.
//
// Every input with an `output` appends to it what it leads to; events are fetched with poll_event() behind it.
//
// Lifetime: buffers, random and aead must outlive the client; every Work must be dropped before it.
// Threads: one owner thread (the packet thread); jobs alone run elsewhere. Counters may be read from any thread.
// Limits: below. Allocates for resources, gateways and packets that wait, not for packets that go to a gateway.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/base/counters.h"
#include "core/node/node.h"
#include "core/packet/engine.h"
#include "core/portal/client_messages.h"
#include "core/tunnel/client_counters.h"
#include "core/tunnel/client_event.h"
#include "core/tunnel/client_status.h"
#include "core/tunnel/tun_configuration.h"

namespace fireline::tunnel {

struct ClientState;

// A portal's accounts have hundreds; the frames that carry them are bounded as well.
inline constexpr std::size_t kResourcesMax = 16384;
// Of all packets that wait for an answer of the portal: 26 resources whose rings are full of the largest packets.
inline constexpr std::size_t kPendingBytesMax = std::size_t{4} << 20;
// Events that nobody fetched. The control thread takes all of them in a turn.
inline constexpr std::size_t kClientEventsMax = 4096;

struct ClientOptions {
  node::NodeOptions node = {};  // role and policy are the client's to set
  bool internet_enabled = false;
  // Ask the portal again when a gateway answers "administratively prohibited" for a resource that it was given.
  bool ask_when_prohibited = false;
  std::size_t pending_bytes_max = kPendingBytesMax;
};

class Client final : public packet::Engine {
 public:
  // Arguments as node::Node's.
  Client(const ClientOptions& options, const crypto::Key& private_key, Now start, packet::BufferSource& large,
         packet::BufferSource& small, crypto::Random& random, crypto::Aead& aead);
  ~Client() override;

  // From the portal, in the order of arrival; each may come any number of times.
  void handle(Now now, const portal::PortalToClient& message, packet::Output& output);

  // The user's switch; it survives the resource, which need not be there.
  void set_internet_enabled(Now now, bool enabled, packet::Output& output);
  // The network changed: forgets connections, relays, and which gateway has which resource. Resources, what waits, and
  // the TUN's configuration stay. The portal must be told the new key's public one with the next login.
  void reset(Now now, const crypto::Key& private_key, packet::Output& output);
  // A goodbye to each gateway, before the program ends.
  void close_all(Now now, packet::Output& output);

  // As node::Node's.
  void resume(Now now, packet::Output& output);
  void handle_unreachable(Now now, const Endpoint& destination, packet::Output& output);
  void set_ports(std::uint16_t v4, std::uint16_t v6);
  void set_tun_offloads(packet::CoalescerOptions offloads);

  std::unique_ptr<packet::Work> make_work() override;
  void plan(Now now, packet::TunBatch& batch, packet::Work& work) override;
  void plan(Now now, packet::UdpBatch& batch, packet::Work& work) override;
  void commit(Now now, packet::Work& work, packet::Output& output) override;
  bool step_handshake(Now now, packet::Output& output) override;
  [[nodiscard]] std::optional<Instant> poll_timeout() const override;
  void handle_timeout(Now now, packet::Output& output) override;
  void stop_merging() override;

  // The TUN's change first, then what happened in its order, then the resources' change.
  [[nodiscard]] std::optional<ClientEvent> poll_event();
  // Behind TunChanged, which comes late when there are only routes less (tun_offer.h); empty when it changed back
  // meanwhile.
  [[nodiscard]] std::optional<TunConfiguration> take_tun_configuration();
  // Behind ResourcesChanged; likewise.
  [[nodiscard]] std::optional<ResourceList> take_resource_list();

  [[nodiscard]] ClientStatus status() const;
  [[nodiscard]] const Counters<ClientCounter>& counters() const noexcept;
  [[nodiscard]] const node::Node& node() const noexcept;

 private:
  std::unique_ptr<ClientState> state_;
};

}  // namespace fireline::tunnel
