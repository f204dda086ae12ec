#include "tests/unit/relay/protocol/relay_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/stun/channel_data.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::relay {
namespace {

std::string hex4(std::uint16_t number) {
  std::array<std::byte, 2> bytes;
  store_be16(bytes, 0, number);
  return crypto::to_hex(bytes);
}

std::string text_of(ConstBytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += static_cast<char>(byte);
  return text;
}

Response read(ConstBytes bytes, const stun::LongTermKey& key) {
  const auto message = stun::MessageView::parse(bytes);
  if (!message) std::abort();
  Response response;
  response.bytes = bytes.size();
  response.message_class = message->message_class();
  if (const auto error = message->find_error_code()) response.error_code = error->code;
  if (const auto text = message->find_text(stun::Attribute::realm)) response.realm = *text;
  if (const auto text = message->find_text(stun::Attribute::nonce)) response.nonce = *text;
  response.lifetime = message->find_u32(stun::Attribute::lifetime);
  response.mapped = message->find_xor_address(stun::Attribute::xor_mapped_address);
  response.has_software = message->has(stun::Attribute::software);
  message->for_each([&](stun::Attribute type, ConstBytes value) {
    if (type != stun::Attribute::xor_relayed_address) return;
    response.relayed.push_back(*stun::decode_xor_address(value, message->transaction_id()));
  });
  response.integrity = stun::check_integrity(*message, key.bytes());
  return response;
}

}  // namespace

Endpoint at(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) std::abort();
  return *endpoint;
}

void ScriptedRandom::fill(Bytes bytes) noexcept {
  if (bytes.size() == 16 && !nonces.empty()) {
    std::ranges::copy(nonces.front().bytes, bytes.begin());
    nonces.pop_front();
    return;
  }
  if (bytes.size() == 4 && !words.empty()) {
    store_le32(bytes, 0, words.front());
    words.pop_front();
    return;
  }
  for (std::byte& byte : bytes) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(state_ >> 56);
  }
}

Host::Opened RecordingHost::open_port(std::uint16_t port, Families families) {
  if (exhausted) return Opened::exhausted;
  if (refused_ports.contains(port)) return Opened::unusable;
  broken = broken || open.contains(port);
  open.insert(port);
  effects.push_back("open " + std::to_string(port) + " " + (families.v4 ? "4" : "") + (families.v6 ? "6" : ""));
  return Opened::done;
}

void RecordingHost::close_port(std::uint16_t port) {
  broken = broken || open.erase(port) == 0;
  for (const auto& [key, binding] : entries) broken = broken || binding.port == port;
  effects.push_back("close " + std::to_string(port));
}

void RecordingHost::send_control(const Endpoint& to, std::span<const std::byte> message) {
  effects.push_back("answer");
  answers.emplace_back(to, std::vector<std::byte>(message.begin(), message.end()));
}

void RecordingHost::send_peer(std::uint16_t port, const Endpoint& to, std::span<const std::byte> data) {
  effects.push_back("peer " + std::to_string(port) + " " + to.to_string() + " " + text_of(data));
}

Host::Offload RecordingHost::offload(const ChannelBinding& binding) {
  const auto key = std::pair(binding.client.to_string(), binding.channel);
  if (next_offload == Offload::full) {
    entries.erase(key);
    return Offload::full;
  }
  entries.insert_or_assign(key, binding);
  effects.push_back("offload " + hex4(binding.channel) + " " + binding.peer.to_string());
  return next_offload;
}

void RecordingHost::prolong(const ChannelBinding& binding) {
  const auto entry = entries.find({binding.client.to_string(), binding.channel});
  if (entry == entries.end()) {
    broken = true;
    return;
  }
  entry->second = binding;
  effects.push_back("prolong " + hex4(binding.channel) + " " + binding.peer.to_string());
}

void RecordingHost::withdraw(const ChannelBinding& binding) {
  const auto entry = entries.find({binding.client.to_string(), binding.channel});
  if (entry == entries.end() || entry->second != binding) {
    broken = true;
    return;
  }
  entries.erase(entry);
  effects.push_back("withdraw " + hex4(binding.channel) + " " + binding.peer.to_string());
}

void RecordingHost::report(const Event& event) {
  events.push_back(event);
}

ServerConfig firezone_config() {
  ServerConfig config{.public_ip4 = IpAddress::parse("203.0.113.10"),
                      .public_ip6 = IpAddress::parse("2001:db8:10::10"),
                      .software = "firezone-relay; rev=xxxx",
                      .credentials = FirezoneCredentials(kSecret),
                      .peers = {},
                      .limits = {}};
  config.limits.answer_ratio_tenths = 0;
  return config;
}

ServerConfig static_config() {
  StaticCredentials users("example.org");
  users.add("a", "pa");
  users.add("b", "pb");
  ServerConfig config = firezone_config();
  config.credentials = users;
  config.peers.refuse_private = true;
  return config;
}

Relay::Relay(ServerConfig config) : server(std::move(config), host, random) {}

void Relay::advance(Duration by) {
  now.boot += by;
  now.wall += by;
  server.handle_timeout(now);
  const auto next = server.poll_timeout();
  EXPECT_TRUE(!next || *next > now.boot) << "a deadline that has come was left";
}

std::optional<std::vector<std::byte>> Relay::send(const Endpoint& client, ConstBytes datagram) {
  const std::size_t before = host.answers.size();
  server.handle_control(now, client, datagram);
  EXPECT_LE(host.answers.size(), before + 1);
  if (host.answers.size() == before) return std::nullopt;
  EXPECT_EQ(host.answers.back().first, client);
  return host.answers.back().second;
}

void Relay::expect_consistent() const {
  using enum ServerCounter;
  EXPECT_FALSE(host.broken);
  std::uint64_t control = server.responses().total() + count(sent_indications);
  std::uint64_t client = count(to_peer);
  std::uint64_t peer = count(to_client) + count(to_client_indication);
  server.counters().for_each([&](std::string_view name, std::uint64_t value) {
    if (name.starts_with("drop.control.")) control += value;
    if (name.starts_with("drop.client.")) client += value;
    if (name.starts_with("drop.peer.")) peer += value;
  });
  EXPECT_EQ(control, count(control_datagrams));
  EXPECT_EQ(client, count(client_datagrams));
  EXPECT_EQ(peer, count(peer_datagrams));
  EXPECT_EQ(host.answers.size(), server.responses().total());

  const ServerGauges gauges = server.gauges();
  std::set<std::uint16_t> ports;
  std::size_t bound = 0;
  server.for_each_allocation([&](const AllocationStatus& status) {
    ports.insert(status.port);
    bound += status.bound_channels;
  });
  EXPECT_EQ(ports, host.open);
  EXPECT_EQ(ports.size(), gauges.allocations);
  EXPECT_EQ(bound, gauges.bound_channels);
}

Client::Client(Relay& relay, std::string_view where, std::string_view user, std::string_view pass,
               std::string_view the_realm)
    : endpoint(at(where)), username(user), password(pass), realm(the_realm), relay_(relay) {}

Code Client::ask(stun::Method method, const Add& add) {
  std::array<std::byte, 2048> buffer;
  stun::TransactionId id{};
  store_be32(id, 0, ++transactions_);
  stun::MessageWriter writer(buffer, stun::MessageClass::request, method, id);
  if (add) add(writer);
  const stun::LongTermKey key(username, realm, password);
  if (sign) {
    writer.add_text(stun::Attribute::username, username);
    writer.add_text(stun::Attribute::realm, realm);
    if (!nonce.empty()) writer.add_text(stun::Attribute::nonce, nonce);
    writer.add_integrity(key.bytes());
  }
  const auto answer = relay_.send(endpoint, writer.message());
  if (!answer) return -1;
  last = read(*answer, key);
  if (last.nonce) nonce = *last.nonce;
  if (!last.relayed.empty()) port_ = last.relayed.front().port;
  return last.error_code;
}

Code Client::ask_twice(stun::Method method, const Add& add) {
  const bool fresh = nonce.empty();
  const Code first = ask(method, add);
  if (first != 438 && !(first == 401 && fresh)) return first;
  return ask(method, add);
}

Code Client::allocate(const Add& add) {
  return ask_twice(stun::Method::allocate, [&](stun::MessageWriter& writer) {
    writer.add_transport(stun::kTransportUdp);
    if (add) {
      add(writer);
    } else {
      writer.add_family(stun::Attribute::additional_address_family, Family::v6);
    }
  });
}

Code Client::refresh(std::optional<std::uint32_t> lifetime) {
  return ask_twice(stun::Method::refresh, [&](stun::MessageWriter& writer) {
    if (lifetime) writer.add_u32(stun::Attribute::lifetime, *lifetime);
  });
}

Code Client::bind(std::uint16_t channel, std::string_view peer) {
  return ask_twice(stun::Method::channel_bind, [&](stun::MessageWriter& writer) {
    writer.add_xor_address(stun::Attribute::xor_peer_address, at(peer));
    writer.add_channel_number(channel);
  });
}

Code Client::permit(std::vector<std::string> peers) {
  return ask_twice(stun::Method::create_permission, [&](stun::MessageWriter& writer) {
    for (const std::string& peer : peers) writer.add_xor_address(stun::Attribute::xor_peer_address, at(peer));
  });
}

void Client::send_indication(std::string_view peer, std::string_view data) {
  std::array<std::byte, 2048> buffer;
  stun::MessageWriter writer(buffer, stun::MessageClass::indication, stun::Method::send, {});
  writer.add_xor_address(stun::Attribute::xor_peer_address, at(peer));
  writer.add_text(stun::Attribute::data, data);
  EXPECT_FALSE(relay_.send(endpoint, writer.message()).has_value());
}

std::string Client::to_peer(std::uint16_t channel, std::string_view data) {
  std::vector<std::byte> datagram(4);
  stun::write_channel_header(datagram, channel, static_cast<std::uint16_t>(data.size()));
  const auto payload = crypto::from_text(data);
  datagram.insert(datagram.end(), payload.begin(), payload.end());
  const auto way = relay_.server.from_client(endpoint, datagram);
  if (!way) return "dropped";
  return std::to_string(way->port) + " " + way->peer.to_string() + " " +
         text_of(ConstBytes(datagram).subspan(4, way->bytes));
}

std::uint16_t Client::port() const {
  return port_;
}

std::string from_peer(Relay& relay, std::uint16_t port, std::string_view peer) {
  const std::vector<std::byte> data(100);
  const auto way = relay.server.from_peer(port, at(peer), data.size());
  if (!way) return "dropped";
  std::array<std::byte, 256> out;
  if (way->channel == 0 && relay.server.write_data_indication(*way, at(peer), data, out) == 0) return "too big";
  return way->client.to_string() + " " + (way->channel == 0 ? "0" : hex4(way->channel));
}

}  // namespace fireline::relay
