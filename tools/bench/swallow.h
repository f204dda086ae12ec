// Makes an interface swallow all that is sent through it, at once and without an error: what remains is the sender's
// own cost. A two-instruction program at the interface's egress hook (tcx, Linux 6.6). One thread.
#pragma once
#include "io/file_descriptor.h"

namespace fireline::bench {

// Holds until the descriptor is closed. Empty where the kernel has no such hook; then a full queue refuses instead,
// which costs the sender more and makes it look slower than it is.
[[nodiscard]] io::FileDescriptor swallow_egress(unsigned interface_index);

}  // namespace fireline::bench
