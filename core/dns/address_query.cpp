#include "core/dns/address_query.h"

#include <ldns/ldns.h>

#include <cstdlib>
#include <memory>

namespace fireline::dns {
namespace {

struct PacketFree {
  void operator()(ldns_pkt* packet) const noexcept { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, PacketFree>;
struct NameFree {
  void operator()(ldns_rdf* name) const noexcept { ldns_rdf_deep_free(name); }
};
using Name = std::unique_ptr<ldns_rdf, NameFree>;

ldns_rr_type type_of(Family family) noexcept {
  return family == Family::v4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
}

Name make_name(const std::string& name) {
  ldns_rdf* made = nullptr;
  if (name.empty() || ldns_str2rdf_dname(&made, name.c_str()) != LDNS_STATUS_OK) return nullptr;
  return Name(made);
}

bool answers(const ldns_pkt& packet, std::uint16_t id, const std::string& name, Family family) {
  if (!ldns_pkt_qr(&packet) || ldns_pkt_id(&packet) != id) return false;
  const ldns_rr_list* const questions = ldns_pkt_question(&packet);
  if (ldns_rr_list_rr_count(questions) != 1) return false;
  const ldns_rr* const question = ldns_rr_list_rr(questions, 0);
  const Name asked = make_name(name);
  return asked && ldns_rr_get_type(question) == type_of(family) && ldns_rr_get_class(question) == LDNS_RR_CLASS_IN &&
         ldns_dname_compare(ldns_rr_owner(question), asked.get()) == 0;
}

}  // namespace

std::optional<std::vector<std::byte>> make_address_query(std::uint16_t id, const std::string& name, Family family) {
  Name owner = make_name(name);
  if (!owner) return std::nullopt;
  const Packet packet(ldns_pkt_query_new(owner.release(), type_of(family), LDNS_RR_CLASS_IN, LDNS_RD));
  if (!packet) return std::nullopt;
  ldns_pkt_set_id(packet.get(), id);
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&bytes, packet.get(), &size) != LDNS_STATUS_OK) return std::nullopt;
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owned(bytes, std::free);
  const auto message = std::as_bytes(std::span(bytes, size));
  return std::vector<std::byte>(message.begin(), message.end());
}

Result<std::vector<IpAddress>, AnswerError> parse_address_answer(ConstBytes message, std::uint16_t id,
                                                                 const std::string& name, Family family) {
  // The library wants unsigned bytes: a copy of at most one datagram.
  std::vector<std::uint8_t> bytes;
  for (const std::byte byte : message) bytes.push_back(std::to_integer<std::uint8_t>(byte));
  ldns_pkt* parsed = nullptr;
  if (ldns_wire2pkt(&parsed, bytes.data(), bytes.size()) != LDNS_STATUS_OK) return err(AnswerError::malformed);
  const Packet packet(parsed);
  if (!answers(*packet, id, name, family)) return err(AnswerError::stranger);
  if (ldns_pkt_get_rcode(packet.get()) != LDNS_RCODE_NOERROR) return err(AnswerError::failed);
  std::vector<IpAddress> addresses;
  const ldns_rr_list* const records = ldns_pkt_answer(packet.get());
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    const ldns_rr* const record = ldns_rr_list_rr(records, i);
    if (ldns_rr_get_type(record) != type_of(family) || ldns_rr_rd_count(record) != 1) continue;
    const ldns_rdf* const data = ldns_rr_rdf(record, 0);
    const std::size_t size = family == Family::v4 ? 4 : 16;
    if (ldns_rdf_size(data) != size) continue;
    addresses.push_back(IpAddress::from_bytes(std::as_bytes(std::span(ldns_rdf_data(data), size))));
  }
  return addresses;
}

}  // namespace fireline::dns
