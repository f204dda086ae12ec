#include "relay/xdp_model.h"

#include <algorithm>
#include <utility>

namespace fireline::relay {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::size_t kUdpBytes = 8;
constexpr std::size_t kChannelBytes = 4;
constexpr std::uint8_t kProtocolUdp = 17;

// A one's-complement sum as a number below 0xFFFF: there 0xFFFF and 0 are the same.
constexpr std::uint32_t kModulus = 0xFFFF;

std::uint32_t sum_of(ConstBytes bytes) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    total += static_cast<std::uint64_t>(load_u8(bytes, i)) << (i % 2 == 0 ? 8 : 0);
  }
  return static_cast<std::uint32_t>(total % kModulus);
}

std::uint32_t pseudo_sum(const IpAddress& source, const IpAddress& target, std::size_t udp_bytes) {
  return (sum_of(source.bytes()) + sum_of(target.bytes()) + kProtocolUdp + static_cast<std::uint32_t>(udp_bytes)) %
         kModulus;
}

// The checksum field for a message that sums up to `sum` without it, wrong by `error` (0: right).
std::uint16_t checksum(std::uint32_t sum, std::uint32_t error) {
  return static_cast<std::uint16_t>((kModulus - sum % kModulus + error) % kModulus);
}

std::size_t index_of(const IpAddress& address) {
  return address.is_v4() ? 0 : 1;
}

std::size_t family_index(const XdpModel::ClientSide& key) {
  return index_of(key.client.address);
}
std::size_t family_index(const XdpModel::PeerSide& key) {
  return index_of(key.peer.address);
}

xdp_outcome plus(xdp_outcome first, bool second) {
  return static_cast<xdp_outcome>(static_cast<unsigned>(first) + (second ? 1u : 0u));
}

}  // namespace

struct XdpModel::Parsed {
  ConstBytes frame;
  Endpoint source;
  Endpoint target;
  bool v4 = true;
  std::uint8_t traffic_class = 0;
  std::uint8_t hops = 0;
  std::uint16_t checksum_field = 0;
  std::uint32_t checksum_error = 0;  // how far the UDP checksum was off when it came
  std::size_t udp_at = 0;
  std::size_t udp_bytes = 0;
  bool from_channel = false;
  ConstBytes payload;  // without a channel header
};

struct XdpModel::Output {
  Endpoint source;
  Endpoint target;
  std::optional<std::uint16_t> channel;
  xdp_outcome outcome{};
};

void XdpModel::insert(const ChannelBinding& binding, XdpProgram::Forwarder forwarder) {
  const auto expires =
      forwarder == XdpProgram::Forwarder::program ? std::optional(binding.expires) : std::optional<Instant>();
  insert_channel({binding.client, binding.channel}, {binding.peer, binding.port}, expires);
  insert_peer({binding.peer, binding.port}, {binding.client, binding.channel}, expires);
}

void XdpModel::erase(const ChannelBinding& binding) {
  channels_[index_of(binding.peer.address)].erase({binding.client, binding.channel});
  peers_[index_of(binding.client.address)].erase({binding.peer, binding.port});
}

void XdpModel::insert_channel(const ClientSide& from, const PeerSide& to, std::optional<Instant> expires) {
  channels_[index_of(to.peer.address)].insert_or_assign(from, Entry<PeerSide>{to, expires});
}

void XdpModel::insert_peer(const PeerSide& from, const ClientSide& to, std::optional<Instant> expires) {
  peers_[index_of(to.client.address)].insert_or_assign(from, Entry<ClientSide>{to, expires});
}

XdpModel::Answer XdpModel::run(ConstBytes frame, Instant boot) const {
  const auto refused = [&](xdp_outcome outcome) {
    Answer answer{outcome, {}};
    if (unsigned{outcome} < unsigned{xdp_first_drop}) answer.frame.assign(frame.begin(), frame.end());
    return answer;
  };
  auto parsed = parse(frame);
  if (!parsed) return refused(parsed.error());
  const auto output = decide(*parsed, boot);
  if (!output) return refused(output.error());

  const std::size_t channel_bytes = output->channel ? kChannelBytes : 0;
  const std::size_t udp_bytes = kUdpBytes + channel_bytes + parsed->payload.size();
  const bool v4 = output->target.address.is_v4();
  std::vector<std::byte> ip(v4 ? kIpv4Bytes : kIpv6Bytes);
  if (v4) {
    std::uint32_t error = 0;
    if (parsed->v4) {
      const ConstBytes old = frame.subspan(kEthernetBytes, kIpv4Bytes);
      std::copy(old.begin(), old.end(), ip.begin());
      error = sum_of(old);
    } else {
      store_u8(ip, 0, 0x45);
      store_u8(ip, 1, parsed->traffic_class);
      store_be16(ip, 6, 0x4000);
      store_u8(ip, 8, parsed->hops);
      store_u8(ip, 9, kProtocolUdp);
    }
    store_be16(ip, 2, static_cast<std::uint16_t>(kIpv4Bytes + udp_bytes));
    store_be16(ip, 10, 0);
    std::copy_n(output->source.address.bytes().begin(), 4, ip.begin() + 12);
    std::copy_n(output->target.address.bytes().begin(), 4, ip.begin() + 16);
    store_be16(ip, 10, checksum(sum_of(ip), error));
  } else {
    const std::uint32_t word = parsed->v4 ? 0x6000'0000u | static_cast<std::uint32_t>(parsed->traffic_class) << 20
                                          : load_be32(frame, kEthernetBytes);
    store_be32(ip, 0, word);
    store_be16(ip, 4, static_cast<std::uint16_t>(udp_bytes));
    store_u8(ip, 6, kProtocolUdp);
    store_u8(ip, 7, parsed->hops);
    std::copy_n(output->source.address.bytes().begin(), 16, ip.begin() + 8);
    std::copy_n(output->target.address.bytes().begin(), 16, ip.begin() + 24);
  }

  std::vector<std::byte> udp(udp_bytes);
  store_be16(udp, 0, output->source.port);
  store_be16(udp, 2, output->target.port);
  store_be16(udp, 4, static_cast<std::uint16_t>(udp_bytes));
  if (output->channel) {
    store_be16(udp, kUdpBytes, *output->channel);
    store_be16(udp, kUdpBytes + 2, static_cast<std::uint16_t>(parsed->payload.size()));
  }
  std::copy(parsed->payload.begin(), parsed->payload.end(),
            udp.begin() + static_cast<std::ptrdiff_t>(kUdpBytes + channel_bytes));
  if (parsed->checksum_field != 0) {
    const auto field = checksum(sum_of(udp) + pseudo_sum(output->source.address, output->target.address, udp_bytes),
                                parsed->checksum_error);
    store_be16(udp, 6, field == 0 ? std::uint16_t{0xFFFF} : field);
  }

  Answer answer{output->outcome, {}};
  auto& bytes = answer.frame;
  bytes.insert(bytes.end(), frame.begin() + 6, frame.begin() + 12);
  bytes.insert(bytes.end(), frame.begin(), frame.begin() + 6);
  bytes.resize(kEthernetBytes);
  store_be16(bytes, 12, v4 ? 0x0800 : 0x86DD);
  bytes.insert(bytes.end(), ip.begin(), ip.end());
  bytes.insert(bytes.end(), udp.begin(), udp.end());
  const auto padding = frame.subspan(parsed->udp_at + parsed->udp_bytes);
  bytes.insert(bytes.end(), padding.begin(), padding.end());
  return answer;
}

Result<XdpModel::Parsed, xdp_outcome> XdpModel::parse(ConstBytes frame) const {
  Parsed parsed;
  parsed.frame = frame;
  if (frame.size() < kEthernetBytes) return err(xdp_pass_truncated);
  const auto type = load_be16(frame, 12);
  if (type != 0x0800 && type != 0x86DD) return err(xdp_pass_not_ip);
  parsed.v4 = type == 0x0800;
  const std::size_t ip_bytes = parsed.v4 ? kIpv4Bytes : kIpv6Bytes;
  if (frame.size() < kEthernetBytes + ip_bytes) return err(xdp_pass_truncated);
  const ConstBytes ip = frame.subspan(kEthernetBytes);
  if (load_u8(ip, parsed.v4 ? 9 : 6) != kProtocolUdp) return err(xdp_pass_not_udp);
  std::size_t stated = 0;
  if (parsed.v4) {
    if (load_u8(ip, 0) != 0x45) return err(xdp_pass_ip_options);
    if ((load_be16(ip, 6) & 0x3FFF) != 0) return err(xdp_pass_fragment);
    parsed.traffic_class = load_u8(ip, 1);
    parsed.hops = load_u8(ip, 8);
    parsed.source.address = IpAddress::from_bytes(ip.subspan(12, 4));
    parsed.target.address = IpAddress::from_bytes(ip.subspan(16, 4));
    stated = load_be16(ip, 2);
  } else {
    parsed.traffic_class = static_cast<std::uint8_t>(load_be32(ip, 0) >> 20);
    parsed.hops = load_u8(ip, 7);
    parsed.source.address = IpAddress::from_bytes(ip.subspan(8, 16));
    parsed.target.address = IpAddress::from_bytes(ip.subspan(24, 16));
    stated = load_be16(ip, 4) + kIpv6Bytes;
  }

  if (ip.size() < ip_bytes + kUdpBytes) return err(xdp_pass_truncated);
  const ConstBytes udp = ip.subspan(ip_bytes);
  parsed.udp_at = kEthernetBytes + ip_bytes;
  parsed.udp_bytes = load_be16(udp, 4);
  if (parsed.udp_bytes < kUdpBytes || parsed.udp_bytes + ip_bytes != stated || parsed.udp_bytes > udp.size()) {
    return err(xdp_pass_bad_length);
  }
  parsed.checksum_field = load_be16(udp, 6);
  if (!parsed.v4 && parsed.checksum_field == 0) return err(xdp_pass_no_checksum6);
  parsed.source.port = load_be16(udp, 0);
  parsed.target.port = load_be16(udp, 2);
  parsed.payload = udp.subspan(kUdpBytes, parsed.udp_bytes - kUdpBytes);
  parsed.checksum_error = (sum_of(udp.first(parsed.udp_bytes)) +
                           pseudo_sum(parsed.source.address, parsed.target.address, parsed.udp_bytes)) %
                          kModulus;
  return parsed;
}

Result<XdpModel::Output, xdp_outcome> XdpModel::decide(Parsed& parsed, Instant boot) const {
  if (parsed.source.port == 53) return err(xdp_pass_dns);
  const auto& own = parsed.v4 ? settings_.interface4 : settings_.interface6;
  const bool for_us = settings_.any_target_address || !own || *own == parsed.target.address;
  const bool allocation = parsed.target.port >= settings_.lowest_port && parsed.target.port <= settings_.highest_port;
  if (!allocation && parsed.target.port != settings_.listen_port) return err(xdp_pass_other_port);
  if (!for_us) return err(xdp_pass_other_address);
  return allocation ? from_udp(parsed, boot) : from_channel(parsed, boot);
}

Result<XdpModel::Output, xdp_outcome> XdpModel::from_udp(const Parsed& parsed, Instant boot) const {
  if (!live_.test(parsed.target.port)) return err(xdp_pass_idle_port);
  const auto client = find(peers_, PeerSide{parsed.source, parsed.target.port}, boot, xdp_drop_unknown_peer);
  if (!client) return err(client.error());
  return to_client(parsed, *client);
}

Result<XdpModel::Output, xdp_outcome> XdpModel::from_channel(Parsed& parsed, Instant boot) const {
  if (parsed.payload.size() < kChannelBytes) return err(xdp_pass_not_channel_data);
  const auto number = load_be16(parsed.payload, 0);
  const auto bytes = load_be16(parsed.payload, 2);
  if (number < 0x4000 || number > 0x7FFF) return err(xdp_pass_not_channel_data);
  parsed.payload = parsed.payload.subspan(kChannelBytes);
  parsed.from_channel = true;
  if (bytes < parsed.payload.size() && settings_.unknown_passes) return err(xdp_pass_channel_padding);
  if (bytes != parsed.payload.size()) return err(xdp_drop_channel_length);

  const auto side = find(channels_, ClientSide{parsed.source, number}, boot, xdp_drop_unknown_channel);
  if (!side) return err(side.error());
  const auto& own = side->peer.address.is_v4() ? settings_.public4 : settings_.public6;
  if (own && *own == side->peer.address) {
    const PeerSide reverse{{side->peer.address, side->port}, side->peer.port};
    const auto client = find(peers_, reverse, boot, xdp_drop_no_reverse);
    if (!client) return err(client.error());
    return to_client(parsed, *client);
  }
  const xdp_outcome first = parsed.v4 ? xdp_channel4_to_udp4 : xdp_channel6_to_udp4;
  return with_source(parsed, {.source = {IpAddress(), side->port},
                              .target = side->peer,
                              .channel = {},
                              .outcome = plus(first, !side->peer.address.is_v4())});
}

Result<XdpModel::Output, xdp_outcome> XdpModel::to_client(const Parsed& parsed, const ClientSide& client) const {
  xdp_outcome first = parsed.v4 ? xdp_udp4_to_channel4 : xdp_udp6_to_channel4;
  if (parsed.from_channel) first = parsed.v4 ? xdp_channel4_to_channel4 : xdp_channel6_to_channel4;
  return with_source(parsed, {.source = {IpAddress(), settings_.listen_port},
                              .target = client.client,
                              .channel = client.channel,
                              .outcome = plus(first, !client.client.address.is_v4())});
}

// Within a family the answer comes from where the frame went to, else from the interface's address.
Result<XdpModel::Output, xdp_outcome> XdpModel::with_source(const Parsed& parsed, Output output) const {
  const bool v4 = output.target.address.is_v4();
  if (v4 == parsed.v4) {
    output.source.address = parsed.target.address;
  } else {
    if (parsed.checksum_field == 0) return err(xdp_pass_no_checksum_to_translate);
    const auto& own = v4 ? settings_.interface4 : settings_.interface6;
    if (!own) return err(xdp_drop_no_interface_address);
    output.source.address = *own;
  }
  if (output.source.address == output.target.address) return err(xdp_drop_loop);
  return output;
}

template <class From, class To>
Result<To, xdp_outcome> XdpModel::find(const std::array<Map<From, To>, 2>& maps, const From& key, Instant boot,
                                       xdp_outcome unknown) const {
  bool expired = false;
  const std::size_t own = family_index(key);
  for (const std::size_t family : {own, 1 - own}) {
    const auto& map = maps.at(family);
    const auto entry = map.find(key);
    if (entry == map.end()) continue;
    if (!entry->second.expires) return err(xdp_pass_user_space);
    if (boot < *entry->second.expires) return entry->second.to;
    expired = true;
  }
  if (settings_.unknown_passes) return err(xdp_pass_unknown);
  return err(expired ? xdp_drop_expired : unknown);
}

}  // namespace fireline::relay
