// libraries: fireline_core_packet fireline_core_base
// covers: core/packet/icmp_quote.cpp core/packet/icmp_quote.h
// ICMP messages as a raw socket gives them: the first byte chooses the family. What is found lies in the message.
#include <algorithm>
#include <cstdlib>
#include <span>

#include "core/packet/icmp_quote.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fireline;
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto found = packet::parse_unreachable(data[0] % 2 == 0 ? Family::v4 : Family::v6, bytes.subspan(1));
  if (!found) return 0;
  for (const Endpoint& end : {found->source, found->destination}) {
    if (std::ranges::search(bytes, end.address.bytes()).empty()) std::abort();
  }
  return 0;
}
