// The bytes of each request, attributes in the exact order that Firezone's nodes use:
//   Binding:     SOFTWARE                                                             (never authenticated)
//   Allocate:    REQUESTED-TRANSPORT, ADDITIONAL-ADDRESS-FAMILY (IPv6), SOFTWARE
//   Refresh:     the same; removing adds LIFETIME 0
//   ChannelBind: XOR-PEER-ADDRESS, CHANNEL-NUMBER, SOFTWARE
// then USERNAME, REALM, NONCE when one is known, MESSAGE-INTEGRITY. No FINGERPRINT.
// Lifetime: borrows during the call. Threads: any. No allocation but inside the hash library.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/wire.h"
#include "core/turn/credentials.h"
#include "core/turn/request.h"

namespace fireline::turn {

// Header 20, addresses and numbers 48, SOFTWARE 132, USERNAME 516, REALM 12, NONCE 127 characters of up to 4 bytes with
// header and padding 512, MESSAGE-INTEGRITY 24: the longest request fits.
inline constexpr std::size_t kMaxRequestBytes = 1280;

// Firezone's nodes ask in a Refresh again what they asked in the Allocate. Other servers answer that with 420.
enum class RefreshForm : std::uint8_t { firezone, plain };

// Writes into at least kMaxRequestBytes and returns how many; aborts when they do not suffice. Without
// credentials the request is not authenticated; a Binding never is. An empty nonce is none.
[[nodiscard]] std::size_t write_request(const Request& request, std::string_view software,
                                        const Credentials* credentials, std::string_view nonce, Bytes out,
                                        RefreshForm form = RefreshForm::firezone);

}  // namespace fireline::turn
