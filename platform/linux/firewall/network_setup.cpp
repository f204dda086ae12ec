#include "platform/linux/firewall/network_setup.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "platform/linux/firewall/forward_filters.h"
#include "platform/linux/firewall/nftables.h"
#include "platform/linux/netlink_query.h"
#include "platform/linux/route_list.h"

namespace fireline::platform {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
// In this order: forwarding for all interfaces, then for those to come.
constexpr std::array kSettings = {
    Setting{"net.ipv4.ip_forward", "1"},
    Setting{"net.ipv4.conf.all.src_valid_mark", "1"},  // marked packets are checked by the route that they take
    Setting{"net.ipv6.conf.all.disable_ipv6", "0"},
    Setting{"net.ipv6.conf.all.forwarding", "1"},
    Setting{"net.ipv6.conf.default.forwarding", "1"},
};

// What the kernel sets to 0 when forwarding begins and to 1 when it ends, whatever it was: a host that took no
// redirects would take them afterwards.
constexpr const char* kRedirects = "net.ipv4.conf.all.accept_redirects";

using Values = std::map<std::string, std::string>;  // of kSettings and kRedirects, as they were before us

bool is_plain_name(const std::string& name, std::size_t length_max) {
  return !name.empty() && name.size() <= length_max && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

// Both become part of nft's language.
std::optional<HostError> check_names(const NetworkSetup& setup) {
  if (!is_plain_name(setup.interface, IFNAMSIZ - 1)) {
    return HostError{EINVAL, "the interface name \"" + setup.interface + "\" is not of letters, digits, '-', '_', '.'"};
  }
  if (!is_plain_name(setup.table, 64) || setup.table.front() < 'A') {
    return HostError{EINVAL, "the table name \"" + setup.table + "\" is not of letters, digits, '-', '_', '.'"};
  }
  return std::nullopt;
}

// "Delete" needs a table, so it is made first: one text for the first time and for every other.
std::string removal(const NetworkSetup& setup) {
  return "table inet " + setup.table + "\ndelete table inet " + setup.table + "\n";
}

// Before the filters of others (priority 0), and their NAT at the usual place. Not only interfaces with some names
// (Firezone's script: e+ and w+): whatever leaves the host with a tunnel address would find no way back. What stays on
// the host (lo) or goes to clients keeps its address.
std::string table_text(const NetworkSetup& setup) {
  const std::string& name = setup.interface;
  return removal(setup) + "table inet " + setup.table + " {\n" +
         "chain forward { type filter hook forward priority -10; policy accept; iifname \"" + name +
         "\" accept; oifname \"" + name + "\" accept; }\n" +
         "chain postrouting { type nat hook postrouting priority 100; policy accept;\n" +
         "ip saddr 100.64.0.0/11 oifname != { \"lo\", \"" + name + "\" } masquerade\n" +
         "ip6 saddr fd00:2021:1111::/107 oifname != { \"lo\", \"" + name + "\" } masquerade\n}\n}\n";
}

Values read_state(const std::string& path) {
  Values values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = line.substr(0, equals);
    // The file decides nothing but values of our own settings, whoever wrote it.
    if (name == kRedirects || std::ranges::any_of(kSettings, [&](const Setting& one) { return name == one.name; })) {
      values[name] = line.substr(equals + 1);
    }
  }
  return values;
}

std::optional<HostError> write_state(const std::string& path, const Values& values) {
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  const std::string temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    for (const auto& [name, value] : values) file << name << '=' << value << '\n';
    file.flush();
    if (!file) return host_error(errno != 0 ? errno : EIO, "keep the settings of before in " + path);
  }
  std::filesystem::rename(temporary, path, code);
  if (code) return host_error(code.value(), "keep the settings of before in " + path);
  return std::nullopt;
}

// A host that forwards ignores router advertisements (accept_ra 1), and loses the routes that it has of them in the
// moment in which it begins to: to be asked before.
std::vector<std::string> advertisement_warnings(const NetworkSetup& setup) {
  auto query = NetlinkQuery::open();
  if (!query) return {};
  const auto routes = list_routes(*query, RT_TABLE_MAIN, [](const Route& route) {
    return route.destination.length() == 0 && route.protocol == RTPROT_RA;
  });
  std::vector<std::string> sentences;
  if (!routes) return sentences;
  for (const Route& route : *routes) {
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(route.interface, name.data()) == nullptr) continue;
    std::string file_name = name.data();
    std::ranges::replace(file_name, '.', '/');
    const std::string setting = "net.ipv6.conf." + file_name + ".accept_ra";
    if (read_sysctl(setup.sysctl_root, setting) != "1") continue;
    sentences.push_back(std::string(name.data()) + " has its IPv6 default route from router advertisements, which a " +
                        "forwarding host ignores: run `sysctl " + setting + "=2`");
  }
  return sentences;
}

std::string assignment(const std::string& name, const std::string& value) {
  return name + "=" + value;
}

// All values are on disk before the first one changes: a crash in between forgets nothing, and "all" changes "default".
std::optional<HostError> keep_settings(const NetworkSetup& setup) {
  Values before = read_state(setup.state_file);
  bool changes = false;
  for (const Setting& one : kSettings) {
    const auto present = read_sysctl(setup.sysctl_root, one.name);
    if (!present) continue;  // a host without that version of IP
    before.emplace(one.name, *present);
    changes = changes || *present != one.value;
  }
  if (!changes) return std::nullopt;
  if (const auto redirects = read_sysctl(setup.sysctl_root, kRedirects)) before.emplace(kRedirects, *redirects);
  return write_state(setup.state_file, before);
}

std::optional<HostError> set_settings(const NetworkSetup& setup, NetworkSetupReport& report) {
  if (auto error = keep_settings(setup)) return error;
  for (const Setting& one : kSettings) {
    const auto present = read_sysctl(setup.sysctl_root, one.name);
    if (!present || *present == one.value) continue;
    const std::string text = assignment(one.name, one.value);
    if (const int code = write_sysctl(setup.sysctl_root, one.name, one.value); code != 0) {
      HostError error = host_error(code, "set " + text);
      error.sentence += ": run as root; in a container give it to the container's runtime (--sysctl " + text + ")";
      return error;
    }
    report.done.push_back("set " + text + " (was " + *present + ")");
  }
  return std::nullopt;
}

void restore_settings(const NetworkSetup& setup, NetworkSetupReport& report) {
  Values before = read_state(setup.state_file);
  const auto redirects = before.extract(kRedirects);
  // As the kernel left it when we began to forward; anything else is somebody else's since, and stays.
  const auto present = read_sysctl(setup.sysctl_root, kRedirects);
  const std::string wanted = present == "0" && !redirects.empty() ? redirects.mapped() : present.value_or("");
  for (const Setting& one : kSettings) {
    // Somebody else's since.
    if (read_sysctl(setup.sysctl_root, one.name) != one.value) before.erase(one.name);
  }
  for (const Setting& one : kSettings) {
    const auto value = before.find(one.name);
    if (value == before.end() || read_sysctl(setup.sysctl_root, one.name) == value->second) continue;
    const std::string text = assignment(one.name, value->second);
    if (const int code = write_sysctl(setup.sysctl_root, one.name, value->second); code != 0) {
      report.warnings.push_back(host_error(code, "restore " + text).sentence);
    } else {
      report.done.push_back("restored " + text);
    }
  }
  if (!wanted.empty() && read_sysctl(setup.sysctl_root, kRedirects) != wanted) {
    if (const int code = write_sysctl(setup.sysctl_root, kRedirects, wanted); code != 0) {
      report.warnings.push_back(host_error(code, "restore " + assignment(kRedirects, wanted)).sentence);
    }
  }
  std::error_code ignored;
  std::filesystem::remove(setup.state_file, ignored);
  std::filesystem::remove(std::filesystem::path(setup.state_file).parent_path(), ignored);  // if it is empty
}

bool has_table(Nftables& firewall, const NetworkSetup& setup) {
  return firewall.run("list table inet " + setup.table).has_value();
}

}  // namespace

Result<NetworkSetupReport, HostError> set_up_network(const NetworkSetup& setup) {
  if (auto error = check_names(setup)) return err(*std::move(error));
  auto firewall = Nftables::open();
  if (!firewall) return err(std::move(firewall.error()));
  NetworkSetupReport report;
  const bool present = has_table(*firewall, setup);
  if (const auto made = firewall->run(table_text(setup)); !made) {
    return err(HostError{0, "cannot make the nftables table inet " + setup.table + ": " + made.error() +
                                ": run as root, with a kernel that has nf_tables and its NAT"});
  }
  if (!present) report.done.push_back("made the nftables table inet " + setup.table);
  const auto warnings = advertisement_warnings(setup);
  if (auto error = set_settings(setup, report)) return err(*std::move(error));
  if (auto rules = firewall->run_json("list ruleset")) {
    report.warnings = forward_obstacles(*rules, setup.interface, setup.table);
  }
  std::ranges::copy(warnings, std::back_inserter(report.warnings));
  return report;
}

Result<NetworkSetupReport, HostError> tear_down_network(const NetworkSetup& setup) {
  if (auto error = check_names(setup)) return err(*std::move(error));
  NetworkSetupReport report;
  restore_settings(setup, report);
  auto firewall = Nftables::open();
  if (!firewall) return err(std::move(firewall.error()));
  if (!has_table(*firewall, setup)) return report;
  if (const auto gone = firewall->run(removal(setup)); !gone) {
    report.warnings.push_back("cannot remove the nftables table inet " + setup.table + ": " + gone.error());
  } else {
    report.done.push_back("removed the nftables table inet " + setup.table);
  }
  return report;
}

}  // namespace fireline::platform
