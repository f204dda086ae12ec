#include "platform/linux/link_scope_sync.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "platform/linux/link_list.h"
#include "platform/linux/netlink_treatment.h"
#include "platform/linux/routing.h"

namespace fireline::platform {
namespace {

bool has_link_scope(const Route& route) {
  return route.scope == RT_SCOPE_LINK;
}

// What tells two routes of one table apart.
auto key_of(const Route& route) {
  return std::tuple(route.destination, route.interface, route.metric, route.source.value_or(IpAddress{}));
}
using Keys = std::set<decltype(key_of(std::declval<const Route&>()))>;

Keys keys_of(const std::vector<Route>& routes) {
  Keys keys;
  for (const Route& route : routes) keys.insert(key_of(route));
  return keys;
}

}  // namespace

LinkScopeSync::LinkScopeSync(NetlinkEvents events, NetlinkQuery query) noexcept
    : events_(std::move(events)), query_(std::move(query)) {}

Result<LinkScopeSync, HostError> LinkScopeSync::open() {
  auto events = NetlinkEvents::open();
  if (!events) return err(std::move(events.error()));
  auto query = NetlinkQuery::open();
  if (!query) return err(network_error(query.error(), "open a netlink socket"));
  return LinkScopeSync(std::move(*events), std::move(*query));
}

std::optional<HostError> LinkScopeSync::handle_readable(Instant now) {
  auto any = events_.drain();
  if (!any) return std::move(any.error());
  if (*any) debounce_.event(now);
  return std::nullopt;
}

std::optional<LinkScopeReport> LinkScopeSync::handle_timeout(Instant now) {
  if (!debounce_.expire(now)) return std::nullopt;
  auto report = sync();
  // Again: no event comes for what has changed already.
  if (!report.listed) debounce_.event(now);
  return report;
}

LinkScopeReport LinkScopeSync::sync() {
  LinkScopeReport report;
  const auto links = list_links(query_);
  auto source = list_routes(query_, RT_TABLE_MAIN, has_link_scope);
  const auto target = list_routes(query_, kLinkTable, has_link_scope);
  if (!links || !source || !target) {
    const int code = !links ? links.error() : !source ? source.error() : target.error();
    report.listed = false;
    report.details.push_back(network_error(code, "list routes and interfaces").sentence);
    return report;
  }
  std::erase_if(*source, [&](const Route& route) {
    const auto link = std::ranges::find(*links, route.interface, &Link::index);
    if (link != links->end() && link->operational) return false;
    report.details.push_back("the route " + route.destination.to_string() + " is left out: its interface is not up");
    return true;
  });
  const Keys wanted = keys_of(*source);
  const Keys present = keys_of(*target);
  // First, so that a route that came back with another interface is not in the new one's way.
  for (const Route& route : *target) {
    if (!wanted.contains(key_of(route))) delete_copy(route, report);
  }
  for (const Route& route : *source) {
    if (present.contains(key_of(route))) continue;
    const int code = change_route(query_, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, kLinkTable);
    if (code == 0) ++report.added;
    if (treatment_of(NetlinkOperation::copy_link_route, code) == Treatment::ok) continue;
    report.details.push_back(network_error(code, "copy the route " + route.destination.to_string()).sentence);
  }
  return report;
}

LinkScopeReport LinkScopeSync::withdraw() {
  LinkScopeReport report;
  const auto copies = list_routes(query_, kLinkTable, has_link_scope);
  if (!copies) {
    report.details.push_back(network_error(copies.error(), "list the copied routes").sentence);
    return report;
  }
  for (const Route& copy : *copies) delete_copy(copy, report);
  return report;
}

void LinkScopeSync::delete_copy(const Route& copy, LinkScopeReport& report) {
  const int code = change_route(query_, RTM_DELROUTE, 0, copy, kLinkTable);
  if (code == 0) ++report.deleted;
  if (treatment_of(NetlinkOperation::delete_route, code) == Treatment::ok) return;
  report.details.push_back(network_error(code, "delete the copied route " + copy.destination.to_string()).sentence);
}

}  // namespace fireline::platform
