// What the XDP program does to a frame, written down a second time in user space: verdict, reason and bytes. The output
// is built from scratch with full checksums, so that it shares no arithmetic with the program, which only updates them.
// For tests, and for the question "where would this frame go?". Relay specification, sections 4.3 to 4.7.
//
// Lifetime: self-contained. Threads: one owner. Allocates; not for the packet path. Knows no limit of entries.
#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "core/base/wire.h"
#include "relay/protocol/host.h"
#include "relay/xdp_layout.h"
#include "relay/xdp_program.h"

namespace fireline::relay {

class XdpModel {
 public:
  struct ClientSide {
    Endpoint client;
    std::uint16_t channel = 0;
    friend auto operator<=>(const ClientSide&, const ClientSide&) noexcept = default;
  };
  struct PeerSide {
    Endpoint peer;
    std::uint16_t port = 0;  // the allocation's
    friend auto operator<=>(const PeerSide&, const PeerSide&) noexcept = default;
  };
  struct Answer {
    xdp_outcome outcome = xdp_pass_not_ip;
    std::vector<std::byte> frame;  // as it leaves, or as it came; empty when dropped
  };

  explicit XdpModel(XdpSettings settings) : settings_(settings) {}

  void insert(const ChannelBinding& binding, XdpProgram::Forwarder forwarder);
  void erase(const ChannelBinding& binding);
  // Single halves. No `expires`: user space forwards.
  void insert_channel(const ClientSide& from, const PeerSide& to, std::optional<Instant> expires);
  void insert_peer(const PeerSide& from, const ClientSide& to, std::optional<Instant> expires);
  void set_live(std::uint16_t port, bool live) { live_.set(port, live); }

  [[nodiscard]] Answer run(ConstBytes frame, Instant boot) const;

 private:
  template <class To>
  struct Entry {
    To to;
    std::optional<Instant> expires;
  };
  template <class From, class To>
  using Map = std::map<From, Entry<To>>;
  struct Parsed;
  struct Output;
  // The live entry, or the outcome of having none.
  template <class From, class To>
  [[nodiscard]] Result<To, xdp_outcome> find(const std::array<Map<From, To>, 2>& maps, const From& key, Instant boot,
                                             xdp_outcome unknown) const;

  [[nodiscard]] Result<Parsed, xdp_outcome> parse(ConstBytes frame) const;
  [[nodiscard]] Result<Output, xdp_outcome> decide(Parsed& parsed, Instant boot) const;
  [[nodiscard]] Result<Output, xdp_outcome> from_udp(const Parsed& parsed, Instant boot) const;
  [[nodiscard]] Result<Output, xdp_outcome> from_channel(Parsed& parsed, Instant boot) const;
  [[nodiscard]] Result<Output, xdp_outcome> to_client(const Parsed& parsed, const ClientSide& client) const;
  [[nodiscard]] Result<Output, xdp_outcome> with_source(const Parsed& parsed, Output output) const;

  XdpSettings settings_;
  // By the family of the value. The one of the key's own family is asked first.
  std::array<Map<ClientSide, PeerSide>, 2> channels_;
  std::array<Map<PeerSide, ClientSide>, 2> peers_;
  std::bitset<65536> live_;
};

}  // namespace fireline::relay
