// A server with a clock that tests set, a host that writes down what it is asked, and clients that sign like real ones.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "relay/protocol/nonce_table.h"
#include "relay/protocol/server.h"

namespace fireline::relay {

using namespace std::chrono_literals;

// "192.0.2.1:5000"; ends the test program when it is none.
Endpoint at(std::string_view text);

// Deterministic; what a test scripts comes first: nonces are fills of 16 bytes, port draws of 4.
class ScriptedRandom final : public crypto::Random {
 public:
  explicit ScriptedRandom(std::uint64_t seed = 1) : state_(seed) {}
  void fill(Bytes bytes) noexcept override;
  std::deque<Nonce> nonces;
  std::deque<std::uint32_t> words;

 private:
  std::uint64_t state_;
};

class RecordingHost final : public Host {
 public:
  Opened open_port(std::uint16_t port, Families families) override;
  void close_port(std::uint16_t port) override;
  void send_control(const Endpoint& to, std::span<const std::byte> message) override;
  void send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) override;
  Offload offload(const ChannelBinding& binding) override;
  void prolong(const ChannelBinding& binding) override;
  void withdraw(const ChannelBinding& binding) override;
  void report(const Event& event) override;

  // What happened, in order: "open 50000 46", "close 50000", "answer", "peer 50000 192.0.2.1:5 hex",
  // "offload 4000 192.0.2.33:52625", "prolong 4000 192.0.2.33:52625",
  // "withdraw 4000 192.0.2.33:52625".
  std::vector<std::string> effects;
  std::vector<std::pair<Endpoint, std::vector<std::byte>>> answers;
  std::vector<Event> events;

  std::set<std::uint16_t> open;
  std::map<std::pair<std::string, std::uint16_t>, ChannelBinding> entries;  // by client and channel
  std::set<std::uint16_t> refused_ports;
  bool exhausted = false;
  Offload next_offload = Offload::done;
  bool broken = false;  // a port opened twice, closed while entries use it, an entry withdrawn that is not there
};

inline constexpr std::int64_t kWallStart = 1763500000;
inline constexpr std::string_view kSecret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
inline constexpr std::string_view kUsername = "4102444800:fireline-salt-01";
inline constexpr std::string_view kPassword = "ZIFRfOS6ZYu955gm5H8NW0fGCpkgUm3lIJTNbZLuE1o";

// Dual-stack relay of the vectors. 401 and 438 answers are not held to a length unless a test says so.
ServerConfig firezone_config();
// Users a:pa and b:pb, realm example.org; private peers refused.
ServerConfig static_config();

struct Response {
  stun::MessageClass message_class{};
  std::uint16_t error_code = 0;
  std::optional<std::string> realm;
  std::optional<std::string> nonce;
  std::optional<std::uint32_t> lifetime;
  std::vector<Endpoint> relayed;
  std::optional<Endpoint> mapped;
  bool has_software = false;
  stun::Check integrity{};
  std::size_t bytes = 0;
};

// Success: 0. No answer: -1. Else the error code.
using Code = int;

class Relay {
 public:
  explicit Relay(ServerConfig config = firezone_config());

  void advance(Duration by);  // also serves the deadlines
  std::optional<std::vector<std::byte>> send(const Endpoint& client, ConstBytes datagram);
  std::uint64_t count(ServerCounter counter) const { return server.counters().get(counter); }
  // Every datagram ended in one counter, ports in use are those of allocations, entries those of bound channels.
  void expect_consistent() const;

  ScriptedRandom random;
  RecordingHost host;
  Now now{Instant(1h), UnixTime(std::chrono::seconds(kWallStart))};
  Server server;
};

// One client socket with credentials. Requests carry a nonce once an answer brought one.
class Client {
 public:
  Client(Relay& relay, std::string_view endpoint, std::string_view username = kUsername,
         std::string_view password = kPassword, std::string_view realm = "firezone");

  using Add = std::function<void(stun::MessageWriter&)>;
  // One request, one answer at most, kept in `last`. With 401 or 438 the nonce is taken for the next.
  Code ask(stun::Method method, const Add& add);
  // The same, again with the nonce that the first answer brought.
  Code ask_twice(stun::Method method, const Add& add);

  Code allocate(const Add& add = {});  // dual, as Firezone's clients ask
  Code refresh(std::optional<std::uint32_t> lifetime = std::nullopt);
  Code bind(std::uint16_t channel, std::string_view peer);
  Code permit(std::vector<std::string> peers);
  void send_indication(std::string_view peer, std::string_view data);

  // "50000 192.0.2.33:52625 hello" or what counter said no.
  std::string to_peer(std::uint16_t channel, std::string_view data);

  [[nodiscard]] std::uint16_t port() const;  // of the relayed address in the last Allocate success

  Endpoint endpoint;
  std::string username;
  std::string password;
  std::string realm;
  std::string nonce;
  bool sign = true;
  Response last;

 private:
  Relay& relay_;
  std::uint16_t port_ = 0;
  std::uint32_t transactions_ = 0;
};

// "198.51.100.7:51820 4001", "... 0" for a permission without channel, "dropped".
std::string from_peer(Relay& relay, std::uint16_t port, std::string_view peer);

}  // namespace fireline::relay
