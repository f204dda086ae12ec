#include "tools/node/rendezvous.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "io/file_descriptor.h"
#include "io/secret_buffer.h"
#include "tools/node/json_reader.h"

namespace fireline::lab {
namespace {

std::vector<Prefix> read_prefixes(const JsonReader& reader, std::string_view name) {
  std::vector<Prefix> prefixes;
  for (const auto& text : reader.texts(name)) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) {
      reader.fail(name, fmt::format("holds \"{}\", which is no address or prefix", text));
    } else {
      prefixes.push_back(*prefix);
    }
  }
  return prefixes;
}

crypto::Key read_key(const JsonReader& reader, std::string_view name) {
  auto key = crypto::Key::from_hex(reader.text(name));
  if (!key) reader.fail(name, "is no key of 64 hex digits");
  return key.value_or(crypto::Key());
}

// A placeholder stands for what is wrong; the reader remembers it, so nobody uses it.
ice::Credentials read_ice(const JsonReader& reader) {
  auto made = ice::Credentials::make(reader.text("username"), reader.text("password"));
  if (!made) reader.fail({}, "are no ICE credentials");
  return made ? *made : *ice::Credentials::make("none", "none");
}

Party read_party(const JsonReader& reader) {
  Party party{.id = reader.text("id"),
              .private_key = read_key(reader, "private_key"),
              .ice = read_ice(reader.member("ice")),
              .addresses = read_prefixes(reader, "addresses"),
              .routes = read_prefixes(reader, "routes")};
  if (party.id.empty()) reader.fail("id", "is empty");
  if (party.addresses.empty()) reader.fail("addresses", "are missing: the end needs one in the tunnel");
  return party;
}

void read_relay(const JsonReader& reader, Rendezvous& rendezvous) {
  const auto id = reader.text("id");
  const std::array ends{reader.member("client"), reader.member("gateway")};
  for (const auto& text : reader.texts("addresses")) {
    const auto address = Endpoint::parse(text);
    if (!address) return reader.fail("addresses", fmt::format("hold \"{}\", which is no ADDRESS:PORT", text));
    for (std::size_t role = 0; role < ends.size(); ++role) {
      rendezvous.relays[role].push_back({.id = id,
                                         .kind = turn::RelayEntryKind::turn,
                                         .address = *address,
                                         .username = ends[role].text("username"),
                                         .password = ends[role].text("password")});
    }
  }
}

std::string error_text(int code) {
  return std::strerror(code);
}

}  // namespace

std::vector<Prefix> Party::allowed_ips() const {
  std::vector<Prefix> all = addresses;
  all.insert(all.end(), routes.begin(), routes.end());
  return all;
}

Result<Rendezvous, std::string> parse_rendezvous(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root)) {
    return err(fmt::format("it is no JSON: {}", simdjson::error_message(error)));
  }
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) return err(std::string("it is no JSON object"));
  std::string wrong;
  const JsonReader reader(root, "", wrong);
  const auto client = reader.member("client");
  const auto gateway = reader.member("gateway");
  if (!wrong.empty()) return err(wrong);
  Rendezvous rendezvous{.client = read_party(client),
                        .gateway = read_party(gateway),
                        .preshared_key = read_key(reader, "preshared_key"),
                        .relays = {}};
  reader.for_each("relays", [&](const JsonReader& relay) { read_relay(relay, rendezvous); });
  if (!wrong.empty()) return err(wrong);
  return rendezvous;
}

Result<Rendezvous, std::string> read_rendezvous(const std::string& path) {
  const io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return err(fmt::format("cannot read {}: {}", path, error_text(errno)));
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return err(fmt::format("cannot read {}: {}", path, error_text(errno)));
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return err(fmt::format("{} holds keys and others may read it: chmod 600 {}", path, path));
  }
  if (about.st_size < 0 || static_cast<std::size_t>(about.st_size) > kRendezvousBytesMax) {
    return err(fmt::format("{} is longer than {} bytes", path, kRendezvousBytesMax));
  }
  io::SecretBuffer text(static_cast<std::size_t>(about.st_size));
  std::size_t used = 0;
  while (used < text.size()) {
    const auto bytes = ::read(file.get(), text.data() + used, text.size() - used);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return err(fmt::format("cannot read {}: {}", path, error_text(errno)));
    if (bytes == 0) break;
    used += static_cast<std::size_t>(bytes);
  }
  auto parsed = parse_rendezvous(io::view(text).substr(0, used));
  if (!parsed) return err(fmt::format("{}: {}", path, parsed.error()));
  return parsed;
}

}  // namespace fireline::lab
