// Tells that routes, addresses or links have changed, not what: whoever listens reads the present state anew, so an
// overflow of the socket loses nothing. rtnetlink over libmnl. Lifetime: self-contained. Threads: one at a time.
#pragma once
#include <cstdint>
#include <memory>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

struct mnl_socket;

namespace fireline::platform {

class NetlinkEvents {
 public:
  // Routes of both families, links, addresses of both families.
  [[nodiscard]] static Result<NetlinkEvents, HostError> open();

  [[nodiscard]] int fd() const noexcept;
  // Never blocks. True when anything was told. Bounded work: what is left keeps the descriptor readable. Error: the
  // kernel can no longer be heard.
  [[nodiscard]] Result<bool, HostError> drain();

 private:
  struct Closer {
    void operator()(mnl_socket* socket) const noexcept;
  };
  explicit NetlinkEvents(std::unique_ptr<mnl_socket, Closer> socket) noexcept;

  std::unique_ptr<mnl_socket, Closer> socket_;
};

}  // namespace fireline::platform
