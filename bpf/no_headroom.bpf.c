/* For a test: takes the room in front of the frame as metadata, as much as the kernel gives, and goes on with the
 * program in `next`, which then finds itself behind a driver without headroom.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next SEC(".maps");

enum { headroom_most = 252 }; /* XDP gives 256 bytes, and metadata comes in words */

SEC("xdp")
int take_headroom(struct xdp_md* ctx) {
  for (int bytes = headroom_most; bytes > 0; bytes -= 4) {
    if (bpf_xdp_adjust_meta(ctx, -bytes) == 0) break;
  }
  bpf_tail_call(ctx, &next, 0);
  return XDP_ABORTED;
}

char program_license[] SEC("license") = "GPL";
