// What an allocation costs, that nothing is left when it goes, and that data allocates nothing: the program's own
// operator new keeps count. Not under sanitizers, which bring an operator new of their own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FIRELINE_OWN_NEW_IS_TAKEN
#endif
#endif

#ifndef FIRELINE_OWN_NEW_IS_TAKEN
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/unit/relay/protocol/relay_fixture.h"

namespace {

std::size_t live_bytes = 0;
std::size_t allocations = 0;

// Sizes stand in front: every delete form can be served without being told.
constexpr std::size_t kFront = alignof(std::max_align_t) * 4;

void* allocate(std::size_t bytes, std::size_t alignment) {
  const std::size_t front = std::max(kFront, alignment);
  auto* const block = static_cast<std::byte*>(std::aligned_alloc(front, (bytes + front + front - 1) / front * front));
  if (block == nullptr) std::abort();
  std::byte* const place = block + front;
  const std::size_t sizes[2] = {bytes, front};
  std::memcpy(place - sizeof(sizes), sizes, sizeof(sizes));
  live_bytes += bytes;
  ++allocations;
  return place;
}

void release(void* place) noexcept {
  if (place == nullptr) return;
  std::size_t sizes[2];
  std::memcpy(sizes, static_cast<std::byte*>(place) - sizeof(sizes), sizeof(sizes));
  live_bytes -= sizes[0];
  std::free(static_cast<std::byte*>(place) - sizes[1]);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes, kFront);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
// What these give is freed by the ones below.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes, kFront);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* place) noexcept {
  release(place);
}
void operator delete(void* place, std::size_t) noexcept {
  release(place);
}
void operator delete(void* place, std::align_val_t) noexcept {
  release(place);
}
void operator delete(void* place, std::size_t, std::align_val_t) noexcept {
  release(place);
}

namespace fireline::relay {
namespace {

constexpr int kAllocations = 16384;

// Serves and forgets.
class SilentHost final : public Host {
 public:
  Opened open_port(std::uint16_t, Families) override { return Opened::done; }
  void close_port(std::uint16_t) override {}
  void send_control(const Endpoint&, std::span<const std::byte> message) override {
    const auto answer = stun::MessageView::parse(message);
    const auto error = answer->find_error_code();
    code = error ? error->code : 0;
    if (const auto text = answer->find_text(stun::Attribute::nonce)) text->copy(nonce.data(), nonce.size());
  }
  void send_peer(std::uint16_t, const Endpoint&, std::span<const std::byte>) override {}
  Offload offload(const ChannelBinding&) override { return Offload::done; }
  void prolong(const ChannelBinding&) override {}
  void withdraw(const ChannelBinding&) override {}

  int code = 0;
  std::array<char, Nonce::kTextBytes> nonce{};
};

Endpoint client_of(int number) {
  return {.address = *IpAddress::parse(number % 2 == 0 ? "198.51.100.7" : "2001:db8:c::7"),
          .port = static_cast<std::uint16_t>(1 + number)};
}

class Crowd {
 public:
  Crowd() : server_(config(), host_, random_) {}

  // A signed request of that client, with the nonce of a 401 first where `first`.
  void ask(int number, stun::Method method, bool first, const Client::Add& add) {
    const std::string name = "4102444800:" + std::to_string(number);
    const stun::LongTermKey key = credentials_.find(name, UnixTime{})->key;
    for (int round = first ? 0 : 1; round < 2; ++round) {
      std::array<std::byte, 512> buffer;
      stun::MessageWriter writer(buffer, stun::MessageClass::request, method, {});
      add(writer);
      writer.add_text(stun::Attribute::username, name);
      if (round == 1) writer.add_text(stun::Attribute::nonce, {host_.nonce.data(), host_.nonce.size()});
      writer.add_integrity(key.bytes());
      server_.handle_control(now_, client_of(number), writer.message());
    }
    if (host_.code != 0) std::abort();
  }
  void allocate(int number) {
    ask(number, stun::Method::allocate, true,
        [](stun::MessageWriter& writer) { writer.add_transport(stun::kTransportUdp); });
    ask(number, stun::Method::channel_bind, false, [&](stun::MessageWriter& writer) {
      writer.add_channel_number(0x4000);
      writer.add_xor_address(stun::Attribute::xor_peer_address,
                             {.address = *IpAddress::parse("192.0.2.33"), .port = 5000});
    });
  }
  void expire_all() {
    now_.boot += 3600s;
    server_.handle_timeout(now_);
  }
  [[nodiscard]] Server& server() noexcept { return server_; }

 private:
  static ServerConfig config() {
    ServerConfig config = firezone_config();
    config.limits.answers_burst_source = config.limits.answers_per_second_source = 1u << 20;
    config.limits.answers_per_second_total = 1u << 24;
    return config;
  }

  FirezoneCredentials credentials_{kSecret};
  ScriptedRandom random_;
  SilentHost host_;
  Now now_{Instant(1h), UnixTime(std::chrono::seconds(kWallStart))};
  Server server_;
};

TEST(RelayMemory, AnAllocationWithAChannelTakesAtMost4KiB) {
  Crowd crowd;
  const std::size_t before = live_bytes;
  for (int i = 0; i < kAllocations; ++i) crowd.allocate(i);
  ASSERT_EQ(crowd.server().gauges().bound_channels, static_cast<std::size_t>(kAllocations));
  const std::size_t each = (live_bytes - before) / kAllocations;
  RecordProperty("bytes_per_allocation", static_cast<int>(each));
  EXPECT_LE(each, 4096u);
  EXPECT_GE(each, 100u) << "the count counts nothing";
}

TEST(RelayMemory, DoesNotGrowOverTwentyGenerations) {
  Crowd crowd;
  constexpr int kPart = 512;  // of each generation; the tables have their size after the first
  for (int i = 0; i < kPart; ++i) crowd.allocate(i);
  crowd.expire_all();
  const std::size_t after_first = live_bytes;
  for (int generation = 1; generation < 20; ++generation) {
    for (int i = 0; i < kPart; ++i) crowd.allocate(i);
    crowd.expire_all();
    ASSERT_EQ(crowd.server().gauges().allocations, 0u);
    ASSERT_LE(live_bytes, after_first + 4096) << generation;
  }
}

TEST(RelayMemory, DataAllocatesNothing) {
  Crowd crowd;
  for (int i = 0; i < 100; ++i) crowd.allocate(i);
  std::vector<std::pair<Endpoint, std::uint16_t>> ways;
  crowd.server().for_each_allocation(
      [&](const AllocationStatus& status) { ways.emplace_back(status.client, status.port); });
  ASSERT_EQ(ways.size(), 100u);
  const std::array<std::byte, 8> datagram{std::byte{0x40}, {}, {}, std::byte{4}};
  const Endpoint peer{.address = *IpAddress::parse("192.0.2.33"), .port = 5000};
  const Endpoint stranger{.address = *IpAddress::parse("192.0.2.34"), .port = 5000};

  const std::size_t before = allocations;
  std::size_t forwarded = 0;
  for (const auto& [client, port] : ways) {
    forwarded += crowd.server().from_client(client, datagram).has_value() ? 1u : 0u;
    forwarded += crowd.server().from_peer(port, peer, 4).has_value() ? 1u : 0u;
    forwarded += crowd.server().from_client(stranger, datagram).has_value() ? 1u : 0u;
    forwarded += crowd.server().from_peer(port, stranger, 4).has_value() ? 1u : 0u;
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(forwarded, 200u);
}

}  // namespace
}  // namespace fireline::relay

#endif
