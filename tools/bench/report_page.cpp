#include "tools/bench/report_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/bench/report_page_parts.h"

namespace fireline::bench {
namespace {

using page::Json;

// The order of the facts above the plots.
void add_facts(Page& out, const Json& report) {
  out.command = report.value("command", "");
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.facts.emplace_back(name, value);
  };
  add("Date", report.value("date", ""));
  add("Version", report.value("version", ""));
  add("Commit", report.value("commit", ""));
  if (report.contains("machine")) {
    const Json& machine = report.at("machine");
    add("Machine",
        fmt::format("{} cores, {}", machine.at("cores").get<unsigned>(), machine.at("cpu").get<std::string>()));
    add("Linux", machine.at("kernel").get<std::string>());
    add("Load before", fmt::format("{:.2f}", machine.at("load_average_before").get<double>()));
  }
  if (report.contains("rounds")) add("Rounds", fmt::format("{}", report.at("rounds").get<int>()));
}

}  // namespace

Result<Page, std::string> report_page(const nlohmann::ordered_json& report) {
  const std::string name = report.is_object() ? report.value("benchmark", "") : "";
  Page out;
  try {
    if (name == "tunnel") {
      page::add_tunnel(out, report);
    } else if (name == "udp") {
      page::add_udp(out, report);
    } else if (name == "aead") {
      page::add_aead(out, report);
    } else if (name == "node") {
      page::add_node(out, report);
    } else if (name == "peers") {
      page::add_peers(out, report);
    } else if (name == "crowd") {
      page::add_crowd(out, report);
    } else if (name == "relay") {
      page::add_relay(out, report);
    } else if (name == "xdp") {
      page::add_xdp(out, report);
    } else {
      return err(
          name.empty()
              ? std::string("this is no report of fireline-bench: --json writes one")
              : fmt::format("there is no page for the benchmark {}: use the report of one of fireline-bench's", name));
    }
    add_facts(out, report);
  } catch (const Json::exception& error) {
    return err(fmt::format("the report of {} is not complete: {}", name, error.what()));
  }
  out.title = "fireline-bench " + name;
  out.report = report.dump();
  return out;
}

}  // namespace fireline::bench
