// The simulated internet: sites behind NATs and firewalls, each with an access line in either direction, hosts in them,
// and a core that loses nothing.
//
//   host ── up link ── NAT ──┐                 ┌── NAT ── down link ── host
//   host ──┘ (LAN: no NAT)   └───── core ──────┘
//
// Every datagram that a host sends ends as delivered, as one named drop, or is under way: is_balanced().
// Lifetime: the queue and the receivers must outlive the network. Threads: one.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/event_queue.h"
#include "tests/sim/link.h"
#include "tests/sim/nat.h"

namespace fireline::sim {

class Receiver {
 public:
  virtual ~Receiver() = default;
  [[nodiscard]] virtual bool is_open(const Endpoint& destination) const = 0;
  virtual void receive(const Train& train) = 0;
  // ICMP "port unreachable" for something that was sent to `destination`.
  virtual void unreachable(const Endpoint& destination) { static_cast<void>(destination); }
};

struct SiteOptions {
  std::optional<NatOptions> nat4;  // none: its hosts' IPv4 addresses are public
  IpAddress public4;               // of the NAT
  std::optional<NatOptions> firewall6;
  LinkOptions up;
  LinkOptions down;
};

enum class NetworkDrop : std::uint8_t {
  source_gone,  // the host does not have that source address
  no_route,     // nobody has the destination, or the host no address of its family
  link_loss,
  link_burst,
  link_mtu,
  link_down,
  nat_full,
  nat_no_mapping,
  nat_filtered,
  nat_no_hairpin,
  sites_parted,
  host_gone,    // the address is nobody's any more, or its host is switched off
  port_closed,  // answered with "port unreachable"
  count_
};
[[nodiscard]] std::string_view name_of(NetworkDrop drop) noexcept;

class Network {
 public:
  Network(EventQueue& queue, Dice dice) : queue_(queue), dice_(dice) {}

  std::size_t add_site(const SiteOptions& options);
  std::size_t add_host(Receiver& receiver);
  // Addresses of a host, from here on; it leaves the site where it was. An address has one owner per site (behind a
  // NAT) or in the world.
  void attach(std::size_t host, std::size_t site, std::optional<IpAddress> v4, std::optional<IpAddress> v6);
  // Switched off: nothing arrives, nothing leaves, no answer.
  void set_powered(std::size_t host, bool powered);

  // From one of the host's addresses; an unspecified source is replaced by the host's own of that family.
  void send(std::size_t host, Train train);

  void set_links_up(std::size_t site, bool up, bool down);
  void set_link_options(std::size_t site, const LinkOptions& up, const LinkOptions& down);
  void reboot_nat(std::size_t site);
  // Whatever one sends to the other is dropped on the way; also within one site.
  void part(std::size_t site_a, std::size_t site_b, bool parted);
  [[nodiscard]] bool are_parted(std::size_t site_a, std::size_t site_b) const {
    return parted_.contains(std::minmax(site_a, site_b));
  }
  // Called with what is lost between parted sites, and for how long they have been.
  void on_parted(std::function<void(const Train&, Duration)> witness) { witness_ = std::move(witness); }

  [[nodiscard]] std::optional<IpAddress> address(std::size_t host, Family family) const;
  [[nodiscard]] std::size_t site_of(std::size_t host) const { return hosts_[host].site; }
  // Whether whoever asks sees `inside` of the host as `outside` now: through a NAT whose mapping does not depend on who
  // asks, or because it is the same.
  [[nodiscard]] bool is_mapped(std::size_t host, const Endpoint& outside, const Endpoint& inside) const;

  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t dropped(NetworkDrop drop) const noexcept;
  [[nodiscard]] std::uint64_t under_way() const noexcept { return under_way_; }
  // sent + duplicated = delivered + drops + under way
  [[nodiscard]] bool is_balanced() const noexcept;

 private:
  struct Host {
    Receiver* receiver = nullptr;
    std::size_t site = kNoHost;
    std::optional<IpAddress> v4{};
    std::optional<IpAddress> v6{};
    bool powered = true;
  };
  struct Site {
    SiteOptions options;
    std::unique_ptr<Nat> nat4;
    std::unique_ptr<Nat> firewall6;
    Link up;
    Link down;
    std::map<IpAddress, std::size_t> hosts;
  };

  [[nodiscard]] Nat* gate(const Site& site, Family family) const noexcept {
    return family == Family::v4 ? site.nat4.get() : site.firewall6.get();
  }
  void detach(Host& host);
  void leave(std::size_t site, Train train);  // through the NAT into the core
  void enter(std::size_t from, Train train);  // from the core into the destination's site
  void go_down(std::size_t site, std::size_t host, const Train& train);
  void arrive(std::size_t host, const Train& train);
  // True: the train is lost because they are parted.
  [[nodiscard]] bool lose_parted(std::size_t from, std::size_t to, const Train& train);
  void drop(NetworkDrop why, std::size_t datagrams) noexcept { drops_[static_cast<std::size_t>(why)] += datagrams; }
  void carry(Link& link, const Train& train, std::vector<Arrival>& arrivals);
  template <class Then>
  void later(Duration delay, Train train, Then&& then);

  EventQueue& queue_;
  Dice dice_;
  std::vector<Host> hosts_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::map<IpAddress, std::size_t> public_sites_;                  // address of a NAT or of a host without one → site
  std::map<std::pair<std::size_t, std::size_t>, Instant> parted_;  // since when
  std::function<void(const Train&, Duration)> witness_;
  std::uint64_t sent_ = 0;
  std::uint64_t duplicated_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t under_way_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(NetworkDrop::count_)> drops_{};
};

}  // namespace fireline::sim
