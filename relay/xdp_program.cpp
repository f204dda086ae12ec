#include "relay/xdp_program.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "bpf/relay.skel.h"

namespace fireline::relay {
namespace {

// What libbpf said last, kept for the sentence of a failing load instead of being written to stderr.
constexpr std::size_t kLibbpfTextBytes = 512;
thread_local std::array<char, kLibbpfTextBytes> libbpf_text{};

// libbpf gives the va_list of its own printf-like calls.
__attribute__((format(printf, 2, 0))) int keep_warning(libbpf_print_level level, const char* format, va_list values) {
  if (level == LIBBPF_WARN && libbpf_text.front() == '\0') {
    std::vsnprintf(libbpf_text.data(), libbpf_text.size(), format, values);
  }
  return 0;
}

std::string first_warning() {
  std::string_view text(libbpf_text.data());
  text = text.substr(0, text.find('\n'));
  return text.empty() ? std::string() : " (" + std::string(text) + ")";
}

XdpError load_error(int code, const char* what) {
  std::string sentence = std::string("cannot ") + what + " the XDP program: " + std::strerror(code);
  if (code == EPERM || code == EACCES) {
    sentence += ": run as root or grant CAP_BPF and CAP_NET_ADMIN";
  } else if (code == ENOSYS || code == EOPNOTSUPP) {
    sentence += ": this kernel has no BPF";
  }
  return {code, sentence + first_warning()};
}

void copy_address(const std::optional<IpAddress>& address, void* to) {
  if (address) std::memcpy(to, address->bytes().data(), address->bytes().size());
}

xdp_config make_config(const XdpSettings& settings) {
  xdp_config config{};
  copy_address(settings.interface4, &config.interface4);
  copy_address(settings.interface6, &config.interface6);
  copy_address(settings.public4, &config.public4);
  copy_address(settings.public6, &config.public6);
  config.listen_port = htons(settings.listen_port);
  config.lowest_port = htons(settings.lowest_port);
  config.highest_port = htons(settings.highest_port);
  config.flags = htons(settings.unknown_passes ? xdp_flag_unknown_passes : 0);
  return config;
}

bool families_fit(const XdpSettings& settings) {
  const auto is = [](const std::optional<IpAddress>& address, bool v4) { return !address || address->is_v4() == v4; };
  return is(settings.interface4, true) && is(settings.public4, true) && is(settings.interface6, false) &&
         is(settings.public6, false);
}

// One half of a binding as bytes: keys and values have one shape per family.
struct Half {
  union {
    xdp_client4 client4;
    xdp_client6 client6;
    xdp_peer4 peer4;
    xdp_peer6 peer6;
  };
};

Half client_half(const ChannelBinding& binding) {
  Half half{};
  if (binding.client.address.is_v4()) {
    copy_address(binding.client.address, &half.client4.address);
    half.client4.port = htons(binding.client.port);
    half.client4.channel = htons(binding.channel);
  } else {
    half.client6 = {};
    copy_address(binding.client.address, &half.client6.address);
    half.client6.port = htons(binding.client.port);
    half.client6.channel = htons(binding.channel);
  }
  return half;
}

Half peer_half(const ChannelBinding& binding) {
  Half half{};
  if (binding.peer.address.is_v4()) {
    copy_address(binding.peer.address, &half.peer4.address);
    half.peer4.allocation_port = htons(binding.port);
    half.peer4.port = htons(binding.peer.port);
  } else {
    half.peer6 = {};
    copy_address(binding.peer.address, &half.peer6.address);
    half.peer6.allocation_port = htons(binding.port);
    half.peer6.port = htons(binding.peer.port);
  }
  return half;
}

constexpr std::uint64_t port_bit(std::uint16_t port) noexcept {
  return std::uint64_t{1} << (port % 64u);
}

// Both families' values have `expires` first and the other half at 8; the longer one ends with four zero bytes.
struct Value {
  std::uint64_t expires = 0;
  Half to;
  std::array<std::uint8_t, 4> reserved{};
};
static_assert(sizeof(Value) >= sizeof(xdp_to_peer6) && sizeof(Value) >= sizeof(xdp_to_client6));
static_assert(offsetof(Value, to) == offsetof(xdp_to_peer6, peer) &&
              offsetof(Value, to) == offsetof(xdp_to_peer4, peer));

}  // namespace

struct XdpProgram::Loaded {
  relay_bpf* skeleton = nullptr;
  ring_buffer* ring = nullptr;
  std::vector<xdp_debug_event> events;
  std::array<xdp_ports, xdp_port_words> ports{};
  std::size_t cpus = 0;  // values of one per-CPU entry, as the kernel copies them

  Loaded() = default;
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() {
    ring_buffer__free(ring);
    relay_bpf__destroy(skeleton);
  }

  // Which of two maps is likely to have the port's entries: the program asks that one first.
  void set_client6(std::uint16_t port, bool client6) noexcept {
    xdp_ports& word = ports[port / 64u];
    const std::uint64_t bit = port_bit(port);
    if (((word.client6 & bit) != 0) == client6) return;
    word.client6 ^= bit;
    write_ports(port);
  }
  void write_ports(std::uint16_t port) noexcept {
    // An array element always exists: the call cannot fail with a descriptor of ours, once check_access() has passed.
    if (write_word(port / 64u) != 0) std::abort();
  }
  // 0, or the negative errno.
  int write_word(std::uint32_t index) noexcept {
    return bpf_map_update_elem(bpf_map__fd(skeleton->maps.live_ports), &index, &ports[index], BPF_ANY);
  }

  [[nodiscard]] int channel_map(const ChannelBinding& binding) const noexcept {
    const auto& maps = skeleton->maps;
    if (binding.client.address.is_v4()) {
      return bpf_map__fd(binding.peer.address.is_v4() ? maps.chan_to_udp_44 : maps.chan_to_udp_46);
    }
    return bpf_map__fd(binding.peer.address.is_v4() ? maps.chan_to_udp_64 : maps.chan_to_udp_66);
  }
  [[nodiscard]] int peer_map(const ChannelBinding& binding) const noexcept {
    const auto& maps = skeleton->maps;
    if (binding.peer.address.is_v4()) {
      return bpf_map__fd(binding.client.address.is_v4() ? maps.udp_to_chan_44 : maps.udp_to_chan_46);
    }
    return bpf_map__fd(binding.client.address.is_v4() ? maps.udp_to_chan_64 : maps.udp_to_chan_66);
  }
};

XdpProgram::XdpProgram(std::unique_ptr<Loaded> loaded) noexcept : loaded_(std::move(loaded)) {}
XdpProgram::XdpProgram(XdpProgram&&) noexcept = default;
XdpProgram& XdpProgram::operator=(XdpProgram&&) noexcept = default;
XdpProgram::~XdpProgram() = default;

Result<XdpProgram, XdpError> XdpProgram::load(const XdpSettings& settings) {
  if (!families_fit(settings)) return err(XdpError{EINVAL, "an address given for XDP is of the other family"});
  if (settings.binding_entries == 0 || settings.binding_entries > xdp_binding_entries) {
    return err(XdpError{EINVAL, "XDP maps have 1 to " + std::to_string(xdp_binding_entries) + " entries"});
  }
  libbpf_text.fill('\0');
  libbpf_set_print(keep_warning);
  auto loaded = std::make_unique<Loaded>();
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) {
    return err(XdpError{-cpus, std::string("cannot count the CPUs for the XDP program: ") + std::strerror(-cpus) +
                                   ": mount /sys" + first_warning()});
  }
  loaded->cpus = static_cast<std::size_t>(cpus);
  loaded->skeleton = relay_bpf__open();
  if (loaded->skeleton == nullptr) return err(load_error(errno, "open"));
  loaded->skeleton->rodata->debug_enabled = settings.debug_ring;
  loaded->skeleton->rodata->any_target_address = settings.any_target_address;
  const auto& maps = loaded->skeleton->maps;
  for (bpf_map* map : {maps.chan_to_udp_44, maps.chan_to_udp_46, maps.chan_to_udp_64, maps.chan_to_udp_66,
                       maps.udp_to_chan_44, maps.udp_to_chan_46, maps.udp_to_chan_64, maps.udp_to_chan_66}) {
    bpf_map__set_max_entries(map, settings.binding_entries);
  }
  if (settings.debug_ring) bpf_map__set_max_entries(maps.debug_ring, xdp_debug_ring_bytes);
  if (const int failed = relay_bpf__load(loaded->skeleton); failed != 0) return err(load_error(-failed, "load"));

  const std::uint32_t zero = 0;
  const xdp_config config = make_config(settings);
  if (const int failed = bpf_map_update_elem(bpf_map__fd(maps.config), &zero, &config, BPF_ANY); failed != 0) {
    return err(load_error(-failed, "configure"));
  }
  if (settings.debug_ring) {
    const auto take = [](void* context, void* data, size_t bytes) {
      xdp_debug_event event{};
      if (bytes >= sizeof(event)) {
        std::memcpy(&event, data, sizeof(event));
        static_cast<std::vector<xdp_debug_event>*>(context)->push_back(event);
      }
      return static_cast<std::vector<xdp_debug_event>*>(context)->size() < kDebugEvents ? 0 : -1;
    };
    loaded->ring = ring_buffer__new(bpf_map__fd(maps.debug_ring), take, &loaded->events, nullptr);
    if (loaded->ring == nullptr) return err(load_error(errno, "read the debug ring of"));
  }
  return XdpProgram(std::move(loaded));
}

bool XdpProgram::insert(const ChannelBinding& binding, Forwarder forwarder) {
  const Half client = client_half(binding);
  const Half peer = peer_half(binding);
  std::uint64_t expires = 0;
  if (forwarder == Forwarder::program) {
    // Zero is the mark of user space: what ends before time began is dead all the same.
    const auto ends = binding.expires.time_since_epoch().count();
    expires = ends > 0 ? static_cast<std::uint64_t>(ends) : 1;
  }
  loaded_->set_client6(binding.port, !binding.client.address.is_v4());
  const Value to_peer{expires, peer, {}};
  const Value to_client{expires, client, {}};
  // libbpf 1.x gives the negative errno.
  if (bpf_map_update_elem(loaded_->channel_map(binding), &client, &to_peer, BPF_ANY) == 0 &&
      bpf_map_update_elem(loaded_->peer_map(binding), &peer, &to_client, BPF_ANY) == 0) {
    return true;
  }
  erase(binding);
  return false;
}

void XdpProgram::prolong(const ChannelBinding& binding) noexcept {
  const Half client = client_half(binding);
  Value value{};
  if (bpf_map_lookup_elem(loaded_->channel_map(binding), &client, &value) != 0 || value.expires == 0) return;
  // Both keys are there, so that neither map can be full.
  static_cast<void>(insert(binding, Forwarder::program));
}

void XdpProgram::erase(const ChannelBinding& binding) noexcept {
  const Half client = client_half(binding);
  const Half peer = peer_half(binding);
  static_cast<void>(bpf_map_delete_elem(loaded_->channel_map(binding), &client));
  static_cast<void>(bpf_map_delete_elem(loaded_->peer_map(binding), &peer));
}

void XdpProgram::set_live(std::uint16_t port, bool live) noexcept {
  xdp_ports& ports = loaded_->ports[port / 64u];
  const std::uint64_t bit = port_bit(port);
  ports.live = live ? ports.live | bit : ports.live & ~bit;
  loaded_->write_ports(port);
}

std::optional<XdpError> XdpProgram::check_access() const {
  const int failed = loaded_->write_word(0);
  if (failed == 0) return std::nullopt;
  std::string sentence = std::string("cannot write the maps of the XDP program");
  if (failed == -EPERM || failed == -EACCES) sentence += " without CAP_BPF";
  sentence += std::string(": ") + std::strerror(-failed);
  if (failed == -EPERM || failed == -EACCES) {
    sentence += ": use Linux 5.19 or newer, or set kernel.unprivileged_bpf_disabled to 0";
  }
  return XdpError{-failed, std::move(sentence)};
}

XdpCounts XdpProgram::counts() const {
  XdpCounts total;
  std::vector<xdp_count> values(loaded_->cpus);
  for (std::uint32_t outcome = 0; outcome < xdp_outcome_count; ++outcome) {
    if (bpf_map_lookup_elem(bpf_map__fd(loaded_->skeleton->maps.counts), &outcome, values.data()) != 0) continue;
    for (const xdp_count& value : values) {
      total.outcomes[outcome].frames += value.frames;
      total.outcomes[outcome].bytes += value.bytes;
    }
  }
  return total;
}

std::vector<xdp_debug_event> XdpProgram::drain_debug() {
  if (loaded_->ring == nullptr) return {};
  static_cast<void>(ring_buffer__consume(loaded_->ring));
  return std::exchange(loaded_->events, {});
}

int XdpProgram::fd() const noexcept {
  return bpf_program__fd(loaded_->skeleton->progs.handle_turn);
}

std::string_view name_of(xdp_outcome outcome) noexcept {
#define FIRELINE_XDP_NAME(enumerator, name) \
  case xdp_##enumerator:                    \
    return name;
  switch (outcome) {
    FIRELINE_XDP_OUTCOMES(FIRELINE_XDP_NAME)
    case xdp_outcome_count:
      break;
  }
#undef FIRELINE_XDP_NAME
  std::abort();
}

}  // namespace fireline::relay
