/* What happens to a frame that was parsed: every lookup, then the rewriting. Each function returns an outcome.
 *
 * from_udp and from_channel handle one input family each (constant `family`); an entry found in the map of a family
 * gives the output's family, so that four functions hold all twelve directions. A key is never in both maps of its
 * kind: user space binds a number to one peer, and an allocation's port to one client. Peers are looked up in the map
 * of that client's family first, channels in the one of the key's own, which clients prefer.
 */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/layout.h"
#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/rewrite.h"

static __always_inline int equal6(const __be32 a[4], const __be32 b[4]) {
  return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

static __always_inline int is_set6(const __be32 a[4]) {
  return (a[0] | a[1] | a[2] | a[3]) != 0;
}

/* What an entry says. */
enum search { search_none, search_live, search_user_space, search_expired };

/* CLOCK_BOOTTIME, read once per tick and CPU: reading it costs a third of a hop. An end is seen at most a tick late. */
static __always_inline __u64 boot_time(void) {
  const __u32 zero = 0;
  struct tick_time* last = bpf_map_lookup_elem(&last_tick, &zero);
  if (!last) return bpf_ktime_get_boot_ns();
  const __u64 tick = bpf_jiffies64();
  if (last->tick != tick) {
    last->boot = bpf_ktime_get_boot_ns();
    last->tick = tick;
  }
  return last->boot;
}

/* `now` is zero until somebody asked for the time of this frame. */
static __always_inline enum search look_at(__u64 expires, __u64* now) {
  if (expires == 0) return search_user_space;
  if (*now == 0) *now = boot_time();
  return *now < expires ? search_live : search_expired;
}

/* The word of a port, and its bit. */
static __always_inline const struct xdp_ports* ports_of(__be16 port, __u64* bit) {
  __u32 number = bpf_ntohs(port);
  __u32 index = number / 64;
  *bit = 1ull << (number % 64);
  return bpf_map_lookup_elem(&live_ports, &index);
}

static __always_inline int not_found(const struct xdp_config* settings, int expired, int unknown) {
  if (settings->flags & bpf_htons(xdp_flag_unknown_passes)) return xdp_pass_unknown;
  return expired ? xdp_drop_expired : unknown;
}

static __always_inline void copy6(__be32 to[4], const __be32 from[4]) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
}

/* The source address of the output: the old target within a family, else the interface's. 0, or an outcome. */
static __always_inline int choose_source(const struct input* in, const struct xdp_config* settings, int in_family,
                                         int out_family, struct output* out) {
  if (in_family == 4 && out_family == 6 && in->udp.checksum == 0) return xdp_pass_no_checksum_to_translate;
  if (out_family == 4) {
    out->source4 = in_family == 4 ? in->ip4.target : settings->interface4;
    if (in_family != 4 && out->source4 == 0) return xdp_drop_no_interface_address;
    if (out->source4 == out->target4) return xdp_drop_loop;
  } else {
    copy6(out->source6, in_family == 6 ? in->ip6.target : settings->interface6);
    if (in_family != 6 && !is_set6(out->source6)) return xdp_drop_no_interface_address;
    if (equal6(out->source6, out->target6)) return xdp_drop_loop;
  }
  return 0;
}

static __always_inline int relay(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                 struct output* out, int in_family, int out_family, enum side from, enum side to,
                                 int outcome) {
  int refused = choose_source(in, settings, in_family, out_family, out);
  if (refused) return refused;
  refused = rewrite(ctx, in, out, in_family, out_family, from, to);
  return refused ? refused : outcome;
}

static __always_inline int to_client4(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                      const struct xdp_to_client4* entry, int in_family, enum side from, int outcome) {
  struct output out;
  out.target4 = entry->client.address;
  out.target_port = entry->client.port;
  out.channel = entry->client.channel;
  out.source_port = settings->listen_port;
  return relay(ctx, in, settings, &out, in_family, 4, from, side_channel, outcome);
}

static __always_inline int to_client6(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                      const struct xdp_to_client6* entry, int in_family, enum side from, int outcome) {
  struct output out;
  copy6(out.target6, entry->client.address);
  out.target_port = entry->client.port;
  out.channel = entry->client.channel;
  out.source_port = settings->listen_port;
  return relay(ctx, in, settings, &out, in_family, 6, from, side_channel, outcome);
}

/* Towards the client of the one entry that was found, if any. `first_outcome` is the direction to IPv4 clients; IPv6
 * follows it. */
static __always_inline int to_client(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                     const struct xdp_to_client4* entry4, const struct xdp_to_client6* entry6,
                                     int in_family, enum side from, int first_outcome, int unknown, __u64* now) {
  if (entry4) {
    enum search found = look_at(entry4->expires, now);
    if (found == search_live) return to_client4(ctx, in, settings, entry4, in_family, from, first_outcome);
    return found == search_user_space ? xdp_pass_user_space : not_found(settings, 1, unknown);
  }
  if (entry6) {
    enum search found = look_at(entry6->expires, now);
    if (found == search_live) return to_client6(ctx, in, settings, entry6, in_family, from, first_outcome + 1);
    return found == search_user_space ? xdp_pass_user_space : not_found(settings, 1, unknown);
  }
  return not_found(settings, 0, unknown);
}

/* Towards the client whose side of a binding is `key`: from a peer's datagram, or from the channel of a client whose
 * peer is this relay itself. */
static __always_inline int by_peer4(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                    const struct xdp_peer4* key, int client6, int in_family, enum side from,
                                    int first_outcome, int unknown, __u64* now) {
  const struct xdp_to_client4* entry4 = 0;
  const struct xdp_to_client6* entry6 = 0;
  if (client6) {
    entry6 = bpf_map_lookup_elem(&udp_to_chan_46, key);
    if (!entry6) entry4 = bpf_map_lookup_elem(&udp_to_chan_44, key);
  } else {
    entry4 = bpf_map_lookup_elem(&udp_to_chan_44, key);
    if (!entry4) entry6 = bpf_map_lookup_elem(&udp_to_chan_46, key);
  }
  return to_client(ctx, in, settings, entry4, entry6, in_family, from, first_outcome, unknown, now);
}

static __always_inline int by_peer6(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                    const struct xdp_peer6* key, int client6, int in_family, enum side from,
                                    int first_outcome, int unknown, __u64* now) {
  const struct xdp_to_client4* entry4 = 0;
  const struct xdp_to_client6* entry6 = 0;
  if (client6) {
    entry6 = bpf_map_lookup_elem(&udp_to_chan_66, key);
    if (!entry6) entry4 = bpf_map_lookup_elem(&udp_to_chan_64, key);
  } else {
    entry4 = bpf_map_lookup_elem(&udp_to_chan_64, key);
    if (!entry4) entry6 = bpf_map_lookup_elem(&udp_to_chan_66, key);
  }
  return to_client(ctx, in, settings, entry4, entry6, in_family, from, first_outcome, unknown, now);
}

/* To a peer. When the peer is this relay's own public address, a frame on the wire would not come back to it, so the
 * binding of the client on the other side is looked up with the two ports exchanged. */
static __always_inline int to_peer4(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                    const struct xdp_to_peer4* entry, int in_family, int outcome,
                                    int first_channel_outcome, __u64* now) {
  struct xdp_peer4 peer = entry->peer;
  if (settings->public4 != 0 && peer.address == settings->public4) {
    struct xdp_peer4 reverse = {peer.address, peer.port, peer.allocation_port};
    __u64 bit;
    const struct xdp_ports* ports = ports_of(reverse.allocation_port, &bit);
    if (!ports) return xdp_drop_map_access;
    return by_peer4(ctx, in, settings, &reverse, (ports->client6 & bit) != 0, in_family, side_channel,
                    first_channel_outcome, xdp_drop_no_reverse, now);
  }
  struct output out;
  out.target4 = peer.address;
  out.target_port = peer.port;
  out.source_port = peer.allocation_port;
  out.channel = 0;
  return relay(ctx, in, settings, &out, in_family, 4, side_channel, side_udp, outcome);
}

static __always_inline int to_peer6(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                    const struct xdp_to_peer6* entry, int in_family, int outcome,
                                    int first_channel_outcome, __u64* now) {
  struct xdp_peer6 peer = entry->peer;
  if (is_set6(settings->public6) && equal6(peer.address, settings->public6)) {
    struct xdp_peer6 reverse = {.allocation_port = peer.port, .port = peer.allocation_port};
    copy6(reverse.address, peer.address);
    __u64 bit;
    const struct xdp_ports* ports = ports_of(reverse.allocation_port, &bit);
    if (!ports) return xdp_drop_map_access;
    return by_peer6(ctx, in, settings, &reverse, (ports->client6 & bit) != 0, in_family, side_channel,
                    first_channel_outcome, xdp_drop_no_reverse, now);
  }
  struct output out;
  copy6(out.target6, peer.address);
  out.target_port = peer.port;
  out.source_port = peer.allocation_port;
  out.channel = 0;
  return relay(ctx, in, settings, &out, in_family, 6, side_channel, side_udp, outcome);
}

static __always_inline int by_client4(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                      const struct xdp_client4* key) {
  int expired = 0;
  __u64 now = 0;
  const struct xdp_to_peer4* entry4 = bpf_map_lookup_elem(&chan_to_udp_44, key);
  if (entry4) {
    enum search found = look_at(entry4->expires, &now);
    if (found == search_live)
      return to_peer4(ctx, in, settings, entry4, 4, xdp_channel4_to_udp4, xdp_channel4_to_channel4, &now);
    if (found == search_user_space) return xdp_pass_user_space;
    expired = 1;
  }
  const struct xdp_to_peer6* entry6 = bpf_map_lookup_elem(&chan_to_udp_46, key);
  if (entry6) {
    enum search found = look_at(entry6->expires, &now);
    if (found == search_live)
      return to_peer6(ctx, in, settings, entry6, 4, xdp_channel4_to_udp6, xdp_channel4_to_channel4, &now);
    if (found == search_user_space) return xdp_pass_user_space;
    expired = 1;
  }
  return not_found(settings, expired, xdp_drop_unknown_channel);
}

static __always_inline int by_client6(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                      const struct xdp_client6* key) {
  int expired = 0;
  __u64 now = 0;
  const struct xdp_to_peer6* entry6 = bpf_map_lookup_elem(&chan_to_udp_66, key);
  if (entry6) {
    enum search found = look_at(entry6->expires, &now);
    if (found == search_live)
      return to_peer6(ctx, in, settings, entry6, 6, xdp_channel6_to_udp6, xdp_channel6_to_channel4, &now);
    if (found == search_user_space) return xdp_pass_user_space;
    expired = 1;
  }
  const struct xdp_to_peer4* entry4 = bpf_map_lookup_elem(&chan_to_udp_64, key);
  if (entry4) {
    enum search found = look_at(entry4->expires, &now);
    if (found == search_live)
      return to_peer4(ctx, in, settings, entry4, 6, xdp_channel6_to_udp4, xdp_channel6_to_channel4, &now);
    if (found == search_user_space) return xdp_pass_user_space;
    expired = 1;
  }
  return not_found(settings, expired, xdp_drop_unknown_channel);
}

static __always_inline int from_channel(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                        int family) {
  if (family == 4) {
    struct xdp_client4 key = {in->ip4.source, in->udp.source_port, in->channel.number};
    return by_client4(ctx, in, settings, &key);
  }
  struct xdp_client6 key = {.port = in->udp.source_port, .channel = in->channel.number};
  copy6(key.address, in->ip6.source);
  return by_client6(ctx, in, settings, &key);
}

static __always_inline int from_udp(struct xdp_md* ctx, const struct input* in, const struct xdp_config* settings,
                                    int family) {
  __u64 now = 0;
  __u64 bit;
  const struct xdp_ports* ports = ports_of(in->udp.target_port, &bit);
  if (!ports) return xdp_drop_map_access;
  if (!(ports->live & bit)) return xdp_pass_idle_port;
  const int client6 = (ports->client6 & bit) != 0;
  if (family == 4) {
    struct xdp_peer4 key = {in->ip4.source, in->udp.target_port, in->udp.source_port};
    return by_peer4(ctx, in, settings, &key, client6, 4, side_udp, xdp_udp4_to_channel4, xdp_drop_unknown_peer, &now);
  }
  struct xdp_peer6 key = {.allocation_port = in->udp.target_port, .port = in->udp.source_port};
  copy6(key.address, in->ip6.source);
  return by_peer6(ctx, in, settings, &key, client6, 6, side_udp, xdp_udp6_to_channel4, xdp_drop_unknown_peer, &now);
}

static __always_inline int is_other_address(const struct input* in, const struct xdp_config* settings, int family) {
  if (any_target_address) return 0;
  if (family == 4) return settings->interface4 != 0 && in->ip4.target != settings->interface4;
  return is_set6(settings->interface6) && !equal6(in->ip6.target, settings->interface6);
}

/* A parsed UDP datagram; `channel` points behind its header. */
static __always_inline int decide(struct xdp_md* ctx, struct input* in, const struct channel_header* channel,
                                  const void* end, int family) {
  if (in->udp.source_port == bpf_htons(port_dns)) return xdp_pass_dns; /* replies to the host's own resolver */
  const __u32 zero = 0;
  const struct xdp_config* settings = bpf_map_lookup_elem(&config, &zero);
  if (!settings) return xdp_drop_map_access;
  __u16 port = bpf_ntohs(in->udp.target_port);
  if (port >= bpf_ntohs(settings->lowest_port) && port <= bpf_ntohs(settings->highest_port)) {
    if (is_other_address(in, settings, family)) return xdp_pass_other_address;
    return from_udp(ctx, in, settings, family);
  }
  if (in->udp.target_port != settings->listen_port) return xdp_pass_other_port;
  if (is_other_address(in, settings, family)) return xdp_pass_other_address;
  const int padding_passes = (settings->flags & bpf_htons(xdp_flag_unknown_passes)) != 0;
  int outcome = parse_channel(in, channel, end, padding_passes);
  return outcome == parse_done ? from_channel(ctx, in, settings, family) : outcome;
}
