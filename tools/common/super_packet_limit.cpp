#include "tools/common/super_packet_limit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "core/packet/batch.h"
#include "platform/linux/link_limits.h"

namespace fireline {
namespace {

constexpr std::uint32_t kUnlimited = 65535;  // the kernel's GSO_MAX_SEGS

}  // namespace

SuperPacketLimit::SuperPacketLimit(std::string interface_name, int interface_index, std::size_t overhead_bytes)
    : name_(std::move(interface_name)),
      index_(interface_index),
      overhead_bytes_(overhead_bytes),
      segments_(kUnlimited) {}

void SuperPacketLimit::fit(std::size_t mtu) {
  const auto fitting = std::min(packet::kTrainSegments, packet::kTrainBytesV6 / (mtu + overhead_bytes_));
  const auto wanted = platform::forwards_packets() ? kUnlimited : static_cast<std::uint32_t>(fitting);
  if (wanted == std::exchange(segments_, wanted)) return;
  const auto error = platform::set_gso_segments_max(static_cast<std::uint32_t>(index_), wanted);
  if (error) spdlog::debug("{}: {}: trains leave in two sends", name_, error->sentence);
}

}  // namespace fireline
