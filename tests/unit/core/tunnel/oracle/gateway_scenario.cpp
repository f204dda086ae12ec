#include "tests/unit/core/tunnel/oracle/gateway_scenario.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <vector>

#include "core/tunnel/gateway_packets.h"
#include "tests/unit/core/tunnel/oracle/gateway_oracle.h"

namespace fireline::tunnel::oracle {
namespace {

using namespace std::chrono_literals;
using Kind = Address::Kind;

constexpr std::size_t kClients = 3;
constexpr std::int64_t kStart = 1'800'000'000;
constexpr std::size_t kMtu = 1280;
constexpr std::size_t kStepsMax = 100;  // fewer packets than a client may have answered at once

const Address kClient4[kClients] = {
    {"100.64.0.10", Kind::tunnel}, {"100.64.0.11", Kind::tunnel}, {"100.95.255.254", Kind::tunnel}};
const Address kClient6[kClients] = {{"fd00:2021:1111::a", Kind::tunnel},
                                    {"fd00:2021:1111::b", Kind::tunnel},
                                    {"fd00:2021:1111::1f:fffe", Kind::tunnel}};
// Where resources are, and where they are not.
const Address kRemote4[] = {
    {"10.0.1.5", Kind::unicast_local},
    {"10.0.1.6", Kind::unicast_local},
    {"10.0.2.1", Kind::unicast_local},
    {"10.1.0.1", Kind::unicast_local},
    {"192.0.2.10", Kind::unicast_public},
    {"8.8.8.8", Kind::unicast_public},
    {"203.0.113.7", Kind::unicast_local},
    {"169.254.169.254", Kind::unicast_local},
    {"127.0.0.1", Kind::unicast_local},
    {"192.168.1.1", Kind::unicast_local},
    {"172.31.255.255", Kind::unicast_local},
    {"172.32.0.0", Kind::unicast_public},
    {"100.63.255.255", Kind::unicast_public},
    {"100.128.0.0", Kind::unicast_public},
    {"240.0.0.1", Kind::unicast_local},
    {"224.0.0.22", Kind::multicast},
    {"255.255.255.255", Kind::no_host},
    {"100.64.0.1", Kind::own},
    {"100.64.0.99", Kind::tunnel},
    {"100.96.0.1", Kind::proxy},
};
const Address kRemote6[] = {
    {"fd10::5", Kind::unicast_local},
    {"fd10:0:0:1::5", Kind::unicast_local},
    {"2001:db8::1", Kind::unicast_public},
    {"2606:4700::1111", Kind::unicast_public},
    {"fe80::1", Kind::unicast_local},
    {"::1", Kind::unicast_local},
    {"::ffff:10.0.1.5", Kind::unicast_local},
    {"64:ff9b::10.0.1.5", Kind::unicast_local},
    {"64:ff9b::8.8.8.8", Kind::unicast_public},
    {"2001:db8:7::7", Kind::unicast_local},
    {"ff02::2", Kind::multicast},
    {"::", Kind::no_host},
    {"fd00:2021:1111::1", Kind::own},
    {"fd00:2021:1111::63", Kind::tunnel},
    {"fd00:2021:1111:8000::1", Kind::proxy},
};
const char* const kHostAddresses[] = {"203.0.113.7", "2001:db8:7::7", "10.0.1.6"};
const char* const kNetworks[] = {"10.0.0.0/8",   "10.0.0.0/16",    "10.0.1.0/24",   "10.0.1.5/32",
                                 "192.0.2.0/24", "203.0.113.0/24", "0.0.0.0/0",     "fd10::/16",
                                 "fd10::/64",    "fd10::5/128",    "2001:db8::/32", "::/0"};
constexpr std::uint16_t kPorts[] = {0, 22, 53, 80, 81, 79, 8080, 65535};
constexpr std::uint8_t kProtocols[] = {6, 17, 1, 47};
constexpr std::uint8_t kIcmpTypes4[] = {8, 0, 3, 11, 12, 5, 4, 13};
constexpr std::uint8_t kIcmpTypes6[] = {128, 129, 1, 2, 3, 4, 137, 135};

class Story {
 public:
  Story(std::span<const std::uint8_t> choices, ScenarioCounts& counts) : choices_(choices), counts_(counts) {
    packets_.set_addresses(ip("100.64.0.1"), ip("fd00:2021:1111::1"));
    std::vector<IpAddress> hosts;
    for (const char* text : kHostAddresses) hosts.push_back(ip(text));
    packets_.set_host_addresses(hosts);
  }

  std::optional<std::string> run() {
    for (std::size_t step = 0; step < kStepsMax && !choices_.empty() && !failed_; ++step) take_step();
    check_ledger();
    counts_.expired += counters_.get(GatewayCounter::expired);
    if (!failed_) return std::nullopt;
    return told_;
  }

 private:
  std::uint8_t next() {
    if (choices_.empty()) return 0;
    const std::uint8_t value = choices_.front();
    choices_ = choices_.subspan(1);
    return value;
  }
  template <class Row, std::size_t N>
  const Row& pick(const Row (&rows)[N]) {
    return rows[next() % N];
  }

  static IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
  static Uuid client_id(std::size_t index) { return id(0xC0, index); }
  static Uuid id(std::uint8_t first, std::size_t last) {
    Uuid uuid;
    uuid.bytes[0] = first;
    uuid.bytes[15] = static_cast<std::uint8_t>(last);
    return uuid;
  }
  static crypto::PublicKey key_of(std::size_t client) {
    crypto::PublicKey key;
    key.bytes.fill(static_cast<std::byte>(client + 1));
    return key;
  }

  void take_step() {
    const std::uint8_t what = next();
    switch (what % 20) {
      case 0:
      case 16:
      case 17:
      case 18:
        return authorize();
      case 1:
        return reject();
      case 2:
        return update_expiry();
      case 3:
        return update_resource();
      case 4:
        return init();
      case 5:
        return pass_time();
      case 6:
        return set_connected();
      case 7:
        return raw_packet();
      case 8:
      case 9:
        return repeat();
      case 10:
      case 11:
      case 12:
        return packet_to_client();
      default:
        return packet_from_client();
    }
  }

  // As a Gateway does before each message.
  void begin_message() {
    clients_.expire(now_.wall);
    oracle_.forget_expired(now_.wall);
  }

  policy::GatewayResource resource() {
    policy::GatewayResource one;
    const std::uint8_t which = next();
    one.id = id(0xE0, which % 8);
    // The kind goes with the id, but sometimes does not: a portal that is wrong.
    const std::size_t kind = (which >> 3) % 8 == 7 ? next() % 3 : which % 8;
    one.kind = kind == 1   ? policy::ResourceKind::internet
               : kind == 2 ? policy::ResourceKind::dns
                           : policy::ResourceKind::cidr;
    one.network = Prefix::parse(pick(kNetworks)).value();
    one.filters = filters();
    return one;
  }

  policy::FilterList filters() {
    policy::FilterList list;
    const std::uint8_t shape = next();
    list.skipped = shape >= 250;
    for (std::size_t i = 0; i < shape % 4u; ++i) {
      const std::uint8_t which = next();
      policy::Filter filter{.protocol = static_cast<policy::FilterProtocol>(which % 3)};
      if (which >= 64) filter.first_port = pick(kPorts);
      if (which >= 128) filter.last_port = pick(kPorts);  // may lie below the first
      list.filters.push_back(filter);
    }
    return list;
  }

  portal::Timestamp expiry() {
    const std::uint8_t choice = next();
    if (choice == 255) return INT64_MAX;
    if (choice == 254) return INT64_MIN / 1'000'000'000;
    const auto wall = std::chrono::floor<std::chrono::seconds>(now_.wall.time_since_epoch()).count();
    return wall - 2 + choice % 8;
  }

  void authorize() {
    begin_message();
    portal::AuthorizeFlow flow;
    const std::size_t client = next() % kClients;
    flow.client = client_id(client);
    flow.client_key = key_of(client);
    flow.client_ipv4 = ip(kClient4[client].text);
    flow.client_ipv6 = ip(kClient6[client].text);
    flow.resource = resource();
    if (next() % 2 == 1) flow.expires_at = expiry();
    tell("authorize client " + std::to_string(client) + " " + text_of(flow.resource) +
         (flow.expires_at ? " until " + std::to_string(*flow.expires_at - kStart) : ""));
    const auto refusal = clients_.refusal(flow);
    if (refusal) {
      tell("  refused");
      return;
    }
    clients_.grant(flow);
    oracle_.authorize(flow);
  }

  void reject() {
    begin_message();
    const std::size_t client = next() % kClients;
    const Uuid resource = id(0xE0, next() % 8);
    tell("reject client " + std::to_string(client) + " resource " + resource.to_string());
    clients_.reject({.client = client_id(client), .resource = resource});
    oracle_.reject(client_id(client), resource);
  }

  void update_expiry() {
    begin_message();
    const std::size_t client = next() % kClients;
    const Uuid resource = id(0xE0, next() % 8);
    const portal::Timestamp expires_at = expiry();
    tell("expiry of client " + std::to_string(client) + " resource " + resource.to_string() + " is " +
         std::to_string(expires_at - kStart));
    clients_.update_expiry({.client = client_id(client), .resource = resource, .expires_at = expires_at});
    oracle_.update_expiry(client_id(client), resource, expires_at);
  }

  void update_resource() {
    begin_message();
    const policy::GatewayResource one = resource();
    tell("update " + text_of(one));
    std::vector<Uuid> other_kind;
    clients_.update_resource(one, other_kind);
    oracle_.update_resource(one);
  }

  void init() {
    begin_message();
    std::vector<portal::Authorization> lines;
    const std::size_t count = next() % 12;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t which = next();
      lines.push_back(
          {.client = client_id(which % kClients), .resource = id(0xE0, which / 4 % 8), .expires_at = expiry()});
    }
    tell("init with " + std::to_string(count) + " authorizations");
    clients_.retain(lines);
    oracle_.init(lines);
  }

  void pass_time() {
    const std::uint8_t choice = next();
    if (choice >= 240) {
      // Before the clock goes back, what had expired is noticed, as the tick does each second.
      begin_message();
      now_.wall -= std::chrono::seconds(choice - 238);
    } else {
      const auto step = std::chrono::milliseconds(250 * (choice % 16));
      now_.boot += step;
      now_.wall += step;
      if (choice >= 200) begin_message();
    }
    tell("time is " + std::to_string((now_.wall.time_since_epoch() - std::chrono::seconds(kStart)) / 1ms) + " ms");
  }

  void set_connected() {
    const std::size_t client = next() % kClients;
    const bool connected = next() % 4 != 0;
    tell(std::string("client ") + std::to_string(client) + (connected ? " connects" : " loses its connection"));
    clients_.set_connected(client_id(client), connected);
    oracle_.set_connected(client_id(client), connected);
  }

  void fill(Meaning& packet) {
    packet.protocol = pick(kProtocols);
    const bool is_v6 = packet.source.is_v6();
    packet.source_port = pick(kPorts);
    packet.destination_port = pick(kPorts);
    if (packet.protocol == 1) packet.icmp_type = is_v6 ? pick(kIcmpTypes6) : pick(kIcmpTypes4);
    if (packet.protocol == 1 && is_v6) packet.protocol = 58;
    const std::uint8_t shape = next();
    if (shape >= 248) packet.shape = static_cast<Shape>(1 + shape % 4);
    if (shape / 4 == 61) packet.shape = shape % 2 == 0 ? Shape::with_options : Shape::source_routed;
    // Nothing is known of what is in other protocols.
    if (packet.shape == Shape::cut_transport && packet.protocol == 47) packet.shape = Shape::good;
  }

  void packet_from_client() {
    last_client_ = next() % kClients;
    const std::uint8_t choice = next();
    const bool is_v6 = choice % 2 == 1;
    const std::size_t source = choice >= 240 ? choice % kClients : last_client_;
    Meaning packet;
    packet.source = is_v6 ? kClient6[source] : kClient4[source];
    packet.destination = is_v6 ? pick(kRemote6) : pick(kRemote4);
    if (choice >= 250) packet.source = is_v6 ? kRemote6[choice % 12] : kRemote4[choice % 17];
    fill(packet);
    last_ = packet;
    last_is_tun_ = false;
    check_from_client();
  }

  void packet_to_client() {
    const std::uint8_t choice = next();
    const bool is_v6 = choice % 2 == 1;
    Meaning packet;
    packet.source = is_v6 ? pick(kRemote6) : pick(kRemote4);
    packet.destination = is_v6 ? kClient6[choice % kClients] : kClient4[choice % kClients];
    if (choice >= 245) packet.destination = is_v6 ? pick(kRemote6) : pick(kRemote4);
    fill(packet);
    last_ = packet;
    last_is_tun_ = true;
    check_to_client();
  }

  void repeat() {
    if (!last_) return;
    ++counts_.remembered;
    last_is_tun_ ? check_to_client() : check_from_client();
  }

  // No oracle for any bytes; it must not read outside of them, and the source is still the client's.
  void raw_packet() {
    const std::size_t client = next() % kClients;
    const std::size_t count = next() % 96;
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(next()));
    if (count >= 16 && next() % 2 == 0 && std::to_integer<unsigned>(bytes[0]) >> 4 == 4) {
      std::ranges::copy(ip(kClient4[client].text).bytes(), bytes.begin() + 12);
    }
    const auto header = packet::IpHeader::parse(bytes);
    if (header) {
      bytes.resize(header->size());
      const auto whole = packet::IpHeader::parse(bytes).value();
      if (packets_.admit(now_, key_of(client), whole, bytes)) {
        const Address& own = whole.is_v4() ? kClient4[client] : kClient6[client];
        if (whole.source_address() != ip(own.text)) fail("a raw packet from " + whole.source_address().to_string());
      }
      packets_.clear_answers();
    }
    packet::TunBatch batch;
    batch.packets.push_back({.bytes = bytes, .offload = {}});
    packets_.filter(now_, batch);
  }

  void check_from_client() {
    std::vector<std::byte> bytes = bytes_of(*last_);
    const auto header = packet::IpHeader::parse(bytes).value();
    const Uuid client = client_id(last_client_);
    const Expected expected = oracle_.from_client(now_.wall, client, *last_);
    Expected seen{.forwarded = packets_.admit(now_, key_of(last_client_), header, bytes)};
    if (packets_.answers().size() > 1) fail("more than one answer");
    for (const GatewayPackets::Answer& answer : packets_.answers()) {
      seen.answer = kind_of(packets_.bytes_of(answer), bytes);
      if (answer.client != key_of(last_client_)) fail("an answer to somebody else");
    }
    packets_.clear_answers();
    ++counts_.packets;
    counts_.forwarded += seen.forwarded ? 1u : 0u;
    counts_.answered += seen.answer != Answer::none ? 1u : 0u;
    tell("from client " + std::to_string(last_client_) + ": " + text_of(*last_));
    if (!(seen == expected)) fail("expected " + text_of(expected) + ", seen " + text_of(seen));
  }

  void check_to_client() {
    std::vector<std::byte> bytes = bytes_of(*last_);
    packet::TunBatch batch;
    batch.packets.push_back({.bytes = bytes, .offload = {}});
    packets_.filter(now_, batch);
    const bool seen = !batch.packets.empty();
    const bool expected = oracle_.to_client(now_.wall, *last_);
    ++counts_.packets;
    counts_.forwarded += seen ? 1u : 0u;
    tell("from the TUN: " + text_of(*last_));
    if (!packets_.answers().empty()) fail("a packet from the TUN is answered");
    if (seen != expected) fail(expected ? "expected forwarded" : "expected dropped");
  }

  // Type and code, and that it is about this packet: from its destination to its source, hop limit 20.
  Answer kind_of(ConstBytes answer, ConstBytes about) {
    const auto header = packet::IpPacket::parse(answer);
    const auto offending = packet::IpHeader::parse(about);
    if (!header || !offending || header->hop_limit() != 20 ||
        header->source_address() != offending->destination_address() ||
        header->destination_address() != offending->source_address()) {
      fail("an answer that is none");
      return Answer::none;
    }
    const std::uint8_t type = load_u8(header->transport(), 0);
    const std::uint8_t code = load_u8(header->transport(), 1);
    const bool is_v4 = header->is_v4();
    if (type == (is_v4 ? 3 : 1) && code == (is_v4 ? 13 : 1)) return Answer::prohibited;
    if (type == (is_v4 ? 3 : 1) && code == (is_v4 ? 0 : 3)) return Answer::network;
    fail("an answer of another kind");
    return Answer::none;
  }

  static std::vector<std::byte> bytes_of(const Meaning& packet) {
    const bool is_v6 = packet.source.is_v6();
    const bool has_options = packet.shape == Shape::with_options || packet.shape == Shape::source_routed;
    const std::size_t ip_bytes = is_v6 ? 40 : has_options ? 28 : 20;
    std::size_t transport = packet.protocol == 6 ? 20 : 8;
    if (packet.shape == Shape::cut_transport) transport = 6;
    const bool is_fragment = packet.shape == Shape::fragment || packet.shape == Shape::later_fragment;
    const std::size_t extension = is_v6 && (is_fragment || has_options) ? 8 : 0;
    const std::size_t payload = packet.shape == Shape::too_long ? kMtu : 4;
    std::vector<std::byte> bytes(ip_bytes + extension + transport +
                                 (packet.shape == Shape::cut_transport ? 0 : payload));
    const std::uint16_t offset = packet.shape == Shape::later_fragment ? 8 : 1;  // in the units of each version
    const auto put = [&](const Address& address, std::size_t at) {
      const IpAddress parsed = ip(address.text);
      std::ranges::copy(parsed.bytes(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    };
    if (is_v6) {
      store_be32(bytes, 0, 0x60000000);
      store_be16(bytes, 4, static_cast<std::uint16_t>(bytes.size() - 40));
      const std::uint8_t routing_or_options = packet.shape == Shape::source_routed ? 43 : 60;
      store_u8(bytes, 6, is_fragment ? 44 : has_options ? routing_or_options : packet.protocol);
      store_u8(bytes, 7, 64);
      put(packet.source, 8);
      put(packet.destination, 24);
      if (extension != 0) store_u8(bytes, 40, packet.protocol);
      if (is_fragment) store_be16(bytes, 42, offset);
      if (has_options) store_be16(bytes, 42, packet.protocol == 6 ? 0x0001 : 0x0401);  // as a routing header: its type
    } else {
      store_be16(bytes, 0, has_options ? 0x4700 : 0x4500);
      // A loose source route of one host, or as much of a recorded route.
      if (has_options) store_be32(bytes, 20, packet.shape == Shape::source_routed ? 0x83070400 : 0x07070400);
      store_be16(bytes, 2, static_cast<std::uint16_t>(bytes.size()));
      if (is_fragment) store_be16(bytes, 6, packet.shape == Shape::fragment ? 0x2000 : 1);
      store_u8(bytes, 8, 64);
      store_u8(bytes, 9, packet.protocol);
      put(packet.source, 12);
      put(packet.destination, 16);
    }
    const Bytes segment = Bytes(bytes).subspan(ip_bytes + extension);
    if (segment.size() < 8) return bytes;
    store_be16(segment, 0, packet.source_port);
    store_be16(segment, 2, packet.destination_port);
    if (packet.protocol == 6) store_u8(segment, 12, 0x50);
    if (packet.protocol == 17) store_be16(segment, 4, static_cast<std::uint16_t>(segment.size()));
    if (packet.protocol == 1 || packet.protocol == 58)
      store_be16(segment, 0, static_cast<std::uint16_t>(packet.icmp_type << 8));
    return bytes;
  }

  // gateway_counters.h: every packet ends in one line.
  void check_ledger() {
    std::uint64_t tun = 0, inner = 0, drops_tun = 0, drops_inner = 0;
    counters_.for_each([&](std::string_view name, std::uint64_t value) {
      if (name == "gateway.tun.packets") tun = value;
      if (name == "gateway.inner.packets") inner = value;
      if (name == "gateway.tun.to_node" || name.starts_with("gateway.tun.drop.")) drops_tun += value;
      if (name == "gateway.inner.to_tun" || name.starts_with("gateway.inner.drop.")) drops_inner += value;
    });
    if (tun != drops_tun || inner != drops_inner) fail("the ledger does not balance");
  }

  static std::string text_of(const policy::GatewayResource& resource) {
    std::string text = std::string(policy::name_of(resource.kind)) + " " + resource.id.to_string().substr(34);
    if (resource.kind == policy::ResourceKind::cidr) text += " " + resource.network.to_string();
    for (const policy::Filter& filter : resource.filters.filters) {
      const char* const names[] = {" tcp/", " udp/", " icmp/"};
      text += names[static_cast<std::size_t>(filter.protocol)] + std::to_string(filter.first_port) + "-" +
              std::to_string(filter.last_port);
    }
    return text + (resource.filters.skipped ? " skipped" : "");
  }
  static std::string text_of(const Meaning& packet) {
    return std::string(packet.source.text) + ":" + std::to_string(packet.source_port) + " to " +
           packet.destination.text + ":" + std::to_string(packet.destination_port) + " protocol " +
           std::to_string(packet.protocol) + " type " + std::to_string(packet.icmp_type) + " shape " +
           std::to_string(static_cast<int>(packet.shape));
  }
  static std::string text_of(const Expected& what) {
    const char* const answers[] = {"", " and answered prohibited", " and answered network"};
    return std::string(what.forwarded ? "forwarded" : "dropped") + answers[static_cast<std::size_t>(what.answer)];
  }
  void tell(const std::string& line) { told_ += line + "\n"; }
  void fail(const std::string& line) {
    failed_ = true;
    tell("DIFFERENCE: " + line);
  }

  std::span<const std::uint8_t> choices_;
  ScenarioCounts& counts_;
  Now now_{.boot = Instant(std::chrono::hours(1)), .wall = UnixTime(std::chrono::seconds(kStart))};
  Counters<GatewayCounter> counters_;
  ClientTable clients_{counters_};
  GatewayPackets packets_{kMtu, clients_, counters_};
  GatewayOracle oracle_;
  std::optional<Meaning> last_;
  bool last_is_tun_ = false;
  std::size_t last_client_ = 0;
  bool failed_ = false;
  std::string told_;
};

}  // namespace

std::optional<std::string> run_gateway_scenario(std::span<const std::uint8_t> choices, ScenarioCounts& counts) {
  return Story(choices, counts).run();
}

}  // namespace fireline::tunnel::oracle
