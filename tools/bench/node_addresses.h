// Who is who in a NodeWorld: addresses, ids and user name fragments by number. Pure functions.
#pragma once
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/endpoint.h"
#include "core/base/wire.h"

namespace fireline::bench {

inline constexpr std::uint16_t kNodePort = 52625;
inline constexpr std::uint16_t kRelayPort = 3478;

[[nodiscard]] inline IpAddress address4(std::uint32_t number) {
  std::array<std::byte, 4> bytes;
  store_be32(bytes, 0, number);
  return IpAddress::from_bytes(bytes);
}

[[nodiscard]] inline IpAddress address6(std::uint16_t group, std::size_t number) {
  std::array<std::byte, 16> bytes{};
  store_be32(bytes, 0, 0x20010DB8);
  store_be16(bytes, 4, group);
  store_be32(bytes, 12, static_cast<std::uint32_t>(number));
  return IpAddress::from_bytes(bytes);
}

inline constexpr std::uint32_t kClients4 = 0x0A000000, kGateway4 = 0xC6336407, kRelay4 = 0xCB007101;
inline constexpr std::uint16_t kClients6 = 1, kGateway6 = 2, kRelay6 = 0;
inline constexpr std::uint32_t kTunnelOfClients = 0x64400000, kTunnelOfGateway = 0x645FFFFE;

[[nodiscard]] inline IpAddress relay_address(Family family) {
  return family == Family::v4 ? address4(kRelay4) : address6(kRelay6, 1);
}

[[nodiscard]] inline std::string id_of(std::size_t client) {
  std::string digits = std::to_string(1'000'000'000'000 + client);
  return "11111111-1111-4111-8111-" + digits.substr(1);
}

[[nodiscard]] inline std::size_t client_of(std::string_view id) {
  std::size_t client = 0;
  const std::string_view digits = id.substr(24);
  std::from_chars(digits.data(), digits.data() + digits.size(), client);
  return client;
}

// Four letters, as the portal's are.
[[nodiscard]] inline std::string ufrag(char first, std::size_t number) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text(1, first);
  for (unsigned shift = 0; shift < 15; shift += 5) text += kLetters[(number >> shift) & 31];
  return text;
}

}  // namespace fireline::bench
