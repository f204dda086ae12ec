/* The program's maps; what lies in them is relay/xdp_layout.h. In their names the first digit is the family of the
 * key's address, the second that of the value's. Preallocated: an insert in the packet's way never allocates, and the
 * memory is known at load.
 */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "relay/xdp_layout.h"

#define BINDING_MAP(name, key_type, value_type) \
  struct {                                      \
    __uint(type, BPF_MAP_TYPE_HASH);            \
    __uint(max_entries, xdp_binding_entries);   \
    __type(key, struct key_type);               \
    __type(value, struct value_type);           \
  } name SEC(".maps")

BINDING_MAP(chan_to_udp_44, xdp_client4, xdp_to_peer4);
BINDING_MAP(chan_to_udp_46, xdp_client4, xdp_to_peer6);
BINDING_MAP(chan_to_udp_64, xdp_client6, xdp_to_peer4);
BINDING_MAP(chan_to_udp_66, xdp_client6, xdp_to_peer6);
BINDING_MAP(udp_to_chan_44, xdp_peer4, xdp_to_client4);
BINDING_MAP(udp_to_chan_46, xdp_peer4, xdp_to_client6);
BINDING_MAP(udp_to_chan_64, xdp_peer6, xdp_to_client4);
BINDING_MAP(udp_to_chan_66, xdp_peer6, xdp_to_client6);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct xdp_config);
} config SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, xdp_port_words);
  __type(key, __u32);
  __type(value, struct xdp_ports);
} live_ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, xdp_outcome_count);
  __type(key, __u32);
  __type(value, struct xdp_count);
} counts SEC(".maps");

struct tick_time {
  __u64 tick; /* jiffies */
  __u64 boot; /* CLOCK_BOOTTIME then, in nanoseconds */
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tick_time);
} last_tick SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, xdp_debug_ring_bytes_off);
} debug_ring SEC(".maps");

/* Both are fixed at load, so the verifier takes the code out when they are off. */
const volatile __u8 debug_enabled = 0;
/* Skips the check of the target address: an interface that owns many, and a benchmark that bounces one frame. */
const volatile __u8 any_target_address = 0;
