// What the kernel or a peer hands over as a packet behind a virtio-net header, through every parser of it, and the ICMP
// errors that answer it: views stay inside, an error is itself a correct packet that is never answered.
// Input: ten bytes of virtio-net header, then the packet.
// libraries: fireline_core_packet
// covers: core/packet/ip_packet.cpp core/packet/vnet_header.cpp core/packet/icmp_error.cpp core/packet/ecn.h
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/packet/checksum.h"
#include "core/packet/ecn.h"
#include "core/packet/icmp_error.h"
#include "core/packet/ip_packet.h"
#include "core/packet/vnet_header.h"

using namespace fireline;
using namespace fireline::packet;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void require_inside(ConstBytes whole, ConstBytes part) {
  require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_vnet_header(ConstBytes input) {
  const auto offload = decode_vnet_header(input);
  if (!offload) return;
  require((offload->segment_bytes != 0) == (offload->segmentation != Segmentation::none));
  if (offload->needs_checksum) {
    require(std::size_t{offload->checksum_start} + offload->checksum_offset + 2 <= input.size() - kVnetHeaderBytes);
  }
  std::vector<std::byte> again(input.begin(), input.end());
  encode_vnet_header(again, *offload, 0);
  const auto twice = decode_vnet_header(again);
  require(twice.has_value() && twice->segmentation == offload->segmentation && twice->tcp_ecn == offload->tcp_ecn &&
          twice->needs_checksum == offload->needs_checksum && twice->segment_bytes == offload->segment_bytes &&
          twice->checksum_start == offload->checksum_start && twice->checksum_offset == offload->checksum_offset);
}

void check_ecn(const IpHeader& header) {
  require(ecn_of(header.bytes()) == header.ecn());
  std::vector<std::byte> copy(header.bytes().begin(), header.bytes().end());
  const bool right = !header.is_v4() || fold(sum(header.bytes().first(kIpv4HeaderBytes))) == 0xFFFF;
  merge_ecn(copy, Ecn::ect0);
  require(std::ranges::equal(copy, header.bytes()));
  merge_ecn(copy, Ecn::ce);
  require(ecn_of(copy) == (header.ecn() == Ecn::not_ect ? Ecn::not_ect : Ecn::ce));
  if (header.is_v4()) require((fold(sum(ConstBytes(copy).first(kIpv4HeaderBytes))) == 0xFFFF) == right);
}

void check_packet(const IpPacket& packet, ConstBytes bytes) {
  require_inside(bytes, packet.bytes());
  require_inside(packet.bytes(), packet.transport());
  require(packet.header_bytes() <= packet.all_header_bytes() && packet.all_header_bytes() <= packet.size());
  require(packet.header_bytes() >= (packet.is_v4() ? kIpv4HeaderBytes : kIpv6HeaderBytes));
  require(packet.source_address().bytes().size() == packet.destination().size());
  if (packet.is_later_fragment()) require(packet.is_fragment());
  // What names hosts on the way stands behind the fixed header.
  if (packet.is_source_routed()) {
    require(packet.header_bytes() > (packet.is_v4() ? kIpv4HeaderBytes : kIpv6HeaderBytes));
  }
  const bool has_ports = packet.all_header_bytes() != packet.header_bytes();
  if (has_ports) {
    require(packet.transport_valid() && !packet.is_fragment());
    require(packet.source_port() == load_be16(packet.transport(), 0));
    require(packet.destination_port() == load_be16(packet.transport(), 2));
  }
}

void check_icmp_error(const IpPacket& offending, IcmpReason reason) {
  std::vector<std::byte> out(kIcmpErrorBytes);
  const auto length = build_icmp_error(reason, 1280, offending.destination_address(), offending.bytes(), out);
  if (!length) return;
  out.resize(*length);
  const auto error = IpPacket::parse(out);
  require(error.has_value() && error->size() == out.size() && error->transport_valid());
  require(std::ranges::equal(error->destination(), offending.source()));
  const bool is_v4 = error->is_v4();
  const auto icmp_bytes = static_cast<std::uint32_t>(error->transport().size());
  const Sum pseudo = is_v4 ? 0 : pseudo_header_sum(error->source(), error->destination(), kProtocolIcmp6, icmp_bytes);
  require(fold(sum(error->transport(), pseudo)) == 0xFFFF);
  if (is_v4) require(fold(sum(error->bytes().first(kIpv4HeaderBytes))) == 0xFFFF);
  require_inside(out, error->transport());
  std::vector<std::byte> second(kIcmpErrorBytes);
  const auto answer = build_icmp_error(reason, 1280, error->destination_address(), out, second);
  require(!answer.has_value() && answer.error() == IcmpRefusal::icmp_error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ConstBytes input = std::as_bytes(std::span(data, size));
  check_vnet_header(input);
  if (input.size() < kVnetHeaderBytes) return 0;

  const ConstBytes bytes = input.subspan(kVnetHeaderBytes);
  const auto header = IpHeader::parse(bytes);
  const auto packet = IpPacket::parse(bytes);
  require(header.has_value() || !packet.has_value());
  if (!header) return 0;
  require_inside(bytes, header->bytes());
  require_inside(header->bytes(), header->source());
  require_inside(header->bytes(), header->destination());
  require(header->hop_limit() == load_u8(bytes, header->is_v4() ? 8 : 7));
  check_ecn(*header);
  if (!packet) return 0;
  (void)packet->dont_fragment();
  check_packet(*packet, bytes);
  for (const auto reason : {IcmpReason::too_big, IcmpReason::no_route, IcmpReason::prohibited, IcmpReason::network}) {
    check_icmp_error(*packet, reason);
  }
  return 0;
}
