#include "tools/relay/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "tools/common/choice.h"

namespace fireline::relay {
namespace {

// As the person wrote it; turned into values when all of it is read, so that each error is a sentence of ours.
struct Words {
  PortalWords portal;
  std::string public_ip4, public_ip6, bind_ip4, bind_ip6;
  std::string listen_port, lowest_port, highest_port;
  std::string auth, users, realm, secret_file, peer_rules;
  std::vector<std::string> allow_peers, deny_peers;
  std::string allocations_max, user_allocations_max, channels_max, permissions_max, nonces_max;
  std::string answers_source, answers_total;
  std::string rng_seed, log_format, log_level, log_file, log_file_level;
  std::string otlp, gcp_project, telemetry, worker_threads;
  std::string interface, attach_mode, interface4, interface6;
  std::string health, control;
  bool no_gso = false;
  bool no_gro = false;
  bool debug = false;
  bool no_seccomp = false;
};

using Wrong = std::optional<std::string>;

void add_addresses(CLI::App& app, Words& words) {
  add_words(
      app, {{"--public-ip4-addr", words.public_ip4, "Public IPv4 address; at least one of both is needed",
             "PUBLIC_IP4_ADDR"},
            {"--public-ip6-addr", words.public_ip6, "Public IPv6 address", "PUBLIC_IP6_ADDR"},
            {"--bind-ip4-addr", words.bind_ip4, "Local IPv4 address of all sockets (default 0.0.0.0)", "BIND_IP4_ADDR"},
            {"--bind-ip6-addr", words.bind_ip6, "Local IPv6 address of all sockets (default ::)", "BIND_IP6_ADDR"},
            {"--listen-port", words.listen_port, "Control port (default 3478)", "LISTEN_PORT"},
            {"--lowest-port", words.lowest_port, "First allocation port (default 49152)", "LOWEST_PORT"},
            {"--highest-port", words.highest_port, "Last allocation port (default 65535)", "HIGHEST_PORT"}});
}

void add_users(CLI::App& app, Words& words) {
  add_words(app, {{"--auth", words.auth, "firezone (default): stamped usernames; static: the users of --users",
                   "FIRELINE_RELAY_AUTH"},
                  {"--users", words.users, "With --auth static: file of user:password lines", "FIRELINE_RELAY_USERS"},
                  {"--realm", words.realm, "With --auth static: the realm (default fireline)", "FIRELINE_RELAY_REALM"},
                  {"--secret-file", words.secret_file,
                   "With --auth firezone: file, mode 0600, of the stamp secret (default: drawn at start)",
                   "FIRELINE_RELAY_SECRET_FILE"}});
  app.add_option("--allow-peer", words.allow_peers, "With --auth static: private prefix that may be a peer; repeat it")
      ->delimiter(',')
      ->envname("FIRELINE_RELAY_ALLOW_PEER");
  app.add_option("--deny-peer", words.deny_peers, "Prefix that may not be a peer; repeat it")
      ->delimiter(',')
      ->envname("FIRELINE_RELAY_DENY_PEER");
  app.add_option(
         "--peer-rules", words.peer_rules,
         "File of lines \"allow PREFIX\" and \"deny PREFIX\" beside those flags; SIGHUP reads it and --users again")
      ->envname("FIRELINE_RELAY_PEER_RULES");
}

void add_limits(CLI::App& app, Words& words) {
  const auto add = [&app](const char* flag, std::string& word, const char* help, const char* environment) {
    app.add_option(flag, word, help)->envname(environment)->group("Limits");
  };
  add("--max-allocations", words.allocations_max, "Allocations in all (default 16384)",
      "FIRELINE_RELAY_MAX_ALLOCATIONS");
  add("--max-user-allocations", words.user_allocations_max, "With --auth static: of one user (default 4096)",
      "FIRELINE_RELAY_MAX_USER_ALLOCATIONS");
  add("--max-channels", words.channels_max, "Channels of one allocation (default 4096)", "FIRELINE_RELAY_MAX_CHANNELS");
  add("--max-permissions", words.permissions_max, "Permissions of one allocation (default 1024)",
      "FIRELINE_RELAY_MAX_PERMISSIONS");
  add("--max-nonces", words.nonces_max, "Nonces remembered (default 65536)", "FIRELINE_RELAY_MAX_NONCES");
  add("--max-answers-source", words.answers_source,
      "Unauthenticated answers per second to one source (default 50, in a burst four times that)",
      "FIRELINE_RELAY_MAX_ANSWERS_SOURCE");
  add("--max-answers-total", words.answers_total, "Unauthenticated answers per second in all (default 20000)",
      "FIRELINE_RELAY_MAX_ANSWERS_TOTAL");
}

void add_operations(CLI::App& app, Words& words) {
  add_words(app, {{"--rng-seed", words.rng_seed, "Deterministic randomness, for tests only", "RNG_SEED"},
                  {"--log-format", words.log_format, "human (default) or json, one object per line", "LOG_FORMAT"},
                  {"--log-level", words.log_level, "Log directives: level or target=level, comma-separated (info)",
                   "RUST_LOG"},
                  {"--log-file", words.log_file, "Append the log to this file as well", "FIRELINE_RELAY_LOG_FILE"},
                  {"--log-file-level", words.log_file_level,
                   "Log directives of the file (default: those of --log-level)", "FIRELINE_RELAY_LOG_FILE_LEVEL"},
                  {"--health-check-addr", words.health, "Public endpoint of /healthz and /readyz (0.0.0.0:8080)",
                   "HEALTH_CHECK_ADDR"},
                  {"--control-endpoint", words.control,
                   "Loopback endpoint of /status, /metrics, /log_filter (127.0.0.1:9999)", "CONTROL_ENDPOINT"}});
  app.add_flag("--no-gso", words.no_gso, "Send every datagram singly")->envname("FIRELINE_RELAY_NO_GSO");
  app.add_flag("--no-seccomp", words.no_seccomp, "Do without the filter of system calls: for debugging tools alone")
      ->envname("FIRELINE_RELAY_NO_SECCOMP");
  app.add_flag("--no-gro", words.no_gro, "Receive every datagram singly")->envname("FIRELINE_RELAY_NO_GRO");
  add_words(app,
            {{"--ebpf-offloading", words.interface, "Interface on which XDP forwards channels (default: off)",
              "EBPF_OFFLOADING"},
             {"--ebpf-attach-mode", words.attach_mode, "driver (default) or generic", "EBPF_ATTACH_MODE"}},
            "XDP");
  app.add_flag("--ebpf-debug", words.debug, "Log each frame that XDP saw: target eBPF, level trace. Slows all of them")
      ->envname("FIRELINE_RELAY_EBPF_DEBUG")
      ->group("XDP");
  add_words(app,
            {{"--ebpf-int4-addr", words.interface4,
              "The interface's IPv4 address (default: the bind address, else read)", "EBPF_INT4_ADDR"},
             {"--ebpf-int6-addr", words.interface6,
              "The interface's IPv6 address (default: the bind address, else read)", "EBPF_INT6_ADDR"}},
            "XDP");
}

// Of a Firezone relay's environment, for what this program does otherwise or not at all.
void add_firezone(CLI::App& app, Words& words) {
  add_words(app,
            {{"--otlp-grpc-endpoint", words.otlp,
              "Accepted, without effect: metrics are at /metrics of the control endpoint", "OTLP_GRPC_ENDPOINT"},
             {"--google-cloud-project-id", words.gcp_project, "Accepted, without effect", "GOOGLE_CLOUD_PROJECT_ID"}},
            "Firezone");
  app.add_option("--telemetry", words.telemetry, "Accepted, without effect: no crash report is sent to anybody")
      ->envname("FIREZONE_TELEMETRY")
      ->expected(0, 1)
      ->default_str("true")
      ->group("Firezone");
  app.add_option("--num-worker-threads", words.worker_threads, "Accepted, without effect: one thread relays")
      ->envname("NUM_WORKER_THREADS")
      ->group("Firezone");
}

template <class Number>
bool to_number(const std::string& word, Number& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

Wrong read_address(const char* flag, const std::string& word, Family family, std::optional<IpAddress>& out) {
  if (word.empty()) return std::nullopt;
  const auto address = IpAddress::parse(word);
  if (address && address->family() == family) {
    out = *address;
    return std::nullopt;
  }
  return fmt::format("{} cannot be \"{}\": use an {} address", flag, word, family == Family::v4 ? "IPv4" : "IPv6");
}

Wrong read_endpoint(const char* flag, const std::string& word, const char* fallback, Endpoint& out) {
  const auto endpoint = Endpoint::parse(word.empty() ? fallback : word);
  if (!endpoint) {
    return fmt::format("{} cannot be \"{}\": use ADDRESS:PORT, for example {} or [::1]:9999", flag, word, fallback);
  }
  out = *endpoint;
  return std::nullopt;
}

Wrong read_prefixes(const char* flag, const std::vector<std::string>& words, std::vector<Prefix>& out) {
  for (const std::string& word : words) {
    const auto prefix = Prefix::parse(word);
    if (!prefix) return fmt::format("{} cannot be \"{}\": use ADDRESS/LENGTH, for example 10.0.0.0/8", flag, word);
    out.push_back(*prefix);
  }
  return std::nullopt;
}

Wrong read_addresses(const Words& words, RelayOptions& options) {
  if (auto wrong = read_address("--public-ip4-addr", words.public_ip4, Family::v4, options.public_ip4)) return wrong;
  if (auto wrong = read_address("--public-ip6-addr", words.public_ip6, Family::v6, options.public_ip6)) return wrong;
  if (auto wrong = read_address("--bind-ip4-addr", words.bind_ip4, Family::v4, options.bind_ip4)) return wrong;
  if (auto wrong = read_address("--bind-ip6-addr", words.bind_ip6, Family::v6, options.bind_ip6)) return wrong;
  if (!options.public_ip4 && !options.public_ip6) {
    // The entry script of Firezone's container would ask the cloud.
    const char* const discovery = std::getenv("LISTEN_ADDRESS_DISCOVERY_METHOD");
    if (discovery != nullptr && *discovery != '\0') {
      return fmt::format(
          "LISTEN_ADDRESS_DISCOVERY_METHOD={} is not served: set PUBLIC_IP4_ADDR, PUBLIC_IP6_ADDR or both", discovery);
    }
    return "no public address is given: use --public-ip4-addr, --public-ip6-addr or both";
  }
  for (const auto& [flag, address] :
       {std::pair{"--public-ip4-addr", &options.public_ip4}, std::pair{"--public-ip6-addr", &options.public_ip6}}) {
    if (*address && (*address)->is_unspecified()) return fmt::format("{} must be the address that clients use", flag);
  }
  // An environment may set both defaults; a bind address that means something needs its public one.
  if (options.bind_ip4 && !options.bind_ip4->is_unspecified() && !options.public_ip4) {
    return "--bind-ip4-addr needs --public-ip4-addr: without it there is no IPv4 socket";
  }
  if (options.bind_ip6 && !options.bind_ip6->is_unspecified() && !options.public_ip6) {
    return "--bind-ip6-addr needs --public-ip6-addr: without it there is no IPv6 socket";
  }
  const std::uint16_t lowest = 1;
  const std::uint16_t highest = 65535;
  if (auto wrong = read_number_if_given("--listen-port", words.listen_port, lowest, highest, options.listen_port))
    return wrong;
  if (auto wrong = read_number_if_given("--lowest-port", words.lowest_port, lowest, highest, options.lowest_port))
    return wrong;
  if (auto wrong = read_number_if_given("--highest-port", words.highest_port, lowest, highest, options.highest_port)) {
    return wrong;
  }
  if (options.lowest_port > options.highest_port) {
    return fmt::format("--lowest-port {} is above --highest-port {}", options.lowest_port, options.highest_port);
  }
  if (options.listen_port >= options.lowest_port && options.listen_port <= options.highest_port) {
    return fmt::format("--listen-port {} lies among the allocation ports {} to {}: move one of them",
                       options.listen_port, options.lowest_port, options.highest_port);
  }
  return std::nullopt;
}

Wrong read_users(const Words& words, RelayOptions& options) {
  if (!words.auth.empty() && words.auth != "firezone" && words.auth != "static") {
    return fmt::format("--auth cannot be \"{}\": use firezone or static", words.auth);
  }
  options.auth = words.auth == "static" ? AuthKind::fixed : AuthKind::firezone;
  if (options.portal && options.auth == AuthKind::fixed) {
    return "a portal hands out credentials of --auth firezone: leave --auth static out, or the portal";
  }
  options.users_file = words.users;
  options.secret_file = words.secret_file;
  options.peer_rules_file = words.peer_rules;
  if (!words.realm.empty()) options.realm = words.realm;
  if (auto wrong = read_prefixes("--allow-peer", words.allow_peers, options.allow_peers)) return wrong;
  if (auto wrong = read_prefixes("--deny-peer", words.deny_peers, options.deny_peers)) return wrong;
  if (options.auth == AuthKind::fixed) {
    if (options.users_file.empty()) return "--auth static needs --users FILE with lines of user:password";
    if (!options.secret_file.empty()) return "--secret-file belongs to --auth firezone: leave it out";
    if (options.realm.size() >= 128) return "--realm must be shorter than 128 bytes";
    return std::nullopt;
  }
  if (!options.users_file.empty()) return "--users belongs to --auth static: add it, or leave --users out";
  if (!words.realm.empty() && words.realm != "firezone") {
    return "--realm belongs to --auth static: with --auth firezone it is always firezone";
  }
  if (!options.allow_peers.empty()) {
    return "--allow-peer belongs to --auth static: with --auth firezone private peers are allowed already";
  }
  return std::nullopt;
}

Wrong read_limits(const Words& words, RelayOptions& options) {
  Limits& limits = options.limits;
  const std::size_t one = 1;
  if (auto wrong =
          read_number_if_given<std::size_t>("--max-allocations", words.allocations_max, one, 65536, limits.allocations))
    return wrong;
  if (auto wrong = read_number_if_given<std::size_t>("--max-user-allocations", words.user_allocations_max, one, 65536,
                                                     limits.allocations_per_user))
    return wrong;
  if (auto wrong = read_number_if_given<std::size_t>("--max-channels", words.channels_max, one, 4096,
                                                     limits.channels_per_allocation))
    return wrong;
  if (auto wrong = read_number_if_given<std::size_t>("--max-permissions", words.permissions_max, one, 65536,
                                                     limits.permissions_per_allocation))
    return wrong;
  if (auto wrong = read_number_if_given<std::size_t>("--max-nonces", words.nonces_max, one, 16'777'216, limits.nonces))
    return wrong;
  const std::uint32_t rate_max = 1'000'000;
  if (auto wrong = read_number_if_given<std::uint32_t>("--max-answers-source", words.answers_source, 1, rate_max,
                                                       limits.answers_per_second_source))
    return wrong;
  if (!words.answers_source.empty()) limits.answers_burst_source = 4 * limits.answers_per_second_source;
  return read_number_if_given<std::uint32_t>("--max-answers-total", words.answers_total, 1, rate_max,
                                             limits.answers_per_second_total);
}

Wrong read_logging(const Words& words, RelayOptions& options) {
  const bool google = words.log_format == "google-cloud";
  if (google) options.notes.push_back("--log-format google-cloud is written as json, which Cloud Logging reads");
  const bool json = google || words.log_format == "json";
  if (!json && !words.log_format.empty() && words.log_format != "human" && words.log_format != "text") {
    return fmt::format("--log-format cannot be \"{}\": use human or json", words.log_format);
  }
  options.log_format = json ? RelayLogFormat::json : RelayLogFormat::text;
  auto filter = LogFilter::parse(words.log_level);
  if (!filter) return "--log-level: " + filter.error();
  options.log_filter = std::move(*filter);
  if (!words.log_file_level.empty()) {
    if (words.log_file.empty()) return "--log-file-level needs --log-file";
    auto of_file = LogFilter::parse(words.log_file_level);
    if (!of_file) return "--log-file-level: " + of_file.error();
    options.log_file_filter = std::move(*of_file);
  }
  options.log_file = words.log_file;
  return std::nullopt;
}

Wrong read_offload(const Words& words, RelayOptions& options) {
  if (words.interface.empty()) {
    if (!words.interface4.empty() || !words.interface6.empty()) {
      return "--ebpf-int4-addr and --ebpf-int6-addr need --ebpf-offloading INTERFACE";
    }
    if (words.debug) return "--ebpf-debug needs --ebpf-offloading INTERFACE";
    if (!words.attach_mode.empty() && words.attach_mode != "driver" && words.attach_mode != "generic") {
      return fmt::format("--ebpf-attach-mode cannot be \"{}\": use driver or generic", words.attach_mode);
    }
    return std::nullopt;
  }
  OffloadOptions offload{
      .interface = words.interface, .mode = AttachMode::driver, .interface4 = {}, .interface6 = {}, .debug = false};
  if (words.attach_mode == "generic") {
    offload.mode = AttachMode::generic;
  } else if (!words.attach_mode.empty() && words.attach_mode != "driver") {
    return fmt::format("--ebpf-attach-mode cannot be \"{}\": use driver or generic", words.attach_mode);
  }
  if (auto wrong = read_address("--ebpf-int4-addr", words.interface4, Family::v4, offload.interface4)) return wrong;
  if (auto wrong = read_address("--ebpf-int6-addr", words.interface6, Family::v6, offload.interface6)) return wrong;
  // What the sockets do not listen on is not XDP's either; the interface's first address may be another one.
  const auto bound = [](const std::optional<IpAddress>& address) {
    return address && !address->is_unspecified() ? address : std::nullopt;
  };
  if (!offload.interface4) offload.interface4 = bound(options.bind_ip4);
  if (!offload.interface6) offload.interface6 = bound(options.bind_ip6);
  offload.debug = words.debug;
  options.offload = std::move(offload);
  return std::nullopt;
}

Wrong read_portal(const Words& words, RelayOptions& options) {
  auto portal = read_portal_words(words.portal);
  if (!portal) return std::move(portal.error());
  options.portal = std::move(*portal);
  const auto note = [&options](const std::string& word, const char* flag) {
    if (!word.empty()) options.notes.push_back(fmt::format("{} is accepted and has no effect", flag));
  };
  if (!options.portal) note(words.portal.name, "FIREZONE_NAME");
  note(words.otlp, "--otlp-grpc-endpoint");
  note(words.gcp_project, "--google-cloud-project-id");
  note(words.worker_threads, "--num-worker-threads");
  if (words.telemetry != "false") note(words.telemetry, "--telemetry");
  return std::nullopt;
}

// The first thing that is wrong, as a sentence.
Wrong read_words(const Words& words, RelayOptions& options) {
  if (auto wrong = read_portal(words, options)) return wrong;
  if (auto wrong = read_addresses(words, options)) return wrong;
  if (auto wrong = read_users(words, options)) return wrong;
  if (auto wrong = read_limits(words, options)) return wrong;
  if (auto wrong = read_logging(words, options)) return wrong;
  if (auto wrong = read_offload(words, options)) return wrong;
  if (auto wrong = read_endpoint("--health-check-addr", words.health, "0.0.0.0:8080", options.health)) return wrong;
  if (auto wrong = read_endpoint("--control-endpoint", words.control, "127.0.0.1:9999", options.control)) return wrong;
  if (!words.rng_seed.empty()) {
    std::uint64_t seed = 0;
    if (!to_number(words.rng_seed, seed))
      return fmt::format("--rng-seed cannot be \"{}\": use a number", words.rng_seed);
    options.rng_seed = seed;
  }
  options.gso = !words.no_gso;
  options.gro = !words.no_gro;
  options.seccomp = !words.no_seccomp;
  return std::nullopt;
}

}  // namespace

Result<RelayOptions, EarlyExit> parse_relay_options(int argc, const char* const* argv) {
  Words words;
  CLI::App app("A STUN and TURN relay over UDP.", "fireline-relay");
  app.set_version_flag("--version", "fireline-relay " FIRELINE_VERSION);
  add_portal_flags(app, words.portal);
  add_firezone(app, words);
  add_addresses(app, words);
  add_users(app, words);
  add_limits(app, words);
  add_operations(app, words);
  if (auto exit = parse_command_line(app, argc, argv)) return err(std::move(*exit));
  RelayOptions options;
  if (auto wrong = read_words(words, options)) return err(EarlyExit{1, std::move(*wrong)});
  return options;
}

}  // namespace fireline::relay
