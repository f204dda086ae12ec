/* Writes the headers of a relayed frame. The payload never moves: the head of the frame does, and what lies behind the
 * IP packet (padding of a short frame) stays. Every lookup was made before; from here on a frame leaves or is dropped.
 * All arguments but the first three are constants of the caller, so that each direction is straight code.
 */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/checksum.h"
#include "bpf/layout.h"
#include "bpf/parse.h"

/* Where a relayed frame goes. Of the addresses, the pair of the output's family is set. */
struct output {
  __be32 source4;
  __be32 target4;
  __be32 source6[4];
  __be32 target6[4];
  __be16 source_port;
  __be16 target_port;
  __be16 channel; /* towards a channel */
};

enum side { side_udp, side_channel };

/* The UDP checksum with new addresses, ports, lengths and channel header. The protocol number of the pseudo-header is
 * the same in both families, and its length field sums up to the same. */
static __always_inline __u16 udp_checksum(const struct input* in, const struct output* out, int in_family,
                                          int out_family, enum side from, enum side to, __be16 bytes,
                                          struct channel_header channel) {
  __u64 sum = checksum_begin(in->udp.checksum);
  if (in_family == 4) {
    sum = checksum_remove(sum, in->ip4.source);
    if (out_family != 4) sum = checksum_remove(sum, in->ip4.target);
  } else {
    sum = checksum_remove6(sum, in->ip6.source);
    if (out_family != 6) sum = checksum_remove6(sum, in->ip6.target);
  }
  /* In one family the old target address becomes the source, which cancels out. */
  if (out_family == 4) {
    sum = checksum_add(sum, out->target4);
    if (in_family != 4) sum = checksum_add(sum, out->source4);
  } else {
    sum = checksum_add6(sum, out->target6);
    if (in_family != 6) sum = checksum_add6(sum, out->source6);
  }
  sum = checksum_remove(checksum_remove(sum, in->udp.source_port), in->udp.target_port);
  sum = checksum_add(checksum_add(sum, out->source_port), out->target_port);
  if (from != to) {
    /* Twice: the header's field and the pseudo-header's. */
    sum = checksum_remove(checksum_remove(sum, in->udp.bytes), in->udp.bytes);
    sum = checksum_add(checksum_add(sum, bytes), bytes);
  }
  if (from == side_channel) sum = checksum_remove(checksum_remove(sum, in->channel.number), in->channel.bytes);
  if (to == side_channel) sum = checksum_add(checksum_add(sum, channel.number), channel.bytes);
  __u16 checksum = checksum_end(sum);
  return checksum ? checksum : 0xffff; /* zero would say that there is none */
}

static __always_inline void write_ipv4(struct ipv4_header* ip, const struct input* in, const struct output* out,
                                       int in_family, __u32 udp_bytes) {
  __be16 total = bpf_htons(sizeof(*ip) + udp_bytes);
  struct ipv4_header header;
  __u64 sum;
  if (in_family == 4) {
    header = in->ip4;
    sum = checksum_begin(header.checksum);
    sum = checksum_remove(checksum_remove(sum, header.source), header.total_bytes);
    sum = checksum_add(checksum_add(sum, out->target4), total);
  } else {
    __u32 word = bpf_ntohl(in->ip6.version_class_flow);
    header.version_and_words = ipv4_plain;
    header.traffic_class = word >> 20;
    header.identification = 0;
    header.fragment = bpf_htons(ipv4_do_not_fragment);
    header.hops = in->ip6.hops;
    header.protocol = protocol_udp;
    sum = bpf_htons(ipv4_plain << 8 | header.traffic_class);
    sum = checksum_add(checksum_add(sum, total), header.fragment);
    sum = checksum_add(sum, bpf_htons((__u32)header.hops << 8 | protocol_udp));
    sum = checksum_add(checksum_add(sum, out->source4), out->target4);
  }
  header.total_bytes = total;
  header.source = out->source4;
  header.target = out->target4;
  header.checksum = checksum_end(sum);
  *ip = header;
}

static __always_inline void write_ipv6(struct ipv6_header* ip, const struct input* in, const struct output* out,
                                       int in_family, __u32 udp_bytes) {
  if (in_family == 6) {
    ip->version_class_flow = in->ip6.version_class_flow;
    ip->hops = in->ip6.hops;
  } else {
    ip->version_class_flow = bpf_htonl((__u32)ipv6_version << 28 | (__u32)in->ip4.traffic_class << 20);
    ip->hops = in->ip4.hops;
  }
  ip->payload_bytes = bpf_htons(udp_bytes);
  ip->next_header = protocol_udp;
  __builtin_memcpy(ip->source, out->source6, sizeof(ip->source));
  __builtin_memcpy(ip->target, out->target6, sizeof(ip->target));
}

/* 0, or an outcome that drops. */
static __always_inline int rewrite(struct xdp_md* ctx, const struct input* in, const struct output* out, int in_family,
                                   int out_family, enum side from, enum side to) {
  const int ip_bytes = out_family == 4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);
  const int old_ip_bytes = in_family == 4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);
  const int channel_bytes = (int)sizeof(struct channel_header) * ((int)to - (int)from);
  const int grow = ip_bytes - old_ip_bytes + channel_bytes;
  if (grow != 0 && bpf_xdp_adjust_head(ctx, -grow)) return xdp_drop_adjust_head;

  void* data = (void*)(long)ctx->data;
  const void* end = (const void*)(long)ctx->data_end;
  const int header_bytes = ethernet_bytes + ip_bytes + (int)sizeof(struct udp_header) +
                           (to == side_channel ? (int)sizeof(struct channel_header) : 0);
  if (data + header_bytes > end) return xdp_drop_adjust_head;

  const __u32 udp_bytes = in->udp_bytes + channel_bytes;
  struct ethernet_header* ethernet = data;
  __builtin_memcpy(ethernet->target, in->source_mac, sizeof(ethernet->target));
  __builtin_memcpy(ethernet->source, in->target_mac, sizeof(ethernet->source));
  ethernet->type = bpf_htons(out_family == 4 ? type_ipv4 : type_ipv6);
  if (out_family == 4) {
    write_ipv4((void*)(ethernet + 1), in, out, in_family, udp_bytes);
  } else {
    write_ipv6((void*)(ethernet + 1), in, out, in_family, udp_bytes);
  }

  struct udp_header* udp = data + ethernet_bytes + ip_bytes;
  struct channel_header channel = {out->channel, bpf_htons(in->payload_bytes)};
  udp->source_port = out->source_port;
  udp->target_port = out->target_port;
  udp->bytes = bpf_htons(udp_bytes);
  /* IPv4 without a checksum stays without; such a frame is never translated. */
  udp->checksum = in_family == 4 && in->udp.checksum == 0
                      ? 0
                      : udp_checksum(in, out, in_family, out_family, from, to, udp->bytes, channel);
  if (to == side_channel) *(struct channel_header*)(udp + 1) = channel;
  return 0;
}
