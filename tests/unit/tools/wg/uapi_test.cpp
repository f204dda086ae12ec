#include "tools/wg/uapi.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace fireline::wg {
namespace {

// Keys as text: all digits alike.
const std::string kA(64, 'a');
const std::string kB(64, 'b');
const std::string kZeros(64, '0');
const std::string kPeer = "public_key=" + kA + "\n";

std::uint32_t fake_scope(std::string_view name) {
  return name == "eth0" ? 7 : 0;
}

wireguard::DeviceUpdate parsed(const std::string& body) {
  auto update = parse_uapi_set(body, fake_scope);
  EXPECT_TRUE(update) << body << ": " << update.error().sentence;
  return update ? std::move(*update) : wireguard::DeviceUpdate();
}

TEST(UapiSet, AcceptsAndRefusesLines) {
  struct Row {
    const char* rule;
    std::string body;
    int code;  // 0: accepted
  };
  const Row rows[] = {
      {"an empty request changes nothing", "", 0},
      {"a private key has 64 hexadecimal digits", "private_key=" + kA + "\n", 0},
      {"in either case", "private_key=" + std::string(64, 'A') + "\n", 0},
      {"zeros take the key away", "private_key=" + kZeros + "\n", 0},
      {"63 digits are no key", "private_key=" + std::string(63, 'a') + "\n", EINVAL},
      {"nor are 65", "private_key=" + std::string(65, 'a') + "\n", EINVAL},
      {"nor is anything but digits", "private_key=" + std::string(63, 'a') + "g\n", EINVAL},
      {"a port is a number", "listen_port=51820\n", 0},
      {"port 0 means any", "listen_port=0\n", 0},
      {"65535 is the last port", "listen_port=65535\n", 0},
      {"65536 is none", "listen_port=65536\n", EINVAL},
      {"a port has no sign", "listen_port=-1\n", EINVAL},
      {"nor a plus", "listen_port=+1\n", EINVAL},
      {"nor a base", "listen_port=0x10\n", EINVAL},
      {"nor space", "listen_port= 1\n", EINVAL},
      {"a port is not empty", "listen_port=\n", EINVAL},
      {"a mark has 32 bits", "fwmark=4294967295\n", 0},
      {"not 33", "fwmark=4294967296\n", EINVAL},
      {"replace_peers is true", "replace_peers=true\n", 0},
      {"and nothing else", "replace_peers=false\n", EINVAL},
      {"an unknown device key is refused", "colour=red\n", EINVAL},
      {"so is a peer's key before any peer", "endpoint=192.0.2.1:1\n", EINVAL},
      {"and protocol_version before any peer", "protocol_version=1\n", EINVAL},
      {"a line without = is no line of this protocol", "private_key\n", EPROTO},
      {"the last line may lack its newline", "listen_port=1", 0},
      {"a carriage return belongs to the value", "listen_port=1\r\n", EINVAL},
      {"a peer is its public key", kPeer, 0},
      {"which has 64 digits", "public_key=" + std::string(62, 'a') + "\n", EINVAL},
      {"a device key is unknown within a peer", kPeer + "listen_port=1\n", EINVAL},
      {"replace_peers too", kPeer + "replace_peers=true\n", EINVAL},
      {"remove is true", kPeer + "remove=true\n", 0},
      {"and nothing else", kPeer + "remove=1\n", EINVAL},
      {"update_only is true", kPeer + "update_only=true\n", 0},
      {"and nothing else", kPeer + "update_only=\n", EINVAL},
      {"a preshared key has 64 digits", kPeer + "preshared_key=" + kB + "\n", 0},
      {"zeros take it away", kPeer + "preshared_key=" + kZeros + "\n", 0},
      {"fewer are refused", kPeer + "preshared_key=" + kB.substr(2) + "\n", EINVAL},
      {"an endpoint is an IPv4 address and a port", kPeer + "endpoint=192.0.2.1:51820\n", 0},
      {"or an IPv6 address in brackets and a port", kPeer + "endpoint=[2001:db8::1]:51820\n", 0},
      {"with a numeric zone", kPeer + "endpoint=[fe80::1%3]:51820\n", 0},
      {"or the name of an interface", kPeer + "endpoint=[fe80::1%eth0]:51820\n", 0},
      {"that exists", kPeer + "endpoint=[fe80::1%eth9]:51820\n", EINVAL},
      {"names are not looked up", kPeer + "endpoint=peer.example:51820\n", EINVAL},
      {"brackets belong to IPv6", kPeer + "endpoint=[192.0.2.1]:51820\n", EINVAL},
      {"a port is not optional", kPeer + "endpoint=192.0.2.1\n", EINVAL},
      {"a bracket before the zone is none", kPeer + "endpoint=]%eth0:1\n", EINVAL},
      {"a keepalive interval has 16 bits", kPeer + "persistent_keepalive_interval=65535\n", 0},
      {"0 switches it off", kPeer + "persistent_keepalive_interval=0\n", 0},
      {"not 17", kPeer + "persistent_keepalive_interval=65536\n", EINVAL},
      {"off is no number", kPeer + "persistent_keepalive_interval=off\n", EINVAL},
      {"replace_allowed_ips is true", kPeer + "replace_allowed_ips=true\n", 0},
      {"and nothing else", kPeer + "replace_allowed_ips=True\n", EINVAL},
      {"an allowed IP is a prefix", kPeer + "allowed_ip=10.0.0.0/8\n", 0},
      {"of either family", kPeer + "allowed_ip=fd00::/64\n", 0},
      {"host bits are cleared, not refused", kPeer + "allowed_ip=10.1.2.3/8\n", 0},
      {"everything is a prefix", kPeer + "allowed_ip=::/0\n", 0},
      {"a minus takes it away", kPeer + "allowed_ip=-10.0.0.0/8\n", 0},
      {"two do not", kPeer + "allowed_ip=--10.0.0.0/8\n", EINVAL},
      {"a length is not optional", kPeer + "allowed_ip=10.0.0.1\n", EINVAL},
      {"33 bits are too many", kPeer + "allowed_ip=10.0.0.0/33\n", EINVAL},
      {"129 as well", kPeer + "allowed_ip=::/129\n", EINVAL},
      {"an empty one is none", kPeer + "allowed_ip=\n", EINVAL},
      {"the protocol's version is 1", kPeer + "protocol_version=1\n", 0},
      {"and nothing else", kPeer + "protocol_version=2\n", EINVAL},
      {"an unknown peer key is refused", kPeer + "colour=red\n", EINVAL},
      {"an empty key as well", kPeer + "=\n", EINVAL},
      {"a good line does not make up for a bad one", "listen_port=x\nlisten_port=1\n", EINVAL},
      {"a line of the greatest length is read", kPeer + "endpoint=" + std::string(kUapiLineBytesMax - 9, 'x') + "\n",
       EINVAL},
      {"a longer one is not", kPeer + "endpoint=" + std::string(kUapiLineBytesMax - 8, 'x') + "\n", EPROTO},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto update = parse_uapi_set(row.body, fake_scope);
    EXPECT_EQ(update ? 0 : update.error().code, row.code);
    EXPECT_TRUE(update || !update.error().sentence.empty());
  }
}

TEST(UapiSet, GivesWhatTheLinesSay) {
  const auto update =
      parsed("private_key=" + kA + "\nlisten_port=51820\nfwmark=51\nreplace_peers=true\n" +  //
             "public_key=" + kB + "\nupdate_only=true\npreshared_key=" + kA +
             "\nendpoint=[fe80::1%eth0]:1\npersistent_keepalive_interval=25\n" +
             "replace_allowed_ips=true\nallowed_ip=10.1.2.3/8\nallowed_ip=-fd00::/64\n" + kPeer + "remove=true\n");
  ASSERT_TRUE(update.private_key);
  EXPECT_EQ(update.listen_port, 51820);
  EXPECT_EQ(update.fwmark, 51u);
  EXPECT_TRUE(update.replace_peers);
  ASSERT_EQ(update.peers.size(), 2u);
  const auto& first = update.peers[0];
  EXPECT_EQ(first.public_key.to_hex(), kB);
  EXPECT_TRUE(first.update_only);
  EXPECT_FALSE(first.remove);
  EXPECT_EQ(first.preshared_key->to_hex(), kA) << "preshared keys are no curve points: not clamped";
  EXPECT_EQ(first.endpoint, Endpoint::parse("[fe80::1%7]:1"));
  EXPECT_EQ(first.persistent_keepalive_seconds, 25);
  EXPECT_TRUE(first.replace_allowed_ips);
  ASSERT_EQ(first.allowed_ips.size(), 2u);
  EXPECT_EQ(first.allowed_ips[0].prefix.to_string(), "10.0.0.0/8");
  EXPECT_FALSE(first.allowed_ips[0].remove);
  EXPECT_EQ(first.allowed_ips[1].prefix.to_string(), "fd00::/64");
  EXPECT_TRUE(first.allowed_ips[1].remove);
  EXPECT_EQ(update.peers[1].public_key.to_hex(), kA);
  EXPECT_TRUE(update.peers[1].remove);
  EXPECT_FALSE(update.peers[1].endpoint) << "absent fields stay as they are";
}

TEST(UapiSet, ClampsThePrivateKey) {
  const auto update = parsed("private_key=" + std::string(64, 'f') + "\n");
  EXPECT_EQ(update.private_key->to_hex(), "f8" + std::string(60, 'f') + "7f");
  EXPECT_TRUE(parsed("private_key=" + kZeros + "\n").private_key->is_zero()) << "no key is not a clamped key";
}

TEST(UapiSet, LinesTakeEffectInTheirOrder) {
  const auto update = parsed(kPeer + "allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=10.1.0.0/16\n");
  ASSERT_EQ(update.peers[0].allowed_ips.size(), 1u);
  EXPECT_EQ(update.peers[0].allowed_ips[0].prefix.to_string(), "10.1.0.0/16");
  EXPECT_EQ(parsed("listen_port=1\nlisten_port=2\n").listen_port, 2);
}

TEST(UapiSet, ReachesMappedAddressesOverIPv4) {
  EXPECT_EQ(parsed(kPeer + "endpoint=[::ffff:192.0.2.1]:5\n").peers[0].endpoint, Endpoint::parse("192.0.2.1:5"));
}

TEST(UapiSet, IsReadyForTheNextRequestAfterAnError) {
  UapiSetParser parser;
  parser.feed("private_key=" + kA);
  parser.feed("nonsense");
  parser.feed("listen_port=1");
  EXPECT_EQ(parser.finish().error().code, EPROTO);
  parser.feed("fwmark=1");
  const auto next = parser.finish();
  ASSERT_TRUE(next);
  EXPECT_FALSE(next->private_key) << "nothing of the failed request is left";
  EXPECT_EQ(next->fwmark, 1u);
}

TEST(UapiSet, ErrorsRepeatNoKey) {
  const std::string base64 = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
  for (const auto& body : {"listen_port=" + kB + "\n", kB + "=1\n", base64 + "\n", "private_key=" + base64 + "\n",
                           kPeer + "preshared_key=" + kB + "x\n", kPeer + base64 + "=x\n"}) {
    const auto update = parse_uapi_set(body);
    ASSERT_FALSE(update) << body;
    const auto& sentence = update.error().sentence;
    EXPECT_EQ(sentence.find(kB.substr(0, 8)), std::string::npos) << sentence;
    EXPECT_EQ(sentence.find("yAnz"), std::string::npos) << sentence;
  }
}

TEST(UapiSet, TenThousandPeersFitAndLimitsHold) {
  std::string body;
  for (int i = 0; i < 10'000; ++i) {
    const auto number = std::to_string(i);
    body += "public_key=" + std::string(64 - number.size(), 'a') + number + "\npreshared_key=" + kB +
            "\nendpoint=[2001:db8:1111:2222:3333:4444:5555:6666]:51820\npersistent_keepalive_interval=25\n"
            "replace_allowed_ips=true\n";
    for (int j = 0; j < 10; ++j) body += "allowed_ip=fd00:1111:2222:3333:4444:5555:6666:7777/128\n";
  }
  EXPECT_LT(body.size(), kUapiRequestBytesMax);
  EXPECT_EQ(parsed(body).peers.size(), 10'000u);

  UapiSetParser peers;
  for (std::size_t i = 0; i < kUapiPeersMax; ++i) peers.feed("public_key=" + kA);
  EXPECT_EQ(peers.finish()->peers.size(), kUapiPeersMax);
  for (std::size_t i = 0; i <= kUapiPeersMax; ++i) peers.feed("public_key=" + kA);
  EXPECT_EQ(peers.finish().error().code, EINVAL);

  UapiSetParser prefixes;
  prefixes.feed("public_key=" + kA);
  for (std::size_t i = 0; i <= kUapiAllowedIpsMax; ++i) prefixes.feed("allowed_ip=::/0");
  EXPECT_EQ(prefixes.finish().error().code, EINVAL);

  UapiSetParser bytes;
  const std::string line = "private_key=" + kA;
  for (std::size_t i = 0; i <= kUapiRequestBytesMax; i += line.size() + 1) bytes.feed(line);
  EXPECT_EQ(bytes.finish().error().code, EPROTO);
}

TEST(UapiGet, WritesWireguardGosLinesInItsOrder) {
  InterfaceStatus status;
  status.device.private_key = crypto::Key::from_hex(kA);
  status.listen_port = 51820;
  status.fwmark = 51;
  auto& busy = status.device.peers.emplace_back();
  busy.public_key = *crypto::PublicKey::from_hex(kB);
  busy.preshared_key = *crypto::Key::from_hex(kA);
  busy.endpoint = Endpoint::parse("[2001:db8::1]:7");
  busy.last_handshake = UnixTime(std::chrono::seconds(1'700'000'000) + std::chrono::nanoseconds(123'456'789));
  busy.received_bytes = 18'446'744'073'709'551'615ULL;
  busy.sent_bytes = 2;
  busy.persistent_keepalive_seconds = 25;
  busy.allowed_ips = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("fd00::/64")};
  status.device.peers.emplace_back().public_key = *crypto::PublicKey::from_hex(kA);

  io::SecretBuffer out;
  append_uapi_status(out, status);
  append_uapi_errno(out, 0);
  EXPECT_EQ(io::view(out), "private_key=" + kA +
                               "\nlisten_port=51820\n"
                               "fwmark=51\n"
                               "public_key=" +
                               kB + "\npreshared_key=" + kA +
                               "\nprotocol_version=1\n"
                               "endpoint=[2001:db8::1]:7\n"
                               "last_handshake_time_sec=1700000000\n"
                               "last_handshake_time_nsec=123456789\n"
                               "tx_bytes=2\n"
                               "rx_bytes=18446744073709551615\n"
                               "persistent_keepalive_interval=25\n"
                               "allowed_ip=10.0.0.0/8\n"
                               "allowed_ip=fd00::/64\n"
                               "public_key=" +
                               kA + "\npreshared_key=" + kZeros +
                               "\nprotocol_version=1\n"
                               "last_handshake_time_sec=0\n"
                               "last_handshake_time_nsec=0\n"
                               "tx_bytes=0\n"
                               "rx_bytes=0\n"
                               "persistent_keepalive_interval=0\n"
                               "errno=0\n\n");
}

TEST(UapiGet, LeavesOutWhatIsNotSet) {
  InterfaceStatus status;
  io::SecretBuffer out;
  append_uapi_status(out, status);
  status.device.private_key = crypto::Key();
  append_uapi_status(out, status);
  append_uapi_errno(out, EADDRINUSE);
  EXPECT_EQ(io::view(out), "errno=-98\n\n");
}

}  // namespace
}  // namespace fireline::wg
