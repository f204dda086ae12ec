#include "relay/relay_socket.h"

namespace fireline::relay {

Result<std::unique_ptr<RelaySocket>, io::IoError> RelaySocket::open(const Options& options) {
  auto bound =
      io::bind_udp({.family = options.family,
                    .port = options.port,
                    .address = options.address,
                    .receive_buffer_bytes = options.is_control ? kControlReceiveBytes : kAllocationReceiveBytes,
                    .send_buffer_bytes = kSendBytes,
                    .gso = false,  // a matter of each send here
                    .gro = options.gro,
                    .local_address = false});
  if (!bound.has_value()) return err(std::move(bound.error()));
  return std::make_unique<RelaySocket>(std::move(bound->fd), options.family, bound->port, options.is_control);
}

}  // namespace fireline::relay
