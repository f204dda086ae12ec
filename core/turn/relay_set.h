// The relays that the portal handed out, one allocation on each, and the memory of those that we used before.
// Connections pick one relay each with sample(); when it is lost they hear of it and pick another.
//
// Rule of use: as for an allocation; after each call drain poll_transmit() and poll_event().
// Lifetime: pointers to an allocation are good until the next poll_event(), update() or reset(). Threads: one.
// Sans-I/O. Limits: kRelaysMax, kFormerRelaysMax.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/turn/allocation.h"
#include "core/turn/former_relays.h"
#include "core/turn/relay_entries.h"

namespace fireline::turn {

// Only from this port a datagram of unknown origin is suspected to be a relay's.
inline constexpr std::uint16_t kRelayPort = 3478;

enum class RelayEventKind : std::uint8_t {
  candidate_added,
  candidate_invalidated,
  lost,       // removed by the portal or discarded by us: connections on it pick another
  none_left,  // the last one was lost; ask the portal for relays
};

struct RelayEvent {
  RelayEventKind kind = RelayEventKind::none_left;
  std::string id;                              // of all but none_left
  Candidate candidate;                         // of the first two
  DiscardReason reason = DiscardReason::none;  // of `lost`; none: the portal removed it
};

enum class Origin : std::uint8_t { unknown, relay, former_relay };

// What a datagram turned out to be.
enum class Verdict : std::uint8_t {
  not_relayed,  // no business of this class: a peer's
  consumed,     // an answer to us, or dropped and counted
  payload,      // a peer's datagram out of a channel
};

struct Received {
  Verdict verdict = Verdict::not_relayed;
  ChannelPayload data;  // of `payload`
};

class RelaySet {
 public:
  RelaySet(AllocationOptions options, crypto::Random& random) : options_(std::move(options)), random_(random) {}

  // The portal's messages: `connected` relays are new, known, or replaced when an address or the credentials differ;
  // `removed` ones go, and those that have the address of one that is new under another id, which is what a relay is
  // behind a restart; all others are asked whether our allocation still exists.
  void update(Now now, std::span<const std::string> removed, std::span<const RelayEntry> connected);
  // Asks every relay whether our allocation still exists.
  void refresh(Now now);
  // Asks the one with that address, of which ICMP says that nobody listens there; false when it is not asked.
  bool suspect(Now now, const Endpoint& server);
  // Forgets all relays without a word to them or about them, as a change of network wants it.
  void reset();

  // Classifies a datagram by its source and handles it if it comes from a relay. A peer may have the relays' port too.
  [[nodiscard]] Received receive(Now now, const Endpoint& source, const Endpoint& local, ConstBytes datagram);
  // Another datagram out of the channel of the last payload, which the caller recognised by itself.
  void count_channel_data() noexcept { counters_.add(TurnCounter::channel_data); }
  [[nodiscard]] Origin origin_of(const Endpoint& source) const noexcept;

  // One of the current relays, each with the same chance, finished or not. Empty: there are none.
  [[nodiscard]] std::optional<std::string_view> sample();
  [[nodiscard]] Allocation* find(std::string_view id) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return relays_.size(); }

  // visit(std::string_view id, const Allocation&)
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Relay& relay : relays_) visit(std::string_view(relay.id), std::as_const(*relay.allocation));
  }

  [[nodiscard]] std::optional<Instant> poll_timeout() const;
  void handle_timeout(Now now);
  [[nodiscard]] std::optional<Transmit> poll_transmit(Bytes out);
  [[nodiscard]] std::optional<RelayEvent> poll_event();

  [[nodiscard]] const Counters<TurnCounter>& counters() const noexcept { return counters_; }

 private:
  struct Relay {
    std::string id;
    std::unique_ptr<Allocation> allocation;
  };
  using Position = std::vector<Relay>::iterator;

  [[nodiscard]] Position position_of(std::string_view id) noexcept;
  [[nodiscard]] Allocation* find_by_server(const Endpoint& source) const noexcept;
  void connect(Now now, const RelayOffer& offer);
  // Takes what it had to say, and invalidates its relayed candidates.
  void drop(Relay& relay);
  // The position behind it.
  Position lose(Position position, DiscardReason reason);
  void remember(const Allocation& allocation) noexcept;
  void push(const std::string& id, const Event& event);

  AllocationOptions options_;
  crypto::Random& random_;
  Counters<TurnCounter> counters_;
  std::vector<Relay> relays_;
  FormerRelays former_;
  std::deque<RelayEvent> events_;
};

}  // namespace fireline::turn
