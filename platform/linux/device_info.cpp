#include "platform/linux/device_info.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

namespace fireline::platform {
namespace {

// Names as Firezone's programs show them for the ID of os-release; others show their NAME.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kNames = {{
    {"almalinux", "AlmaLinux"},
    {"alpine", "Alpine Linux"},
    {"amzn", "Amazon Linux"},
    {"arch", "Arch Linux"},
    {"centos", "CentOS"},
    {"debian", "Debian"},
    {"fedora", "Fedora"},
    {"gentoo", "Gentoo Linux"},
    {"linuxmint", "Linux Mint"},
    {"manjaro", "Manjaro"},
    {"nixos", "NixOS"},
    {"ol", "Oracle Linux"},
    {"opensuse-leap", "openSUSE"},
    {"opensuse-tumbleweed", "openSUSE"},
    {"pop", "Pop!_OS"},
    {"rhel", "Red Hat Enterprise Linux"},
    {"rocky", "Rocky Linux"},
    {"ubuntu", "Ubuntu"},
}};

// Some firmware has this instead of a number of its own; it would make all such machines one.
constexpr std::string_view kPlaceholderSerial = "123456789";
// Firmware strings and os-release are short; more is not what it should be.
constexpr std::size_t kFileBytesMax = 65'536;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The value of a shell-like assignment: quotes off, backslashes undone.
std::string unquote(std::string_view text) {
  text = trim(text);
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  if (!quoted) return std::string(text);
  const bool escapes = text.front() == '"';
  text = text.substr(1, text.size() - 2);
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (escapes && text[i] == '\\' && i + 1 < text.size()) ++i;
    value.push_back(text[i]);
  }
  return value;
}

// The portal takes "<name>/<version> ..." apart at '/' and space.
std::string printable(std::string_view text, bool spaces) {
  std::string clean;
  for (const char c : text) {
    if (c == '/') break;
    if (c > '~' || c < ' ' || (c == ' ' && !spaces)) continue;
    clean.push_back(c);
  }
  return std::string(trim(clean));
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kFileBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::optional<std::string> firmware(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::nullopt;
  std::string value(trim(*text));
  if (value.empty()) return std::nullopt;
  return value;
}

}  // namespace

DeviceInfo device_info(const std::string& root) {
  DeviceInfo info;
  auto release = read_file(root + "/etc/os-release");
  if (!release) release = read_file(root + "/usr/lib/os-release");
  auto [name, version] = read_os_release(release.value_or(""));
  info.os_name = std::move(name);
  info.os_version = std::move(version);
  utsname kernel{};
  if (::uname(&kernel) == 0) {
    info.architecture = kernel.machine;
    info.kernel = kernel.release;
  }
  info.serial = firmware(root + "/sys/class/dmi/id/product_serial");
  if (info.serial == kPlaceholderSerial) info.serial.reset();
  info.uuid = firmware(root + "/sys/class/dmi/id/product_uuid");
  return info;
}

OsRelease read_os_release(std::string_view text) {
  std::string id;
  std::string name;
  std::string version;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    if (key == "ID") id = unquote(line.substr(equals + 1));
    if (key == "NAME") name = unquote(line.substr(equals + 1));
    if (key == "VERSION_ID") version = unquote(line.substr(equals + 1));
    if (key == "BUILD_ID" && version.empty()) version = unquote(line.substr(equals + 1));
  }
  const auto* known = std::ranges::find(kNames, std::string_view(id), &decltype(kNames)::value_type::first);
  OsRelease release{printable(known != kNames.end() ? known->second : name, true), printable(version, false)};
  if (release.name.empty()) release.name = "Linux";
  if (release.version.empty()) release.version = "unknown";
  return release;
}

std::string host_name() {
  std::array<char, 256> name{};  // HOST_NAME_MAX is 64
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

long uptime_seconds() noexcept {
  struct sysinfo info{};
  return ::sysinfo(&info) == 0 ? info.uptime : 0;
}

}  // namespace fireline::platform
