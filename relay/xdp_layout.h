/* The one layout of the maps between the relay and its XDP program: C for bpf/, C++ for relay/.
 *
 * Addresses, ports, channel numbers and the whole configuration entry are big-endian, as on the wire. Times and counts
 * are host order: kernel and process share the machine. No struct has padding; every offset is asserted below.
 * Plain data: no lifetime, any thread. Source: relay specification, sections 4.3, 4.8 and 4.9.
 */
#pragma once
#include <linux/types.h>

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

enum {
  xdp_binding_entries = 65536,     /* per map; preallocated. 1 M entries of a former layout took 800 MB */
  xdp_port_words = 65536 / 64,     /* the bitmap of live allocation ports: bit (port % 64) of word (port / 64) */
  xdp_debug_ring_bytes = 1 << 18,  /* only with a debug ring; 16 k events between two reads */
  xdp_debug_ring_bytes_off = 4096, /* the smallest that the kernel makes */
};

/* A client's side of a binding: its socket and its channel number. */
struct xdp_client4 {
  __be32 address;
  __be16 port;
  __be16 channel;
};
struct xdp_client6 {
  __be32 address[4];
  __be16 port;
  __be16 channel;
};

/* A peer's side: its address, our allocation port, its port. */
struct xdp_peer4 {
  __be32 address;
  __be16 allocation_port;
  __be16 port;
};
struct xdp_peer6 {
  __be32 address[4];
  __be16 allocation_port;
  __be16 port;
};

/* An entry is dead when CLOCK_BOOTTIME, in nanoseconds, has reached `expires`. Zero is no time but a mark: this
 * binding is known and user space forwards it (its frames pass). */
struct xdp_to_client4 {
  __u64 expires;
  struct xdp_client4 client;
};
struct xdp_to_client6 {
  __u64 expires;
  struct xdp_client6 client;
  __u8 reserved[4]; /* zero */
};
struct xdp_to_peer4 {
  __u64 expires;
  struct xdp_peer4 peer;
};
struct xdp_to_peer6 {
  __u64 expires;
  struct xdp_peer6 peer;
  __u8 reserved[4]; /* zero */
};

/* 64 ports, a bit each. A port belongs to one allocation, and that to one client. */
struct xdp_ports {
  __u64 live;    /* has an allocation */
  __u64 client6; /* its client has an IPv6 address: says which map is asked first, and no more than that */
};

/* The one configuration entry. An address of zeros is unset. */
struct xdp_config {
  __be32 interface4;
  __be32 interface6[4];
  __be32 public4;
  __be32 public6[4];
  __be16 listen_port;
  __be16 lowest_port;
  __be16 highest_port;
  __be16 flags; /* xdp_flag_… */
};

enum {
  /* A frame for a live allocation port, or a channel, without an entry passes instead of being dropped: user space
   * forwards by permissions that have no channel. So does channel data that is longer than stated: it may be padded. */
  xdp_flag_unknown_passes = 1,
};

/* One per-CPU entry for each outcome below. `bytes` is payload without channel headers, for relayed frames alone. */
struct xdp_count {
  __u64 frames;
  __u64 bytes;
};

/* What the debug ring carries when it is asked for. */
struct xdp_debug_event {
  __u32 outcome;
  __u32 frame_bytes;
  __be16 source_port; /* zero when the frame has none */
  __be16 target_port;
  __u32 reserved;
};

/* Every frame counts as exactly one outcome. X(enumerator, name in status and metrics) */
#define FIRELINE_XDP_OUTCOMES(X)                                    \
  X(udp4_to_channel4, "relayed.udp4_to_channel4")                   \
  X(udp4_to_channel6, "relayed.udp4_to_channel6")                   \
  X(udp6_to_channel4, "relayed.udp6_to_channel4")                   \
  X(udp6_to_channel6, "relayed.udp6_to_channel6")                   \
  X(channel4_to_udp4, "relayed.channel4_to_udp4")                   \
  X(channel4_to_udp6, "relayed.channel4_to_udp6")                   \
  X(channel6_to_udp4, "relayed.channel6_to_udp4")                   \
  X(channel6_to_udp6, "relayed.channel6_to_udp6")                   \
  X(channel4_to_channel4, "relayed.channel4_to_channel4")           \
  X(channel4_to_channel6, "relayed.channel4_to_channel6")           \
  X(channel6_to_channel4, "relayed.channel6_to_channel4")           \
  X(channel6_to_channel6, "relayed.channel6_to_channel6")           \
  X(pass_not_ip, "pass.not_ip")                                     \
  X(pass_not_udp, "pass.not_udp")                                   \
  X(pass_truncated, "pass.truncated")                               \
  X(pass_ip_options, "pass.ip_options")                             \
  X(pass_fragment, "pass.fragment")                                 \
  X(pass_bad_length, "pass.bad_length")                             \
  X(pass_no_checksum6, "pass.no_checksum6")                         \
  X(pass_dns, "pass.dns")                                           \
  X(pass_other_port, "pass.other_port")                             \
  X(pass_other_address, "pass.other_address")                       \
  X(pass_idle_port, "pass.idle_port")                               \
  X(pass_not_channel_data, "pass.not_channel_data")                 \
  X(pass_channel_padding, "pass.channel_padding")                   \
  X(pass_unknown, "pass.unknown")                                   \
  X(pass_user_space, "pass.user_space")                             \
  X(pass_no_checksum_to_translate, "pass.no_checksum_to_translate") \
  X(drop_unknown_peer, "drop.unknown_peer")                         \
  X(drop_unknown_channel, "drop.unknown_channel")                   \
  X(drop_no_reverse, "drop.no_reverse")                             \
  X(drop_expired, "drop.expired")                                   \
  X(drop_channel_length, "drop.channel_length")                     \
  X(drop_no_interface_address, "drop.no_interface_address")         \
  X(drop_loop, "drop.loop")                                         \
  X(drop_map_access, "drop.map_access")                             \
  X(drop_adjust_head, "drop.adjust_head")

#define FIRELINE_XDP_ENUMERATOR(enumerator, name) xdp_##enumerator,
enum xdp_outcome { FIRELINE_XDP_OUTCOMES(FIRELINE_XDP_ENUMERATOR) xdp_outcome_count };
#undef FIRELINE_XDP_ENUMERATOR

enum {
  xdp_first_pass = xdp_pass_not_ip, /* outcomes below are relayed frames */
  xdp_first_drop = xdp_drop_unknown_peer,
};

#define FIRELINE_XDP_AT(type, member, offset) \
  static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)
#define FIRELINE_XDP_SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)

FIRELINE_XDP_AT(xdp_client4, address, 0);
FIRELINE_XDP_AT(xdp_client4, port, 4);
FIRELINE_XDP_AT(xdp_client4, channel, 6);
FIRELINE_XDP_SIZE(xdp_client4, 8);
FIRELINE_XDP_AT(xdp_client6, address, 0);
FIRELINE_XDP_AT(xdp_client6, port, 16);
FIRELINE_XDP_AT(xdp_client6, channel, 18);
FIRELINE_XDP_SIZE(xdp_client6, 20);
FIRELINE_XDP_AT(xdp_peer4, address, 0);
FIRELINE_XDP_AT(xdp_peer4, allocation_port, 4);
FIRELINE_XDP_AT(xdp_peer4, port, 6);
FIRELINE_XDP_SIZE(xdp_peer4, 8);
FIRELINE_XDP_AT(xdp_peer6, address, 0);
FIRELINE_XDP_AT(xdp_peer6, allocation_port, 16);
FIRELINE_XDP_AT(xdp_peer6, port, 18);
FIRELINE_XDP_SIZE(xdp_peer6, 20);
FIRELINE_XDP_AT(xdp_to_client4, expires, 0);
FIRELINE_XDP_AT(xdp_to_client4, client, 8);
FIRELINE_XDP_SIZE(xdp_to_client4, 16);
FIRELINE_XDP_AT(xdp_to_client6, expires, 0);
FIRELINE_XDP_AT(xdp_to_client6, client, 8);
FIRELINE_XDP_AT(xdp_to_client6, reserved, 28);
FIRELINE_XDP_SIZE(xdp_to_client6, 32);
FIRELINE_XDP_AT(xdp_to_peer4, expires, 0);
FIRELINE_XDP_AT(xdp_to_peer4, peer, 8);
FIRELINE_XDP_SIZE(xdp_to_peer4, 16);
FIRELINE_XDP_AT(xdp_to_peer6, expires, 0);
FIRELINE_XDP_AT(xdp_to_peer6, peer, 8);
FIRELINE_XDP_AT(xdp_to_peer6, reserved, 28);
FIRELINE_XDP_SIZE(xdp_to_peer6, 32);
FIRELINE_XDP_AT(xdp_ports, live, 0);
FIRELINE_XDP_AT(xdp_ports, client6, 8);
FIRELINE_XDP_SIZE(xdp_ports, 16);
FIRELINE_XDP_AT(xdp_config, interface4, 0);
FIRELINE_XDP_AT(xdp_config, interface6, 4);
FIRELINE_XDP_AT(xdp_config, public4, 20);
FIRELINE_XDP_AT(xdp_config, public6, 24);
FIRELINE_XDP_AT(xdp_config, listen_port, 40);
FIRELINE_XDP_AT(xdp_config, lowest_port, 42);
FIRELINE_XDP_AT(xdp_config, highest_port, 44);
FIRELINE_XDP_AT(xdp_config, flags, 46);
FIRELINE_XDP_SIZE(xdp_config, 48);
FIRELINE_XDP_AT(xdp_count, frames, 0);
FIRELINE_XDP_AT(xdp_count, bytes, 8);
FIRELINE_XDP_SIZE(xdp_count, 16);
FIRELINE_XDP_AT(xdp_debug_event, outcome, 0);
FIRELINE_XDP_AT(xdp_debug_event, frame_bytes, 4);
FIRELINE_XDP_AT(xdp_debug_event, source_port, 8);
FIRELINE_XDP_AT(xdp_debug_event, target_port, 10);
FIRELINE_XDP_AT(xdp_debug_event, reserved, 12);
FIRELINE_XDP_SIZE(xdp_debug_event, 16);

#undef FIRELINE_XDP_AT
#undef FIRELINE_XDP_SIZE
#ifndef __cplusplus
#undef static_assert
#endif
