// Differential fuzz: random worlds of bindings, random frames, some of them mutated, through the kernel's program and
// through the model. Verdict, reason, bytes and counters must agree; what is sent must have correct checksums.
//
// FIRELINE_XDP_FUZZ_FRAMES (100,000) and FIRELINE_XDP_FUZZ_SEED (1) in the environment; the nightly run takes 10^7.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <span>

#include "relay/xdp_model.h"
#include "tests/unit/relay/xdp_runner.h"
#include "tools/bench/udp_frame.h"

namespace fireline::relay {
namespace {

using bench::build;
using bench::check_checksums;
using bench::Checksums;
using bench::kFrameIpAt;
using bench::UdpFrame;

constexpr int kFramesPerWorld = 2'000;
constexpr std::size_t kBindingsPerWorld = 48;
constexpr std::size_t kPayloadMax = 1'472;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool in(std::uint64_t of) { return below(of) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
  std::uint16_t word() { return static_cast<std::uint16_t>(engine_()); }
  template <class Range>
  const auto& one_of(const Range& range) {
    return range[below(std::size(range))];
  }

 private:
  std::mt19937_64 engine_;
};

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

// Few addresses and ports, so that bindings meet; the relay's own among the peers.
const std::array kClients{address("198.51.100.7"), address("203.0.113.99"), address("2001:db8:c::9"),
                          address("2001:db8:c:ffff:ffff:ffff:ffff:ffff")};
const std::array kPublic{address("203.0.113.10"), address("2001:db8:10::10")};
const std::array kInterface{address("10.0.0.5"), address("2001:db8:10::10"), address("fd00::5")};
const std::array kPeers{address("192.0.2.33"), address("255.255.255.254"), address("2001:db8:f::33"),
                        address("fd00:1::"),   address("203.0.113.10"),    address("2001:db8:10::10"),
                        address("10.0.0.5")};
constexpr std::array<std::uint16_t, 4> kPorts{51820, 3478, 49152, 65535};

struct World {
  XdpSettings settings;
  std::vector<ChannelBinding> bindings;
};

// The server binds a client's number to one peer, and a peer of a port to one client; the program relies on it, for it
// has a map for each pair of families and takes what it finds first.
std::vector<ChannelBinding> without_contradictions(const std::vector<ChannelBinding>& all) {
  std::vector<ChannelBinding> kept;
  for (const ChannelBinding& binding : all) {
    const bool contradicts = std::ranges::any_of(kept, [&](const ChannelBinding& other) {
      return (other.client == binding.client && other.channel == binding.channel) ||
             (other.port == binding.port && other.peer == binding.peer);
    });
    if (!contradicts) kept.push_back(binding);
  }
  return kept;
}

World make_world(Dice& dice, Instant boot) {
  World world;
  auto& settings = world.settings;
  settings.binding_entries = 256;
  if (dice.in(4)) settings.listen_port = 443;
  if (dice.in(4)) settings.lowest_port = 60'000;
  if (dice.in(4)) settings.highest_port = 61'000;
  if (!dice.in(4)) settings.public4 = kPublic[0];
  if (!dice.in(4)) settings.public6 = kPublic[1];
  if (!dice.in(4)) settings.interface4 = kInterface[0];
  if (!dice.in(4)) settings.interface6 = kInterface[1 + dice.below(2)];
  settings.unknown_passes = dice.in(5);
  settings.any_target_address = dice.in(5);
  const auto allocation = [&] {
    const auto span = settings.highest_port >= settings.lowest_port ? settings.highest_port - settings.lowest_port : 0;
    return static_cast<std::uint16_t>(settings.lowest_port + dice.below(static_cast<std::uint64_t>(span) + 1));
  };
  while (world.bindings.size() < kBindingsPerWorld) {
    ChannelBinding binding;
    binding.client = {dice.one_of(kClients), dice.one_of(kPorts)};
    binding.channel = static_cast<std::uint16_t>(0x4000 + dice.below(dice.in(8) ? 0x4000 : 8));
    binding.peer = {dice.one_of(kPeers), dice.one_of(kPorts)};
    binding.port = allocation();
    binding.expires = dice.in(8) ? boot - std::chrono::seconds(1) : boot + std::chrono::hours(24);
    world.bindings.push_back(binding);
    const bool ours = binding.peer.address == settings.public4 || binding.peer.address == settings.public6;
    if (ours && !dice.in(4)) {  // the other client's side of the same relayed pair
      ChannelBinding reverse = binding;
      reverse.client = {dice.one_of(kClients), dice.word()};
      reverse.port = allocation();
      reverse.peer.port = binding.port;
      world.bindings.back().peer.port = reverse.port;
      world.bindings.push_back(reverse);
    }
  }
  world.bindings = without_contradictions(world.bindings);
  return world;
}

std::vector<std::byte> payload(Dice& dice) {
  const std::size_t bytes = dice.in(3) ? dice.below(8) : dice.below(kPayloadMax + 1);
  std::vector<std::byte> content(bytes);
  const bool ones = dice.in(6);  // sums at the ends of their range
  for (auto& byte : content) byte = ones ? std::byte{0xFF} : static_cast<std::byte>(dice.byte());
  return content;
}

// From the client or from the peer of a binding, towards the relay.
UdpFrame make_frame(Dice& dice, const World& world) {
  const auto& binding = dice.one_of(world.bindings);
  UdpFrame frame;
  const bool from_client = dice.in(2);
  frame.source = from_client ? binding.client : binding.peer;
  if (dice.in(16)) frame.source.port = dice.in(2) ? std::uint16_t{53} : dice.word();
  const bool v4 = frame.source.address.is_v4();
  const auto& own = v4 ? world.settings.interface4 : world.settings.interface6;
  frame.target.address = own && !dice.in(16) ? *own : v4 ? kInterface[0] : dice.in(2) ? kPublic[1] : kInterface[2];
  frame.target.port = from_client ? world.settings.listen_port : binding.port;
  if (dice.in(24)) frame.target.port = dice.word();
  if (from_client) frame.channel = dice.in(24) ? dice.word() : binding.channel;
  frame.payload = payload(dice);
  frame.traffic_class = dice.byte();
  frame.hops = dice.byte();
  frame.identification = dice.word();
  frame.do_not_fragment = dice.in(2);
  frame.flow_label = static_cast<std::uint32_t>(dice.below(0x10'0000));
  frame.with_checksum = !v4 || !dice.in(8);
  frame.padding = dice.in(4) ? dice.below(32) : 0;
  return frame;
}

void mutate(Dice& dice, std::vector<std::byte>& frame) {
  const Bytes all(frame);
  const bool v4 = load_be16(all, 12) == 0x0800;
  const std::size_t udp = kFrameIpAt + (v4 ? 20u : 40u);
  const auto nudge = [&](std::size_t at) {
    if (at + 2 <= all.size()) {
      store_be16(all, at, static_cast<std::uint16_t>(load_be16(all, at) + 1 + dice.below(4) * 0xFFFD));
    }
  };
  switch (dice.below(10)) {
    case 0:  // any bytes of the headers
      for (auto i = 1 + dice.below(3); i > 0; --i) {
        frame[dice.below(std::min<std::size_t>(frame.size(), 70))] ^= static_cast<std::byte>(1 + dice.below(255));
      }
      break;
    case 1:  // cut
      frame.resize(14 + dice.below(frame.size() - 13));
      break;
    case 2:  // the UDP length
      nudge(udp + 4);
      break;
    case 3:  // the IP length
      nudge(kFrameIpAt + (v4 ? 2u : 4u));
      break;
    case 4:  // the IP and the UDP length together: the datagram ends earlier or later
      if (const auto change = static_cast<std::uint16_t>(dice.below(9) - 4); true) {
        const std::size_t at = kFrameIpAt + (v4 ? 2u : 4u);
        store_be16(all, at, static_cast<std::uint16_t>(load_be16(all, at) + change));
        store_be16(all, udp + 4, static_cast<std::uint16_t>(load_be16(all, udp + 4) + change));
      }
      break;
    case 5:  // the checksum: none, ones, or wrong
      store_be16(all, udp + 6, dice.in(3) ? std::uint16_t{0} : dice.in(2) ? std::uint16_t{0xFFFF} : dice.word());
      break;
    case 6:  // a fragment, options, another protocol
      if (v4) {
        if (dice.in(2)) store_be16(all, kFrameIpAt + 6, dice.word());
        if (dice.in(3)) store_u8(all, kFrameIpAt, static_cast<std::uint8_t>(0x40 + dice.below(16)));
      }
      if (dice.in(3)) store_u8(all, kFrameIpAt + (v4 ? 9u : 6u), dice.byte());
      break;
    case 7:  // another EtherType
      store_be16(all, 12, dice.in(2) ? std::uint16_t{0x8100} : dice.word());
      break;
    case 8:  // the channel number or its length
      nudge(udp + 8 + 2 * dice.below(2));
      break;
    default:  // the IPv4 header's checksum
      if (v4) store_be16(all, kFrameIpAt + 10, dice.in(2) ? std::uint16_t{0xFFFF} : dice.word());
      break;
  }
}

struct Tally {
  std::array<std::uint64_t, xdp_outcome_count> frames{};
  std::array<std::uint64_t, xdp_outcome_count> bytes{};
};

void run_world(Dice& dice, int frames, Tally& total) {
  const auto boot = boot_now();
  const World world = make_world(dice, boot);
  FIRELINE_LOAD_OR_SKIP(program, world.settings);
  XdpModel model(world.settings);
  for (const auto& binding : world.bindings) {
    const auto forwarder = dice.in(12) ? XdpProgram::Forwarder::user_space : XdpProgram::Forwarder::program;
    ASSERT_TRUE(program->insert(binding, forwarder));
    model.insert(binding, forwarder);
    const bool live = !dice.in(12);
    program->set_live(binding.port, live);
    model.set_live(binding.port, live);
  }
  for (int gone = 0; gone < 4; ++gone) {
    const auto& binding = dice.one_of(world.bindings);
    program->erase(binding);
    model.erase(binding);
  }

  Tally tally;
  for (int i = 0; i < frames; ++i) {
    auto input = build(make_frame(dice, world));
    const bool mutated = dice.in(3);
    if (mutated) mutate(dice, input);
    const auto expected = model.run(input, boot);
    const auto ran = run_frame(program->fd(), input);
    ASSERT_EQ(ran.verdict, verdict_of(expected.outcome)) << name_of(expected.outcome) << ", frame " << i;
    const bool dropped = ran.verdict == XDP_DROP;
    ASSERT_EQ(ran.frame, dropped ? input : expected.frame) << name_of(expected.outcome) << ", frame " << i;
    ++tally.frames.at(expected.outcome);
    if (ran.verdict == XDP_TX) {
      // A wrong checksum stays wrong, but no right one becomes wrong. (IPv6 has no header checksum to keep.)
      const Checksums before = check_checksums(input);
      const Checksums after = check_checksums(ran.frame);
      ASSERT_EQ(after.udp, before.udp) << name_of(expected.outcome) << ", frame " << i;
      ASSERT_TRUE(after.ip || !before.ip) << name_of(expected.outcome) << ", frame " << i;
      ASSERT_TRUE(mutated || (after.ip && after.udp)) << name_of(expected.outcome) << ", frame " << i;
      const std::size_t udp = load_be16(ran.frame, 12) == 0x0800 ? 34 : 54;
      const bool to_channel = load_be16(ran.frame, udp) == world.settings.listen_port;
      tally.bytes.at(expected.outcome) += load_be16(ran.frame, udp + 4) - (to_channel ? 12u : 8u);
    }
  }
  const auto counts = program->counts();
  for (unsigned i = 0; i < xdp_outcome_count; ++i) {
    EXPECT_EQ(counts.outcomes.at(i).frames, tally.frames.at(i)) << name_of(static_cast<xdp_outcome>(i));
    EXPECT_EQ(counts.outcomes.at(i).bytes, tally.bytes.at(i)) << name_of(static_cast<xdp_outcome>(i));
    total.frames.at(i) += tally.frames.at(i);
  }
}

TEST(XdpFuzz, KernelAndModelAgree) {
  const auto frames = number_from("FIRELINE_XDP_FUZZ_FRAMES", 100'000);
  const auto seed = number_from("FIRELINE_XDP_FUZZ_SEED", 1);
  SCOPED_TRACE("FIRELINE_XDP_FUZZ_SEED=" + std::to_string(seed));
  Tally total;
  const auto worlds = (frames + kFramesPerWorld - 1) / kFramesPerWorld;
  for (std::uint64_t world = 0; world < worlds; ++world) {
    SCOPED_TRACE("world " + std::to_string(world));
    Dice dice(seed * 1'000'003 + world);
    run_world(dice, kFramesPerWorld, total);
    if (HasFatalFailure() || IsSkipped()) return;
  }
  // A fuzz that never reaches a branch says nothing about it. Two cannot be reached here: the kernel's array maps never
  // miss, and its test run always has room at the head.
  for (unsigned i = 0; i < xdp_outcome_count && frames >= 100'000; ++i) {
    const bool unreachable = i == xdp_drop_map_access || i == xdp_drop_adjust_head;
    EXPECT_EQ(total.frames.at(i) == 0, unreachable) << name_of(static_cast<xdp_outcome>(i));
  }
}

}  // namespace
}  // namespace fireline::relay
