// Packets from the TUN and decrypted ones into a tunnel's client, between answers of the portal: what is let through is
// judged again by a walk over all resources, and every packet ends in one counter.
// libraries: fireline_core_tunnel
// covers: core/tunnel/client_packets.cpp core/tunnel/pending_flows.cpp core/tunnel/prohibited.cpp
// An input is a story: a byte for what happens, and behind it what that needs.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/x25519.h"
#include "core/packet/ip_packet.h"
#include "core/tunnel/address_ranges.h"
#include "core/tunnel/client_flows.h"
#include "core/tunnel/client_packets.h"
#include "core/tunnel/client_report.h"
#include "core/tunnel/client_resources.h"
#include "core/tunnel/client_state.h"
#include "tests/sim/counted_buffers.h"
#include "tests/unit/core/crypto/seeded_random.h"
#include "tests/unit/core/tunnel/client_ledger.h"

using namespace fireline;
using namespace fireline::tunnel;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kStepsMax = 64;
constexpr std::size_t kGateways = 2;
constexpr std::array<const char*, 6> kNetworks = {"10.0.0.0/8",    "10.1.0.0/16", "192.0.2.0/24",
                                                  "2001:db8::/32", "0.0.0.0/0",   "203.0.113.7/32"};

void require(bool promise) {
  if (!promise) std::abort();
}

class Story {
 public:
  Story(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  void play() {
    for (std::size_t i = 0; i < kStepsMax && !rest_.empty(); ++i) {
      step(byte());
      check_ledger();
    }
  }

 private:
  [[nodiscard]] std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<std::uint8_t>(rest_[0]);
    rest_ = rest_.subspan(1);
    return value;
  }
  // With a length before it; the packet gets the whole behind it when there is less.
  [[nodiscard]] std::vector<std::byte> packet() {
    const std::size_t length = byte();
    const ConstBytes bytes = rest_.first(std::min(length, rest_.size()));
    rest_ = rest_.subspan(bytes.size());
    return {bytes.begin(), bytes.end()};
  }

  void step(std::uint8_t what) {
    switch (what % 10) {
      case 0:
      case 1:
      case 2:
        return from_tun(what);
      case 3:
      case 4:
        return decrypted(what / 10u % kGateways, packet());
      case 5:
        return hear([&] { put(byte()); });
      case 6:
        return hear([&] { remove_resource(state_, now_, id_of(byte()), output_); });
      case 7:
        return hear([&] { answer(byte()); });
      case 8:
        now_.boot += 700ms * (1 + what / 10);
        return;
      default:
        return control(byte());
    }
  }

  // As Client::handle().
  template <class Message>
  void hear(Message&& message) {
    const auto removed = std::exchange(state_.removed, std::nullopt);
    message();
    if (removed) settle_removal(state_, *removed);
    settle(state_, now_, output_);
  }

  void from_tun(std::uint8_t what) {
    std::vector<std::byte> bytes = packet();
    packet::TunBatch batch;
    batch.packets.push_back({.bytes = bytes, .offload = {}});
    if (what % 10 == 2 && bytes.size() > 40) {
      batch.packets[0].offload = {.segmentation = packet::Segmentation::udp,
                                  .needs_checksum = false,
                                  .segment_bytes = static_cast<std::uint16_t>(1 + what)};
    }
    const std::size_t held = pending();
    filter_tun_batch(state_, now_, batch);
    if (!batch.packets.empty()) {
      judge_to_node(bytes, batch.packets[0]);
    } else if (pending() > held) {
      judge_held(bytes);
    }
    while (poll_event(state_)) {
    }
  }

  void judge_to_node(ConstBytes bytes, const packet::TunPacket& packet) {
    const auto header = packet::IpHeader::parse(bytes);
    require(header.has_value() && is_own(header->source()) && !is_own(header->destination()));
    const ConstBytes destination = header->destination();
    require(!is_multicast_address(destination) && !is_proxy_address(destination) && !is_sentinel_address(destination));
    if (is_tunnel_address(destination)) return require(state_.gateways.find_by_address(destination) != nullptr);
    const ResourceEntry* owner = owner_of(destination);
    require(owner != nullptr);
    // Without a gateway it goes on alone to be told that it is too big.
    if (!owner->gateway) require(packet.bytes.size() > state_.options.node.mtu);
  }

  void judge_held(ConstBytes bytes) {
    const auto header = packet::IpHeader::parse(bytes);
    require(header.has_value() && is_own(header->source()));
    const ResourceEntry* owner = owner_of(header->destination());
    require(owner != nullptr && !owner->gateway && state_.pending.contains(owner->resource.id));
  }

  void decrypted(std::size_t number, std::vector<std::byte> bytes) {
    const auto header = packet::IpHeader::parse(bytes);
    if (!header) return;
    const auto key = keys_[number];
    if (!state_.admit(now_, key, *header, Bytes(bytes).first(header->size()))) return;
    const ConnectedGateway* gateway = state_.gateways.find_by_key(key);
    require(gateway != nullptr);
    const IpAddress source = header->source_address();
    bool allowed = source == gateway->ipv4 || source == gateway->ipv6;
    for (const Uuid& id : gateway->resources) {
      const ResourceEntry* entry = state_.resources.find(id);
      require(entry != nullptr);
      ResourceTable::for_each_network(*entry, [&](const Prefix& network) { allowed |= network.contains(source); });
    }
    require(allowed);
  }

  void put(std::uint8_t choice) {
    policy::ClientResource resource;
    resource.id = id_of(choice);
    resource.name = "name";
    resource.kind = choice % 16 == 15 ? policy::ResourceKind::internet : policy::ResourceKind::cidr;
    if (resource.kind == policy::ResourceKind::cidr) {
      resource.network = Prefix::parse(kNetworks[choice / 8u % kNetworks.size()]).value();
    }
    resource.sites = {{.id = id_of(200), .name = "site"}};
    put_resource(state_, now_, resource, output_);
  }

  void answer(std::uint8_t choice) {
    const std::size_t number = choice / 8u % kGateways;
    if (choice >= 0xF0) {
      const auto reason = choice % 2 == 0 ? portal::FlowFailure::offline : portal::FlowFailure::forbidden;
      return fail_flow(state_, now_,
                       {.resource = id_of(choice), .reason = reason, .reason_text = {}, .violated_properties = {}},
                       output_);
    }
    portal::FlowCreated flow;
    flow.resource = id_of(choice);
    flow.gateway = id_of(static_cast<std::uint8_t>(100 + number));
    flow.site = id_of(200);
    flow.gateway_key = keys_[number];
    flow.gateway_ipv4 = IpAddress::parse("100.70.0." + std::to_string(number + 1)).value();
    flow.gateway_ipv6 = IpAddress::parse("fd00:2021:1111::6:" + std::to_string(number + 1)).value();
    flow.client_ice = {.username = "llqe", .password = "jio6xwffz6i3ixgub3h4n5"};
    flow.gateway_ice = {.username = "nk46", .password = "yiuijlligg2km2kweghata"};
    create_flow(state_, now_, flow, output_);
  }

  void control(std::uint8_t choice) {
    switch (choice % 4) {
      case 0:
        return set_interface(state_, {.ipv4 = IpAddress::parse("100.64.0.10").value(),
                                      .ipv6 = IpAddress::parse("fd00:2021:1111::a").value(),
                                      .upstream_do53 = {},
                                      .upstream_doh = {},
                                      .search_domain = {}});
      case 1:
        return set_internet_enabled(state_, now_, choice % 8 < 4, output_);
      case 2: {
        turn::RelayEntry relay;
        relay.id = "relay";
        relay.address = Endpoint::parse("203.0.113.1:3478").value();
        relay.username = "user";
        relay.password = "password";
        state_.node.update_relays(now_, {}, std::vector{relay}, output_);
        return ask_again(state_, now_);
      }
      default:
        return reset(state_, now_, crypto::seeded_key(choice), output_);
    }
  }

  // Longest prefix; of equal networks whichever was chosen; then the Internet.
  [[nodiscard]] const ResourceEntry* owner_of(ConstBytes destination) {
    const IpAddress address = IpAddress::from_bytes(destination);
    const ResourceEntry* best = nullptr;
    state_.resources.for_each([&](const ResourceEntry& entry) {
      if (!entry.chosen) return;
      if (entry.resource.kind == policy::ResourceKind::internet) {
        if (best == nullptr) best = &entry;
      } else if (entry.resource.network.contains(address)) {
        const bool better = best == nullptr || best->resource.kind == policy::ResourceKind::internet ||
                            best->resource.network.length() < entry.resource.network.length();
        if (better) best = &entry;
      }
    });
    return best;
  }

  [[nodiscard]] bool is_own(ConstBytes address) const {
    return state_.interface && std::ranges::equal(address, address.size() == 4 ? state_.interface->ipv4.bytes()
                                                                               : state_.interface->ipv6.bytes());
  }
  [[nodiscard]] std::uint64_t pending() const { return count(ClientCounter::held); }
  [[nodiscard]] std::uint64_t count(ClientCounter which) const { return state_.counters.get(which); }
  [[nodiscard]] static Uuid id_of(std::uint8_t number) {
    Uuid id;
    id.bytes[15] = number >= 100 ? number : number % 8u;
    return id;
  }

  void check_ledger() {
    const tunnel::test::ClientLedger ledger(state_.counters, status_of(state_).flows);
    require(ledger.from_tun == ledger.accounted_for);
    require(ledger.held == ledger.ended_or_waiting);
    require(state_.pending.bytes() <= state_.options.pending_bytes_max);
    output_.udp4.clear();
    output_.udp6.clear();
    output_.tun.clear();
  }

  ConstBytes rest_;
  Now now_{.boot = Instant(1000s), .wall = UnixTime(1'790'000'000s)};
  sim::CountedBuffers large_{packet::kLargeBufferBytes, 64};
  sim::CountedBuffers small_{packet::kSmallBufferBytes, 1024};
  crypto::SeededRandom random_{3};
  std::unique_ptr<crypto::Aead> aead_ = crypto::make_aead(crypto::AeadBackend::libsodium);
  std::array<crypto::PublicKey, kGateways> keys_{crypto::public_key(crypto::seeded_key(1001)),
                                                 crypto::public_key(crypto::seeded_key(1002))};
  packet::Output output_;
  ClientState state_{{.ask_when_prohibited = true, .pending_bytes_max = 4000},
                     crypto::seeded_key(1),
                     now_,
                     large_,
                     small_,
                     random_,
                     *aead_};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Story(data, size).play();
  return 0;
}
