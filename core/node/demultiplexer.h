// What a received datagram is (connectivity specification 4.2), and whose. WireGuard first, because it is nearly all of
// it and no other format can be mistaken for it; then relays by their address; then STUN of a peer. Messages are
// handled here and then; what remains in the batch is the device's, channel headers to be skipped.
//
// A GRO train stays one as long as all of it is WireGuard from one sender: datagrams that follow each other out of one
// channel stay together, and a message in between cuts the train in two.
//
// Lifetime: borrows what it is given. Threads: one owner. Allocates up to the largest batch and then never.
#pragma once
#include <cstdint>
#include <vector>

#include "core/base/counters.h"
#include "core/node/node_counters.h"
#include "core/packet/batch.h"
#include "core/stun/message_view.h"
#include "core/turn/relay_set.h"

namespace fireline::node {

// The ports at which the sockets are bound.
struct LocalPorts {
  std::uint16_t v4 = 0;
  std::uint16_t v6 = 0;
};

class StunReceiver {
 public:
  virtual ~StunReceiver() = default;
  // A message that is not a relay's. `destination`: where it arrived, out of a channel our relayed address.
  virtual void receive_stun(Now now, const Endpoint& source, const Endpoint& destination,
                            const stun::MessageView& message) = 0;
};

class Demultiplexer {
 public:
  Demultiplexer(turn::RelaySet& relays, StunReceiver& receiver, Counters<NodeCounter>& counters) noexcept
      : relays_(relays), receiver_(receiver), counters_(counters) {}

  // Leaves in the batch what is for the WireGuard device. True: a relay's message was handled.
  bool split(Now now, packet::UdpBatch& batch, LocalPorts ports);

 private:
  // To whom a datagram for the device is attributed.
  struct Origin {
    std::uint16_t skip = 0;
    Endpoint source;
    packet::LocalAddress local;
    friend bool operator==(const Origin&, const Origin&) noexcept = default;
  };

  void split_train(Now now, const packet::ReceivedDatagrams& train, LocalPorts ports);
  // Whether the datagram is for the device: then `origin_` says from whom.
  bool is_for_device(Now now, const packet::ReceivedDatagrams& train, Bytes datagram, LocalPorts ports);
  bool handle_stun(Now now, const Endpoint& source, const Endpoint& destination, ConstBytes datagram);
  [[nodiscard]] bool continues_channel(ConstBytes datagram) const noexcept;
  void keep(const packet::ReceivedDatagrams& train, Bytes datagram);

  turn::RelaySet& relays_;
  StunReceiver& receiver_;
  Counters<NodeCounter>& counters_;

  std::vector<packet::ReceivedDatagrams> kept_;
  bool relay_message_ = false;
  // Of the train at hand.
  Origin origin_;
  std::uint16_t channel_ = 0;  // of the datagram before, if it was data for the device; 0: none
  bool kept_last_ = false;     // the datagram before is at the end of kept_
};

}  // namespace fireline::node
