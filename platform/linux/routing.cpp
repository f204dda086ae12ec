#include "platform/linux/routing.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "platform/linux/netlink_treatment.h"
#include "platform/linux/route_list.h"
#include "platform/linux/route_messages.h"

namespace fireline::platform {
namespace {

constexpr std::array kRules = {Rule{.priority = 100, .mark = kSocketMark, .table = kTunnelTable},
                               Rule{.priority = 200, .mark = kSocketMark, .table = kLinkTable},
                               Rule{.priority = 300, .mark = kSocketMark, .table = kInternetTable}};

std::uint32_t table_of(const Prefix& destination) {
  return destination.length() == 0 ? kInternetTable : kTunnelTable;
}

std::vector<Prefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<Prefix> all;
  for (const char* text : texts) all.push_back(Prefix::parse(text).value());
  return all;
}

void note(RoutingReport& report, NetlinkOperation operation, int code, const std::string& what) {
  switch (treatment_of(operation, code)) {
    case Treatment::ok:
      return;
    case Treatment::debug:
      report.details.push_back(network_error(code, what).sentence);
      return;
    default:
      report.warnings.push_back(network_error(code, what).sentence);
  }
}

}  // namespace

std::vector<Prefix> client_base_routes() {
  return prefixes({"100.64.0.0/11", "fd00:2021:1111::/107", "100.96.0.0/11", "fd00:2021:1111:8000::/107",
                   "100.100.111.0/24", "fd00:2021:1111:8000:100:100:111:0/120"});
}

std::vector<Prefix> gateway_routes() {
  return prefixes({"100.64.0.0/11", "fd00:2021:1111::/107"});
}

Routing::Routing(std::string interface, NetlinkQuery query) noexcept
    : interface_(std::move(interface)), query_(std::move(query)) {}

Result<Routing, HostError> Routing::open(std::string interface) {
  auto query = NetlinkQuery::open();
  if (!query) return err(network_error(query.error(), "open a netlink socket"));
  return Routing(std::move(interface), std::move(*query));
}

RoutingReport Routing::clear_tables() {
  RoutingReport report;
  for (const Rule& rule : kRules) {
    const auto stale = list_routes(query_, rule.table, [](const Route&) { return true; });
    if (!stale) {
      note(report, NetlinkOperation::copy_link_route, stale.error(), "list the routes of an earlier run");
      continue;
    }
    for (const Route& route : *stale) {
      const int code = platform::change_route(query_, RTM_DELROUTE, 0, route, rule.table);
      note(report, NetlinkOperation::copy_link_route, code, "delete the old route " + route.destination.to_string());
    }
  }
  present_.clear();
  return report;
}

RoutingReport Routing::add_rules(WorkingFamilies families) {
  RoutingReport report;
  for (const Family family : {Family::v4, Family::v6}) {
    if (!families.has(family)) continue;
    for (const Rule& rule : kRules) {
      write_rule(query_, family, rule);
      const int code = query_.ask(nullptr, nullptr);
      if (treatment_of(NetlinkOperation::add_rule, code) == Treatment::ok) continue;
      std::string what = "add the routing rules for " + std::string(family == Family::v4 ? "IPv4" : "IPv6");
      if (code == EOPNOTSUPP) what += " (this kernel has no policy routing by mark)";
      note(report, NetlinkOperation::add_rule, code, what);
      break;  // the next ones would fail alike, and each alone is worth nothing
    }
  }
  return report;
}

Result<RoutingReport, HostError> Routing::set_routes(const std::vector<Prefix>& wanted, WorkingFamilies families) {
  const std::uint32_t index = ::if_nametoindex(interface_.c_str());
  if (index == 0) return err(host_error(errno, "set routes: no interface " + interface_));
  std::set<Prefix> next;
  for (const Prefix& destination : wanted) {
    if (families.has(destination.address().family())) next.insert(destination);
  }
  RoutingReport report;
  for (const Prefix& destination : present_) {
    if (next.contains(destination)) continue;
    const int code = change_route(RTM_DELROUTE, destination, index);
    note(report, NetlinkOperation::delete_route, code, "delete the route " + destination.to_string());
  }
  for (const Prefix& destination : next) {
    const int code = change_route(RTM_NEWROUTE, destination, index);
    note(report, NetlinkOperation::add_route, code, "add the route " + destination.to_string());
  }
  present_ = std::move(next);
  return report;
}

Result<std::vector<Prefix>, int> Routing::missing_routes() {
  const std::uint32_t index = ::if_nametoindex(interface_.c_str());
  if (index == 0) return err(errno);
  std::set<Prefix> missing = present_;
  for (const std::uint32_t table : {kTunnelTable, kInternetTable}) {
    const auto found = list_routes(query_, table, [](const Route&) { return true; });
    if (!found) return err(found.error());
    for (const Route& route : *found) {
      if (route.interface == index && table_of(route.destination) == table) missing.erase(route.destination);
    }
  }
  return std::vector<Prefix>(missing.begin(), missing.end());
}

int Routing::change_route(std::uint16_t type, const Prefix& destination, std::uint32_t index) {
  write_route(query_, type, destination, table_of(destination), index);
  return query_.ask(nullptr, nullptr);
}

}  // namespace fireline::platform
