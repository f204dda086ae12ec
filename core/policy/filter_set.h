// Filters of one network, ready for a packet: what several resources permit, as one. Source: tunnel specification 5.2.
// Lifetime: a value. Threads: any may read. Allocates when it is built alone.
#pragma once
#include <cstdint>
#include <vector>

#include "core/policy/filter.h"

namespace fireline::policy {

class FilterSet {
 public:
  // Permits from here on what the list permits as well.
  void add(const FilterList& list);

  // `protocol` is the IP protocol number of a packet whose transport header was checked; `port` the resource's port.
  // ICMP filters are about every type; 1 and 58 are the same here, since a packet has the one of its version.
  [[nodiscard]] bool permits(std::uint8_t protocol, std::uint16_t port) const noexcept;

 private:
  struct Ports {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
  };

  static void merge(std::vector<Ports>& ranges, Ports more);
  [[nodiscard]] static bool contains(const std::vector<Ports>& ranges, std::uint16_t port) noexcept;

  std::vector<Ports> tcp_;  // ascending, apart from each other
  std::vector<Ports> udp_;
  bool icmp_ = false;
  bool everything_ = false;
};

}  // namespace fireline::policy
