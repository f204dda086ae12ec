// The 52 vectors of tests/vectors/xdp_relay.json: through the kernel with the entries as raw bytes, through the kernel
// with the same bindings as the relay inserts them, and through the model.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "relay/xdp_model.h"
#include "tests/unit/relay/xdp_runner.h"

namespace fireline::relay {
namespace {

using nlohmann::json;

std::vector<std::byte> from_hex(const std::string& text) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

json read_vectors() {
  std::ifstream file(FIRELINE_SOURCE_DIR "/tests/vectors/xdp_relay.json");
  return json::parse(file).at("vectors");
}

std::optional<IpAddress> address_of(const json& config, const char* name) {
  if (config.at(name).is_null()) return std::nullopt;
  return IpAddress::parse(config.at(name).get<std::string>());
}

XdpSettings settings_of(const json& config) {
  XdpSettings settings;
  settings.listen_port = config.at("listen_port").get<std::uint16_t>();
  settings.lowest_port = config.at("lowest_port").get<std::uint16_t>();
  settings.highest_port = config.at("highest_port").get<std::uint16_t>();
  settings.public4 = address_of(config, "public_ip4");
  settings.public6 = address_of(config, "public_ip6");
  settings.interface4 = address_of(config, "int_ip4");
  settings.interface6 = address_of(config, "int_ip6");
  settings.binding_entries = 16;
  return settings;
}

std::vector<ChannelBinding> bindings_of(const json& vector) {
  std::vector<ChannelBinding> bindings;
  for (const auto& row : vector.at("bindings")) {
    ChannelBinding binding;
    binding.client = Endpoint::parse(row.at("client").get<std::string>()).value();
    binding.peer = Endpoint::parse(row.at("peer").get<std::string>()).value();
    binding.channel = static_cast<std::uint16_t>(std::stoul(row.at("channel").get<std::string>(), nullptr, 16));
    binding.port = row.at("allocation_port").get<std::uint16_t>();
    binding.expires = boot_now() + std::chrono::hours(1);
    bindings.push_back(binding);
  }
  return bindings;
}

void insert_raw(const XdpProgram& program, const json& rows) {
  for (const auto& row : rows) {
    auto name = row.at("map").get<std::string>();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto key = from_hex(row.at("key_hex").get<std::string>());
    const auto target = from_hex(row.at("value_hex").get<std::string>());
    std::array<std::byte, sizeof(xdp_to_peer6)> value{};
    const std::uint64_t expires =
        static_cast<std::uint64_t>((boot_now() + std::chrono::hours(1)).time_since_epoch().count());
    std::memcpy(value.data(), &expires, sizeof(expires));
    std::copy(target.begin(), target.end(), value.begin() + sizeof(expires));
    const auto map = map_named(program.fd(), name);
    ASSERT_EQ(bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_ANY), 0) << name;
  }
}

// The target port of a frame without IP options; 0 when it is too short or something else.
std::uint16_t target_port(ConstBytes frame) {
  const std::size_t at = frame.size() > 14 && load_be16(frame, 12) == 0x86DD ? 56 : 36;
  return frame.size() < at + 2 ? std::uint16_t{0} : load_be16(frame, at);
}

std::uint32_t verdict_named(const std::string& name) {
  return name == "TX" ? XDP_TX : name == "PASS" ? XDP_PASS : XDP_DROP;
}

std::vector<std::byte> expected_bytes(const json& vector) {
  // A frame that is dropped or passes must not have been touched.
  const bool sent = vector.at("verdict") == "TX";
  return from_hex(vector.at(sent ? "output_hex" : "input_hex").get<std::string>());
}

xdp_outcome counted(const XdpProgram& program) {
  const auto counts = program.counts();
  std::uint64_t total = 0;
  auto which = xdp_outcome_count;
  for (unsigned i = 0; i < xdp_outcome_count; ++i) {
    total += counts.outcomes.at(i).frames;
    if (counts.outcomes.at(i).frames != 0) which = static_cast<xdp_outcome>(i);
  }
  EXPECT_EQ(total, 1u) << "every frame counts once";
  return which;
}

TEST(XdpVectors, FileIsWhole) {
  EXPECT_EQ(read_vectors().size(), 52u);
}

TEST(XdpVectors, KernelAndModelAgreeWithEachVector) {
  for (const auto& vector : read_vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>() + ": " + vector.at("description").get<std::string>());
    const auto settings = settings_of(vector.at("config"));
    const auto input = from_hex(vector.at("input_hex").get<std::string>());
    const auto verdict = verdict_named(vector.at("verdict").get<std::string>());

    FIRELINE_LOAD_OR_SKIP(raw, settings);
    insert_raw(*raw, vector.at("maps"));
    raw->set_live(target_port(input), true);
    const auto ran = run_frame(raw->fd(), input);
    EXPECT_EQ(ran.verdict, verdict);
    EXPECT_EQ(ran.frame, expected_bytes(vector));
    const auto outcome = counted(*raw);

    FIRELINE_LOAD_OR_SKIP(inserted, settings);
    XdpModel model(settings);
    for (const auto& binding : bindings_of(vector)) {
      ASSERT_TRUE(inserted->insert(binding, XdpProgram::Forwarder::program));
      model.insert(binding, XdpProgram::Forwarder::program);
    }
    inserted->set_live(target_port(input), true);
    model.set_live(target_port(input), true);
    const auto ran_inserted = run_frame(inserted->fd(), input);
    EXPECT_EQ(ran_inserted.verdict, verdict);
    EXPECT_EQ(ran_inserted.frame, expected_bytes(vector));

    const auto modelled = model.run(input, boot_now());
    EXPECT_EQ(verdict_of(modelled.outcome), verdict);
    EXPECT_EQ(name_of(modelled.outcome), name_of(outcome));
    if (verdict != XDP_DROP) {
      EXPECT_EQ(modelled.frame, expected_bytes(vector));
    }
  }
}

// A peer's datagram to a port that no allocation has is the host's own traffic. Channels are not asked for a port.
TEST(XdpVectors, DroppedPeerDatagramsPassWhileThePortIsIdle) {
  int passed = 0;
  for (const auto& vector : read_vectors()) {
    if (vector.at("verdict") != "DROP") continue;
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const auto input = from_hex(vector.at("input_hex").get<std::string>());
    const bool from_peer = vector.at("name").get<std::string>().starts_with("udp");
    FIRELINE_LOAD_OR_SKIP(program, settings_of(vector.at("config")));
    insert_raw(*program, vector.at("maps"));
    const auto ran = run_frame(program->fd(), input);
    const bool passes = ran.verdict == XDP_PASS;
    passed += passes ? 1 : 0;
    // The cross-stack rows come from either side; whatever came to an allocation port passes.
    if (from_peer) {
      EXPECT_TRUE(passes);
    }
    EXPECT_EQ(counted(*program) == xdp_pass_idle_port, passes);
    EXPECT_EQ(ran.frame, input);
  }
  EXPECT_GE(passed, 3);
}

}  // namespace
}  // namespace fireline::relay
