// WireGuard's handshake, cookie and transport data, byte for byte, with all keys fixed.
// The values were computed by a program of another language and arithmetic. The first half derives them from the
// primitives alone, line by line; the second half shows that the product's functions make the same bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/crypto/aead.h"
#include "core/crypto/blake2s.h"
#include "core/crypto/x25519.h"
#include "core/crypto/xaead.h"
#include "core/wireguard/cookie.h"
#include "core/wireguard/noise.h"
#include "tests/unit/core/crypto/hex.h"

namespace fireline::wireguard {
namespace {

using crypto::from_hex;
using crypto::from_text;
using crypto::Key;
using crypto::to_hex;

constexpr std::uint32_t kInitiatorIndex = 0x00123401;
constexpr std::uint32_t kResponderIndex = 0x00abcd01;
constexpr UnixTime kTime{std::chrono::seconds(1'700'000'000) + std::chrono::nanoseconds(123'456'789)};

constexpr std::string_view kInitiatorPublic = "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13";
constexpr std::string_view kResponderPublic = "0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
constexpr std::string_view kInitiatorEphemeral = "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14";
constexpr std::string_view kResponderEphemeral = "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b";
constexpr std::string_view kMac1KeyOfResponder = "2b14c2a1d73fe52519772891d6df632bd2408279e87eb80c61bc395fccadf4a6";
constexpr std::string_view kMac1KeyOfInitiator = "2f8377a0268a9731b6008d714f7cb7f4d3894c759cec65269f872f64619794f5";
constexpr std::string_view kCookieKeyOfResponder = "f38243a909cf26b7ec109798fd3dfdbdb7592367db444819154f6582389fdc1b";
constexpr std::string_view kC3 = "b8782bd761f1d0078fb179bf33a29db3906525564566c5c9426ec930c872f7a1";
constexpr std::string_view kH3 = "68c07e6b42b8c15626df2e2745a1d8a64367fd2b019b13d605f8addfafdb94c6";
constexpr std::string_view kC4 = "24eca314409f2ca9ccbf8d50ebb72b7235d67ed11b21eeefc67942a2596df51e";
constexpr std::string_view kH4 = "a195c96fcc885da5f1318d255f3b68003ca04e65f6a856af9279417c6d68d703";
constexpr std::string_view kStaticStatic = "9e004098efc091d4ec2663b4e9f5cfd4d7064571690b4bea97ab146ab9f35056";
constexpr std::string_view kTimestamp = "400000006553f125075bcd15";
constexpr std::string_view kT1 = "a007faf842d83f5bd3be20a14e0ffcec34c84867b78b051980602713205922de";
constexpr std::string_view kT2 = "d982d5cd10d34a7802b6c19fa441cd9164d70e4f4d62007ab416879ee8bd1b99";

const std::string kInitiation =
    "01000000013412007b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
    "81e498317da959fba46669572516a5e6c021bfa620bb6c56ca0082e1feae14988c2c64d024c617734a263f76a008df04"
    "d0f94bad8ee75ee7e699a44064a59e0bf50d367be022ac058c01ffe3"
    "1b8f375f77d6166d3e1f06cd004a42d600000000000000000000000000000000";
const std::string kResponse =
    "0200000001cdab0001341200ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b"
    "63ca7f161515d94de136489b1a9d582240dad0501bc3fce100ad49eb3904c08900000000000000000000000000000000";
const std::string kCookieReply =
    "0300000001341200000102030405060708090a0b0c0d0e0f1011121314151617"
    "7c57851bedad0fbdbae90ec658d2734d5cf38137b434b6d192a466b39a5a1014";
constexpr std::string_view kMac2WithCookie = "ba81492a9dd50d21ba0696f4ef7af8d8";

Key repeated(unsigned byte);
Key key(std::string_view hex);
// Seals `plaintext` as a message of transport data.
std::string transport(const Key& key, std::uint64_t counter, std::string_view plaintext_hex);

// Gives the same byte for ever: an unclamped private key of the vectors.
class RepeatedRandom final : public crypto::Random {
 public:
  explicit RepeatedRandom(unsigned byte) : byte_(static_cast<std::byte>(byte)) {}
  void fill(Bytes bytes) noexcept override { std::ranges::fill(bytes, byte_); }

 private:
  std::byte byte_;
};

// Gives 0, 1, 2, …
class CountingRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next_++);
  }

 private:
  std::uint8_t next_ = 0;
};

const StaticIdentity& initiator() {
  static const StaticIdentity kIdentity(repeated(0x11));
  return kIdentity;
}
const StaticIdentity& responder() {
  static const StaticIdentity kIdentity(repeated(0x22));
  return kIdentity;
}

struct Line {
  std::string_view name;
  std::string expected;
  std::string actual;
};

void expect_lines(std::span<const Line> lines) {
  for (const Line& line : lines) EXPECT_EQ(line.actual, line.expected) << line.name;
}

TEST(WireGuardVectors, ConstantsOfThePrimitives) {
  const auto c0 = crypto::hash(from_text("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"));
  const Line lines[] = {
      {"C0", "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36", to_hex(c0)},
      {"H0", "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3",
       to_hex(crypto::hash(c0, from_text("WireGuard v1 zx2c4 Jason@zx2c4.com")))},
      {"HMAC", "84f646acda0776ee848b7f9dc5771c7d8cf023999c0c3dd84dc78636a146e805",
       crypto::hmac(from_text("key"), from_text("data")).to_hex()},
      {"MAC", "61ba5f165c194692e09d12520cc4c74a", to_hex(crypto::mac16(crypto::counting(32), from_text("abc")))},
  };
  expect_lines(lines);
}

TEST(WireGuardVectors, EachStepOfTheHandshakeFromThePrimitives) {
  const Key s_i = repeated(0x11), s_r = repeated(0x22), e_i = repeated(0x33), e_r = repeated(0x44);
  const auto s_i_pub = crypto::public_key(s_i), s_r_pub = crypto::public_key(s_r);
  const auto e_i_pub = crypto::public_key(e_i), e_r_pub = crypto::public_key(e_r);
  const auto initiation = from_hex(kInitiation), response = from_hex(kResponse);
  const Key c0(crypto::hash(from_text("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")));
  const auto h0 = crypto::hash(c0.bytes(), from_text("WireGuard v1 zx2c4 Jason@zx2c4.com"));

  const auto h1 = crypto::hash(h0, s_r_pub.bytes);
  const auto h2 = crypto::hash(h1, e_i_pub.bytes);
  const auto [c2, t2] = crypto::kdf2(c0, e_i_pub.bytes);
  const auto dh3 = crypto::shared_secret(e_i, s_r_pub);
  ASSERT_TRUE(dh3);
  const auto [c3, k3] = crypto::kdf2(c2, dh3->bytes());
  std::array<std::byte, 48> sealed_static{};
  crypto::aead_seal(k3, 0, s_i_pub.bytes, h2, sealed_static);
  const auto h3 = crypto::hash(h2, sealed_static);
  const auto dh4 = crypto::shared_secret(s_i, s_r_pub);
  ASSERT_TRUE(dh4);
  const auto [c4, k4] = crypto::kdf2(c3, dh4->bytes());
  std::array<std::byte, 28> sealed_timestamp{};
  crypto::aead_seal(k4, 0, from_hex(kTimestamp), h3, sealed_timestamp);
  const auto h4 = crypto::hash(h3, sealed_timestamp);
  const auto h5 = crypto::hash(h4, e_r_pub.bytes);
  const Key c5 = crypto::kdf1(c4, e_r_pub.bytes);
  const Key c_ee = crypto::kdf1(c5, crypto::shared_secret(e_r, e_i_pub).value().bytes());
  const Key c_se = crypto::kdf1(c_ee, crypto::shared_secret(e_r, s_i_pub).value().bytes());
  const auto [c7, tau, k7] = crypto::kdf3(c_se, repeated(0x55).bytes());
  const auto h7 = crypto::hash(h5, tau.bytes());
  std::array<std::byte, 16> sealed_nothing{};
  crypto::aead_seal(k7, 0, {}, h7, sealed_nothing);
  const auto [t_first, t_second] = crypto::kdf2(c7, {});

  const Line lines[] = {
      {"S_i.pub", std::string(kInitiatorPublic), s_i_pub.to_hex()},
      {"S_r.pub", std::string(kResponderPublic), s_r_pub.to_hex()},
      {"E_i.pub", std::string(kInitiatorEphemeral), e_i_pub.to_hex()},
      {"E_r.pub", std::string(kResponderEphemeral), e_r_pub.to_hex()},
      {"step 1 H", "1f02fc782351f5d58de3af43c3b142c4268bf3ae8051d9469eb922a666d4745c", to_hex(h1)},
      {"step 2 H", "78c39ebb1ff92afd4ce9aac9a0595053e641dbb7f5032a122b3458a29474f1e6", to_hex(h2)},
      {"step 2 t0", "6060a69ab3aaf6980b82b37ebe61584a78214d2b327a40eae97adf8d684458cc",
       crypto::hmac(c0.bytes(), e_i_pub.bytes).to_hex()},
      {"step 2 C", "01c55808bf91efc4a10fdcde0976b8f9d48bc519545ef9c3752f28e35fe66a0a", c2.to_hex()},
      {"step 2 t2", "6bd10a05c4102d8ba778da8024e4634f69556194d32c18568c2e5b4f083a2e56", t2.to_hex()},
      {"step 3 DH", "1fdc192faa0212a9aae7bb4f41b580227fd5ad3e5d777faae230dfe973f3e805", dh3->to_hex()},
      {"step 3 C", std::string(kC3), c3.to_hex()},
      {"step 3 k", "1295d5fce6e4fd28e89cacb34e3fc1b5f94a5e7424439e3ab3b659d2f57ec290", k3.to_hex()},
      {"step 3 H", std::string(kH3), to_hex(h3)},
      {"step 3 static", to_hex(std::span(initiation).subspan(40, 48)), to_hex(sealed_static)},
      {"step 4 DH", std::string(kStaticStatic), dh4->to_hex()},
      {"step 4 C", std::string(kC4), c4.to_hex()},
      {"step 4 k", "92253228a5a30c72e5f4784c782d1608295ed7c6a63dcc7182edb732af95397d", k4.to_hex()},
      {"step 4 H", std::string(kH4), to_hex(h4)},
      {"step 4 ts", to_hex(std::span(initiation).subspan(88, 28)), to_hex(sealed_timestamp)},
      {"step 5 H", "98ae825cb89422220a7aff11cbf4a29c1da86ea542d404fe7257eb370dbbc04c", to_hex(h5)},
      {"step 5 C", "e69442b26039a82bc5f4b4cc3ce6b0f8a8c7aaf7fe1df911a133ca3ce5daa335", c5.to_hex()},
      {"step 6 C after ee", "ec0fb147ebffc2fa145fb7e1b2f153349956a5d421cb51baa92422b456e625f3", c_ee.to_hex()},
      {"step 6 C after se", "396dd574304e4d53ebf291e46fe95ae3b47aa5b346c7f74692b8d3757016d4ef", c_se.to_hex()},
      {"step 7 C", "209dea3ad2dc1f199fbabd13b4f744c30fe13520a3978ce6d931d8f30e20853c", c7.to_hex()},
      {"step 7 tau", "bb21f95b6d2d39e2ba8a750bdb4a6d7e06fd15745aca74e5888267cb23558167", tau.to_hex()},
      {"step 7 k", "93aea81c527a269cad3c1b29353a100cc145e64a115f8c217934ede9a6475415", k7.to_hex()},
      {"step 7 H", "2ef9611c9b342226e5ddcf756295d6bda48d28b736c4bd5b98909a85aac3872e", to_hex(h7)},
      {"step 7 empty", to_hex(std::span(response).subspan(44, 16)), to_hex(sealed_nothing)},
      {"T1", std::string(kT1), t_first.to_hex()},
      {"T2", std::string(kT2), t_second.to_hex()},
  };
  expect_lines(lines);
}

TEST(WireGuardVectors, IdentitiesAndTimestamp) {
  const RemoteIdentity remote(initiator(), responder().public_key());
  const RemoteIdentity reverse(responder(), initiator().public_key());
  const Line lines[] = {
      {"S_i.pub", std::string(kInitiatorPublic), initiator().public_key().to_hex()},
      {"S_r.pub", std::string(kResponderPublic), responder().public_key().to_hex()},
      {"mac1 key of the responder", std::string(kMac1KeyOfResponder), responder().mac1_key().to_hex()},
      {"the same from outside", std::string(kMac1KeyOfResponder), remote.mac1_key().to_hex()},
      {"mac1 key of the initiator", std::string(kMac1KeyOfInitiator), initiator().mac1_key().to_hex()},
      {"the same from outside", std::string(kMac1KeyOfInitiator), reverse.mac1_key().to_hex()},
      {"cookie key of the responder", std::string(kCookieKeyOfResponder), responder().cookie_key().to_hex()},
      {"the same from outside", std::string(kCookieKeyOfResponder), remote.cookie_key().to_hex()},
      {"DH(S_i, S_r)", std::string(kStaticStatic), remote.static_static().to_hex()},
      {"DH(S_r, S_i)", std::string(kStaticStatic), reverse.static_static().to_hex()},
      {"TAI64N", std::string(kTimestamp), to_hex(Tai64n::from_unix(kTime, kTaiOffsetFirezone).bytes)},
      {"client key in base64", "e06Qm75//kTEZaIgA31gjuNYl9Me+XLwf3SJLLD3PxM=", initiator().public_key().to_base64()},
      {"gateway key in base64", "D6poTtKIZ7l/Smot7l34zpdOdrcBjj8iocTPJnhXDyA=", responder().public_key().to_base64()},
  };
  expect_lines(lines);
}

TEST(WireGuardVectors, BothMessagesAndTransportKeys) {
  const RemoteIdentity to_responder(initiator(), responder().public_key());
  const RemoteIdentity to_initiator(responder(), initiator().public_key());
  CookieGenerator initiator_macs(to_responder), responder_macs(to_initiator);
  const Instant now{};

  RepeatedRandom e_i(0x33);
  InitiationMessage initiation;
  const auto pending = create_initiation(initiator(), to_responder, Tai64n::from_unix(kTime, kTaiOffsetFirezone),
                                         kInitiatorIndex, e_i, initiation);
  ASSERT_TRUE(pending);
  initiator_macs.add_macs(now, initiation);
  EXPECT_EQ(to_hex(initiation), kInitiation);
  EXPECT_EQ(pending->state.chaining_key.to_hex(), kC4);
  EXPECT_EQ(pending->state.hash.to_hex(), kH4);

  const auto bytes = from_hex(kInitiation);
  const auto view = InitiationView::parse(bytes);
  ASSERT_TRUE(view);
  const auto anonymous = open_static(responder(), *view);
  ASSERT_TRUE(anonymous);
  EXPECT_EQ(anonymous->initiator_static.to_hex(), kInitiatorPublic);
  EXPECT_EQ(anonymous->state.chaining_key.to_hex(), kC3);
  EXPECT_EQ(anonymous->state.hash.to_hex(), kH3);
  const auto authentic = open_timestamp(*anonymous, to_initiator, *view);
  ASSERT_TRUE(authentic);
  EXPECT_EQ(to_hex(authentic->timestamp.bytes), kTimestamp);
  EXPECT_EQ(authentic->sender_index, kInitiatorIndex);
  EXPECT_EQ(authentic->state.chaining_key.to_hex(), kC4);
  EXPECT_EQ(authentic->state.hash.to_hex(), kH4);

  RepeatedRandom e_r(0x44);
  ResponseMessage response;
  const auto responder_keys = create_response(*authentic, to_initiator, repeated(0x55), kResponderIndex, e_r, response);
  ASSERT_TRUE(responder_keys);
  responder_macs.add_macs(now, response);
  EXPECT_EQ(to_hex(response), kResponse);
  EXPECT_EQ(responder_keys->receive.to_hex(), kT1);
  EXPECT_EQ(responder_keys->send.to_hex(), kT2);

  const auto response_bytes = from_hex(kResponse);
  const auto initiator_keys =
      consume_response(initiator(), *pending, repeated(0x55), ResponseView::parse(response_bytes).value());
  ASSERT_TRUE(initiator_keys);
  EXPECT_EQ(initiator_keys->send.to_hex(), kT1);
  EXPECT_EQ(initiator_keys->receive.to_hex(), kT2);
}

TEST(WireGuardVectors, TransportData) {
  constexpr std::string_view kInner = "4500001c000000004011b24e64400001644000021000100000080000";
  EXPECT_EQ(transport(key(kT1), 0, ""), "0400000001cdab000000000000000000f1bce9fd9651b3f6b50c00179cbd1e01");
  EXPECT_EQ(
      transport(key(kT1), 1, kInner),
      "0400000001cdab0001000000000000008d1cd7b6b3b14856579ca1e52a90ffa186aae65b08ca59388cbbbce817577d5dfb69e6e3843d"
      "7267855253bd");
  const auto data = from_hex(transport(key(kT1), 1, kInner));
  const auto view = TransportView::parse(data);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->receiver_index(), kResponderIndex);
  EXPECT_EQ(view->counter(), 1u);
  std::vector<std::byte> plaintext(view->plaintext_bytes());
  ASSERT_TRUE(crypto::aead_open(key(kT1), view->counter(), view->sealed(), {}, plaintext));
  EXPECT_EQ(to_hex(plaintext), kInner);
}

TEST(WireGuardVectors, CookieReplyAndMac2) {
  const auto bytes = from_hex(kInitiation);
  std::array<std::byte, kCookieReplyBytes> reply{};
  std::ranges::copy(from_hex(kCookieReply.substr(0, 64)), reply.begin());
  crypto::XNonce nonce;
  std::ranges::copy(crypto::counting(24), nonce.begin());
  const auto mac1 = MacFields::parse(bytes).value().mac1;
  crypto::xaead_seal(key(kCookieKeyOfResponder), nonce, repeated(0x66).bytes().first(16), mac1,
                     Bytes(reply).subspan(32));
  EXPECT_EQ(to_hex(reply), kCookieReply);

  const RemoteIdentity remote(initiator(), responder().public_key());
  CookieGenerator macs(remote);
  InitiationMessage initiation;
  std::ranges::copy(bytes, initiation.begin());
  macs.add_macs(Instant{}, initiation);
  ASSERT_TRUE(macs.consume_reply(Instant{}, CookieReplyView::parse(reply).value()));
  macs.add_macs(Instant{}, initiation);
  EXPECT_EQ(to_hex(MacFields::parse(initiation).value().mac2), kMac2WithCookie);
}

TEST(WireGuardVectors, CookieOfTheFirstPeriodBindsTheAddress) {
  RepeatedRandom random(0x77);
  CookieChecker checker(responder(), CookieRule::period, Instant{}, random);
  const auto bytes = from_hex(kInitiation);
  const auto message = MacFields::parse(bytes).value();
  const Endpoint source{.address = IpAddress::parse("192.0.2.1").value(), .port = 40000};
  const auto reply_bytes = checker.create_reply(Instant{}, message, source);
  const auto reply = CookieReplyView::parse(reply_bytes).value();

  crypto::XNonce nonce;
  std::ranges::copy(reply.nonce(), nonce.begin());
  std::array<std::byte, kCookieBytes> cookie{};
  ASSERT_TRUE(crypto::xaead_open(key(kCookieKeyOfResponder), nonce, reply.encrypted_cookie(), message.mac1, cookie));
  EXPECT_EQ(to_hex(cookie), "c0b5b97612b8161178c6e51093743888");
}

TEST(WireGuardVectors, CookieReplyNonceComesFromTheRandomSource) {
  CountingRandom random;
  CookieChecker checker(responder(), CookieRule::period, Instant{}, random);  // takes 16 bytes for its secret
  const auto bytes = from_hex(kInitiation);
  const auto reply = checker.create_reply(Instant{}, MacFields::parse(bytes).value(), Endpoint{});
  EXPECT_EQ(to_hex(CookieReplyView::parse(reply).value().nonce()), to_hex(crypto::counting(24, 16)));
}

Key repeated(unsigned byte) {
  Key result;
  std::ranges::fill(result.mutable_bytes(), static_cast<std::byte>(byte));
  return result;
}

Key key(std::string_view hex) {
  return Key::from_hex(hex).value();
}

std::string transport(const Key& key, std::uint64_t counter, std::string_view plaintext_hex) {
  const auto plaintext = from_hex(plaintext_hex);
  std::vector<std::byte> message(plaintext.size() + kTransportOverheadBytes);
  write_transport_header(message, kResponderIndex, counter);
  crypto::aead_seal(key, counter, plaintext, {}, Bytes(message).subspan(kTransportHeaderBytes));
  return to_hex(message);
}

}  // namespace
}  // namespace fireline::wireguard
