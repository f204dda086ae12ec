#include "tests/sim/network.h"

#include <utility>

namespace fireline::sim {
namespace {

constexpr Duration kLanDelay = std::chrono::microseconds(500);
constexpr Duration kUnreachableDelay = std::chrono::milliseconds(10);

}  // namespace

std::string_view name_of(NetworkDrop drop) noexcept {
  static constexpr std::array<std::string_view, static_cast<std::size_t>(NetworkDrop::count_)> kNames{
      "source_gone",    "no_route",     "link_loss",      "link_burst",   "link_mtu",  "link_down",  "nat_full",
      "nat_no_mapping", "nat_filtered", "nat_no_hairpin", "sites_parted", "host_gone", "port_closed"};
  static_assert(!kNames.back().empty());
  return kNames[static_cast<std::size_t>(drop)];
}

std::size_t Network::add_site(const SiteOptions& options) {
  auto site = std::make_unique<Site>(
      Site{options, nullptr, nullptr, Link(options.up, Dice(dice_.u64())), Link(options.down, Dice(dice_.u64())), {}});
  if (options.nat4) {
    site->nat4 = std::make_unique<Nat>(*options.nat4, options.public4, Dice(dice_.u64()));
    public_sites_.insert_or_assign(options.public4, sites_.size());
  }
  if (options.firewall6) {
    NatOptions firewall = *options.firewall6;
    firewall.ports = PortRule::identity;
    site->firewall6 = std::make_unique<Nat>(firewall, IpAddress(), Dice(dice_.u64()));
  }
  sites_.push_back(std::move(site));
  return sites_.size() - 1;
}

std::size_t Network::add_host(Receiver& receiver) {
  hosts_.push_back({.receiver = &receiver});
  return hosts_.size() - 1;
}

void Network::attach(std::size_t index, std::size_t site, std::optional<IpAddress> v4, std::optional<IpAddress> v6) {
  Host& host = hosts_[index];
  detach(host);
  host.site = site;
  host.v4 = v4;
  host.v6 = v6;
  for (const auto& address : {v4, v6}) {
    if (!address) continue;
    sites_[site]->hosts.insert_or_assign(*address, index);
    const bool translated = address->is_v4() && sites_[site]->nat4;
    if (!translated) public_sites_.insert_or_assign(*address, site);
  }
}

void Network::detach(Host& host) {
  if (host.site == kNoHost) return;
  for (const auto& address : {host.v4, host.v6}) {
    if (!address) continue;
    sites_[host.site]->hosts.erase(*address);
    const bool translated = address->is_v4() && sites_[host.site]->nat4;
    if (!translated) public_sites_.erase(*address);
  }
}

void Network::set_powered(std::size_t host, bool powered) {
  hosts_[host].powered = powered;
}

void Network::send(std::size_t index, Train train) {
  Host& host = hosts_[index];
  sent_ += train.count();
  train.origin = index;
  train.origin_destination = train.destination;
  train.sent = queue_.now();
  if (!host.powered) return drop(NetworkDrop::host_gone, train.count());
  const auto& own = train.destination.address.is_v4() ? host.v4 : host.v6;
  if (!own) return drop(NetworkDrop::no_route, train.count());
  if (train.source.address.is_unspecified()) train.source.address = *own;
  if (train.source.address != *own) return drop(NetworkDrop::source_gone, train.count());

  Site& site = *sites_[host.site];
  if (const auto neighbour = site.hosts.find(train.destination.address); neighbour != site.hosts.end()) {
    const std::size_t to = neighbour->second;
    if (to != index && lose_parted(host.site, host.site, train)) return;
    return later(kLanDelay, std::move(train), [this, to](const Train& arrived) { arrive(to, arrived); });
  }
  std::vector<Arrival> arrivals;
  carry(site.up, train, arrivals);
  for (Arrival& arrival : arrivals) {
    later(arrival.time - queue_.now(), std::move(arrival.train),
          [this, from = host.site](const Train& arrived) { leave(from, arrived); });
  }
}

void Network::leave(std::size_t index, Train train) {
  Nat* nat = gate(*sites_[index], train.destination.address.family());
  if (nat != nullptr) {
    const auto outside = nat->outbound(queue_.now(), train.source, train.destination);
    if (!outside) return drop(NetworkDrop::nat_full, train.count());
    train.source = *outside;
  }
  enter(index, std::move(train));
}

void Network::enter(std::size_t from, Train train) {
  const auto owner = public_sites_.find(train.destination.address);
  if (owner == public_sites_.end()) return drop(NetworkDrop::no_route, train.count());
  const std::size_t index = owner->second;
  if (lose_parted(from, index, train)) return;
  Site& site = *sites_[index];
  Nat* nat = gate(site, train.destination.address.family());
  if (nat != nullptr && nat->options().ports != PortRule::identity && index == from && !nat->options().hairpin) {
    return drop(NetworkDrop::nat_no_hairpin, train.count());
  }
  if (nat != nullptr) {
    const Nat::Inbound inbound = nat->inbound(queue_.now(), train.destination, train.source);
    if (inbound.refusal == Nat::Refusal::no_mapping) return drop(NetworkDrop::nat_no_mapping, train.count());
    if (inbound.refusal == Nat::Refusal::filtered) return drop(NetworkDrop::nat_filtered, train.count());
    train.destination = inbound.inside;
  }
  const auto host = site.hosts.find(train.destination.address);
  if (host == site.hosts.end()) return drop(NetworkDrop::host_gone, train.count());
  go_down(index, host->second, train);
}

void Network::go_down(std::size_t site, std::size_t host, const Train& train) {
  std::vector<Arrival> arrivals;
  carry(sites_[site]->down, train, arrivals);
  for (Arrival& arrival : arrivals) {
    later(arrival.time - queue_.now(), std::move(arrival.train),
          [this, host](const Train& arrived) { arrive(host, arrived); });
  }
}

void Network::arrive(std::size_t index, const Train& train) {
  const Host& host = hosts_[index];
  const auto& own = train.destination.address.is_v4() ? host.v4 : host.v6;
  if (!host.powered || own != train.destination.address) return drop(NetworkDrop::host_gone, train.count());
  if (!host.receiver->is_open(train.destination)) {
    drop(NetworkDrop::port_closed, train.count());
    queue_.after(kUnreachableDelay, [this, origin = train.origin, destination = train.origin_destination] {
      if (origin != kNoHost && hosts_[origin].powered) hosts_[origin].receiver->unreachable(destination);
    });
    return;
  }
  delivered_ += train.count();
  host.receiver->receive(train);
}

void Network::carry(Link& link, const Train& train, std::vector<Arrival>& arrivals) {
  static constexpr std::array<NetworkDrop, 4> kDrops{NetworkDrop::link_loss, NetworkDrop::link_burst,
                                                     NetworkDrop::link_mtu, NetworkDrop::link_down};
  std::array<std::uint64_t, kDrops.size()> before{};
  for (std::size_t i = 0; i < kDrops.size(); ++i) before[i] = link.dropped(static_cast<LinkDrop>(i));
  duplicated_ -= link.duplicated();
  link.carry(queue_.now(), train, arrivals);
  duplicated_ += link.duplicated();
  for (std::size_t i = 0; i < kDrops.size(); ++i) drop(kDrops[i], link.dropped(static_cast<LinkDrop>(i)) - before[i]);
}

template <class Then>
void Network::later(Duration delay, Train train, Then&& then) {
  under_way_ += train.count();
  queue_.after(delay, [this, train = std::move(train), then = std::forward<Then>(then)] {
    under_way_ -= train.count();
    then(train);
  });
}

void Network::set_links_up(std::size_t site, bool up, bool down) {
  sites_[site]->up.set_up(up);
  sites_[site]->down.set_up(down);
}

void Network::set_link_options(std::size_t site, const LinkOptions& up, const LinkOptions& down) {
  sites_[site]->up.set_options(up);
  sites_[site]->down.set_options(down);
}

void Network::reboot_nat(std::size_t site) {
  if (sites_[site]->nat4) sites_[site]->nat4->reboot();
  if (sites_[site]->firewall6) sites_[site]->firewall6->reboot();
}

void Network::part(std::size_t site_a, std::size_t site_b, bool parted) {
  const std::pair<std::size_t, std::size_t> sites = std::minmax(site_a, site_b);
  if (parted) {
    parted_.emplace(sites, queue_.now());
  } else {
    parted_.erase(sites);
  }
}

bool Network::lose_parted(std::size_t from, std::size_t to, const Train& train) {
  const auto found = parted_.find(std::minmax(from, to));
  if (found == parted_.end()) return false;
  drop(NetworkDrop::sites_parted, train.count());
  if (witness_) witness_(train, queue_.now() - found->second);
  return true;
}

std::optional<IpAddress> Network::address(std::size_t host, Family family) const {
  return family == Family::v4 ? hosts_[host].v4 : hosts_[host].v6;
}

bool Network::is_mapped(std::size_t host, const Endpoint& outside, const Endpoint& inside) const {
  const Host& owner = hosts_[host];
  if (owner.site == kNoHost || address(host, inside.address.family()) != inside.address) return false;
  const Nat* nat = gate(*sites_[owner.site], inside.address.family());
  if (nat == nullptr || nat->options().ports == PortRule::identity) return outside == inside;
  return nat->options().mapping == Dependence::endpoint_independent && nat->maps(queue_.now(), outside, inside);
}

std::uint64_t Network::dropped(NetworkDrop drop) const noexcept {
  return drops_[static_cast<std::size_t>(drop)];
}

bool Network::is_balanced() const noexcept {
  std::uint64_t ended = delivered_ + under_way_;
  for (const std::uint64_t drops : drops_) ended += drops;
  return sent_ + duplicated_ == ended;
}

}  // namespace fireline::sim
