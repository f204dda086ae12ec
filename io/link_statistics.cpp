#include "io/link_statistics.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "core/base/wire.h"

namespace fireline::io {
namespace {

// One link's description; the kernel's own tools start with 32 KiB for whole dumps.
constexpr std::size_t kAnswerBytes = 32768;
constexpr const char* kOperation = "read the statistics of";

struct Request {
  nlmsghdr header;
  ifinfomsg info;
};

template <class T>
std::optional<T> read_at(ConstBytes bytes, std::size_t offset) noexcept {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::optional<LinkDrops> find_drops(ConstBytes attributes) noexcept {
  std::size_t offset = 0;
  while (const auto attribute = read_at<rtattr>(attributes, offset)) {
    const std::size_t length = attribute->rta_len;
    if (length < sizeof(rtattr) || length > attributes.size() - offset) return std::nullopt;
    if (attribute->rta_type == IFLA_STATS64) {
      // The kernel may append fields: only the front part is ours.
      const auto statistics = read_at<rtnl_link_stats64>(attributes.subspan(offset, length), sizeof(rtattr));
      if (!statistics.has_value()) return std::nullopt;
      return LinkDrops{.transmit = statistics->tx_dropped, .receive = statistics->rx_dropped};
    }
    offset += RTA_ALIGN(length);
  }
  return std::nullopt;
}

}  // namespace

Result<LinkDrops, IoError> query_link_drops(int netlink, int index) {
  const std::string context = "interface " + std::to_string(index);
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.info.ifi_index = index;
  if (::send(netlink, &request, sizeof request, 0) < 0) return err(last_error(kOperation, context));

  std::array<std::byte, kAnswerBytes> answer;
  const ssize_t received = ::recv(netlink, answer.data(), answer.size(), 0);
  if (received < 0) return err(last_error(kOperation, context));
  const ConstBytes bytes(answer.data(), static_cast<std::size_t>(received));
  const auto header = read_at<nlmsghdr>(bytes, 0);
  if (header.has_value() && header->nlmsg_type == NLMSG_ERROR) {
    const auto error = read_at<nlmsgerr>(bytes, NLMSG_HDRLEN);
    return err(
        IoError{.code = error.has_value() ? -error->error : EBADMSG, .operation = kOperation, .context = context});
  }
  constexpr std::size_t kAttributesOffset = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(ifinfomsg));
  if (header.has_value() && header->nlmsg_type == RTM_NEWLINK && bytes.size() > kAttributesOffset) {
    if (const auto drops = find_drops(bytes.subspan(kAttributesOffset))) return *drops;
  }
  return err(IoError{.code = EBADMSG, .operation = kOperation, .context = context});
}

}  // namespace fireline::io
