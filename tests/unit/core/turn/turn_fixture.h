// An allocation on a virtual clock with a relay played by hand: requests are parsed and kept, answers are built and
// signed here.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_view.h"
#include "core/stun/message_writer.h"
#include "core/turn/allocation.h"

namespace fireline::turn {

using namespace std::chrono_literals;
using stun::Attribute;
using stun::MessageClass;
using stun::Method;

inline constexpr std::string_view kUsername = "1763600000:0123456789abcdef";
inline constexpr std::string_view kPassword = "secretpassword";
inline constexpr std::string_view kNonce = "4a0b0e0c-0000-4000-8000-000000000001";
inline constexpr std::string_view kOtherNonce = "4a0b0e0c-0000-4000-8000-000000000002";

class SeededRandom final : public crypto::Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}
  void fill(Bytes bytes) noexcept override {
    for (auto& byte : bytes) byte = static_cast<std::byte>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

[[nodiscard]] inline Endpoint endpoint(std::string_view text) {
  return Endpoint::parse(text).value();
}

inline const Endpoint kServer4 = endpoint("203.0.113.1:3478");
inline const Endpoint kServer6 = endpoint("[2001:db8:1::1]:3478");
inline const Endpoint kLocal4 = endpoint("10.0.0.4:52625");
inline const Endpoint kLocal6 = endpoint("[2001:db8:2::4]:52625");
inline const Endpoint kMapped4 = endpoint("198.51.100.9:40000");
inline const Endpoint kMapped6 = endpoint("[2001:db8:2::4]:52625");
inline const Endpoint kRelayed4 = endpoint("203.0.113.1:50000");
inline const Endpoint kRelayed6 = endpoint("[2001:db8:1::1]:50000");
inline const Endpoint kPeer4 = endpoint("198.51.100.7:52625");
inline const Endpoint kPeer6 = endpoint("[2001:db8:7::7]:52625");

[[nodiscard]] inline RelayAddresses both_servers() {
  return {.v4 = kServer4, .v6 = kServer6};
}
[[nodiscard]] inline RelayAddresses server_v4() {
  return {.v4 = kServer4, .v6 = std::nullopt};
}

// A request as the relay got it.
struct SentRequest {
  Endpoint destination;
  std::vector<std::byte> bytes;
  Instant at;

  [[nodiscard]] stun::MessageView view() const { return stun::MessageView::parse(bytes).value(); }
  [[nodiscard]] Method method() const { return view().method(); }
  [[nodiscard]] bool removes() const { return view().find_u32(Attribute::lifetime) == 0U; }
};

using AddAttributes = std::function<void(stun::MessageWriter&)>;
enum class Signed : std::uint8_t { no, wrongly, yes };

class Harness {
 public:
  explicit Harness(RelayAddresses servers = server_v4(), AllocationOptions options = {})
      : allocation(now, servers, Credentials(kUsername, kPassword), std::move(options), random, counters) {
    drain();
  }

  // Takes everything that the allocation wants to send or tell; what it sent since the last call is in `sent`.
  void drain() {
    std::array<std::byte, kMaxRequestBytes> out;
    while (const auto transmit = allocation.poll_transmit(out)) {
      sent.push_back({transmit->destination, {out.begin(), out.begin() + std::ptrdiff_t(transmit->bytes)}, now.boot});
    }
    while (const auto event = allocation.poll_event()) events.push_back(*event);
  }

  // Runs timers as they come due until `time`, as an owner would.
  void advance_to(Instant time) {
    for (;;) {
      const auto next = allocation.poll_timeout();
      if (!next || *next > time) break;
      const Instant before = *next;
      now.boot = std::max(now.boot, *next);
      allocation.handle_timeout(now);
      drain();
      const auto after = allocation.poll_timeout();
      ASSERT_TRUE(!after || *after > before) << "a timer is repeated without progress";
    }
    now.boot = time;
  }
  void advance(Duration by) { advance_to(now.boot + by); }
  void run_timers() {
    allocation.handle_timeout(now);
    drain();
  }

  bool answer(const SentRequest& request, MessageClass message_class, const AddAttributes& add,
              Signed how = Signed::yes) {
    std::array<std::byte, kMaxRequestBytes> out;
    const auto view = request.view();
    stun::MessageWriter writer(out, message_class, view.method(), view.transaction_id());
    if (add) add(writer);
    const stun::LongTermKey key(kUsername, kRealm, how == Signed::yes ? kPassword : "another password");
    if (how != Signed::no) writer.add_integrity(key.bytes());
    const Endpoint& local = request.destination.address.is_v4() ? kLocal4 : kLocal6;
    const bool accepted = allocation.handle_response(now, request.destination, local, writer.message());
    drain();
    return accepted;
  }
  bool succeed(const SentRequest& request, const AddAttributes& add = {}) {
    return answer(request, MessageClass::success, add);
  }
  bool fail(const SentRequest& request, std::uint16_t code, std::string_view nonce = {},
            std::string_view realm = kRealm, Signed how = Signed::yes) {
    return answer(
        request, MessageClass::error,
        [&](stun::MessageWriter& writer) {
          writer.add_error_code(code, "");
          if (code == 401 || code == 438) writer.add_text(Attribute::realm, realm);
          if (!nonce.empty()) writer.add_text(Attribute::nonce, nonce);
        },
        how);
  }
  bool bound(const SentRequest& request, const Endpoint& mapped) {
    return answer(
        request, MessageClass::success,
        [&](stun::MessageWriter& writer) { writer.add_xor_address(Attribute::xor_mapped_address, mapped); },
        Signed::no);
  }
  bool allocated(const SentRequest& request, std::uint32_t lifetime = 600, bool v6 = true) {
    return succeed(request, [&](stun::MessageWriter& writer) {
      writer.add_xor_address(Attribute::xor_relayed_address, kRelayed4);
      if (v6) writer.add_xor_address(Attribute::xor_relayed_address, kRelayed6);
      writer.add_u32(Attribute::lifetime, lifetime);
    });
  }
  bool refreshed(const SentRequest& request, std::uint32_t lifetime = 600) {
    return succeed(request, [&](stun::MessageWriter& writer) { writer.add_u32(Attribute::lifetime, lifetime); });
  }

  // Up to an allocation, as in the usual exchange.
  void allocate() {
    ASSERT_TRUE(bound(take(Method::binding), kMapped4));
    ASSERT_TRUE(fail(take(Method::allocate), 401, kNonce));
    ASSERT_TRUE(allocated(take(Method::allocate)));
    events.clear();
  }
  // A bound channel to the peer.
  std::uint16_t bind(const Endpoint& peer) {
    allocation.bind(now, peer);
    drain();
    const SentRequest request = take(Method::channel_bind);
    EXPECT_TRUE(succeed(request));
    return request.view().find_channel_number().value();
  }
  bool receive_data(std::uint16_t channel) {
    std::vector<std::byte> datagram(8);
    stun::write_channel_header(datagram, channel, 4);
    return allocation.unwrap(now, datagram).has_value();
  }

  // The oldest kept request of that method, which must exist.
  SentRequest take(Method method) {
    for (auto request = sent.begin(); request != sent.end(); ++request) {
      if (request->method() != method) continue;
      SentRequest found = *request;
      sent.erase(request);
      return found;
    }
    ADD_FAILURE() << "no request of method " << static_cast<int>(method);
    return {kServer4, std::vector<std::byte>(stun::kHeaderBytes), now.boot};
  }
  [[nodiscard]] std::size_t count(Method method) const {
    return static_cast<std::size_t>(std::ranges::count(sent, method, &SentRequest::method));
  }
  [[nodiscard]] std::uint64_t counted(TurnCounter which) const { return counters.get(which); }
  [[nodiscard]] DiscardReason discarded() const {
    const bool ended = !events.empty() && events.back().kind == EventKind::discarded;
    return ended ? events.back().reason : DiscardReason::none;
  }

  Now now{.boot = Instant(1000s), .wall = {}};
  SeededRandom random;
  Counters<TurnCounter> counters;
  Allocation allocation;
  std::vector<SentRequest> sent;
  std::vector<Event> events;
};

[[nodiscard]] inline Event added(CandidateKind kind, const Endpoint& address, const Endpoint& base,
                                 Family server = Family::v4) {
  return {.kind = EventKind::candidate_added,
          .candidate = {.kind = kind, .address = address, .base = base, .server_family = server}};
}
[[nodiscard]] inline Event invalidated(CandidateKind kind, const Endpoint& address, const Endpoint& base,
                                       Family server = Family::v4) {
  Event event = added(kind, address, base, server);
  event.kind = EventKind::candidate_invalidated;
  return event;
}

}  // namespace fireline::turn
