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
  static constexpr std::size_t kRequestBytes = 1024;  // the longest one here is a copied route with all its metrics
  [[nodiscard]] nlmsghdr* request(std::uint16_t type) noexcept;
  // Sends it and hands each answer to `read`. 0, or the errno of the socket, of the kernel's refusal, or of why it gave
  // a list up.
  [[nodiscard]] int ask(mnl_cb_t read, void* data) noexcept;
  // As ask(), for a request with NLM_F_DUMP. When the kernel's list changes under the dump it is asked again, on a new
  // socket (the old dump would make the kernel answer EBUSY); before that `restart` forgets what was read. Lists are
  // asked one after another, never two on one socket. The kernel heeds filters in the request from Linux 4.20 on.
  [[nodiscard]] int list(mnl_cb_t read, void* data, void (*restart)(void* data)) noexcept;

 private:
  struct Closer {
    void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
  };
  using Socket = std::unique_ptr<mnl_socket, Closer>;
  explicit NetlinkQuery(Socket socket) noexcept;
  [[nodiscard]] static Result<Socket, int> open_socket();

  Socket socket_;
  std::uint32_t sequence_ = 0;
  alignas(nlmsghdr) std::array<char, kRequestBytes> request_{};
};

}  // namespace fireline::platform
