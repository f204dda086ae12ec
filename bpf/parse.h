/* From the bytes of a frame to the fields that decision and rewriting use. Everything is copied out: after the head of
 * the frame moves, no pointer into it is valid, and old and new headers overlap.
 */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/layout.h"
#include "relay/xdp_layout.h"

struct input {
  __u16 target_mac[3];
  __u16 source_mac[3];
  union {
    struct ipv4_header ip4;
    struct ipv6_header ip6;
  };
  struct udp_header udp;
  struct channel_header channel; /* only when it came to the control port */
  __u32 udp_bytes;               /* host order, header included */
  __u32 payload_bytes;           /* what is relayed, without a channel header */
};

enum { parse_done = -1 }; /* else an outcome */

static __always_inline void parse_ethernet(struct input* in, const struct ethernet_header* ethernet) {
  __builtin_memcpy(in->target_mac, ethernet->target, sizeof(in->target_mac));
  __builtin_memcpy(in->source_mac, ethernet->source, sizeof(in->source_mac));
}

static __always_inline int parse_udp(struct input* in, const struct udp_header* udp, const void* end,
                                     __u32 ip_payload_bytes) {
  if ((const void*)(udp + 1) > end) return xdp_pass_truncated;
  in->udp = *udp;
  in->udp_bytes = bpf_ntohs(udp->bytes);
  if (in->udp_bytes < sizeof(*udp) || in->udp_bytes != ip_payload_bytes) return xdp_pass_bad_length;
  /* As a length, not as a pointer: the verifier takes no pointer that the frame's data moved. */
  if (in->udp_bytes > (__u64)((const char*)end - (const char*)udp)) return xdp_pass_bad_length;
  in->payload_bytes = in->udp_bytes - sizeof(*udp);
  return parse_done;
}

static __always_inline int parse_ipv4(struct input* in, const struct ipv4_header* ip, const void* end) {
  if ((const void*)(ip + 1) > end) return xdp_pass_truncated;
  in->ip4 = *ip;
  if (ip->protocol != protocol_udp) return xdp_pass_not_udp;
  if (ip->version_and_words != ipv4_plain) return xdp_pass_ip_options;
  if (ip->fragment & bpf_htons(ipv4_fragmented)) return xdp_pass_fragment;
  return parse_udp(in, (const void*)(ip + 1), end, (__u32)bpf_ntohs(ip->total_bytes) - sizeof(*ip));
}

static __always_inline int parse_ipv6(struct input* in, const struct ipv6_header* ip, const void* end) {
  if ((const void*)(ip + 1) > end) return xdp_pass_truncated;
  in->ip6 = *ip;
  if (ip->next_header != protocol_udp) return xdp_pass_not_udp;
  int outcome = parse_udp(in, (const void*)(ip + 1), end, bpf_ntohs(ip->payload_bytes));
  if (outcome != parse_done) return outcome;
  return in->udp.checksum == 0 ? xdp_pass_no_checksum6 : parse_done;
}

/* The channel header behind a UDP header that was parsed. Over UDP padding is not required and may be there (RFC 8656
 * section 12.5): with `padding_passes` user space forwards what is stated. */
static __always_inline int parse_channel(struct input* in, const struct channel_header* channel, const void* end,
                                         int padding_passes) {
  if (in->payload_bytes < sizeof(*channel) || (const void*)(channel + 1) > end) return xdp_pass_not_channel_data;
  in->channel = *channel;
  __u32 number = bpf_ntohs(channel->number);
  if (number < channel_lowest || number > channel_highest) return xdp_pass_not_channel_data;
  in->payload_bytes -= sizeof(*channel);
  __u32 stated = bpf_ntohs(channel->bytes);
  if (stated == in->payload_bytes) return parse_done;
  return stated < in->payload_bytes && padding_passes ? xdp_pass_channel_padding : xdp_drop_channel_length;
}
