// Two agents, a client (controlling) and a gateway (controlled), over a scripted network on a virtual clock. A relayed
// candidate is an address like any other here: what arrives there arrives at its owner.
#pragma once
#include <functional>
#include <initializer_list>
#include <map>
#include <string_view>
#include <vector>

#include "core/ice/agent.h"

namespace fireline::ice {

inline Endpoint at(std::string_view text) {
  return *Endpoint::parse(text);
}
inline Instant after(Duration since_start) {
  return Instant{} + since_start;
}
inline Candidate host(std::string_view address) {
  return *Candidate::host(at(address));
}
inline Candidate reflexive(std::string_view address, std::string_view base) {
  return *Candidate::server_reflexive(at(address), at(base));
}
inline Candidate relayed(std::string_view address, Family relay_family = Family::v4) {
  return *Candidate::relayed(at(address), relay_family);
}
// As the peer reads it: without base.
CandidateText announced(const Candidate& candidate, std::string_view ufrag = "");

// First the words of `script`, then a fixed pseudo-random sequence.
class ScriptedRandom final : public crypto::Random {
 public:
  explicit ScriptedRandom(std::uint64_t seed, std::vector<std::uint64_t> script = {})
      : state_(seed), script_(std::move(script)) {}
  void fill(Bytes bytes) noexcept override;

 private:
  std::uint64_t state_;
  std::vector<std::uint64_t> script_;
  std::size_t next_ = 0;
};

AgentSettings client_settings();
AgentSettings gateway_settings();

// A Binding message by hand, well formed unless told otherwise.
struct RequestOptions {
  std::string_view username = "nk46:llqe";
  std::string_view password = "yiuijlligg2km2kweghata";  // the gateway's
  bool use_candidate = false;
  bool priority = true;
  bool integrity = true;
  bool unknown_attributes = false;  // one that must and one that need not be understood
  stun::MessageClass message_class = stun::MessageClass::request;
  stun::Method method = stun::Method::binding;
  stun::TransactionId id{};
};
std::vector<std::byte> write_request(const RequestOptions& options);

// What an agent gave to be sent, taken apart.
struct Sent {
  Instant time;
  AgentTransmit transmit;
  std::vector<std::byte> bytes;
  bool is_request = false;
  bool nominates = false;

  [[nodiscard]] stun::MessageView view() const { return *stun::MessageView::parse(bytes); }
};

// One agent with everything it said.
struct Side {
  Side(const AgentSettings& settings, std::uint64_t seed, std::vector<std::uint64_t> script = {})
      : random(seed, std::move(script)), agent(settings, random, counters) {}

  // Fetches all that waits and returns what was sent now.
  std::vector<Sent> drain(Instant now);
  std::vector<Path> paths() const;
  std::vector<AgentState> states() const;
  [[nodiscard]] std::uint64_t count(AgentCounter which) const { return counters.get(which); }
  [[nodiscard]] bool uses(std::string_view source, std::string_view destination) const;

  ScriptedRandom random;
  Counters<AgentCounter> counters;
  Agent agent;
  std::vector<AgentEvent> events;
  std::vector<Sent> sent;
};

class VirtualNetwork {
 public:
  VirtualNetwork();

  // Gives `side` the candidates and announces what is to be signalled to the other side.
  void add(Side& side, std::initializer_list<Candidate> candidates);
  // As add, but the other side learns nothing.
  void add_silently(Side& side, std::initializer_list<Candidate> candidates);
  void withdraw(Side& side, const Candidate& candidate);
  void set_timing(Pace pace);

  // Delivers and calls timers until then; aborts after a million steps, which only a busy timer needs.
  void run_for(Duration duration);
  [[nodiscard]] Instant now() const { return now_; }

  // True loses the datagram. Addresses are those on the sender's side of its NAT.
  std::function<bool(const Sent&)> loses = [](const Sent&) { return false; };
  // Address inside → address outside, both ways, no filtering.
  std::map<Endpoint, Endpoint> nat;
  // What a NAT does besides: the source with which it sends this datagram alone, and addresses that lead inside only.
  std::function<std::optional<Endpoint>(const Sent&)> strays = [](const Sent&) { return std::optional<Endpoint>(); };
  std::map<Endpoint, Endpoint> inward;
  Duration delay = std::chrono::milliseconds(10);
  Side client;
  Side gateway;

 private:
  struct Flight {
    Instant arrives;
    Side* receiver;
    Endpoint source;
    Endpoint destination;
    std::vector<std::byte> bytes;
  };
  void settle(Side& side);
  void deliver_due();
  [[nodiscard]] Endpoint outside(const Endpoint& inside) const;
  [[nodiscard]] Endpoint inside(const Endpoint& outside) const;

  Instant now_ = after(std::chrono::seconds(1000));
  std::vector<Flight> flights_;
};

}  // namespace fireline::ice
