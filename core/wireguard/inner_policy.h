// What a layer above decides about decrypted IP packets: a gateway's grants and filters, a client's sources. It stands
// in for the check of the source against the allowed IPs.
//
// Called in commit for each authentic IP packet, in the order of arrival, before the packet is merged and written; the
// goodbye never comes here. It counts what it refuses. Answers are sent behind the commit (Device::send_packet).
// Lifetime: outlives the device. Threads: the device's owner's. Allocates nothing per packet.
#pragma once
#include "core/base/time.h"
#include "core/base/wire.h"
#include "core/crypto/keys.h"
#include "core/packet/ip_packet.h"

namespace fireline::wireguard {

class InnerPolicy {
 public:
  virtual ~InnerPolicy() = default;

  // `packet` is cut to the length in its header, which `header` describes. It may be changed in place, its length not.
  // False: it goes no further.
  [[nodiscard]] virtual bool admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader& header,
                                   Bytes packet) = 0;
};

}  // namespace fireline::wireguard
