/* The relay's XDP program: forwards channel data between TURN clients and their peers in the driver. docs/xdp.md.
 * Each frame comes to one outcome (relay/xdp_layout.h), which is counted and gives the verdict. A frame that passes was
 * not touched: every lookup comes before the first modification.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/decide.h"
#include "bpf/layout.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

static __always_inline int handle_ipv4(struct xdp_md* ctx, struct input* in, const struct ipv4_header* ip,
                                       const void* end) {
  int outcome = parse_ipv4(in, ip, end);
  if (outcome != parse_done) return outcome;
  return decide(ctx, in, (const void*)(ip + 1) + sizeof(struct udp_header), end, 4);
}

static __always_inline int handle_ipv6(struct xdp_md* ctx, struct input* in, const struct ipv6_header* ip,
                                       const void* end) {
  int outcome = parse_ipv6(in, ip, end);
  if (outcome != parse_done) return outcome;
  return decide(ctx, in, (const void*)(ip + 1) + sizeof(struct udp_header), end, 6);
}

static __always_inline int handle(struct xdp_md* ctx, struct input* in) {
  const struct ethernet_header* ethernet = (const void*)(long)ctx->data;
  const void* end = (const void*)(long)ctx->data_end;
  if ((const void*)(ethernet + 1) > end) return xdp_pass_truncated;
  parse_ethernet(in, ethernet);
  if (ethernet->type == bpf_htons(type_ipv4)) return handle_ipv4(ctx, in, (const void*)(ethernet + 1), end);
  if (ethernet->type == bpf_htons(type_ipv6)) return handle_ipv6(ctx, in, (const void*)(ethernet + 1), end);
  return xdp_pass_not_ip;
}

static __always_inline void tell(const struct xdp_md* ctx, const struct input* in, __u32 outcome) {
  struct xdp_debug_event event = {
      .outcome = outcome,
      .frame_bytes = (__u32)(ctx->data_end - ctx->data),
      .source_port = in->udp.source_port,
      .target_port = in->udp.target_port,
  };
  bpf_ringbuf_output(&debug_ring, &event, sizeof(event), 0);
}

SEC("xdp")
int handle_turn(struct xdp_md* ctx) {
  struct input in = {}; /* the verifier takes no register that was never written */
  __u32 outcome = handle(ctx, &in);
  struct xdp_count* count = bpf_map_lookup_elem(&counts, &outcome);
  if (count) {
    /* A CPU runs one frame at a time here, and the entry is this CPU's own. */
    count->frames++;
    if (outcome < xdp_first_pass) count->bytes += in.payload_bytes;
  }
  if (debug_enabled) tell(ctx, &in, outcome);
  if (outcome < xdp_first_pass) return XDP_TX;
  return outcome < xdp_first_drop ? XDP_PASS : XDP_DROP;
}

char program_license[] SEC("license") = "GPL";
