#include "platform/linux/netlink_query.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fireline::platform {
namespace {
constexpr std::size_t kReceiveBytes = 32'768;  // what the kernel sends at once at most, as libmnl recommends
// Late answers to questions that timed out carry another number; each question has at most an answer and its end.
constexpr int kStaleMax = 8;
// Route tables of busy routers change all the time; whoever asks is told of the next change anyhow.
constexpr int kListTries = 4;
constexpr timeval kAnswerTime{.tv_sec = 1, .tv_usec = 0};  // at once, in truth; for ever would hang a broken namespace

// An acknowledgement and the end of a list begin with the same number: 0, or the negated errno of what went wrong.
// libmnl's own reader takes each end of a list for a good one.
int read_outcome(const nlmsghdr* message, void*) {
  std::int32_t outcome = message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
  if (mnl_nlmsg_get_payload_len(message) >= sizeof outcome) {
    std::memcpy(&outcome, mnl_nlmsg_get_payload(message), sizeof outcome);
  }
  if (outcome >= 0) return MNL_CB_STOP;
  errno = -outcome;
  return MNL_CB_ERROR;
}

}  // namespace

NetlinkQuery::NetlinkQuery(Socket socket) noexcept : socket_(std::move(socket)) {}

Result<NetlinkQuery, int> NetlinkQuery::open() {
  auto socket = open_socket();
  if (!socket) return err(socket.error());
  return NetlinkQuery(std::move(*socket));
}

Result<NetlinkQuery::Socket, int> NetlinkQuery::open_socket() {
  Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return err(errno);
  if (::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTime, sizeof(kAnswerTime)) != 0) {
    return err(errno);
  }
  return socket;
}

nlmsghdr* NetlinkQuery::request(std::uint16_t type) noexcept {
  request_.fill('\0');
  nlmsghdr* header = mnl_nlmsg_put_header(request_.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  header->nlmsg_seq = ++sequence_;
  return header;
}

int NetlinkQuery::ask(mnl_cb_t read, void* data) noexcept {
  const auto* header = reinterpret_cast<const nlmsghdr*>(request_.data());
  if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) return errno;
  alignas(nlmsghdr) std::array<char, kReceiveBytes> bytes;
  std::array<mnl_cb_t, NLMSG_DONE + 1> control{};
  control[NLMSG_ERROR] = read_outcome;
  control[NLMSG_DONE] = read_outcome;
  int stale = 0;
  while (true) {
    const auto received = mnl_socket_recvfrom(socket_.get(), bytes.data(), bytes.size());
    if (received < 0) return errno;
    const int outcome =
        mnl_cb_run2(bytes.data(), static_cast<std::size_t>(received), sequence_, mnl_socket_get_portid(socket_.get()),
                    read, data, control.data(), static_cast<unsigned>(control.size()));
    if (outcome == MNL_CB_STOP) return 0;
    if (outcome < 0 && (errno != EPROTO || ++stale > kStaleMax)) return errno;
  }
}

int NetlinkQuery::list(mnl_cb_t read, void* data, void (*restart)(void* data)) noexcept {
  const int on = 1;
  int code = 0;
  for (int i = 0; i < kListTries; ++i) {
    // Without it, on old kernels, the list is merely longer than asked for.
    (void)::setsockopt(mnl_socket_get_fd(socket_.get()), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    code = ask(read, data);
    if (code == 0) return 0;
    // What is left of the dump must not be taken for the next answer.
    auto fresh = open_socket();
    if (!fresh) return fresh.error();
    socket_ = std::move(*fresh);
    restart(data);
    if (code != EINTR && code != EBUSY) return code;
  }
  return code;
}

}  // namespace fireline::platform
