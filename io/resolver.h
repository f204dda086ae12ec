// Addresses of one host name for the control thread, asked in two ways that never block it.
//
// resolve_system(): getaddrinfo on a thread that ends with its answer; for the start, when no tunnel takes DNS over.
// resolve_direct(): never the system's resolver, whose questions would loop through the tunnel. An IP literal is its
// own answer, then comes /etc/hosts, then A and AAAA over UDP to every server at the same time, from a fresh marked
// socket each; whatever answers within kDnsPatience is merged, duplicates removed, IPv4 first. A name without an
// address is followed by the next of names_to_ask(), unless no server answered; once one said that there is none, the
// others have kDnsRestPatience. (portal specification 1.5, lesson 6;
// platform specification 4.7: the answer must come from the address that was asked.) Either callback gets an empty list
// when there is no answer: who calls keeps the addresses that it has. Lifetime: loop and callback outlive the question
// or the resolver, whatever is shorter; a new question or the destructor ends the one under way in silence. Threads:
// the loop's. Limits: kDnsServersMax servers, kDnsAddressesMax addresses.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/time.h"
#include "io/event_loop.h"

namespace fireline::io {

inline constexpr Duration kDnsPatience = std::chrono::seconds(2);
// Of the servers that are silent still when there is another name to ask for: with ndots:5 a silent one would cost
// kDnsPatience for each domain.
inline constexpr Duration kDnsRestPatience = std::chrono::milliseconds(300);
inline constexpr std::size_t kDnsServersMax = 8;     // resolv.conf has three, a host with several links some more
inline constexpr std::size_t kDnsDomainsMax = 6;     // resolv.conf(5) before glibc 2.26
inline constexpr std::size_t kDnsDotsMax = 15;       // resolv.conf(5)
inline constexpr std::size_t kDnsAddressesMax = 32;  // a cloud load balancer gives eight of each family

// Where a name stands that has fewer dots than `dots`: in one of these domains. A name with more may stand there too.
struct SearchList {
  std::vector<std::string> domains;  // without a dot at the end
  std::size_t dots = 1;
};

struct DirectQuestion {
  std::string host;               // a name, or a literal without brackets
  std::vector<Endpoint> servers;  // usually port 53
  SearchList search;
  std::optional<std::uint32_t> mark;  // SO_MARK
  std::string hosts_file = "/etc/hosts";
};

class Resolver {
 public:
  using Callback = std::move_only_function<void(std::vector<IpAddress>)>;

  explicit Resolver(EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Never calls back before it returns.
  void resolve_system(const std::string& host, Callback callback);
  void resolve_direct(const DirectQuestion& question, Callback callback);
  void cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The lines "nameserver ADDRESS" of a resolv.conf, port 53; a zone is a number or the name of an interface. A
// link-local server without one is left out. At most kDnsServersMax.
[[nodiscard]] std::vector<Endpoint> nameservers_in(std::string_view resolv_conf);
// Its last line "search DOMAIN…" or "domain DOMAIN", and "options ndots:N". At most kDnsDomainsMax.
[[nodiscard]] SearchList search_list_in(std::string_view resolv_conf);
// In the order in which they are asked: a name with fewer dots than the list says in the domains and then as it is, one
// with more the other way round, one with a dot at its end as it is alone.
[[nodiscard]] std::vector<std::string> names_to_ask(const std::string& host, const SearchList& search);
// The addresses of `host` in a hosts file, names compared without regard to case.
[[nodiscard]] std::vector<IpAddress> addresses_in_hosts(std::string_view hosts_file, std::string_view host);

}  // namespace fireline::io
