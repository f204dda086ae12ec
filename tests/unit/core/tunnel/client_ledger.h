// What becomes of a client's packets, by the counters of client_counters.h: each pair of figures is equal.
#pragma once
#include <cstdint>
#include <span>

#include "core/base/counters.h"
#include "core/tunnel/client_counters.h"
#include "core/tunnel/client_status.h"

namespace fireline::tunnel::test {

struct ClientLedger {
  ClientLedger(const Counters<ClientCounter>& counters, std::span<const ResourceFlow> flows)
      : from_tun(counters.get(ClientCounter::tun_packets)),
        accounted_for(sum(counters, ClientCounter::to_node, ClientCounter::drop_tun_no_resource)),
        held(counters.get(ClientCounter::pending_packets)),
        ended_or_waiting(sum(counters, ClientCounter::pending_released, ClientCounter::drop_pending_abandoned)) {
    for (const ResourceFlow& flow : flows) ended_or_waiting += flow.pending_packets;
  }

  std::uint64_t from_tun, accounted_for;
  std::uint64_t held, ended_or_waiting;

 private:
  static std::uint64_t sum(const Counters<ClientCounter>& counters, ClientCounter first, ClientCounter last) {
    std::uint64_t total = 0;
    for (auto i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
      total += counters.get(static_cast<ClientCounter>(i));
    }
    return total;
  }
};

}  // namespace fireline::tunnel::test
