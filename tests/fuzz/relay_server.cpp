// A relay under datagrams of strangers and of its own clients. The input is a mode byte (credentials) and a list of
// steps: what (1 byte), who (1), length (2), bytes. Two clients have allocations with channels from the start.
// Promises: nothing is read or forwarded beyond the datagram, every answer parses and is not longer than a buffer of
// the relay's, ports and entries are opened and closed in pairs, and every datagram ends in one counter.
// libraries: fireline_relay_protocol
// covers: relay/protocol/request_handler.cpp relay/protocol/server.cpp
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "relay/protocol/server.h"

namespace fireline::relay {
namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

class CountingRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>((state_ = state_ * 6364136223846793005u + 1) >> 56);
  }

 private:
  std::uint64_t state_ = 1;
};

class CheckingHost final : public Host {
 public:
  Opened open_port(std::uint16_t port, Families families) override {
    require(families.v4 || families.v6);
    if (port % 5 == 0) return port % 2 == 0 ? Opened::unusable : Opened::exhausted;
    require(open_.insert(port).second);
    return Opened::done;
  }
  void close_port(std::uint16_t port) override {
    require(open_.erase(port) == 1);
    for (const auto& [key, binding] : entries_) require(binding.port != port);
  }
  void send_control(const Endpoint& to, std::span<const std::byte> message) override {
    require(to.port != 0 && message.size() <= 1500);
    const auto answer = stun::MessageView::parse(message);
    require(answer.has_value());
    if (const auto text = answer->find_text(stun::Attribute::nonce)) nonce = *text;
  }
  void send_peer(std::uint16_t port, const Endpoint&, std::span<const std::byte> data) override {
    require(open_.contains(port));
    for (const std::byte byte : data) sum = sum + std::to_integer<unsigned>(byte);
  }
  Offload offload(const ChannelBinding& binding) override {
    require(open_.contains(binding.port));
    if (binding.peer.port % 7 == 0) {
      entries_.erase({binding.port, binding.channel});
      return Offload::full;
    }
    entries_.insert_or_assign({binding.port, binding.channel}, binding);
    return binding.peer.port % 7 == 1 ? Offload::not_offloaded : Offload::done;
  }
  void prolong(const ChannelBinding& binding) override {
    const auto entry = entries_.find({binding.port, binding.channel});
    require(entry != entries_.end());
    entry->second = binding;
  }
  void withdraw(const ChannelBinding& binding) override {
    require(entries_.erase({binding.port, binding.channel}) == 1);
  }
  [[nodiscard]] std::size_t ports() const noexcept { return open_.size(); }

  std::string nonce;
  volatile unsigned sum = 0;  // so that payloads are read

 private:
  std::set<std::uint16_t> open_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, ChannelBinding> entries_;
};

ServerConfig config_of(bool is_static, bool bounded) {
  StaticCredentials users("example.org");
  users.add("a", "pa");
  users.add("b", "pb");
  ServerConfig config{.public_ip4 = IpAddress::parse("203.0.113.10"),
                      .public_ip6 = IpAddress::parse("2001:db8:10::10"),
                      .lowest_port = 50000,
                      .highest_port = 50003,
                      .credentials = FirezoneCredentials("secret"),
                      .peers = {},
                      .limits = {}};
  if (is_static) config.credentials = users;
  config.peers.refuse_private = is_static;
  config.limits.nonces = 6;
  config.limits.channels_per_allocation = 3;
  config.limits.permissions_per_allocation = 3;
  config.limits.allocations_per_user = 2;
  if (!bounded) config.limits.answer_ratio_tenths = 0;
  return config;
}

class Run {
 public:
  Run(bool is_static, bool bounded) : is_static_(is_static), server_(config_of(is_static, bounded), host_, random_) {
    for (std::uint8_t who = 0; who < 2; ++who) {
      signed_request(who, stun::Method::refresh, {});  // for the nonce
      std::array<std::byte, 64> buffer;
      stun::MessageWriter writer(buffer, stun::MessageClass::request, stun::Method::allocate, {});
      writer.add_transport(stun::kTransportUdp);
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
      signed_request(who, stun::Method::allocate, writer.message().subspan(stun::kHeaderBytes));
      stun::MessageWriter bind(buffer, stun::MessageClass::request, stun::Method::channel_bind, {});
      bind.add_channel_number(0x4000);
      bind.add_xor_address(stun::Attribute::xor_peer_address, *Endpoint::parse("192.0.2.33:2"));
      signed_request(who, stun::Method::channel_bind, bind.message().subspan(stun::kHeaderBytes));
    }
  }

  void step(std::uint8_t what, std::uint8_t who, ConstBytes bytes) {
    switch (what % 8) {
      case 0:
        return server_.handle_control(now_, client(who), bytes);
      case 1:
        return from_client(who, bytes);
      case 2:
        return from_peer(who, bytes);
      case 3: {
        const std::uint64_t seconds = bytes.size() < 2 ? 1 : load_be16(bytes, 0);
        now_.boot += std::chrono::seconds(seconds);
        now_.wall += std::chrono::seconds(seconds);
        server_.handle_timeout(now_);
        const auto next = server_.poll_timeout();
        return require(!next || *next > now_.boot);
      }
      case 4: {
        PeerRules rules{.refuse_private = is_static_};
        if (bytes.size() >= 4) rules.deny.push_back(*Prefix::make(IpAddress::from_bytes(bytes.first(4)), who % 33));
        return server_.set_peer_rules(rules);
      }
      default: {
        // The bytes are the attributes of a request whose signature is right.
        constexpr std::array kMethods{stun::Method::allocate, stun::Method::refresh, stun::Method::create_permission,
                                      stun::Method::channel_bind};
        return signed_request(who, kMethods[who / 8 % kMethods.size()], bytes);
      }
    }
  }

  void check() const {
    std::uint64_t control = server_.responses().total() + count(ServerCounter::sent_indications);
    std::uint64_t client = count(ServerCounter::to_peer);
    std::uint64_t peer = count(ServerCounter::to_client) + count(ServerCounter::to_client_indication);
    server_.counters().for_each([&](std::string_view name, std::uint64_t value) {
      if (name.starts_with("drop.control.")) control += value;
      if (name.starts_with("drop.client.")) client += value;
      if (name.starts_with("drop.peer.")) peer += value;
    });
    require(control == count(ServerCounter::control_datagrams));
    require(client == count(ServerCounter::client_datagrams));
    require(peer == count(ServerCounter::peer_datagrams));
    std::size_t bound = 0;
    server_.for_each_allocation([&](const AllocationStatus& status) { bound += status.bound_channels; });
    const ServerGauges gauges = server_.gauges();
    require(gauges.bound_channels == bound && gauges.allocations == host_.ports() && gauges.nonces <= 6);
  }

 private:
  // Eight sockets; the last has no port to be answered at.
  static Endpoint client(std::uint8_t who) {
    const auto number = static_cast<std::uint16_t>(who % 8);
    return {.address = *IpAddress::parse(who % 2 == 0 ? "198.51.100.7" : "2001:db8:c::7"),
            .port = static_cast<std::uint16_t>(number == 7 ? 0 : 1000 + number)};
  }

  void signed_request(std::uint8_t who, stun::Method method, ConstBytes attributes) {
    // FIREZONE's username carries its expiry; the password follows from it.
    // The other user, or with derived names the one of the first socket.
    const bool other = who / 32 % 2 != 0;
    const std::string user = other ? "b" : "a";
    const std::string username = is_static_ ? user : "4102444800:" + std::to_string(other ? 0 : who % 8);
    const stun::LongTermKey key = is_static_ ? stun::LongTermKey(user, "example.org", "p" + user)
                                             : FirezoneCredentials("secret").find(username, UnixTime{})->key;
    std::vector<std::byte> buffer(attributes.size() + 1024);
    stun::MessageWriter writer(buffer, stun::MessageClass::request, method, {});
    const std::size_t whole = std::min(attributes.size(), std::size_t{60000}) / 4 * 4;
    std::string& nonce = nonces_[who % 8];
    writer.add_text(stun::Attribute::username, username);
    if (!nonce.empty()) writer.add_text(stun::Attribute::nonce, nonce);
    // Raw bytes go in between: the writer would make them well-formed.
    const std::size_t front = writer.message().size();
    std::copy_n(attributes.begin(), whole, buffer.begin() + static_cast<std::ptrdiff_t>(front));
    const std::size_t end = front + whole;
    store_be16(buffer, 2, static_cast<std::uint16_t>(end - stun::kHeaderBytes + 24));
    const auto integrity = stun::integrity_of(ConstBytes(buffer).first(end), key.bytes());
    store_be16(buffer, end, static_cast<std::uint16_t>(stun::Attribute::message_integrity));
    store_be16(buffer, end + 2, stun::kIntegrityBytes);
    std::ranges::copy(integrity, buffer.begin() + static_cast<std::ptrdiff_t>(end) + 4);
    host_.nonce.clear();
    server_.handle_control(now_, client(who), ConstBytes(buffer).first(end + 24));
    if (!host_.nonce.empty()) nonce = host_.nonce;
  }

  void from_client(std::uint8_t who, ConstBytes bytes) {
    const auto way = server_.from_client(client(who), bytes);
    if (way) require(bytes.size() >= kChannelHeaderBytes && way->bytes <= bytes.size() - kChannelHeaderBytes);
  }

  void from_peer(std::uint8_t who, ConstBytes bytes) {
    const auto port = static_cast<std::uint16_t>(49999 + who % 8);
    const Endpoint peer = *Endpoint::parse(who % 16 < 8 ? "192.0.2.33:2" : "192.0.2.33:3");
    const auto way = server_.from_peer(port, peer, bytes.size());
    if (!way || way->channel != 0) return;
    std::vector<std::byte> out(who % 32 < 16 ? bytes.size() + kDataIndicationOverheadMax : 16);
    const std::size_t written = server_.write_data_indication(*way, peer, bytes, out);
    require(written <= out.size());
    if (written > 0) require(stun::MessageView::parse(ConstBytes(out).first(written)).has_value());
  }

  [[nodiscard]] std::uint64_t count(ServerCounter counter) const { return server_.counters().get(counter); }

  bool is_static_;
  CountingRandom random_;
  CheckingHost host_;
  Now now_{Instant(std::chrono::hours(1)), UnixTime(std::chrono::seconds(1763500000))};
  std::array<std::string, 8> nonces_;
  Server server_;
};

}  // namespace
}  // namespace fireline::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fireline;
  ConstBytes input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  const std::uint8_t mode = load_u8(input, 0);
  input = input.subspan(1);
  relay::Run run((mode & 1) != 0, (mode & 2) != 0);
  while (input.size() >= 4) {
    const std::size_t bytes = std::min<std::size_t>(load_be16(input, 2), input.size() - 4);
    // A copy of exactly that length, so that the sanitizer sees one byte too many.
    const std::vector<std::byte> step(input.begin() + 4, input.begin() + 4 + static_cast<std::ptrdiff_t>(bytes));
    run.step(load_u8(input, 0), load_u8(input, 1), step);
    input = input.subspan(4 + bytes);
  }
  run.check();
  return 0;
}
