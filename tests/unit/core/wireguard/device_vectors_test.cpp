// The handshake of connectivity spec 7.2 byte for byte, both roles, as a device speaks it on TURN channel 0x4000.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/crypto/x25519.h"
#include "core/stun/channel_data.h"
#include "tests/unit/core/crypto/hex.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

using crypto::from_hex;

constexpr std::uint16_t kChannel = 0x4000;
const char* const kInitiation =
    "01000000013412007b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
    "81e498317da959fba46669572516a5e6c021bfa620bb6c56ca0082e1feae14988c2c64d024c617734a263f76a008df04"
    "d0f94bad8ee75ee7e699a44064a59e0bf50d367be022ac058c01ffe3"
    "1b8f375f77d6166d3e1f06cd004a42d600000000000000000000000000000000";
const char* const kResponse =
    "0200000001cdab0001341200ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b"
    "63ca7f161515d94de136489b1a9d582240dad0501bc3fce100ad49eb3904c08900000000000000000000000000000000";
const char* const kKeepalive = "0400000001cdab000000000000000000f1bce9fd9651b3f6b50c00179cbd1e01";
const char* const kInner = "4500001c000000004011b24e64400001644000021000100000080000";
const char* const kData =
    "0400000001cdab0001000000000000008d1cd7b6b3b14856579ca1e52a90ffa186aae65b08ca59388cbbbce817577d5dfb69e6e3843d7267"
    "855253bd";

// Ephemeral keys are one byte 32 times; everything else that is drawn is the connection number.
class VectorRandom final : public crypto::Random {
 public:
  VectorRandom(std::uint8_t ephemeral, std::uint32_t connection) : ephemeral_(ephemeral), connection_(connection) {}
  void fill(Bytes bytes) noexcept override {
    std::ranges::fill(bytes, std::byte{ephemeral_});
    if (bytes.size() == 4) store_le32(bytes, 0, connection_);
  }

 private:
  std::uint8_t ephemeral_;
  std::uint32_t connection_;
};

crypto::Key key_of(std::uint8_t byte) {
  std::array<std::byte, crypto::kKeyBytes> bytes;
  bytes.fill(std::byte{byte});
  return crypto::Key(bytes);
}

// One device of the vector, its peer behind channel 0x4000 of a relay.
struct Side {
  Side(std::uint8_t own, std::uint8_t other, std::uint8_t ephemeral, std::uint32_t connection, const char* allowed)
      : random(ephemeral, connection),
        aead(crypto::make_aead(crypto::AeadBackend::libsodium)),
        peer(crypto::public_key(key_of(other))),
        device({.profile = kFirezoneProfile, .mtu = 1280, .queue_without_path = true}, now, large, small, random,
               *aead),
        work(device.make_work()) {
    DeviceUpdate update;
    update.private_key = key_of(own);
    update.peers.push_back(peer_update(peer, {allowed}));
    update.peers.front().preshared_key = key_of(0x55);
    device.apply(now, update, output);
    device.set_up(now, true, output);
  }

  void connect() {
    device.set_path(now, peer,
                    PeerPath{.destination = Endpoint::parse("192.0.2.100:3478").value(), .channel = kChannel}, output);
  }
  void send(const Packet& packet) {
    packet::TunBatch batch = wireguard::Node::tun_batch(input, {packet});
    device.plan(now, batch, *work);
    aead->seal(work->jobs);
    device.commit(now, *work, output);
  }
  void receive(const Packet& bytes, std::uint16_t segment_bytes) {
    packet::UdpBatch batch;
    packet::Buffer buffer = input.acquire();
    std::ranges::copy(bytes, buffer.data());
    batch.datagrams.push_back({.bytes = buffer.bytes().first(bytes.size()),
                               .segment_bytes = segment_bytes,
                               .source = Endpoint::parse("198.51.100.9:50000").value(),
                               .local = {},
                               .skip = stun::kChannelHeaderBytes});
    batch.buffers.push_back(std::move(buffer));
    device.plan(now, batch, *work);
    aead->open(work->jobs);
    device.commit(now, *work, output);
    while (device.step_handshake(now, output)) {
    }
  }
  // What left, and forgets it.
  Packets take() {
    Packets sent;
    for (const packet::UdpTrain& train : output.udp4.trains) sent.emplace_back(train.bytes.begin(), train.bytes.end());
    output.udp4.clear();
    EXPECT_TRUE(output.udp6.empty());
    return sent;
  }

  Now now{.boot = Instant(50s), .wall = UnixTime(1'700'000'000s + 123'456'789ns)};
  HeapBuffers large{packet::kLargeBufferBytes};
  HeapBuffers small{packet::kSmallBufferBytes};
  HeapBuffers input{packet::kLargeBufferBytes};
  VectorRandom random;
  std::unique_ptr<crypto::Aead> aead;
  crypto::PublicKey peer;
  Device device;
  packet::Output output;
  std::unique_ptr<packet::Work> work;
};

Packet on_channel(const char* hex) {
  const auto payload = from_hex(hex);
  Packet packet(stun::kChannelHeaderBytes);
  stun::write_channel_header(packet, kChannel, static_cast<std::uint16_t>(payload.size()));
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

TEST(DeviceVectors, TheInitiatorSpeaksThemOnAChannel) {
  Side side(0x11, 0x22, 0x33, 0x001234, "100.64.0.2/32");
  side.send(from_hex(kInner));
  EXPECT_EQ(side.take(), Packets{}) << "no path yet";
  side.connect();
  side.device.step_handshake(side.now, side.output);
  EXPECT_EQ(side.take(), Packets{on_channel(kInitiation)});
  side.receive(on_channel(kResponse), 96);
  EXPECT_EQ(side.take(), (Packets{on_channel(kKeepalive), on_channel(kData)}));
}

TEST(DeviceVectors, TheResponderSpeaksThemOnAChannel) {
  Side side(0x22, 0x11, 0x44, 0x00abcd, "100.64.0.1/32");
  side.receive(on_channel(kInitiation), 152);
  EXPECT_EQ(side.take(), Packets{}) << "the response waits for a path";
  side.connect();
  EXPECT_EQ(side.take(), Packets{on_channel(kResponse)});
  Packet both = on_channel(kData);  // one receive buffer of two datagrams, the shorter one behind
  const Packet keepalive = on_channel(kKeepalive);
  both.insert(both.end(), keepalive.begin(), keepalive.end());
  side.receive(both, 64);
  ASSERT_EQ(side.output.tun.slices.size(), 1u);
  EXPECT_TRUE(std::ranges::equal(side.output.tun.slices[0], from_hex(kInner)));
  EXPECT_EQ(side.device.counters().get(DeviceCounter::keepalives), 1u);
  side.output.tun.clear();
}

}  // namespace
}  // namespace fireline::wireguard
