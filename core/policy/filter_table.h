// Which packets the networks of one client permit: from an address, a protocol and a port to a verdict.
// Source: tunnel specification 5.2.
//
// The rule is: the longest network that contains the address, with the filters of all networks that contain that one.
// Those are the networks that contain the address, so a look-up asks them one after the other, and no union of filters
// is kept. Networks of one length lie sorted; a client has few lengths, so a look-up is few binary searches; the worst
// case is 33 or 129.
//
// Lifetime: a value. Threads: any may read. Allocates in assign() alone.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/wire.h"
#include "core/policy/filter_set.h"

namespace fireline::policy {

class FilterTable {
 public:
  struct Rule {
    Prefix network;
    const FilterList* filters;  // read by assign() alone
  };
  enum class Verdict : std::uint8_t {
    permitted,
    filtered,     // networks contain the address, none of their filters permits the packet
    not_covered,  // no network contains it
  };

  // In place of what there was. Equal networks permit what any of them permits.
  void assign(std::span<const Rule> rules);

  // `address` is 4 or 16 bytes in network order, the others as FilterSet::permits has them.
  [[nodiscard]] Verdict classify(ConstBytes address, std::uint8_t protocol, std::uint16_t port) const noexcept;

 private:
  // An address's bits from the top; IPv4 in the upper half of `high`.
  struct Bits {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Bits&, const Bits&) noexcept = default;
  };
  struct Network {
    Bits bits;
    FilterSet filters;
  };
  struct Level {
    Bits mask;
    std::vector<Network> networks;  // ascending
  };

  [[nodiscard]] static Bits bits_of(ConstBytes address) noexcept;
  [[nodiscard]] static Bits mask_of(unsigned length) noexcept;

  std::array<std::vector<Level>, 2> families_;  // by Family; the longest length first
};

}  // namespace fireline::policy
