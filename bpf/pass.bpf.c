/* Passes every frame. A veth delivers frames that its far end sent by XDP_TX only while it has an XDP program itself.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass_all(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_PASS;
}

char program_license[] SEC("license") = "GPL";
