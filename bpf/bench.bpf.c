/* What fireline-bench xdp measures the relay's program beside, and what feeds it with live frames.
 *
 * The kernel sends live frames from recycled pages that hold whatever the program left there. `restore` puts the
 * headers of the next frame back, one template per channel in turn, and jumps to the program that is measured.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/layout.h"

enum {
  template_words = 9, /* 72 bytes: Ethernet, IPv6, UDP and channel header are 66 */
  templates_max = 16384,
};

struct frame_template {
  __u64 words[template_words];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, templates_max);
  __type(key, __u32);
  __type(value, struct frame_template);
} templates SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} measured SEC(".maps");

/* One CPU runs the benchmark: plain variables do. */
__u32 templates_used = 1;
__u32 next_template = 0;
__u64 swallowed = 0;

SEC("xdp")
int restore(struct xdp_md* ctx) {
  __u32 index = next_template;
  next_template = index + 1 < templates_used ? index + 1 : 0;
  const struct frame_template* from = bpf_map_lookup_elem(&templates, &index);
  void* data = (void*)(long)ctx->data;
  const void* end = (const void*)(long)ctx->data_end;
  if (!from || data + sizeof(*from) > end) return XDP_ABORTED;
  *(struct frame_template*)data = *from;
  bpf_tail_call(ctx, &measured, 0);
  return XDP_ABORTED;
}

SEC("xdp")
int empty(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_TX;
}

/* The least that a hop can do: send the frame back to where it came from. */
SEC("xdp")
int swap(struct xdp_md* ctx) {
  struct ethernet_header* ethernet = (void*)(long)ctx->data;
  if ((const void*)(ethernet + 1) > (const void*)(long)ctx->data_end) return XDP_DROP;
  __u16 target[3];
  __builtin_memcpy(target, ethernet->target, sizeof(target));
  __builtin_memcpy(ethernet->target, ethernet->source, sizeof(ethernet->target));
  __builtin_memcpy(ethernet->source, target, sizeof(ethernet->source));
  return XDP_TX;
}

/* The far end of the veth. */
SEC("xdp")
int swallow(struct xdp_md* ctx) {
  (void)ctx;
  swallowed++;
  return XDP_DROP;
}

char program_license[] SEC("license") = "GPL";
