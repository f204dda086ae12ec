// A set of one relay under a script: requests answered with arbitrary attributes, signed or not, arbitrary datagrams,
// channel data, timers, peers and updates in any order. Promises: every request is whole, signed and leaves once (with
// the test-only option for foreign servers: signed once there is a NONCE); a channel carries data only behind its
// ChannelBind, and takes some only after the relay's consent; relayed candidates exist exactly with the allocation and
// come and go in pairs; timers make progress; after the end there is silence.
// Input: one byte of choices, then steps: one byte of kind, one of choice, one of length, that many bytes.
// libraries: fireline_core_turn
// covers: core/turn/allocation.cpp core/turn/channels.cpp core/turn/request.cpp core/turn/request_message.cpp
// covers: core/turn/known_candidates.cpp core/turn/relay_set.cpp
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <vector>

#include "core/stun/channel_data.h"
#include "core/stun/integrity.h"
#include "core/stun/message_writer.h"
#include "core/turn/relay_set.h"

using namespace fireline;
using namespace fireline::turn;

namespace {

constexpr std::size_t kStepsMax = 400;  // keeps one execution short
constexpr std::size_t kSentMax = 64;    // requests that can still be answered
constexpr std::string_view kUser = "1892160000:salt";

void require(bool promise) {
  if (!promise) std::abort();
}

class CountingRandom final : public crypto::Random {
 public:
  void fill(Bytes bytes) noexcept override {
    for (auto& byte : bytes) byte = std::byte{0};
    ++count_;
    for (std::size_t i = 0; i < 4 && i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(count_ >> (8 * i));
  }

 private:
  std::uint32_t count_ = 0;
};

Endpoint endpoint(std::string_view text) {
  return Endpoint::parse(text).value();
}

struct Sent {
  Endpoint destination;
  stun::Method method;
  stun::TransactionId id;
  std::uint16_t channel = 0;
  Endpoint peer;
};

class Script {
 public:
  Script(ConstBytes input, std::uint8_t choices)
      : input_(input),
        dual_((choices & 1) != 0),
        plain_((choices & 2) != 0),
        set_({.software = "fuzz", .accept_unsigned_errors = plain_}, random_) {}

  void run() {
    update(0);
    for (std::size_t step = 0; step < kStepsMax && input_.size() >= 3; ++step) {
      const std::uint8_t kind = load_u8(input_, 0);
      const std::uint8_t choice = load_u8(input_, 1);
      const std::size_t length = std::min<std::size_t>(load_u8(input_, 2), input_.size() - 3);
      const ConstBytes argument = input_.subspan(3, length);
      input_ = input_.subspan(3 + length);
      take_step(kind % 12, choice, argument);
      drain();
    }
  }

 private:
  void take_step(unsigned kind, std::uint8_t choice, ConstBytes argument) {
    Allocation* allocation = set_.find("a");
    switch (kind) {
      case 0:
        return answer(choice, argument);
      case 1:
        (void)set_.receive(now_, server(choice % 2 != 0), local(choice % 2 != 0), argument);
        return;
      case 2:
        return receive_data(choice % 2 != 0, argument);
      case 3:
        return run_timer();
      case 4:
        now_.boot += std::chrono::milliseconds(100) * choice;
        return;
      case 5:
        now_.boot += std::chrono::seconds(10) * choice;
        return;
      case 6:
        if (allocation != nullptr) allocation->bind(now_, peer(choice));
        return;
      case 7:
        return send_data(choice);
      case 8:
        if (allocation != nullptr) allocation->refresh(now_);
        return;
      case 9:
        return update(choice);
      case 10:
        return answer_well(choice);
      default:
        // Time passes as for an owner who lets no timer wait.
        for (unsigned i = 0; i < choice; ++i) run_timer();
        return;
    }
  }

  void update(std::uint8_t choice) {
    if (choice % 8 == 7) {
      set_.reset();
      announced_.clear();
      return;
    }
    std::vector<RelayEntry> entries;
    const std::string password(choice % 8 == 3 ? "another" : "secret");
    const auto kind = choice % 8 == 4 ? RelayEntryKind::stun : RelayEntryKind::turn;
    entries.push_back({"a", kind, server(false), std::string(kUser), password});
    if (dual_) entries.push_back({"a", kind, server(true), std::string(kUser), password});
    if (choice % 8 == 5) entries.clear();
    const std::vector<std::string> removed(choice % 8 == 6 ? 1 : 0, "a");
    if (!entries.empty() && kind == RelayEntryKind::turn) password_ = password;
    set_.update(now_, removed, entries);
  }

  // The choice says which request, success or error, and how it is signed; the argument is its attributes.
  void answer(std::uint8_t choice, ConstBytes attributes) {
    if (sent_.empty()) return;
    const Sent request = sent_[choice % sent_.size()];
    std::array<std::byte, 600> out;
    const auto message_class = (choice & 0x80) != 0 ? stun::MessageClass::error : stun::MessageClass::success;
    stun::MessageWriter writer(out, message_class, request.method, request.id);
    while (attributes.size() >= 2) {
      static constexpr std::array<stun::Attribute, 8> kTypes{
          stun::Attribute::error_code,         stun::Attribute::nonce,    stun::Attribute::realm,
          stun::Attribute::xor_mapped_address, stun::Attribute::lifetime, stun::Attribute::xor_relayed_address,
          stun::Attribute::software,           stun::Attribute::data};
      const auto type = kTypes[load_u8(attributes, 0) % kTypes.size()];
      const std::size_t length = std::min<std::size_t>(load_u8(attributes, 1), attributes.size() - 2);
      writer.add(type, attributes.subspan(2, length));
      attributes = attributes.subspan(2 + length);
    }
    finish(writer, request, (choice & 0x40) == 0);
  }

  // What an honest relay says; the choice says which error, if any.
  void answer_well(std::uint8_t choice) {
    if (sent_.empty()) return;
    const Sent request = sent_[choice % sent_.size()];
    static constexpr std::array<std::uint16_t, 8> kCodes{0, 0, 401, 438, 437, 420, 500, 0};
    const std::uint16_t code = kCodes[choice >> 5];
    std::array<std::byte, 600> out;
    const auto message_class = code != 0 ? stun::MessageClass::error : stun::MessageClass::success;
    stun::MessageWriter writer(out, message_class, request.method, request.id);
    if (code != 0) {
      writer.add_error_code(code, "");
      writer.add_text(stun::Attribute::nonce, "nonce");
    } else {
      writer.add_xor_address(stun::Attribute::xor_mapped_address, endpoint("198.51.100.9:40000"));
      writer.add_xor_address(stun::Attribute::xor_relayed_address, endpoint("203.0.113.1:50000"));
      writer.add_xor_address(stun::Attribute::xor_relayed_address, endpoint("[2001:db8::1]:50000"));
      writer.add_u32(stun::Attribute::lifetime, 600);
    }
    finish(writer, request, true);
  }

  void finish(stun::MessageWriter& writer, const Sent& request, bool sign) {
    if (sign) writer.add_integrity(Credentials(kUser, password_).key());
    if (writer.message().empty()) return;
    const auto accepted_before = set_.counters().get(TurnCounter::responses);
    const bool v6 = !request.destination.address.is_v4();
    (void)set_.receive(now_, request.destination, local(v6), writer.message());
    const bool accepted = set_.counters().get(TurnCounter::responses) != accepted_before;
    const auto view = stun::MessageView::parse(writer.message());
    if (!accepted || !view) return;
    if (view->is(stun::MessageClass::success, stun::Method::channel_bind)) {
      require(sign);
      consented_[request.channel] = request.peer;
    }
  }

  void receive_data(bool direct, ConstBytes datagram) {
    Allocation* allocation = set_.find("a");
    std::optional<ChannelPayload> data;
    if (direct) {
      if (allocation != nullptr) data = allocation->unwrap(now_, datagram);
    } else {
      const Received received = set_.receive(now_, server(false), local(false), datagram);
      if (received.verdict == Verdict::payload) data = received.data;
    }
    if (!data) return;
    const std::uint16_t channel = load_be16(datagram, 0);
    require(datagram.size() == 4 + data->payload.size() && data->payload.size() == load_be16(datagram, 2));
    require(data->payload.empty() || data->payload.data() == datagram.data() + 4);
    require(consented_.contains(channel) && consented_[channel] == data->peer);
    require(data->local.address.family() == data->peer.address.family());
  }

  void send_data(std::uint8_t choice) {
    Allocation* allocation = set_.find("a");
    if (allocation == nullptr) return;
    const auto number = allocation->channel_for(now_, peer(choice));
    if (!number) return;
    require(*number >= stun::kMinChannel && *number <= stun::kMaxChannel);
    require(asked_.contains(*number) && asked_[*number] == peer(choice));
    require(allocation->server().has_value() && allocation->state() == AllocationState::allocated);
  }

  void run_timer() {
    const auto next = set_.poll_timeout();
    if (!next) return;
    now_.boot = std::max(now_.boot, *next);
    set_.handle_timeout(now_);
    drain();
    const auto after = set_.poll_timeout();
    require(!after || *after > now_.boot);
  }

  void drain() {
    std::array<std::byte, kMaxRequestBytes> out;
    while (const auto transmit = set_.poll_transmit(out))
      note_request(*transmit, ConstBytes(out).first(transmit->bytes));
    while (const auto event = set_.poll_event()) note_event(*event);
    const Allocation* allocation = set_.find("a");
    if (allocation == nullptr) return;
    require(allocation->state() != AllocationState::discarded);
    require(allocation->candidates().has_relayed() == (allocation->state() == AllocationState::allocated));
    const AllocationStatus status = allocation->status(now_);
    require(status.waiting_peers <= kBufferedPeersMax && status.outstanding_requests <= kChannelBindsMax + 8);
  }

  void note_request(const Transmit& transmit, ConstBytes bytes) {
    const auto view = stun::MessageView::parse(bytes);
    require(view.has_value() && view->message_class() == stun::MessageClass::request);
    require(transmit.destination == server(false) || (dual_ && transmit.destination == server(true)));
    if (view->method() == stun::Method::binding) {
      require(!view->has(stun::Attribute::username) && !view->has(stun::Attribute::message_integrity));
    } else if (plain_ && !view->has(stun::Attribute::username)) {
      // Before the NONCE of a server that does not sign its errors.
      require(!view->has(stun::Attribute::message_integrity) && !view->has(stun::Attribute::nonce));
    } else {
      require(stun::check_integrity(*view, Credentials(kUser, password_).key()) == stun::Check::good);
    }
    Sent sent{transmit.destination, view->method(), view->transaction_id(), 0, {}};
    if (view->method() == stun::Method::channel_bind) {
      sent.channel = view->find_channel_number().value();
      sent.peer = view->find_xor_address(stun::Attribute::xor_peer_address).value();
      asked_[sent.channel] = sent.peer;
    }
    if (sent_.size() == kSentMax) sent_.erase(sent_.begin());
    sent_.push_back(sent);
  }

  void note_event(const RelayEvent& event) {
    const auto& candidate = event.candidate;
    if (event.kind == RelayEventKind::candidate_added) {
      require(can_be_candidate(candidate.address) &&
              candidate.address.address.family() == candidate.base.address.family());
      if (candidate.kind == CandidateKind::relayed) require(announced_.insert(candidate.address).second);
    } else if (event.kind == RelayEventKind::candidate_invalidated && candidate.kind == CandidateKind::relayed) {
      require(announced_.erase(candidate.address) == 1);
    } else if (event.kind == RelayEventKind::none_left) {
      require(set_.size() == 0 && announced_.empty());
    }
  }

  [[nodiscard]] static Endpoint server(bool v6) { return endpoint(v6 ? "[2001:db8::1]:3478" : "203.0.113.1:3478"); }
  [[nodiscard]] static Endpoint local(bool v6) { return endpoint(v6 ? "[2001:db8::4]:52625" : "10.0.0.4:52625"); }
  [[nodiscard]] static Endpoint peer(std::uint8_t number) {
    Endpoint peer = endpoint(number % 2 != 0 ? "[2001:db8::7]:1" : "198.51.100.7:1");
    peer.port = static_cast<std::uint16_t>(1 + number);
    return peer;
  }

  ConstBytes input_;
  bool dual_;
  bool plain_;
  CountingRandom random_;
  RelaySet set_;
  Now now_{.boot = Instant(std::chrono::seconds(1000)), .wall = {}};
  std::string password_ = "secret";
  std::vector<Sent> sent_;
  std::map<std::uint16_t, Endpoint> asked_, consented_;  // by channel, the latest
  std::set<Endpoint> announced_;                         // relayed candidates
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Script(std::as_bytes(std::span(data + 1, size - 1)), data[0]).run();
  return 0;
}
