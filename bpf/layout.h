/* The headers of a frame, with the alignment that lets the compiler load whole words. Fields are big-endian.
 * Lengths and numbers that the decision uses. Sources: RFC 791, RFC 8200, RFC 768, RFC 8656 section 12.4.
 */
#pragma once
#include <linux/types.h>

struct ethernet_header {
  __u16 target[3];
  __u16 source[3];
  __be16 type;
};

struct ipv4_header {
  __u8 version_and_words;
  __u8 traffic_class;
  __be16 total_bytes;
  __be16 identification;
  __be16 fragment; /* flags and offset */
  __u8 hops;
  __u8 protocol;
  __u16 checksum;
  __be32 source;
  __be32 target;
};

struct ipv6_header {
  __be32 version_class_flow;
  __be16 payload_bytes;
  __u8 next_header;
  __u8 hops;
  __be32 source[4];
  __be32 target[4];
};

struct udp_header {
  __be16 source_port;
  __be16 target_port;
  __be16 bytes;
  __u16 checksum;
};

struct channel_header {
  __be16 number;
  __be16 bytes;
};

enum {
  ethernet_bytes = 14, /* the struct's own size; asserted below */
  type_ipv4 = 0x0800,
  type_ipv6 = 0x86dd,
  protocol_udp = 17,
  ipv4_plain = 0x45,        /* version 4, five words: no options */
  ipv4_fragmented = 0x3fff, /* more fragments, or an offset */
  ipv4_do_not_fragment = 0x4000,
  ipv6_version = 6,
  port_dns = 53,
  channel_lowest = 0x4000, /* wider than what user space hands out (0x4FFF) */
  channel_highest = 0x7fff,
};

_Static_assert(sizeof(struct ethernet_header) == ethernet_bytes, "ethernet");
_Static_assert(sizeof(struct ipv4_header) == 20, "IPv4");
_Static_assert(sizeof(struct ipv6_header) == 40, "IPv6");
_Static_assert(sizeof(struct udp_header) == 8, "UDP");
_Static_assert(sizeof(struct channel_header) == 4, "channel data");
