// A node with two connections and a relay, against datagrams, trains, candidates and timers of the fuzzer's making. The
// harness knows the keys: it answers checks and relay requests as peer and relay would, and signs what the fuzzer wants
// signed, so that the fuzzer gets behind MESSAGE-INTEGRITY. Both connections have the same fragments.
// The input is one byte for the role, then acts: a byte of kind, one of choice, one of length, that many bytes.
// The oracle: the ledger of node_counters.h balances and the device sees exactly what is its own; what is handed to it
// out of a channel has a header of its length; every buffer comes back; timers make progress; trains obey their limits.
// libraries: fireline_core_node
// covers: core/node/demultiplexer.cpp core/node/node_state.cpp
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/ice/addressee.h"
#include "core/node/node.h"
#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"
#include "core/turn/credentials.h"
#include "tests/fuzz/heap_buffers.h"
#include "tests/unit/core/crypto/seeded_random.h"

using namespace fireline;
using namespace fireline::node;
using crypto::seeded_key;
using fuzz::HeapBuffers;
using fuzz::require;
using stun::Attribute;
using stun::MessageClass;
using stun::Method;

namespace {

constexpr std::size_t kActsMax = 200;  // keeps one execution short
constexpr std::size_t kSentMax = 64;   // requests that can still be answered
constexpr int kTimersMax = 500;        // runs of one act
constexpr std::string_view kUser = "1892160000:salt";
constexpr std::array<std::string_view, 2> kIds{"one", "two"};
constexpr std::array<std::string_view, 2> kPasswords{"yiuijlligg2km2kweghata", "aiuijlligg2km2kweghata"};

Endpoint endpoint(std::string_view text) {
  return Endpoint::parse(text).value();
}

const std::array<Endpoint, 4> kSources{endpoint("203.0.113.1:3478"), endpoint("198.51.100.7:52625"),
                                       endpoint("198.51.100.9:3478"), endpoint("198.51.100.8:1")};
const Endpoint kOwn = endpoint("192.0.2.4:52625");
const Endpoint kRelayed = endpoint("203.0.113.1:50000");

struct SentRequest {
  Endpoint destination;
  Method method;
  stun::TransactionId id;
  std::uint16_t channel = 0;  // of a check through the relay
};

class Harness {
 public:
  explicit Harness(bool client)
      : aead_(crypto::make_aead(crypto::AeadBackend::libsodium)),
        node_({.role = client ? NodeRole::client : NodeRole::gateway, .port_v4 = 52625, .port_v6 = 52625},
              seeded_key(9), now_, large_, small_, random_, *aead_),
        work_(node_.make_work()) {
    update_relays(0);
    for (std::size_t i = 0; i < kIds.size(); ++i) upsert(i);
  }

  void run(ConstBytes input) {
    for (std::size_t act = 0; act < kActsMax && input.size() >= 3; ++act) {
      const std::size_t length = std::min<std::size_t>(load_u8(input, 2), input.size() - 3);
      step(load_u8(input, 0), load_u8(input, 1), input.subspan(3, length));
      input = input.subspan(3 + length);
      check();
    }
    node_.close_all(now_, output_);
    collect();
  }

 private:
  void step(std::uint8_t kind, std::uint8_t choice, ConstBytes argument) {
    switch (kind % 12) {
      case 0:  // a train as it comes
        return receive(kSources[choice % 4], argument, static_cast<std::uint16_t>(choice >> 2));
      case 1:
        return receive_channel_data(choice, argument);
      case 2:
        return receive_check(choice, argument);
      case 3:
        return answer(choice, argument);
      case 4:
        return advance(std::chrono::milliseconds(10) * choice);
      case 5:
        return advance(std::chrono::seconds(2) * choice);
      case 6:
        return candidates(choice, argument);
      case 7:
        return upsert(choice % kIds.size());
      case 8:
        return update_relays(choice);
      case 9:
        node_.handle_unreachable(now_, kSources[choice % 4], output_);
        return collect();
      case 10:
        return send_packet(argument);
      default:
        return life(choice);
    }
  }

  void life(std::uint8_t choice) {
    small_.set_limit((choice & 0x10) != 0 ? 0 : SIZE_MAX);
    switch (choice % 4) {
      case 0:
        node_.close(now_, kIds[(choice >> 2) % kIds.size()], output_);
        break;
      case 1:
        node_.resume(now_, output_);
        break;
      case 2:
        node_.reset(now_, seeded_key(choice), output_);
        break;
      default:
        node_.set_ports(52625, 52625);
    }
    collect();
  }

  void upsert(std::size_t which) {
    ConnectionParameters parameters{.id = std::string(kIds[which]),
                                    .peer_key = {},
                                    .preshared_key = {},
                                    .local = ice::Credentials::make("llqe", "jio6xwffz6i3ixgub3h4n5").value(),
                                    .remote = ice::Credentials::make("nk46", kPasswords[which]).value(),
                                    .allowed_ips = {Prefix::parse("10.0.0.0/8").value()}};
    parameters.peer_key.bytes[0] = static_cast<std::byte>(which + 1);
    (void)node_.upsert(now_, parameters, output_);
    collect();
  }

  void update_relays(std::uint8_t choice) {
    turn::RelayEntry entry;
    entry.id = "relay";
    entry.address = kSources[0];
    entry.username = std::string(kUser);
    entry.password = choice % 4 == 1 ? "another" : "secret";
    password_ = entry.password;
    std::vector<turn::RelayEntry> entries(choice % 4 == 2 ? 0 : 1, entry);
    const std::vector<std::string> removed(choice % 4 == 2 ? 1 : 0, "relay");
    node_.update_relays(now_, removed, entries, output_);
    collect();
  }

  void candidates(std::uint8_t choice, ConstBytes argument) {
    std::vector<std::string> texts{std::string(reinterpret_cast<const char*>(argument.data()), argument.size())};
    const Endpoint& peer = kSources[1 + choice % 3];
    texts.push_back("candidate:1 1 udp " + std::to_string(1000 + choice) + " " + peer.address.to_string() + " " +
                    std::to_string(peer.port) + ((choice & 8) != 0 ? " typ host" : " typ relay raddr 0.0.0.0 rport 0"));
    const std::string_view id = kIds[(choice >> 2) % kIds.size()];
    (choice & 0x80) != 0 ? node_.invalidate_remote_candidates(now_, id, texts, output_)
                         : node_.add_remote_candidates(now_, id, texts, output_);
    collect();
  }

  void send_packet(ConstBytes argument) {
    packet::TunBatch batch;
    packet::Buffer buffer = input_.acquire();
    const Bytes bytes = buffer.bytes().first(std::max<std::size_t>(argument.size(), 20));
    std::ranges::fill(bytes, std::byte{0});
    std::ranges::copy(argument, bytes.begin());
    bytes[0] = std::byte{0x45};
    store_be16(bytes, 2, static_cast<std::uint16_t>(bytes.size()));
    bytes[16] = std::byte{10};
    batch.packets.push_back({.bytes = bytes, .offload = {}});
    batch.buffers.push_back(std::move(buffer));
    node_.plan(now_, batch, *work_);
    aead_->seal(work_->jobs);
    node_.commit(now_, *work_, output_);
    collect();
  }

  // Datagrams of `segment` bytes; 0: all in one.
  void receive(const Endpoint& source, ConstBytes bytes, std::uint16_t segment) {
    packet::UdpBatch batch;
    packet::Buffer buffer = input_.acquire();
    std::ranges::copy(bytes, buffer.data());
    batch.datagrams.push_back({.bytes = buffer.bytes().first(bytes.size()),
                               .segment_bytes = segment == 0 ? static_cast<std::uint16_t>(bytes.size()) : segment,
                               .ecn = packet::Ecn::not_ect,
                               .source = source,
                               .local = {.address = kOwn.address, .interface = 0}});
    batch.buffers.push_back(std::move(buffer));
    node_.plan(now_, batch, *work_);
    aead_->open(work_->jobs);
    node_.commit(now_, *work_, output_);
    while (node_.step_handshake(now_, output_)) {
    }
    collect();
  }

  // The argument cut into pieces, each on a channel; of the last one up to three bytes are missing.
  void receive_channel_data(std::uint8_t choice, ConstBytes argument) {
    const std::size_t piece = 32 + 8 * ((choice >> 2) & 15U);  // from the shortest message of WireGuard on
    std::vector<std::byte> train;
    for (std::size_t at = 0; at < argument.size() || train.empty(); at += piece) {
      const ConstBytes part =
          argument.subspan(std::min(at, argument.size())).first(std::min(piece, argument.size() - at));
      const std::size_t start = train.size();
      train.resize(start + stun::kChannelHeaderBytes + part.size());
      const auto number = static_cast<std::uint16_t>(0x4000 + (choice & 3));
      stun::write_channel_header(Bytes(train).subspan(start), number, static_cast<std::uint16_t>(part.size()));
      std::ranges::copy(part, train.begin() + static_cast<std::ptrdiff_t>(start + stun::kChannelHeaderBytes));
      if (part.empty()) break;
    }
    train.resize(train.size() - (choice >> 6));
    receive(kSources[0], train, static_cast<std::uint16_t>(stun::kChannelHeaderBytes + piece));
  }

  // A check of a peer, well signed or not, with what the fuzzer adds.
  void receive_check(std::uint8_t choice, ConstBytes argument) {
    std::array<std::byte, 800> out;
    stun::MessageWriter writer(out, MessageClass::request, Method::binding, {});
    if ((choice & 4) == 0) writer.add_text(Attribute::username, "llqe:nk46");
    writer.add_u32(Attribute::priority, 1'000'000);
    if ((choice & 8) != 0) writer.add_flag(Attribute::use_candidate);
    if (argument.size() >= 2) writer.add(static_cast<Attribute>(load_be16(argument, 0)), argument.subspan(2));
    if ((choice & 16) == 0) writer.add_integrity(stun::short_term_key("jio6xwffz6i3ixgub3h4n5"));
    deliver(kSources[choice % 4], writer.message(), (choice & 32) != 0 ? 0x4000 : 0);
  }

  // What the relay or the peer says to one of our requests; the argument's first byte may be an error code's.
  void answer(std::uint8_t choice, ConstBytes argument) {
    if (sent_.empty()) return;
    SentRequest request = sent_[sent_.size() - 1 - (choice & 0x3F) % sent_.size()];
    if ((choice & 0x40) != 0) {  // the oldest binding of a channel
      const auto bind = std::ranges::find(sent_, Method::channel_bind, &SentRequest::method);
      if (bind == sent_.end()) return;
      request = *bind;
      sent_.erase(bind);
    }
    std::array<std::byte, 800> out;
    const bool fails = !argument.empty() && (load_u8(argument, 0) & 1) != 0;
    stun::MessageWriter writer(out, fails ? MessageClass::error : MessageClass::success, request.method, request.id);
    const bool check = request.destination != kSources[0] || request.channel != 0;
    if (fails) {
      writer.add_error_code(load_u8(argument, 0) < 128 ? 401 : 437, "");
      writer.add_text(Attribute::nonce, "nonce");
    } else {
      writer.add_xor_address(Attribute::xor_mapped_address, endpoint("198.51.100.4:40000"));
      if (!check) writer.add_xor_address(Attribute::xor_relayed_address, kRelayed);
      if (!check) writer.add_u32(Attribute::lifetime, 600);
    }
    check ? writer.add_integrity(stun::short_term_key(kPasswords[(choice >> 7) & 1]))
          : writer.add_integrity(turn::Credentials(kUser, password_).key());
    deliver(check && request.channel == 0 ? request.destination : kSources[0], writer.message(), request.channel);
  }

  void deliver(const Endpoint& source, ConstBytes message, std::uint16_t channel) {
    if (channel == 0) return receive(source, message, 0);
    std::vector<std::byte> wrapped(stun::kChannelHeaderBytes + message.size());
    stun::write_channel_header(wrapped, channel, static_cast<std::uint16_t>(message.size()));
    std::ranges::copy(message, wrapped.begin() + stun::kChannelHeaderBytes);
    receive(kSources[0], wrapped, 0);
  }

  void advance(Duration by) {
    const Instant end = now_.boot + by;
    for (int i = 0; i < kTimersMax; ++i) {
      const auto next = node_.poll_timeout();
      if (!next || *next > end) break;
      now_.boot = std::max(now_.boot, *next);
      node_.handle_timeout(now_, output_);
      collect();
      // The device may want another handshake; everything else that was due is done.
      int again = 0;
      while (node_.poll_timeout().value_or(Instant::max()) <= now_.boot) {
        require(++again < 32);
        node_.handle_timeout(now_, output_);
        collect();
      }
    }
    now_.boot = end;
  }

  void collect() {
    for (packet::UdpSendBatch* batch : {&output_.udp4, &output_.udp6}) {
      for (const packet::UdpTrain& train : batch->trains) note(train);
      batch->clear();
    }
    output_.tun.clear();
    while (node_.poll_event()) {
    }
  }

  void note(const packet::UdpTrain& train) {
    require(train.segment_bytes > 0 && train.bytes.size() <= packet::kTrainBytesV6 && !train.bytes.empty());
    require(train.bytes.size() <= packet::kTrainSegments * std::size_t{train.segment_bytes});
    ConstBytes datagram = train.bytes;
    std::uint16_t channel = 0;
    if (stun::kind_of(datagram) == stun::DatagramKind::channel_data) {
      const auto data =
          stun::ChannelDataView::parse(datagram.first(std::min<std::size_t>(datagram.size(), train.segment_bytes)));
      require(data.has_value() && train.destination == kSources[0]);
      channel = data->channel;
      datagram = data->payload;
    }
    const auto message = stun::MessageView::parse(datagram);
    if (!message || message->message_class() != MessageClass::request) return;
    if (sent_.size() == kSentMax) sent_.erase(sent_.begin());
    sent_.push_back({train.destination, message->method(), message->transaction_id(), channel});
  }

  void check() const {
    const auto of = [&](NodeCounter which) { return node_.counters().get(which); };
    require(of(NodeCounter::datagrams) ==
            of(NodeCounter::to_device) + of(NodeCounter::to_agents) + of(NodeCounter::to_relays) +
                of(NodeCounter::drop_datagram_stun_unaddressed) + of(NodeCounter::drop_datagram_stun_unknown) +
                of(NodeCounter::drop_datagram_stun_straggler) + of(NodeCounter::drop_datagram_stun_unproven));
    require(node_.device().counters().get(wireguard::DeviceCounter::udp_datagrams) == of(NodeCounter::to_device));
    require(node_.connection_count() <= kIds.size());
    require(node_.device().gauges().peers == node_.connection_count());
  }

  Now now_{.boot = Instant(std::chrono::seconds(1000)), .wall = UnixTime(std::chrono::seconds(1'790'000'000))};
  HeapBuffers large_{packet::kLargeBufferBytes};
  HeapBuffers small_{packet::kSmallBufferBytes};
  HeapBuffers input_{packet::kLargeBufferBytes};
  crypto::SeededRandom random_{1};
  std::unique_ptr<crypto::Aead> aead_;
  Node node_;
  std::unique_ptr<packet::Work> work_;
  packet::Output output_;
  std::string password_ = "secret";
  std::vector<SentRequest> sent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Harness((data[0] & 1) != 0).run(std::as_bytes(std::span(data + 1, size - 1)));
  return 0;
}
