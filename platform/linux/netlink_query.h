// One rtnetlink question and its answers, over libmnl. Lifetime: self-contained, one socket. Threads: one at a time.
// Blocks until the kernel has answered, which it does at once; 1 s at most.
#pragma once
#include <libmnl/libmnl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/result.h"

namespace fireline::platform {

class NetlinkQuery {
 public:
  // The errno of the failing call.
  [[nodiscard]] static Result<NetlinkQuery, int> open();

  // An empty request of that type, to be completed by mnl_nlmsg_put_extra_header and mnl_attr_put. Valid until ask().
  // Room for kRequestBytes.
  static constexpr std::size_t kRequestBytes = 256;  // the longest one here has an ndmsg and an IPv6 address
  [[nodiscard]] nlmsghdr* request(std::uint16_t type) noexcept;
  // Sends it and hands each answer to `read`. 0, or the errno of the socket or of the kernel's refusal.
  [[nodiscard]] int ask(mnl_cb_t read, void* data) noexcept;

 private:
  struct Closer {
    void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
  };
  explicit NetlinkQuery(std::unique_ptr<mnl_socket, Closer> socket) noexcept;

  std::unique_ptr<mnl_socket, Closer> socket_;
  std::uint32_t sequence_ = 0;
  alignas(nlmsghdr) std::array<char, kRequestBytes> request_{};
};

}  // namespace fireline::platform
