#include "core/portal/server/program_version.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace fireline::portal {
namespace {

constexpr std::array<std::string_view, 7> kComponents{"gateway",    "relay",        "headless-client", "connlib",
                                                      "gui-client", "apple-client", "android-client"};

constexpr ProgramVersion kInternetResourceSince{1, 3, 0};

// The first release of each program that takes renamed sites. Programs that are not listed never learn it otherwise.
struct FirstRelease {
  std::string_view component;
  ProgramVersion version;
};
constexpr std::array<FirstRelease, 4> kTakeRenamedSites{{{"headless-client", {1, 5, 5}},
                                                         {"gui-client", {1, 5, 9}},
                                                         {"apple-client", {1, 5, 9}},
                                                         {"android-client", {1, 5, 5}}}};

std::string_view take_until(std::string_view& text, char end) noexcept {
  const auto front = text.substr(0, text.find(end));
  text.remove_prefix(std::min(front.size() + 1, text.size()));
  return front;
}

bool read_number(std::string_view text, std::uint32_t& out) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::optional<ProgramVersion> ProgramVersion::parse(std::string_view text) noexcept {
  text = text.substr(0, text.find_first_of("-+"));
  ProgramVersion version;
  for (std::uint32_t* const part : {&version.major, &version.minor}) {
    if (text.find('.') == std::string_view::npos || !read_number(take_until(text, '.'), *part)) return std::nullopt;
  }
  if (!read_number(text, version.patch)) return std::nullopt;
  return version;
}

std::optional<ProgramAgent> ProgramAgent::parse(std::string_view user_agent) {
  if (user_agent.size() > kUserAgentBytesMax) return std::nullopt;
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (!std::ranges::all_of(user_agent, is_plain)) return std::nullopt;

  ProgramAgent agent;
  auto rest = user_agent;
  while (!rest.empty() && agent.component.empty()) {
    const auto token = take_until(rest, ' ');
    const auto slash = token.find('/');
    if (slash == std::string_view::npos) continue;
    if (std::ranges::find(kComponents, token.substr(0, slash)) == kComponents.end()) continue;
    agent.component = token.substr(0, slash);
    agent.version = token.substr(slash + 1);
  }
  if (agent.component.empty()) return std::nullopt;
  agent.parsed_version = ProgramVersion::parse(agent.version);
  // The system's name ends at the first slash and may hold spaces; without one in front of the program there is none.
  const auto system = user_agent.substr(0, user_agent.find(agent.component + '/'));
  if (const auto slash = system.find('/'); slash != std::string_view::npos) {
    agent.os_name = system.substr(0, slash);
    auto version = system.substr(slash + 1);
    agent.os_version = take_until(version, ' ');
  }
  return agent;
}

bool gateway_fits(const ProgramAgent& client, const ProgramAgent& gateway) noexcept {
  if (!client.parsed_version || !gateway.parsed_version) return false;
  const ProgramVersion& asked = *client.parsed_version;
  const ProgramVersion& offered = *gateway.parsed_version;
  const ProgramVersion first{asked.major, asked.minor == 0 ? 0 : asked.minor - 1, 0};
  return offered >= first && offered < ProgramVersion{asked.major, asked.minor + 2, 0};
}

bool knows_internet_resource(const ProgramAgent& agent) noexcept {
  return agent.parsed_version && *agent.parsed_version >= kInternetResourceSince;
}

bool takes_renamed_sites(const ProgramAgent& client) noexcept {
  const auto* const row = std::ranges::find(kTakeRenamedSites, client.component, &FirstRelease::component);
  return row != kTakeRenamedSites.end() && client.parsed_version && *client.parsed_version >= row->version;
}

}  // namespace fireline::portal
