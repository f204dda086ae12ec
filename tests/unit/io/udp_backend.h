// The backends of UdpPort as test parameters: what holds of one holds of the other.
#pragma once
#include <gtest/gtest.h>
#include <poll.h>

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/packet/batch.h"
#include "io/udp_open.h"
#include "io/uring.h"
#include "tests/unit/io/heap_buffers.h"

namespace fireline::io {

inline constexpr Instant kNow{std::chrono::hours(1)};

// Empty, or why this machine cannot test the backend.
inline std::string missing_backend(UdpIo io) {
  if (io != UdpIo::io_uring) return {};
  const auto ring = Uring::open(1, 2);
  return ring.has_value() ? std::string() : ring.error().to_string();
}

inline std::unique_ptr<UdpPort> open_port(UdpIo io, UdpOptions options) {
  options.io = io;
  auto port = open_udp(options);
  if (!port.has_value()) {
    ADD_FAILURE() << port.error().to_string();
    return nullptr;
  }
  EXPECT_EQ((*port)->backend(), name_of(io));
  return std::move(*port);
}

inline std::string udp_io_name(const testing::TestParamInfo<UdpIo>& info) {
  return std::string(name_of(info.param));
}

class OnEachUdpBackend : public testing::TestWithParam<UdpIo> {
 protected:
  void SetUp() override {
    if (const std::string why = missing_backend(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
};
#define FIRELINE_ON_EACH_UDP_BACKEND(Suite) \
  INSTANTIATE_TEST_SUITE_P(Backends, Suite, testing::Values(UdpIo::syscall, UdpIo::io_uring), udp_io_name)

class OnEachFamilyAndUdpBackend : public testing::TestWithParam<std::tuple<Family, UdpIo>> {
 protected:
  void SetUp() override {
    if (const std::string why = missing_backend(std::get<1>(GetParam())); !why.empty()) GTEST_SKIP() << why;
  }
};
inline std::string family_and_udp_io_name(const testing::TestParamInfo<std::tuple<Family, UdpIo>>& info) {
  return std::string(std::get<0>(info.param) == Family::v4 ? "v4_" : "v6_") +
         std::string(name_of(std::get<1>(info.param)));
}
#define FIRELINE_ON_EACH_FAMILY_AND_UDP_BACKEND(Suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(                                                                                        \
      Families, Suite,                                                                                             \
      testing::Combine(testing::Values(Family::v4, Family::v6), testing::Values(UdpIo::syscall, UdpIo::io_uring)), \
      family_and_udp_io_name)

// Waits until something has come, and takes it.
inline IoStatus receive_next(UdpPort& port, packet::UdpBatch& batch, packet::BufferSource& pool) {
  for (;;) {
    const IoStatus status = port.receive(batch, pool);
    if (!batch.empty() || status == IoStatus::closed) return status;
    pollfd poll{.fd = port.poll_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&poll, 1, 10000) != 1) {
      ADD_FAILURE() << "nothing arrived";
      return IoStatus::closed;
    }
  }
}

inline Endpoint loopback(Family family, std::uint16_t port) {
  return {.address = *IpAddress::parse(family == Family::v4 ? "127.0.0.1" : "::1"), .port = port, .scope = 0};
}

inline packet::UdpTrain train_of(std::vector<std::byte>& memory, std::size_t segment_bytes,
                                 const Endpoint& destination) {
  packet::UdpTrain train;
  train.bytes = memory;
  train.segment_bytes = static_cast<std::uint16_t>(segment_bytes);
  train.destination = destination;
  return train;
}

inline std::vector<std::byte> numbered(std::size_t bytes) {
  std::vector<std::byte> memory(bytes);
  for (std::size_t i = 0; i < bytes; ++i) memory[i] = std::byte(i * 7 + i / 256);
  return memory;
}

}  // namespace fireline::io
