// What the portal reads out of a program's user agent: which program it is and how old, since that alone decides which
// gateways serve which clients. Source: portal specification 1.3 and 6.5. Lifetime: values. Threads: any.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fireline::portal {

struct ProgramVersion {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t patch = 0;

  // "1.4.19", also with a suffix behind "-" or "+".
  [[nodiscard]] static std::optional<ProgramVersion> parse(std::string_view text) noexcept;
  friend auto operator<=>(const ProgramVersion&, const ProgramVersion&) noexcept = default;
};

// "Debian/12.0.0 gateway/1.4.19 (x86_64; 6.1.0-25-amd64)"
struct ProgramAgent {
  std::string os_name;     // "Debian"; may contain spaces
  std::string os_version;  // "12.0.0"
  std::string component;   // "gateway"
  std::string version;     // "1.4.19", as sent
  std::optional<ProgramVersion> parsed_version;

  // Empty without a token that starts with the name of a known program: nobody can say what it understands.
  [[nodiscard]] static std::optional<ProgramAgent> parse(std::string_view user_agent);
};

// 6.5: from one minor version below the client's to one above it. Versions that cannot be read fit nobody.
[[nodiscard]] bool gateway_fits(const ProgramAgent& client, const ProgramAgent& gateway) noexcept;
// Both ends of the Internet resource.
[[nodiscard]] bool knows_internet_resource(const ProgramAgent& agent) noexcept;
// 6.11: clients that cannot take other sites of a resource that they know, not even other names of them.
[[nodiscard]] bool takes_renamed_sites(const ProgramAgent& client) noexcept;

// Text from the network that goes to logs and databases: no control characters, no more than this.
inline constexpr std::size_t kUserAgentBytesMax = 512;

}  // namespace fireline::portal
