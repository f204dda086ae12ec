// What the XDP path must know about an interface before it attaches: its addresses, and on a veth whether frames sent
// by XDP_TX arrive at the other end. By getifaddrs and rtnetlink. No state; any thread; a few system calls each.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/endpoint.h"
#include "core/base/result.h"
#include "platform/linux/host_error.h"

namespace fireline::relay {

// The first IPv4 address, or the first IPv6 address that is not link-local. Error: the kernel does not tell.
[[nodiscard]] Result<std::optional<IpAddress>, platform::HostError> first_address(const std::string& interface,
                                                                                  Family family);

enum class FarEnd : std::uint8_t {
  not_veth,
  has_program,
  no_program,  // frames sent by XDP_TX in driver mode are lost there
  unknown,     // a veth whose other end cannot be asked
};
// The errno of the failing call.
[[nodiscard]] Result<FarEnd, int> far_end_of(std::uint32_t interface_index);

// What a person does about a program that a link holds; half a sentence.
[[nodiscard]] std::string how_to_detach(const std::string& interface);

// Attaches a program that passes every frame (bpf/pass.bpf.c), for the far end of a veth; it stays when the process
// ends. The sentence says what failed. An interface
// that has a program already is an error: nothing is replaced.
[[nodiscard]] Result<void, std::string> attach_pass(const std::string& interface);
// Detaches whatever XDP program the interface has in driver mode; none is no error, one that a link (bpf_link) holds
// is.
[[nodiscard]] Result<void, std::string> detach_pass(const std::string& interface);

}  // namespace fireline::relay
