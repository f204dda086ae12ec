#include "tools/bench/xdp_world.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

#include "tools/bench/udp_frame.h"

namespace fireline::bench {
namespace {

constexpr std::uint16_t kListenPort = 3478;
constexpr std::uint16_t kFirstPort = 16'384;  // allocation ports of the one side, and of the other
constexpr std::uint16_t kSecondPort = 40'000;
constexpr std::uint16_t kLowestPort = kFirstPort;
constexpr std::uint16_t kHighestPort = 65'535;
constexpr std::size_t kPayloadBytes = 64;  // the cost does not depend on it: the payload is never touched
constexpr std::size_t kFrameBytesMax = 512;

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

// The two parties, and the relay's public addresses, which no frame carries.
IpAddress here(bool v4) {
  return address(v4 ? "192.0.2.1" : "2001:db8::1");
}
IpAddress there(bool v4) {
  return address(v4 ? "192.0.2.2" : "2001:db8::2");
}

bool input_is_v4(xdp_outcome direction) {
  switch (direction) {
    case xdp_udp6_to_channel4:
    case xdp_udp6_to_channel6:
    case xdp_channel6_to_udp4:
    case xdp_channel6_to_udp6:
    case xdp_channel6_to_channel4:
    case xdp_channel6_to_channel6:
      return false;
    default:
      return true;
  }
}

relay::XdpSettings make_settings() {
  relay::XdpSettings settings;
  settings.listen_port = kListenPort;
  settings.lowest_port = kLowestPort;
  settings.highest_port = kHighestPort;
  settings.public4 = address("203.0.113.10");
  settings.public6 = address("2001:db8:10::10");
  settings.interface4 = here(true);
  settings.interface6 = here(false);
  return settings;
}

Instant in_a_day() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::hours(24));
}

// What gives the first direction from here to there, and the second one back. A translated frame comes from here, the
// interface's address; any other comes from where its predecessor went to.
std::array<relay::ChannelBinding, 2> bindings_of(const XdpPair& pair, int index, Instant expires) {
  const auto channel = static_cast<std::uint16_t>(0x4000 + index);
  const auto first_port = static_cast<std::uint16_t>(kFirstPort + index);
  const auto second_port = static_cast<std::uint16_t>(kSecondPort + index);
  const bool v4 = input_is_v4(pair.first);
  const bool middle4 = input_is_v4(pair.second);
  const bool by_channel = pair.first >= xdp_channel4_to_channel4;
  const auto settings = make_settings();
  relay::ChannelBinding forth{{here(v4), kListenPort}, channel, {}, first_port, expires};
  relay::ChannelBinding back{{there(v4), kListenPort}, channel, {}, second_port, expires};
  if (by_channel && v4 == middle4) {
    // Each side's peer is its own relayed address: the program finds the sender as the receiver.
    const auto own = v4 ? *settings.public4 : *settings.public6;
    forth.peer = {own, first_port};
    back.peer = {own, second_port};
  } else if (!by_channel) {
    const bool translated = v4 != middle4;
    forth.peer = {translated ? there(middle4) : here(v4), second_port};
    back.peer = {translated ? here(middle4) : there(v4), first_port};
  }
  return {forth, back};
}

// From an IPv4 to an IPv6 channel and back: four bindings of two relayed pairs.
std::array<relay::ChannelBinding, 4> crossed_bindings(int index, Instant expires) {
  const auto channel = static_cast<std::uint16_t>(0x4000 + index);
  const auto own = *make_settings().public4;
  const auto a = static_cast<std::uint16_t>(kFirstPort + index);
  const auto b = static_cast<std::uint16_t>(kSecondPort + index);
  constexpr std::uint16_t kOther = 12'000;  // ports between the two ranges' starts: 28,384 and 52,000
  const auto c = static_cast<std::uint16_t>(a + kOther);
  const auto d = static_cast<std::uint16_t>(b + kOther);
  return {{{{here(true), kListenPort}, channel, {own, b}, a, expires},
           {{there(false), kListenPort}, channel, {own, a}, b, expires},
           {{here(false), kListenPort}, channel, {own, d}, c, expires},
           {{there(true), kListenPort}, channel, {own, c}, d, expires}}};
}

FrameBytes channel_frame(bool v4, int index) {
  UdpFrame frame;
  frame.source = {here(v4), kListenPort};
  frame.target = {there(v4), kListenPort};
  frame.identification = 0;  // what translation leaves, so that a bounced frame is itself again
  frame.channel = static_cast<std::uint16_t>(0x4000 + index);
  frame.payload.assign(kPayloadBytes, std::byte{0x5A});
  return build(frame);
}

std::string as_text(xdp_outcome direction) {
  return std::string(relay::name_of(direction));
}

}  // namespace

Result<TestRun, std::string> test_run(int program, std::span<const std::byte> frame, int repeat) {
  FrameBytes out(kFrameBytesMax);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<std::uint32_t>(out.size());
  options.repeat = repeat;
  if (const int failed = bpf_prog_test_run_opts(program, &options); failed != 0) {
    return err(std::string("the kernel's test run: ") + std::strerror(-failed));
  }
  out.resize(options.data_size_out);
  return TestRun{std::move(out), options.retval, static_cast<double>(options.duration)};
}

Result<XdpWorld, std::string> XdpWorld::make(const XdpPair& pair, int channels) {
  auto settings = make_settings();
  settings.any_target_address = true;
  auto program = relay::XdpProgram::load(settings);
  if (!program) return err(program.error().sentence);
  XdpWorld world(pair, std::move(*program));
  const auto expires = in_a_day();
  const bool crossed = pair.first == xdp_channel4_to_channel6;
  const auto insert = [&](std::span<const relay::ChannelBinding> bindings) {
    return std::ranges::all_of(bindings, [&](const relay::ChannelBinding& binding) {
      world.program_.set_live(binding.port, true);
      return world.program_.insert(binding, relay::XdpProgram::Forwarder::program);
    });
  };
  for (int i = 0; i < channels; ++i) {
    if (!(crossed ? insert(crossed_bindings(i, expires)) : insert(bindings_of(pair, i, expires)))) {
      return err(std::string("a map of the XDP program is full"));
    }
  }
  for (int i = 0; i < channels; ++i) {
    world.first_.push_back(channel_frame(input_is_v4(pair.first), i));
    auto there = test_run(world.program_.fd(), world.first_.back(), 1);
    if (!there) return err(std::move(there.error()));
    const auto back = test_run(world.program_.fd(), there->frame, 1);
    if (!back) return err(back.error());
    if (back->frame != world.first_.back()) {
      return err(as_text(pair.first) + " and " + as_text(pair.second) + " do not restore the frame");
    }
    world.second_.push_back(std::move(there->frame));
  }
  return world;
}

Result<XdpReasonWorld, std::string> XdpReasonWorld::make() {
  auto settings = make_settings();
  auto program = relay::XdpProgram::load(settings);
  if (!program) return err(program.error().sentence);
  XdpReasonWorld world(std::move(*program));
  const Endpoint client{address("198.51.100.7"), 51820};
  const Endpoint peer{address("192.0.2.33"), 9};
  const auto bind = [&](std::uint16_t channel, const Endpoint& to, Instant expires,
                        relay::XdpProgram::Forwarder forwarder) {
    return world.program_.insert({client, channel, to, kFirstPort, expires}, forwarder);
  };
  if (!bind(0x4001, peer, in_a_day(), relay::XdpProgram::Forwarder::program) ||
      !bind(0x4002, {peer.address, 10}, Instant(), relay::XdpProgram::Forwarder::program) ||
      !bind(0x4003, {peer.address, 11}, in_a_day(), relay::XdpProgram::Forwarder::user_space) ||
      !bind(0x4004, {*settings.public4, 12}, in_a_day(), relay::XdpProgram::Forwarder::program) ||
      !bind(0x4005, {*settings.interface4, 13}, in_a_day(), relay::XdpProgram::Forwarder::program) ||
      !bind(0x4006, {address("2001:db8:f::33"), 14}, in_a_day(), relay::XdpProgram::Forwarder::program)) {
    return err(std::string("a map of the XDP program is full"));
  }
  world.program_.set_live(kFirstPort, true);

  UdpFrame to_control{.source = client, .target = {here(true), kListenPort}, .channel = std::uint16_t{0x4001}};
  to_control.payload.assign(kPayloadBytes, std::byte{0x5A});
  UdpFrame to_port{.source = {peer.address, 999}, .target = {here(true), kFirstPort}};
  to_port.payload = to_control.payload;
  const auto channel = [&](std::uint16_t number) {
    auto frame = to_control;
    frame.channel = number;
    return build(frame);
  };
  const auto changed = [](FrameBytes frame, std::size_t at, std::uint16_t value) {
    store_be16(frame, at, value);
    return frame;
  };
  auto& reasons = world.reasons_;
  const auto add = [&](xdp_outcome outcome, FrameBytes frame) { reasons.push_back({outcome, std::move(frame)}); };
  constexpr std::size_t kIp = 14;
  constexpr std::size_t kUdp = 34;
  const auto plain = build(to_control);
  add(xdp_pass_not_ip, changed(plain, 12, 0x0806));
  add(xdp_pass_not_udp, changed(plain, kIp + 8, 0x3906));
  add(xdp_pass_truncated, FrameBytes(plain.begin(), plain.begin() + kUdp + 4));
  add(xdp_pass_ip_options, changed(plain, kIp, 0x4600));
  add(xdp_pass_fragment, changed(plain, kIp + 6, 0x2000));
  add(xdp_pass_bad_length, changed(plain, kUdp + 4, 7));
  add(xdp_pass_dns, changed(plain, kUdp, 53));
  add(xdp_pass_other_port, changed(plain, kUdp + 2, 22));
  add(xdp_pass_other_address, changed(plain, kIp + 18, 0x0909));
  auto idle = to_port;
  idle.target.port = kHighestPort;
  add(xdp_pass_idle_port, build(idle));
  add(xdp_pass_not_channel_data, channel(0x0001));
  add(xdp_pass_user_space, channel(0x4003));
  auto without = to_control;
  without.channel = std::uint16_t{0x4006};
  without.with_checksum = false;
  add(xdp_pass_no_checksum_to_translate, build(without));
  UdpFrame six{.source = {address("2001:db8:c::9"), 51820}, .target = {here(false), kListenPort}};
  six.payload = to_control.payload;
  add(xdp_pass_no_checksum6, changed(build(six), 60, 0));
  add(xdp_drop_unknown_peer, build(to_port));
  add(xdp_drop_unknown_channel, channel(0x7FFF));
  add(xdp_drop_no_reverse, channel(0x4004));
  add(xdp_drop_expired, channel(0x4002));
  add(xdp_drop_channel_length, changed(plain, kUdp + 10, 3));
  add(xdp_drop_loop, channel(0x4005));

  for (const auto& reason : reasons) {
    const auto before = world.program_.counts();
    const auto ran = test_run(world.program_.fd(), reason.frame, 1);
    if (!ran) return err(ran.error());
    if (world.program_.counts().outcomes.at(reason.outcome).frames != before.outcomes.at(reason.outcome).frames + 1) {
      return err("a frame made for " + as_text(reason.outcome) + " came to another outcome");
    }
  }
  return world;
}

}  // namespace fireline::bench
