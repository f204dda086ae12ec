#include "tools/wg/privileges.h"

#include <linux/capability.h>

#include <span>

#include "platform/linux/privileges.h"
#include "platform/linux/seccomp.h"
#include "tools/common/system_calls.h"

namespace fireline::wg {

std::optional<std::string> keep_device_capabilities() {
  return platform::drop_privileges({CAP_NET_ADMIN, CAP_NET_BIND_SERVICE});
}

void keep_no_capabilities() {
  // Where the kernel refuses, the main thread says so.
  static_cast<void>(platform::drop_privileges());
}

std::optional<std::string> allow_device_calls(bool io_uring) {
  const auto rings = io_uring ? io_uring_calls() : std::span<const platform::AllowedCall>();
  return platform::allow_only(platform::common_calls(),
                              join_calls({sending_calls(), connection_calls(), thread_calls(), device_calls(), rings}));
}

}  // namespace fireline::wg
