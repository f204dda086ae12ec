#include "core/policy/document_reader.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "core/base/byte_order_mark.h"
#include "core/crypto/sha256.h"
#include "core/policy/object_reader.h"
#include "core/policy/suggestion.h"
#include "core/policy/value_text.h"

namespace fireline::policy {
namespace {

using Keys = std::span<const std::string_view>;

// Things of one kind by name, with the words for a suggestion.
class Names {
 public:
  // False when the name was there.
  bool add(const std::string& name, std::size_t place) { return places_.emplace(name, place).second; }
  [[nodiscard]] const std::size_t* find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? nullptr : &found->second;
  }
  // Empty once there were many: comparing with 10,000 names takes milliseconds, and nobody sees more than the first
  // kPolicyErrorsMax mistakes.
  [[nodiscard]] std::string suggest(std::string_view name) const {
    if (suggested_ == 2 * kPolicyErrorsMax) return {};
    ++suggested_;
    std::vector<std::string_view> known;
    known.reserve(places_.size());
    for (const auto& [word, place] : places_) known.push_back(word);
    std::ranges::sort(known);
    return suggestion(name, known);
  }

 private:
  std::unordered_map<std::string, std::size_t> places_;
  mutable std::size_t suggested_ = 0;
};

class Reader {
 public:
  explicit Reader(ErrorList& errors) : errors_(errors) {}

  Document read(const JsonValue& root) {
    static constexpr std::array<std::string_view, 8> kKeys{"$schema",   "account", "dns",    "sites",
                                                           "resources", "groups",  "actors", "policies"};
    const ObjectReader object(errors_, root, "", kKeys);
    // For editors.
    const JsonValue* schema = object.find("$schema");
    if (schema != nullptr && schema->kind != JsonKind::string) object.expected(*schema, "$schema", "a string");
    if (const JsonValue* value = object.need("account")) account(*value);
    everyone();
    if (const JsonValue* value = object.find("dns")) dns(*value);
    each(object, "sites", kSitesMax, [this](const JsonValue& v, std::string place) { site(v, std::move(place)); });
    each(object, "resources", kResourcesMax,
         [this](const JsonValue& v, std::string place) { resource(v, std::move(place)); });
    each(object, "groups", kGroupsMax - 1,
         [this](const JsonValue& v, std::string place) { group(v, std::move(place)); });
    each(object, "actors", kActorsMax, [this](const JsonValue& v, std::string place) { actor(v, std::move(place)); });
    each(object, "policies", kPoliciesMax,
         [this](const JsonValue& v, std::string place) { policy(v, std::move(place)); });
    return std::move(document_);
  }

 private:
  template <class Read>
  void each(const ObjectReader& object, std::string_view key, std::size_t most, Read read) {
    std::size_t index = 0;
    for (const JsonValue& item : object.optional_items(key, 0, most)) {
      read(item, std::string(key) + "[" + std::to_string(index++) + "]");
    }
  }

  void account(const JsonValue& value) {
    static constexpr std::array<std::string_view, 3> kKeys{"id", "name", "slug"};
    const ObjectReader object(errors_, value, "account", kKeys);
    Account& account = document_.account;
    account.name = object.name("name");
    account.slug = object.name("slug");
    const bool plain = std::ranges::all_of(
        account.slug, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
    if (!plain) object.expected(*object.find("slug"), "slug", "lower-case letters, digits, '_' and '-'");
    account.id = object.id().value_or(account_id(account.slug));
    take_id(object, account.id);
  }

  void dns(const JsonValue& value) {
    static constexpr std::array<std::string_view, 2> kKeys{"servers", "search_domain"};
    const ObjectReader object(errors_, value, "dns", kKeys);
    for (const JsonValue& item : object.optional_items("servers", 0, kDnsServersMax)) {
      const auto address = item.kind == JsonKind::string ? IpAddress::parse(item.text) : std::nullopt;
      if (!address || address->is_unspecified()) {
        object.expected(item, "servers", "an address");
      } else if (overlaps_reserved(Prefix::make(*address, address->bits()).value())) {
        object.expected(item, "servers", "an address outside of 100.64.0.0/10 and fd00:2021:1111::/48");
      } else {
        document_.dns.servers.push_back(*address);
      }
    }
    if (const JsonValue* domain = object.find("search_domain")) {
      document_.dns.search_domain = object.parse(*domain, "search_domain", parse_domain);
    }
  }

  void site(const JsonValue& value, std::string place) {
    static constexpr std::array<std::string_view, 2> kKeys{"id", "name"};
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    Site site;
    site.name = object.name("name");
    site.id = identify(object, "site", site.name, sites_, document_.sites.size());
    document_.sites.push_back(std::move(site));
  }

  void resource(const JsonValue& value, std::string place) {
    static constexpr std::array<std::string_view, 8> kKeys{"id",    "name",    "type",     "address",
                                                           "sites", "filters", "ip_stack", "description"};
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    Resource resource;
    resource.name = object.name("name");
    resource.id = identify(object, "resource", resource.name, resources_, document_.resources.size());
    resource.description = object.optional_name("description");
    for (const std::size_t site : references(object, "sites", kSitesMax, sites_, "site")) {
      resource.sites.push_back(document_.sites[site]);
    }
    target(object, resource);
    document_.resources.push_back(std::move(resource));
  }

  void target(const ObjectReader& object, Resource& resource) {
    const JsonValue* type = object.need("type");
    if (type == nullptr) return;
    const std::string_view text = type->kind == JsonKind::string ? std::string_view(type->text) : std::string_view();
    if (text == "dns") {
      resource.kind = ResourceKind::dns;
      if (const JsonValue* address = object.need("address")) {
        resource.pattern = object.parse(*address, "address", parse_pattern).value_or("");
      }
      ip_stack(object, resource);
    } else if (text == "cidr" || text == "ip") {
      resource.kind = ResourceKind::cidr;
      refuse(object, "ip_stack", "is for resources of the type \"dns\" alone");
      if (const JsonValue* address = object.need("address")) network(object, *address, text == "ip", resource);
    } else if (text == "internet") {
      resource.kind = ResourceKind::internet;
      for (const std::string_view key : {"address", "ip_stack", "filters"}) {
        refuse(object, key, "is not for a resource of the type \"internet\"");
      }
      if (has_internet_)
        object.fail(*type, "type", "expected one resource of the type \"internet\", found another one");
      has_internet_ = true;
    } else {
      object.expected(*type, "type", "\"dns\", \"cidr\", \"ip\" or \"internet\"");
    }
    if (resource.kind != ResourceKind::internet) filters(object, resource);
  }

  void network(const ObjectReader& object, const JsonValue& address, bool single, Resource& resource) {
    const auto one_address = [](std::string_view text) -> Parsed<Prefix> {
      const auto parsed = IpAddress::parse(text);
      if (!parsed) return err(std::string("one address; a network is of the type \"cidr\""));
      return Prefix::make(*parsed, parsed->bits()).value();
    };
    const auto prefix =
        single ? object.parse(address, "address", one_address) : object.parse(address, "address", parse_network);
    if (!prefix) return;
    if (prefix->length() == 0) {
      object.expected(address, "address", "a part of the Internet; for all of it there is the type \"internet\"");
    } else if (overlaps_reserved(*prefix)) {
      object.expected(address, "address",
                      "a network apart from the tunnels' own 100.64.0.0/10 and fd00:2021:1111::/48");
    }
    resource.network = *prefix;
  }

  void ip_stack(const ObjectReader& object, Resource& resource) {
    const JsonValue* value = object.find("ip_stack");
    if (value == nullptr) return;
    const std::string_view text = value->kind == JsonKind::string ? std::string_view(value->text) : std::string_view();
    if (text == "dual") {
      resource.ip_stack = IpStack::dual;
    } else if (text == "ipv4_only") {
      resource.ip_stack = IpStack::ipv4_only;
    } else if (text == "ipv6_only") {
      resource.ip_stack = IpStack::ipv6_only;
    } else {
      object.expected(*value, "ip_stack", "\"dual\", \"ipv4_only\" or \"ipv6_only\"");
    }
  }

  // An empty list would say "everything" to gateways, where its author may have meant "nothing".
  void filters(const ObjectReader& object, Resource& resource) {
    for (const JsonValue& item : object.optional_items("filters", 1, kFiltersMax)) {
      if (const auto filter = object.parse(item, "filters", parse_filter)) resource.filters.filters.push_back(*filter);
    }
  }

  void everyone() {
    const std::string name(kEveryoneName);
    const Uuid id = derived_id(document_.account.id, "group", name);
    document_.groups.push_back({.id = id, .name = name});
    groups_.add(name, 0);
    ids_.insert(id);
  }

  void group(const JsonValue& value, std::string place) {
    static constexpr std::array<std::string_view, 2> kKeys{"id", "name"};
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    Group group;
    group.name = object.name("name");
    if (group.name == kEveryoneName) {
      return object.fail(*object.find("name"), "name", "\"everyone\" is there by itself, with every actor in it");
    }
    group.id = identify(object, "group", group.name, groups_, document_.groups.size());
    document_.groups.push_back(std::move(group));
  }

  void actor(const JsonValue& value, std::string place) {
    static constexpr std::array<std::string_view, 5> kKeys{"id", "name", "type", "email", "groups"};
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    Actor actor;
    actor.name = object.name("name");
    actor.id = identify(object, "actor", actor.name, actors_, document_.actors.size());
    actor.email = object.optional_name("email").value_or("");
    if (const JsonValue* type = object.find("type")) {
      const bool service = type->kind == JsonKind::string && type->text == "service_account";
      const bool user = type->kind == JsonKind::string && type->text == "user";
      if (!service && !user) object.expected(*type, "type", "\"user\" or \"service_account\"");
      actor.kind = service ? ActorKind::service_account : ActorKind::user;
    }
    if (object.find("groups") != nullptr) actor.groups = references(object, "groups", kGroupsMax, groups_, "group", 0);
    if (!std::ranges::binary_search(actor.groups, std::size_t{0})) actor.groups.insert(actor.groups.begin(), 0);
    document_.actors.push_back(std::move(actor));
  }

  void policy(const JsonValue& value, std::string place) {
    static constexpr std::array<std::string_view, 5> kKeys{"id", "name", "groups", "resources", "conditions"};
    const std::string conditions_place = place + ".conditions";
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    Policy policy;
    policy.name = object.name("name");
    policy.id = identify(object, "policy", policy.name, policies_, document_.policies.size());
    policy.groups = references(object, "groups", kGroupsMax, groups_, "group");
    policy.resources = references(object, "resources", kResourcesMax, resources_, "resource");
    if (const JsonValue* found = object.find("conditions")) policy.conditions = conditions(*found, conditions_place);
    document_.policies.push_back(std::move(policy));
  }

  Conditions conditions(const JsonValue& value, const std::string& place) {
    static constexpr std::array<std::string_view, 3> kKeys{"time", "source", "expires"};
    const ObjectReader object(errors_, value, place, kKeys);
    Conditions conditions;
    if (object.find("time") != nullptr) {
      std::vector<Window> windows;
      std::size_t index = 0;
      for (const JsonValue& item : object.optional_items("time", 1, kWindowsMax)) {
        times(item, place + ".time[" + std::to_string(index++) + "]", windows);
      }
      conditions.windows = WeeklyWindows(windows);
    }
    for (const JsonValue& item : object.optional_items("source", 1, kSourcesMax)) {
      if (const auto source = object.parse(item, "source", parse_source)) conditions.sources.push_back(*source);
    }
    if (const JsonValue* expires = object.find("expires")) {
      conditions.expires = object.parse(*expires, "expires", parse_instant);
    }
    return conditions;
  }

  void times(const JsonValue& value, std::string place, std::vector<Window>& windows) {
    static constexpr std::array<std::string_view, 3> kKeys{"days", "from", "to"};
    const ObjectReader object(errors_, value, std::move(place), kKeys);
    std::int64_t first = 0;
    std::int64_t end = kSecondsOfDay;
    if (const JsonValue* from = object.find("from")) first = object.parse(*from, "from", parse_clock).value_or(0);
    if (const JsonValue* to = object.find("to")) end = object.parse(*to, "to", parse_clock).value_or(kSecondsOfDay);
    if (first >= end) {
      return object.fail(value, "",
                         "expected \"from\" before \"to\"; what goes on after midnight is an entry of its own");
    }
    for (const JsonValue& item : object.items("days", 1, 7)) {
      const auto day = object.parse(item, "days", parse_day);
      if (day) windows.push_back({.first = *day * kSecondsOfDay + first, .end = *day * kSecondsOfDay + end});
    }
  }

  void refuse(const ObjectReader& object, std::string_view key, std::string_view why) {
    if (const JsonValue* found = object.find(key))
      object.fail(*found, key, "\"" + std::string(key) + "\" " + std::string(why));
  }

  // Places of what a list names, ascending. A name that comes twice is a mistake.
  std::vector<std::size_t> references(const ObjectReader& object, std::string_view key, std::size_t most,
                                      const Names& names, std::string_view kind, std::size_t least = 1) {
    std::vector<std::size_t> places;
    std::unordered_set<std::size_t> seen;
    for (const JsonValue& item : object.items(key, least, most)) {
      if (item.kind != JsonKind::string) {
        object.expected(item, key, "the name of a " + std::string(kind));
        continue;
      }
      const std::size_t* place = names.find(item.text);
      if (place == nullptr) {
        object.expected(item, key, "the name of a " + std::string(kind) + " in this file" + names.suggest(item.text));
      } else if (!seen.insert(*place).second) {
        object.fail(item, key, "\"" + item.text + "\" comes twice");
      } else {
        places.push_back(*place);
      }
    }
    std::ranges::sort(places);
    return places;
  }

  // The id that the file gives or the derived one; remembers name and id, each of which must be the only one.
  Uuid identify(const ObjectReader& object, std::string_view kind, const std::string& name, Names& names,
                std::size_t place) {
    const bool only = name.empty() || names.add(name, place);
    if (!only) {
      object.fail(*object.find("name"), "name", "another " + std::string(kind) + " has the name \"" + name + "\"");
    }
    const Uuid id = object.id().value_or(derived_id(document_.account.id, kind, name));
    if (!name.empty()) take_id(object, id, only);
    return id;
  }

  // Two of one name that derive the same id are one mistake, which is told: `only` is false then.
  void take_id(const ObjectReader& object, const Uuid& id, bool only = true) {
    if (ids_.insert(id).second) return;
    if (const JsonValue* given = object.find("id")) return object.fail(*given, "id", "something else has this id");
    if (!only) return;
    object.fail(*object.find("name"), "name",
                "something else has the id that follows from this name; give it an \"id\"");
  }

  ErrorList& errors_;
  Document document_;
  Names sites_;
  Names resources_;
  Names groups_;
  Names actors_;
  Names policies_;
  std::unordered_set<Uuid> ids_;
  bool has_internet_ = false;
};

// Version 8 of the first sixteen bytes of a hash (RFC 9562 section 5.8).
Uuid version8(const std::array<std::byte, crypto::kSha256Bytes>& hash) {
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = std::to_integer<std::uint8_t>(hash[i]);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0FU) | 0x80U);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3FU) | 0x80U);
  return id;
}

ConstBytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

std::string PolicyError::to_string(std::string_view file) const {
  return std::string(file) + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " +
         (place.empty() ? "" : place + ": ") + text;
}

Result<Document, std::vector<PolicyError>> read_document(std::string_view text) {
  ErrorList errors;
  if (text.size() > kPolicyBytesMax) {
    errors.add(0, "", "expected at most " + std::to_string(kPolicyBytesMax) + " bytes");
    return err(errors.take(text));
  }
  text = without_byte_order_mark(text);  // editors count no column for it
  auto root = read_json(text);
  if (!root) {
    errors.add(root.error().offset, "", std::move(root.error().text));
    return err(errors.take(text));
  }
  Document document = Reader(errors).read(*root);
  if (!errors.empty()) return err(errors.take(text));
  document.link();
  return document;
}

Uuid account_id(std::string_view slug) {
  return version8(crypto::sha256({bytes_of("account"), bytes_of(std::string_view("\0", 1)), bytes_of(slug)}));
}

// Kinds hold no zero byte, and names no control character: the parts cannot be confused.
Uuid derived_id(const Uuid& account, std::string_view kind, std::string_view name) {
  return version8(crypto::sha256(
      {std::as_bytes(std::span(account.bytes)), bytes_of(kind), bytes_of(std::string_view("\0", 1)), bytes_of(name)}));
}

}  // namespace fireline::policy
