// A device with one peer and an established session, against datagrams and TUN packets of the fuzzer's making. The
// harness is the peer: it holds the session's keys and the mac1 key, so that the fuzzer gets behind tag and mac1.
// The input is a list of acts: a byte that chooses, a byte that gives a length, and so many bytes. Bit 4 of the first
// byte makes what is received come through a relay: a channel header in front of each datagram, and at times less than
// one. The oracle: after every input the ledger of device_counters.h balances, every buffer is given back, and each
// train obeys its limits; on a channel each segment has a header that says its length.
// libraries: fireline_core_wireguard
// covers: core/wireguard/device_receive.cpp core/wireguard/device_send.cpp core/wireguard/train_builder.cpp
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/crypto/xaead.h"
#include "core/stun/channel_data.h"
#include "core/wireguard/cookie.h"
#include "core/wireguard/device.h"
#include "core/wireguard/messages.h"
#include "core/wireguard/noise.h"
#include "tests/fuzz/heap_buffers.h"
#include "tests/unit/core/crypto/seeded_random.h"

using namespace fireline;
using namespace fireline::wireguard;
using crypto::seeded_key;
using crypto::SeededRandom;
using fuzz::HeapBuffers;
using fuzz::require;

namespace {

const Endpoint kPeerEndpoint = *Endpoint::parse("192.0.2.1:51820");
const Endpoint kRelay4 = *Endpoint::parse("192.0.2.100:3478");
const Endpoint kRelay6 = *Endpoint::parse("[2001:db8::100]:3478");
constexpr std::uint16_t kChannel = 0x4000;
const StaticIdentity kPeer(seeded_key(1));
const StaticIdentity kOwn(seeded_key(2));
const RemoteIdentity kToDevice(kPeer, kOwn.public_key());

// Small pools make small inputs meet their limits.
class Harness {
 public:
  Harness()
      : aead_(crypto::make_aead(crypto::AeadBackend::libsodium)),
        device_({.profile = kPaperProfile,
                 .mtu = 1420,
                 .tun_offloads = {.tcp4 = true, .tcp6 = true, .udp = true},
                 .queue_without_path = true},
                now_, large_, small_, random_, *aead_) {
    DeviceUpdate update;
    update.private_key = kOwn.private_key();
    PeerUpdate& peer = update.peers.emplace_back();
    peer.public_key = kPeer.public_key();
    peer.endpoint = kPeerEndpoint;
    for (const char* prefix : {"10.0.0.0/24", "fd00::/64"}) {
      peer.allowed_ips.push_back({.prefix = *Prefix::parse(prefix), .remove = false});
    }
    // A peer to which no path is known.
    PeerUpdate& silent = update.peers.emplace_back();
    silent.public_key.bytes.fill(std::byte{7});
    silent.allowed_ips.push_back({.prefix = *Prefix::parse("10.1.0.0/24"), .remove = false});
    device_.apply(now_, update, output_);
    device_.set_up(now_, true, output_);
    connect();
  }

  // Consumes one act; false at the end of the input.
  bool act(ConstBytes& input) {
    if (input.size() < 2) return false;
    const unsigned what = std::to_integer<unsigned>(input[0]);
    const std::size_t length = std::min<std::size_t>(std::to_integer<std::size_t>(input[1]), input.size() - 2);
    const ConstBytes argument = input.subspan(2, length);
    input = input.subspan(2 + length);
    relayed_ = (what & 16u) != 0;
    switch (what % 12) {
      case 0:
        receive({argument.begin(), argument.end()});
        break;
      case 1:
        receive(data_message(argument));
        break;
      case 2:
        receive(raw_message(argument));
        break;
      case 3:
        receive(handshake(argument, true));
        break;
      case 4:
        receive(handshake(argument, false));
        break;
      case 5:
        send(argument, 0);
        break;
      case 6:
        send(argument, 10);
        break;
      case 7:
        for (const std::byte byte : argument) now_.boot += std::chrono::seconds(std::to_integer<int>(byte));
        device_.handle_timeout(now_, output_);
        break;
      case 8:
        while (device_.step_handshake(now_, output_)) check_output();
        break;
      case 9:
        configure(argument);
        break;
      case 10:
        commit_all();  // until then works pile up
        break;
      default:
        large_.set_limit(argument.empty() ? SIZE_MAX : 0);
        small_.set_limit(argument.size() > 1 ? 0 : SIZE_MAX);
        break;
    }
    check_output();
    return true;
  }

  void finish() {
    commit_all();
    check_output();
    std::uint64_t tun = device_.gauges().queued_packets;
    std::uint64_t udp = device_.gauges().queued_handshakes;
    const Counters<DeviceCounter>& counters = device_.counters();
    tun += counters.get(DeviceCounter::sealed);
    for (const auto counter : {DeviceCounter::opened, DeviceCounter::keepalives, DeviceCounter::initiations,
                               DeviceCounter::responses, DeviceCounter::cookie_replies, DeviceCounter::goodbyes}) {
      udp += counters.get(counter);
    }
    counters.for_each([&](std::string_view name, std::uint64_t value) {
      if (name.starts_with("drop.tun.")) tun += value;
      if (name.starts_with("drop.udp.")) udp += value;
    });
    require(tun == counters.get(DeviceCounter::tun_segments));
    require(udp == counters.get(DeviceCounter::udp_datagrams));
  }

 private:
  using Message = std::vector<std::byte>;

  // The harness initiates; a keepalive confirms the session.
  void connect() {
    InitiationMessage message;
    SeededRandom random(9);
    Tai64n timestamp;
    timestamp.bytes[0] = std::byte{0x40};
    const auto pending = create_initiation(kPeer, kToDevice, timestamp, 0x01020304, random, message);
    macs_.add_macs(now_.boot, message);
    receive({message.begin(), message.end()});
    commit_all();
    device_.step_handshake(now_, output_);
    require(output_.udp4.trains.size() == 1);
    const auto response = ResponseView::parse(output_.udp4.trains[0].bytes);
    require(response.has_value());
    remote_index_ = response->sender_index();
    keys_ = *consume_response(kPeer, *pending, crypto::Key(), *response);
    check_output();
    receive(data_message({}));
    commit_all();
    require(device_.counters().get(DeviceCounter::handshakes_completed) == 1);
  }

  Message data_message(ConstBytes plaintext) {
    Message message(plaintext.size() + kTransportOverheadBytes);
    write_transport_header(message, remote_index_, counter_);
    crypto::aead_seal(keys_.send, counter_, plaintext, {}, Bytes(message).subspan(kTransportHeaderBytes));
    ++counter_;
    return message;
  }

  // Type and index of the session, the rest is the fuzzer's.
  Message raw_message(ConstBytes rest) {
    Message message(8 + rest.size());
    store_le32(message, 0, 4);
    store_le32(message, 4, remote_index_);
    std::ranges::copy(rest, Bytes(message).subspan(8).begin());
    return message;
  }

  // A handshake message of the fuzzer's bytes with the right type, length and mac1.
  Message handshake(ConstBytes bytes, bool initiation) {
    if (initiation) {
      InitiationMessage message{};
      std::ranges::copy(bytes.first(std::min<std::size_t>(bytes.size(), 116)), message.begin());
      store_le32(message, 0, 1);
      macs_.add_macs(now_.boot, message);
      return {message.begin(), message.end()};
    }
    ResponseMessage message{};
    std::ranges::copy(bytes.first(std::min<std::size_t>(bytes.size(), 60)), message.begin());
    store_le32(message, 0, 2);
    store_le32(message, 8, remote_index_);
    macs_.add_macs(now_.boot, message);
    return {message.begin(), message.end()};
  }

  // In a buffer of exactly its size, so that reading behind it is seen. Longer ones arrive as three pieces of a train;
  // through a relay, the rest of whose channel headers is the fuzzer's.
  void receive(const Message& message) {
    packet::UdpBatch batch;
    messages_.push_back(std::make_unique<Message>(message));
    if (relayed_) messages_.back()->insert(messages_.back()->begin(), stun::kChannelHeaderBytes, std::byte{0x40});
    const Bytes bytes(*messages_.back());
    const std::size_t segment = bytes.size() > 240 ? (bytes.size() + 2) / 3 : bytes.size();
    batch.datagrams.push_back({.bytes = bytes,
                               .segment_bytes = static_cast<std::uint16_t>(segment),
                               .ecn = static_cast<packet::Ecn>(bytes.size() % 4),
                               .source = kPeerEndpoint,
                               .local = {},
                               .skip = static_cast<std::uint16_t>(relayed_ ? stun::kChannelHeaderBytes : 0)});
    works_.push_back(device_.make_work());
    device_.plan(now_, batch, *works_.back());
  }

  // `header` bytes in front of the packet say how the kernel wants it finished.
  void send(ConstBytes bytes, std::size_t header) {
    if (bytes.size() < header) return;
    packet::Offload offload;
    if (header != 0) {
      offload.segmentation = static_cast<packet::Segmentation>(load_u8(bytes, 0) % 4);
      offload.needs_checksum = (load_u8(bytes, 1) & 1u) != 0;
      offload.segment_bytes = load_be16(bytes, 2);
      offload.checksum_start = load_be16(bytes, 4);
      offload.checksum_offset = load_be16(bytes, 6);
    }
    Message packet(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
    // The last two bytes of the header lengthen the packet: an input holds 255 bytes of an act at most.
    if (header != 0) packet.resize(std::min<std::size_t>(packet.size() + load_be16(bytes, 8), 65535));
    packet::TunBatch batch;
    batch.packets.push_back({.bytes = packet, .offload = offload});
    batch.packets.push_back({.bytes = packet, .offload = {}});
    works_.push_back(device_.make_work());
    device_.plan(now_, batch, *works_.back());
  }

  void configure(ConstBytes bytes) {
    if (bytes.empty()) return;
    const unsigned what = std::to_integer<unsigned>(bytes[0]);
    if ((what & 128u) != 0) return set_path(what, bytes);
    DeviceUpdate update;
    switch (what % 5) {
      case 0:
        device_.set_up(now_, (what & 8u) != 0, output_);
        break;
      case 1:
        update.private_key = (what & 8u) != 0 ? kOwn.private_key() : crypto::Key();
        break;
      case 2:
        update.replace_peers = true;
        break;
      case 3:
        device_.set_mtu(static_cast<std::uint16_t>(what * 256));
        break;
      default:
        update.peers.emplace_back().public_key = kPeer.public_key();
        update.peers.back().endpoint = *Endpoint::parse("[2001:db8::1]:5");
        break;
    }
    device_.apply(now_, update, output_);
  }

  void set_path(unsigned what, ConstBytes bytes) {
    switch (what % 4) {
      case 0:
        device_.set_path(now_, kPeer.public_key(), std::nullopt, output_);
        break;
      case 1:
        device_.set_path(now_, kPeer.public_key(), PeerPath{.destination = kPeerEndpoint}, output_);
        break;
      case 2:
        device_.set_path(now_, kPeer.public_key(),
                         PeerPath{.destination = (what & 8u) != 0 ? kRelay4 : kRelay6, .channel = kChannel}, output_);
        break;
      default:
        device_.send_packet(now_, kPeer.public_key(), bytes, output_);
        (void)device_.initiate(now_, kPeer.public_key());
        break;
    }
  }

  void commit_all() {
    for (const auto& work : works_) {
      work->kind == packet::Work::Kind::seal ? aead_->seal(work->jobs) : aead_->open(work->jobs);
      device_.commit(now_, *work, output_);
    }
    check_output();
    works_.clear();
    messages_.clear();
  }

  void check_output() {
    for (packet::UdpSendBatch* batch : {&output_.udp4, &output_.udp6}) {
      for (const packet::UdpTrain& train : batch->trains) {
        require(train.segment_bytes != 0 && train.bytes.size() <= packet::kTrainBytesV6);
        require((train.bytes.size() - 1) / train.segment_bytes < packet::kTrainSegments);
        require(batch == &output_.udp(train.destination.address.family()));
        if (train.destination == kRelay4 || train.destination == kRelay6) check_channel(train);
      }
      batch->clear();
    }
    for (const packet::TunWrite& write : output_.tun.packets) {
      require(write.slice_count != 0 && write.first_slice + write.slice_count <= output_.tun.slices.size());
    }
    output_.tun.clear();
    while (device_.poll_event()) {
    }
  }

  static void check_channel(const packet::UdpTrain& train) {
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      const auto datagram =
          train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
      const auto data = stun::ChannelDataView::parse(datagram);
      require(data && data->channel == kChannel && data->payload.size() == datagram.size() - stun::kChannelHeaderBytes);
      require(classify(data->payload).has_value());
    }
  }

  HeapBuffers large_{packet::kLargeBufferBytes};
  HeapBuffers small_{packet::kSmallBufferBytes};
  SeededRandom random_{3};
  Now now_{.boot = Instant(std::chrono::seconds(1000)), .wall = UnixTime(std::chrono::seconds(1'700'000'000))};
  std::unique_ptr<crypto::Aead> aead_;
  packet::Output output_;
  Device device_;
  std::vector<std::unique_ptr<Message>> messages_;
  std::vector<std::unique_ptr<packet::Work>> works_;
  CookieGenerator macs_{kToDevice};
  TransportKeys keys_;
  std::uint32_t remote_index_ = 0;
  std::uint64_t counter_ = 0;
  bool relayed_ = false;
};

constexpr std::size_t kActsMax = 64;  // an input of more is slow and shows nothing new

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Harness harness;
  ConstBytes input = std::as_bytes(std::span(data, size));
  for (std::size_t acts = 0; acts < kActsMax && harness.act(input); ++acts) {
  }
  harness.finish();
  return 0;
}
