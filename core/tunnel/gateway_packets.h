// What a gateway does with a packet: lets it through, drops it, or drops and answers it. Knows no node.
// Source: tunnel specification 5.3, 5.4, 6.1 and 6.3; docs/gateway.md has the tables.
//
// A flow's packets come in runs, so the last verdict that let one through is remembered, once for each direction; it
// holds for the same addresses, protocol, port and client, until anything about clients changes or a grant expires. So
// what a packet costs does not depend on grants, and a change holds for the next packet.
//
// Lifetime: clients and counters must outlive it. Threads: one owner. Allocates nothing per packet.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/counters.h"
#include "core/packet/batch.h"
#include "core/packet/icmp_error.h"
#include "core/tunnel/client_table.h"
#include "core/tunnel/gateway_counters.h"
#include "core/tunnel/internet_destinations.h"
#include "core/wireguard/inner_policy.h"

namespace fireline::tunnel {

// Answers of one turn: 200 of the longest, or 4,600 about IPv4 packets.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{256} << 10;
inline constexpr std::size_t kAnswersMax = 1024;

class GatewayPackets final : public wireguard::InnerPolicy {
 public:
  // `mtu`: no decrypted packet may be longer.
  GatewayPackets(std::size_t mtu, ClientTable& clients, Counters<GatewayCounter>& counters);

  // The gateway's own tunnel addresses.
  void set_addresses(const IpAddress& ipv4, const IpAddress& ipv6);
  void set_host_addresses(std::vector<IpAddress> addresses);

  // A packet from a client. Grants that have expired go first.
  [[nodiscard]] bool admit(Now now, const crypto::PublicKey& peer, const packet::IpHeader& header,
                           Bytes packet) override;
  // Takes out what may not go to a client; the others keep their order. A super-packet is judged by its headers.
  void filter(Now now, packet::TunBatch& batch);

  // Answers since the last call of clear_answers(), in their order.
  struct Answer {
    crypto::PublicKey client;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
  };
  [[nodiscard]] std::span<const Answer> answers() const noexcept { return answers_; }
  [[nodiscard]] ConstBytes bytes_of(const Answer& answer) const noexcept {
    return ConstBytes(answer_bytes_).subspan(answer.offset, answer.bytes);
  }
  void clear_answers() noexcept;

 private:
  // What a verdict is about: addresses as they stand in the packet, and the resource's port or the ICMP type.
  struct Flow {
    std::array<std::byte, 32> addresses{};
    std::uint8_t address_bytes = 0;
    std::uint8_t protocol = 0;
    std::uint16_t selector = 0;

    [[nodiscard]] static std::uint16_t selector_of(const packet::IpPacket& packet, std::uint16_t port) noexcept;
    [[nodiscard]] bool is_of(const packet::IpPacket& packet, std::uint16_t wanted) const noexcept;
    void assign(const packet::IpPacket& packet, std::uint16_t its_selector) noexcept;
  };
  struct Memo {
    Flow flow;
    crypto::PublicKey client;   // of packets from clients
    std::uint64_t version = 0;  // of the table; it begins above
    UnixTime valid_until = {};
  };

  bool judge_inner(Now now, const crypto::PublicKey& peer, const packet::IpPacket& packet);
  [[nodiscard]] bool judge_tun(Now now, const packet::TunPacket& packet);
  bool judge_parsed_tun(Now now, const packet::IpPacket& packet);
  [[nodiscard]] bool is_own(ConstBytes address) const noexcept;
  bool drop(GatewayCounter counter) noexcept;
  // Drops it and answers with an ICMP error.
  bool refuse(Now now, GatewayClient& client, packet::IcmpReason reason, const packet::IpPacket& packet,
              GatewayCounter counter);

  const std::size_t mtu_;
  ClientTable& clients_;
  Counters<GatewayCounter>& counters_;
  InternetDestinations internet_;
  IpAddress own_v4_;
  IpAddress own_v6_;
  Memo inner_;
  Memo tun_;
  std::vector<Answer> answers_;
  std::vector<std::byte> answer_bytes_;
  std::size_t answer_bytes_used_ = 0;
};

}  // namespace fireline::tunnel
