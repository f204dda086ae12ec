// The program's maps as the relay uses them: expiry, user space's bindings, full maps, live ports, the debug ring.
#include "relay/xdp_program.h"

#include <gtest/gtest.h>

#include <bpf/libbpf.h>

#include <chrono>
#include <memory>

#include "bpf/no_headroom.skel.h"
#include "tests/unit/relay/xdp_runner.h"
#include "tools/bench/udp_frame.h"

namespace fireline::relay {
namespace {

using bench::build;

using Forwarder = XdpProgram::Forwarder;

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

// The program looks at the clock once per tick; no kernel ticks slower.
constexpr auto kTick = std::chrono::milliseconds(10);

XdpSettings small_settings() {
  XdpSettings settings;
  settings.interface4 = address("10.0.0.5");
  settings.interface6 = address("2001:db8:10::10");
  settings.binding_entries = 4;
  return settings;
}

ChannelBinding make_binding(std::uint16_t channel = 0x4001) {
  ChannelBinding binding;
  binding.client = {address("198.51.100.7"), 51820};
  binding.channel = channel;
  binding.peer = {address("192.0.2.33"), static_cast<std::uint16_t>(channel)};
  binding.port = 50000;
  binding.expires = boot_now() + std::chrono::hours(1);
  return binding;
}

std::vector<std::byte> from_client(const ChannelBinding& binding) {
  return build({.source = binding.client,
                .target = {address("10.0.0.5"), 3478},
                .channel = binding.channel,
                .payload = {std::byte{1}, std::byte{2}, std::byte{3}}});
}

std::vector<std::byte> from_peer(const ChannelBinding& binding) {
  return build({.source = binding.peer,
                .target = {address("10.0.0.5"), binding.port},
                .payload = {std::byte{1}, std::byte{2}, std::byte{3}}});
}

// The outcome of one more frame.
xdp_outcome outcome_of(const XdpProgram& program, ConstBytes frame) {
  const auto before = program.counts();
  const auto ran = run_frame(program.fd(), frame);
  const auto after = program.counts();
  for (unsigned i = 0; i < xdp_outcome_count; ++i) {
    if (after.outcomes.at(i).frames == before.outcomes.at(i).frames) continue;
    const auto outcome = static_cast<xdp_outcome>(i);
    EXPECT_EQ(ran.verdict, verdict_of(outcome));
    return outcome;
  }
  ADD_FAILURE() << "nothing was counted";
  return xdp_outcome_count;
}

TEST(XdpProgram, BothHalvesEndTogether) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  struct Row {
    const char* rule;
    Duration from_now;
    xdp_outcome to_peer;
    xdp_outcome to_client;
  };
  for (const auto& row : {
           Row{"an hour to go: forwarded", std::chrono::hours(1), xdp_channel4_to_udp4, xdp_udp4_to_channel4},
           Row{"ended a few ticks ago: dropped", -3 * kTick, xdp_drop_expired, xdp_drop_expired},
           Row{"ended long ago: dropped", -std::chrono::hours(1), xdp_drop_expired, xdp_drop_expired},
           Row{"refreshed: forwarded again", std::chrono::hours(1), xdp_channel4_to_udp4, xdp_udp4_to_channel4},
       }) {
    SCOPED_TRACE(row.rule);
    auto binding = make_binding();
    binding.expires = boot_now() + row.from_now;
    ASSERT_TRUE(program->insert(binding, Forwarder::program));
    EXPECT_EQ(outcome_of(*program, from_client(binding)), row.to_peer);
    EXPECT_EQ(outcome_of(*program, from_peer(binding)), row.to_client);
  }
  auto never = make_binding();
  never.expires = Instant();  // zero is the mark of user space, not a time
  ASSERT_TRUE(program->insert(never, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(never)), xdp_drop_expired);
}

TEST(XdpProgram, BothHalvesAreProlongedAndNothingElse) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  auto binding = make_binding();
  program->prolong(binding);
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_drop_unknown_channel) << "what is not there is not made";
  binding.expires = boot_now() - std::chrono::seconds(1);
  ASSERT_TRUE(program->insert(binding, Forwarder::program));
  binding.expires = boot_now() + std::chrono::hours(1);
  program->prolong(binding);
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_channel4_to_udp4);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_udp4_to_channel4);
  ASSERT_TRUE(program->insert(binding, Forwarder::user_space));
  program->prolong(binding);
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_pass_user_space);
}

TEST(XdpProgram, BindingsOfUserSpacePass) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  const auto binding = make_binding();
  ASSERT_TRUE(program->insert(binding, Forwarder::user_space));
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_pass_user_space);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_pass_user_space);
  ASSERT_TRUE(program->insert(binding, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_channel4_to_udp4);
}

// Two clients of this relay: a frame needs the entries of both.
TEST(XdpProgram, WhatUserSpaceForwardsForOneOfTwoClientsPassesForBoth) {
  auto settings = small_settings();
  settings.public4 = address("203.0.113.10");
  FIRELINE_LOAD_OR_SKIP(program, settings);
  program->set_live(50000, true);
  program->set_live(50001, true);
  auto first = make_binding();
  first.peer = {address("203.0.113.10"), 50001};
  auto second = make_binding();
  second.client = {address("198.51.100.8"), 1};
  second.port = 50001;
  second.peer = {address("203.0.113.10"), 50000};
  ASSERT_TRUE(program->insert(first, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(first)), xdp_drop_no_reverse);
  ASSERT_TRUE(program->insert(second, Forwarder::user_space));
  EXPECT_EQ(outcome_of(*program, from_client(first)), xdp_pass_user_space);
  EXPECT_EQ(outcome_of(*program, from_client(second)), xdp_pass_user_space);
  ASSERT_TRUE(program->insert(second, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(first)), xdp_channel4_to_channel4);
  EXPECT_EQ(outcome_of(*program, from_client(second)), xdp_channel4_to_channel4);
}

TEST(XdpProgram, UnknownFramesPassWhereUserSpaceHasPermissions) {
  auto settings = small_settings();
  settings.unknown_passes = true;
  FIRELINE_LOAD_OR_SKIP(program, settings);
  program->set_live(50000, true);
  EXPECT_EQ(outcome_of(*program, from_client(make_binding())), xdp_pass_unknown);
  EXPECT_EQ(outcome_of(*program, from_peer(make_binding())), xdp_pass_unknown);
}

// RFC 8656 section 12.5: over UDP padding is not required and may be there. User space forwards the stated bytes.
TEST(XdpProgram, PaddedChannelDataPassesWhereUserSpaceHasPermissions) {
  struct Row {
    const char* rule;
    bool unknown_passes;
    std::uint8_t stated;
    xdp_outcome outcome;
  };
  for (const Row& row : {
           Row{"no padding", true, 8, xdp_channel4_to_udp4},
           Row{"three bytes of padding", true, 5, xdp_pass_channel_padding},
           Row{"nothing but padding", true, 0, xdp_pass_channel_padding},
           Row{"less than stated is none", true, 9, xdp_drop_channel_length},
           Row{"Firezone's clients do not pad", false, 5, xdp_drop_channel_length},
       }) {
    SCOPED_TRACE(row.rule);
    auto settings = small_settings();
    settings.unknown_passes = row.unknown_passes;
    FIRELINE_LOAD_OR_SKIP(program, settings);
    const auto binding = make_binding();
    ASSERT_TRUE(program->insert(binding, Forwarder::program));
    std::vector<std::byte> datagram{std::byte{0x40}, std::byte{0x01}, std::byte{0}, std::byte{row.stated}};
    datagram.resize(12);
    const auto frame =
        build({.source = binding.client, .target = {address("10.0.0.5"), 3478}, .payload = std::move(datagram)});
    EXPECT_EQ(outcome_of(*program, frame), row.outcome);
  }
}

TEST(XdpProgram, ClosedPortsPassAndErasedBindingsAreGone) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  const auto binding = make_binding();
  ASSERT_TRUE(program->insert(binding, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_pass_idle_port);
  program->set_live(50000, true);
  program->set_live(50001, true);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_udp4_to_channel4);
  program->erase(binding);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_drop_unknown_peer);
  EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_drop_unknown_channel);
  program->erase(binding);  // again: nothing to do
  program->set_live(50000, false);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_pass_idle_port);
  auto neighbour = binding;
  neighbour.port = 50001;
  EXPECT_EQ(outcome_of(*program, from_peer(neighbour)), xdp_drop_unknown_peer) << "its bit was left alone";
}

TEST(XdpProgram, AHalfThatIsGoneDoesNotKeepTheOther) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  const auto binding = make_binding();
  ASSERT_TRUE(program->insert(binding, Forwarder::program));
  const auto map = map_named(program->fd(), "chan_to_udp_44");
  xdp_client4 key{};
  ASSERT_EQ(bpf_map_get_next_key(map.get(), nullptr, &key), 0);
  ASSERT_EQ(bpf_map_delete_elem(map.get(), &key), 0);
  program->erase(binding);
  EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_drop_unknown_peer);
}

TEST(XdpProgram, AFullMapTakesNeitherHalf) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  for (std::uint16_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(program->insert(make_binding(static_cast<std::uint16_t>(0x4001 + i)), Forwarder::program));
  }
  // The kernel keeps a spare element per CPU for updates; it is no room for a fifth binding.
  const auto fifth = make_binding(0x4005);
  EXPECT_FALSE(program->insert(fifth, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(fifth)), xdp_drop_unknown_channel);
  EXPECT_EQ(outcome_of(*program, from_peer(fifth)), xdp_drop_unknown_peer);
  EXPECT_TRUE(program->insert(make_binding(0x4002), Forwarder::program)) << "a refresh needs no room";
  program->erase(make_binding(0x4001));
  EXPECT_TRUE(program->insert(fifth, Forwarder::program));
}

// Client and peer of another family fill other maps: here the second half alone does not fit.
TEST(XdpProgram, ASecondHalfThatDoesNotFitTakesTheFirstBack) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  const auto full = map_named(program->fd(), "udp_to_chan_44");
  for (std::uint32_t i = 0; i < 4; ++i) {
    const xdp_peer4 key{i, 0, 0};
    const xdp_to_client4 value{1, {}};
    ASSERT_EQ(bpf_map_update_elem(full.get(), &key, &value, BPF_ANY), 0);
  }
  EXPECT_FALSE(program->insert(make_binding(), Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(make_binding())), xdp_drop_unknown_channel);
}

// Refreshed with another end while every element is taken: what the server counts on.
TEST(XdpProgram, ARefreshInFullMapsNeedsNoRoom) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  for (std::uint16_t i = 0; i < 4; ++i) {
    auto binding = make_binding(static_cast<std::uint16_t>(0x4001 + i));
    binding.expires = boot_now() - std::chrono::seconds(1);
    ASSERT_TRUE(program->insert(binding, Forwarder::program));
  }
  for (std::uint16_t i = 0; i < 4; ++i) {
    const auto binding = make_binding(static_cast<std::uint16_t>(0x4001 + i));
    EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_drop_expired);
    ASSERT_TRUE(program->insert(binding, Forwarder::program));
    EXPECT_EQ(outcome_of(*program, from_client(binding)), xdp_channel4_to_udp4);
    EXPECT_EQ(outcome_of(*program, from_peer(binding)), xdp_udp4_to_channel4);
  }
}

TEST(XdpProgram, WhatFindsNoRoomPassesToUserSpaceThatHasPermissions) {
  auto settings = small_settings();
  settings.unknown_passes = true;
  FIRELINE_LOAD_OR_SKIP(program, settings);
  program->set_live(50000, true);
  for (std::uint16_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(program->insert(make_binding(static_cast<std::uint16_t>(0x4001 + i)), Forwarder::program));
  }
  const auto fifth = make_binding(0x4005);
  ASSERT_FALSE(program->insert(fifth, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_client(fifth)), xdp_pass_unknown);
  EXPECT_EQ(outcome_of(*program, from_peer(fifth)), xdp_pass_unknown);
}

// The bit of a port's client says which map is asked first; it decides nothing.
TEST(XdpProgram, APortWhoseClientHasAnotherFamilyThanTheOneBeforeForwards) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  const auto v4 = make_binding(0x4001);
  auto v6 = make_binding(0x4002);
  v6.client.address = address("2001:db8:c::9");
  ASSERT_TRUE(program->insert(v4, Forwarder::program));
  ASSERT_TRUE(program->insert(v6, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_peer(v4)), xdp_udp4_to_channel4) << "the bit is of the later one";
  EXPECT_EQ(outcome_of(*program, from_peer(v6)), xdp_udp4_to_channel6);
  program->erase(v6);
  EXPECT_EQ(outcome_of(*program, from_peer(v6)), xdp_drop_unknown_peer);
  ASSERT_TRUE(program->insert(v4, Forwarder::program));
  EXPECT_EQ(outcome_of(*program, from_peer(v4)), xdp_udp4_to_channel4);
}

struct CloseHeadroom {
  void operator()(no_headroom_bpf* program) const { no_headroom_bpf__destroy(program); }
};

// Behind a driver that leaves no headroom: another program has taken it.
TEST(XdpProgram, WithoutHeadroomFramesThatWouldGrowAreDropped) {
  FIRELINE_LOAD_OR_SKIP(program, small_settings());
  program->set_live(50000, true);
  const auto binding = make_binding();
  ASSERT_TRUE(program->insert(binding, Forwarder::program));
  const std::unique_ptr<no_headroom_bpf, CloseHeadroom> first(no_headroom_bpf__open_and_load());
  ASSERT_NE(first, nullptr) << std::strerror(errno);
  const std::uint32_t zero = 0;
  const int relay = program->fd();
  ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(first->maps.next), &zero, &relay, BPF_ANY), 0) << std::strerror(errno);
  const int behind = bpf_program__fd(first->progs.take_headroom);
  struct Row {
    const char* rule;
    std::vector<std::byte> frame;
    xdp_outcome outcome;
  };
  for (const Row& row : {
           Row{"four bytes more do not fit", from_peer(binding), xdp_drop_adjust_head},
           Row{"four bytes less always do", from_client(binding), xdp_channel4_to_udp4},
       }) {
    SCOPED_TRACE(row.rule);
    const auto before = program->counts();
    EXPECT_EQ(run_frame(behind, row.frame).verdict, verdict_of(row.outcome));
    EXPECT_EQ(program->counts().outcomes.at(row.outcome).frames, before.outcomes.at(row.outcome).frames + 1);
  }
}

TEST(XdpProgram, DebugRingTellsEachFrame) {
  auto settings = small_settings();
  settings.debug_ring = true;
  FIRELINE_LOAD_OR_SKIP(program, settings);
  const auto frame = from_peer(make_binding());
  EXPECT_EQ(outcome_of(*program, frame), xdp_pass_idle_port);
  const auto events = program->drain_debug();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].outcome, unsigned{xdp_pass_idle_port});
  EXPECT_EQ(events[0].frame_bytes, frame.size());
  EXPECT_TRUE(program->drain_debug().empty());
}

TEST(XdpProgram, SettingsThatCannotBeAreRefusedInASentence) {
  auto settings = small_settings();
  settings.interface4 = address("2001:db8::1");
  const auto other_family = XdpProgram::load(settings);
  ASSERT_FALSE(other_family.has_value());
  EXPECT_EQ(other_family.error().sentence, "an address given for XDP is of the other family");
  settings = small_settings();
  settings.binding_entries = 65537;
  const auto too_many = XdpProgram::load(settings);
  ASSERT_FALSE(too_many.has_value());
  EXPECT_EQ(too_many.error().sentence, "XDP maps have 1 to 65536 entries");
}

TEST(XdpProgram, EveryOutcomeHasAName) {
  for (unsigned i = 0; i < xdp_outcome_count; ++i) {
    const auto name = name_of(static_cast<xdp_outcome>(i));
    const auto verdict = verdict_of(static_cast<xdp_outcome>(i));
    EXPECT_TRUE(name.starts_with(verdict == XDP_TX ? "relayed." : verdict == XDP_PASS ? "pass." : "drop.")) << name;
  }
}

}  // namespace
}  // namespace fireline::relay
