/* The Internet checksum, changed by what changed (RFC 1624): begin with the complement of the old one, add what comes
 * in, add the complement of what goes out, fold, complement. A one's-complement sum has no byte order, so fields go in
 * as they lie in the frame, 16 or 32 bits at a time. 64 bits hold the sum of 2^32 words.
 */
#pragma once
#include <linux/types.h>

static __always_inline __u64 checksum_begin(__u16 old) {
  return (__u16)~old;
}

static __always_inline __u64 checksum_add(__u64 sum, __u32 word) {
  return sum + word;
}

static __always_inline __u64 checksum_remove(__u64 sum, __u32 word) {
  return sum + (__u32)~word;
}

static __always_inline __u64 checksum_add6(__u64 sum, const __be32 address[4]) {
  return sum + address[0] + address[1] + address[2] + address[3];
}

static __always_inline __u64 checksum_remove6(__u64 sum, const __be32 address[4]) {
  return sum + (__u32)~address[0] + (__u32)~address[1] + (__u32)~address[2] + (__u32)~address[3];
}

static __always_inline __u16 checksum_end(__u64 sum) {
  sum = (sum >> 32) + (sum & 0xffffffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return (__u16)~sum;
}
