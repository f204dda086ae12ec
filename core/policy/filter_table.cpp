#include "core/policy/filter_table.h"

#include <algorithm>
#include <tuple>

namespace fireline::policy {

void FilterTable::assign(std::span<const Rule> rules) {
  for (auto& levels : families_) levels.clear();
  std::vector<Rule> sorted(rules.begin(), rules.end());
  std::ranges::sort(sorted, [](const Rule& a, const Rule& b) {
    return std::tuple(b.network.length(), a.network.address()) < std::tuple(a.network.length(), b.network.address());
  });
  for (const Rule& rule : sorted) {
    const IpAddress& address = rule.network.address();
    std::vector<Level>& levels = families_[static_cast<std::size_t>(address.family())];
    const Bits mask = mask_of(rule.network.length());
    if (levels.empty() || levels.back().mask != mask) levels.push_back({.mask = mask, .networks = {}});
    std::vector<Network>& networks = levels.back().networks;
    const Bits bits = bits_of(address.bytes());
    if (networks.empty() || networks.back().bits != bits) networks.push_back({.bits = bits, .filters = {}});
    networks.back().filters.add(*rule.filters);
  }
}

FilterTable::Verdict FilterTable::classify(ConstBytes address, std::uint8_t protocol,
                                           std::uint16_t port) const noexcept {
  const Bits bits = bits_of(address);
  bool covered = false;
  for (const Level& level : families_[address.size() == 4 ? 0 : 1]) {
    const Bits wanted{.high = bits.high & level.mask.high, .low = bits.low & level.mask.low};
    const auto network = std::ranges::lower_bound(level.networks, wanted, {}, &Network::bits);
    if (network == level.networks.end() || network->bits != wanted) continue;
    covered = true;
    if (network->filters.permits(protocol, port)) return Verdict::permitted;
  }
  return covered ? Verdict::filtered : Verdict::not_covered;
}

FilterTable::Bits FilterTable::bits_of(ConstBytes address) noexcept {
  if (address.size() == 4) return {.high = std::uint64_t{load_be32(address, 0)} << 32, .low = 0};
  return {.high = load_be64(address, 0), .low = load_be64(address, 8)};
}

FilterTable::Bits FilterTable::mask_of(unsigned length) noexcept {
  const auto upper = [](unsigned bits) { return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits); };
  return {.high = upper(std::min(length, 64u)), .low = length > 64 ? upper(length - 64) : 0};
}

}  // namespace fireline::policy
