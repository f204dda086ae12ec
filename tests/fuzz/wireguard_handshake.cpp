// A responder and an initiator that consume what the fuzzer makes of handshake messages. Keys and randomness are fixed,
// and the harness computes mac1, so that the fuzzer gets behind it. The first byte chooses one of the acts below; the
// rest is theirs. The oracle: a changed message is accepted only when the change is in no authenticated byte.
// libraries: fireline_core_wireguard
// covers: core/wireguard/noise.cpp core/wireguard/cookie.cpp
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "core/crypto/blake2s.h"
#include "core/wireguard/cookie.h"
#include "core/wireguard/noise.h"
#include "tests/unit/core/crypto/seeded_random.h"

using namespace fireline;
using namespace fireline::wireguard;
using crypto::seeded_key;
using crypto::SeededRandom;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

// Two nodes that know each other, one finished handshake between them, and its messages.
struct World {
  StaticIdentity initiator{seeded_key(1)};
  StaticIdentity responder{seeded_key(2)};
  RemoteIdentity to_responder{initiator, responder.public_key()};
  RemoteIdentity to_initiator{responder, initiator.public_key()};
  crypto::Key preshared_key = seeded_key(3);
  InitiationMessage initiation{};
  ResponseMessage response{};
  InitiatorHandshake pending;
  TransportKeys responder_keys;

  World() {
    SeededRandom random(4);
    Tai64n timestamp;
    timestamp.bytes[0] = std::byte{0x40};
    pending = create_initiation(initiator, to_responder, timestamp, 0x12345601, random, initiation).value();
    const auto view = InitiationView::parse(initiation).value();
    const auto anonymous = open_static(responder, view).value();
    const auto authentic = open_timestamp(anonymous, to_initiator, view).value();
    responder_keys = create_response(authentic, to_initiator, preshared_key, 0x654321, random, response).value();
  }
};

const World& world() {
  static const World kWorld;
  return kWorld;
}

// XORs `mask` onto the message, as far as it goes.
template <std::size_t kBytes>
std::array<std::byte, kBytes> masked(const std::array<std::byte, kBytes>& message, ConstBytes mask) {
  auto result = message;
  for (std::size_t i = 0; i < std::min(kBytes, mask.size()); ++i) result[i] ^= mask[i];
  return result;
}

template <std::size_t kBytes>
bool same_between(const std::array<std::byte, kBytes>& a, const std::array<std::byte, kBytes>& b, std::size_t from,
                  std::size_t to) {
  return std::memcmp(a.data() + from, b.data() + from, to - from) == 0;
}

// The type and mac1 that make a message worth a look.
template <std::size_t kBytes>
void finish(std::array<std::byte, kBytes>& message, MessageType type, const crypto::Key& mac1_key) {
  constexpr std::size_t kMac1Offset = kBytes - 2 * kMacBytes;
  store_le32(message, 0, static_cast<std::uint32_t>(type));
  const auto mac1 = crypto::mac16(mac1_key.bytes(), ConstBytes(message).first(kMac1Offset));
  std::ranges::copy(mac1, message.begin() + kMac1Offset);
  const auto macs = MacFields::parse(message);
  require(macs.has_value());
  SeededRandom random(5);
  const StaticIdentity& receiver = type == MessageType::initiation ? world().responder : world().initiator;
  require(CookieChecker(receiver, CookieRule::secret, Instant{}, random).mac1_valid(*macs));
}

// An initiation as the whole of the responder sees it; answers what is authentic.
bool respond(const InitiationMessage& message) {
  const World& w = world();
  const auto view = InitiationView::parse(message).value();
  const auto anonymous = open_static(w.responder, view);
  if (!anonymous) return false;
  require(anonymous->sender_index == view.sender_index());
  if (anonymous->initiator_static != w.initiator.public_key()) return false;
  const auto authentic = open_timestamp(*anonymous, w.to_initiator, view);
  if (!authentic) return false;
  SeededRandom random(6);
  ResponseMessage response;
  const auto keys = create_response(*authentic, w.to_initiator, w.preshared_key, 7, random, response);
  require(keys.has_value());
  require(ResponseView::parse(response).value().receiver_index() == view.sender_index());
  return true;
}

void changed_initiation(ConstBytes mask) {
  InitiationMessage message = masked(world().initiation, mask);
  finish(message, MessageType::initiation, world().responder.mac1_key());
  require(respond(message) == same_between(message, world().initiation, 8, 116));
}

void any_initiation(ConstBytes bytes) {
  InitiationMessage message = masked(InitiationMessage{}, bytes);
  finish(message, MessageType::initiation, world().responder.mac1_key());
  require(respond(message) == same_between(message, world().initiation, 8, 116));
}

void consume(const ResponseMessage& message) {
  const World& w = world();
  const auto keys = consume_response(w.initiator, w.pending, w.preshared_key, ResponseView::parse(message).value());
  require(keys.has_value() == same_between(message, w.response, 12, 60));
  if (keys) require(keys->send == w.responder_keys.receive && keys->receive == w.responder_keys.send);
}

void changed_response(ConstBytes mask) {
  ResponseMessage message = masked(world().response, mask);
  finish(message, MessageType::response, world().initiator.mac1_key());
  consume(message);
}

void any_response(ConstBytes bytes) {
  ResponseMessage message = masked(ResponseMessage{}, bytes);
  finish(message, MessageType::response, world().initiator.mac1_key());
  consume(message);
}

// A stranger with keys of its own choice, who knows the responder's public key.
void stranger(ConstBytes bytes) {
  const World& w = world();
  crypto::Key private_key;
  const std::size_t taken = std::min<std::size_t>(bytes.size(), crypto::kKeyBytes);
  std::ranges::copy(bytes.first(taken), private_key.mutable_bytes().begin());
  const StaticIdentity identity(private_key);
  crypto::PublicKey other;
  const ConstBytes rest = bytes.subspan(taken);
  std::ranges::copy(rest.first(std::min<std::size_t>(rest.size(), crypto::kKeyBytes)), other.bytes.begin());

  SeededRandom random(8);
  InitiationMessage message;
  const RemoteIdentity remote(identity, w.responder.public_key());
  require(create_initiation(identity, remote, Tai64n{}, 9, random, message).has_value());
  const auto view = InitiationView::parse(message).value();
  const auto anonymous = open_static(w.responder, view);
  require(anonymous.has_value());
  require(anonymous->initiator_static == identity.public_key());
  const RemoteIdentity itself(w.responder, identity.public_key());
  require(open_timestamp(*anonymous, itself, view).has_value());
  if (identity.public_key() != w.initiator.public_key()) {
    require(!open_timestamp(*anonymous, w.to_initiator, view).has_value());
  }
  // Towards an arbitrary key it works or says invalid_key.
  const RemoteIdentity anyone(w.responder, other);
  const auto sent = create_initiation(w.responder, anyone, Tai64n{}, 10, random, message);
  require(sent.has_value() != anyone.static_static().is_zero());
  if (!sent) require(!open_timestamp(*anonymous, anyone, view).has_value());
}

void cookie_reply(ConstBytes bytes) {
  const World& w = world();
  if (bytes.empty()) return;
  const auto rule = (bytes[0] & std::byte{1}) == std::byte{0} ? CookieRule::secret : CookieRule::period;
  const auto seconds = std::chrono::seconds(std::to_integer<int>(bytes[0]));
  SeededRandom random(11);
  CookieChecker checker(w.responder, rule, Instant{}, random);
  CookieGenerator generator(w.to_responder);
  const Endpoint source{.address = IpAddress::from_bytes(std::array<std::byte, 16>{}), .port = 1};

  InitiationMessage message = w.initiation;
  const auto unsent = checker.create_reply(Instant{}, MacFields::parse(message).value(), source);
  require(!generator.consume_reply(Instant{}, CookieReplyView::parse(unsent).value()));

  generator.add_macs(Instant{}, message);
  const auto reply = checker.create_reply(Instant{}, MacFields::parse(message).value(), source);
  CookieReplyMessage changed = masked(reply, bytes.subspan(1));
  store_le32(changed, 0, static_cast<std::uint32_t>(MessageType::cookie_reply));
  const bool accepted = generator.consume_reply(Instant{}, CookieReplyView::parse(changed).value()).has_value();
  require(accepted == (changed == reply));

  const Instant later = Instant{} + seconds;
  ResponseMessage answer = w.response;
  generator.add_macs(later, answer);
  require(generator.has_cookie(later) == (accepted && seconds < kCookieLifetime));
  require(checker.mac2_valid(later, MacFields::parse(answer).value(), source) == generator.has_cookie(later));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ConstBytes rest = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 6) {
    case 0:
      any_initiation(rest);
      break;
    case 1:
      changed_initiation(rest);
      break;
    case 2:
      any_response(rest);
      break;
    case 3:
      changed_response(rest);
      break;
    case 4:
      stranger(rest);
      break;
    default:
      cookie_reply(rest);
  }
  return 0;
}
