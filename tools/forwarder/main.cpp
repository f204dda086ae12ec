// fireline-forwarder: the shortest unencrypted userspace tunnel with every offload that Linux has. It is the yardstick
// of fireline-bench ("the limit of the machine"), not a product: anyone on the path reads and forges what it carries.
// One thread with poll: on two cores a thread per direction is no faster (medians within 5 %) and spreads twice as
// wide. With --seal it is the yardstick of what the cipher alone leaves of that limit.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tools/command_line/command_line.h"
#include "tools/forwarder/devices.h"
#include "tools/forwarder/merge.h"
#include "tools/forwarder/sealer.h"
#include "tools/forwarder/train.h"

namespace {

using namespace fireline;
using namespace fireline::forwarder;

// The longest IP packet with its overhead, rounded up to whole pages; a GRO buffer is never longer.
constexpr std::size_t kBufferBytes = 65536 + 4096;
// Reads of one side before the other side is looked at: enough to amortise the look, few enough for a low delay.
constexpr int kTrainsPerTurn = 8;

struct Ends {
  Tun tun;
  int udp = -1;
  bool seal = false;
};

void wait_writable(int descriptor) {
  pollfd entry{descriptor, POLLOUT, 0};
  (void)poll(&entry, 1, 100);
}

// One direction each. carry() moves what is there, up to one train; false: nothing was there.
class Outbound {
 public:
  explicit Outbound(const Ends& ends) : ends_(ends) {
    if (ends.seal) sealer_.emplace();
  }

  // A super-packet is a train already. Single packets of one length are read until there is none left, and leave as one
  // train: nothing waits for company, but who is there travels together.
  [[nodiscard]] bool carry() {
    std::size_t frames = 0;
    std::size_t used = 0;
    while (frames < kTrainMax) {
      const Bytes frame = next(Bytes(buffer_).subspan(used, kBufferBytes));
      if (frame.empty()) break;
      const bool single = Vnet::load(frame.subspan(kPadBytes)).gso_type == 0;
      if (single && (frames == 0 || (frame.size() <= pieces_[0].iov_len && used + frame.size() <= kDatagramBytesMax))) {
        pieces_[frames++] = {frame.data(), frame.size()};
        used += frame.size();
        if (frame.size() == pieces_[0].iov_len) continue;
        break;  // a shorter one ends a train
      }
      if (frames != 0) send(std::span(pieces_).first(frames), frames, pieces_[0].iov_len);
      send_alone(frame);
      return true;
    }
    if (frames != 0) send(std::span(pieces_).first(frames), frames, pieces_[0].iov_len);
    return frames != 0;
  }

 private:
  [[nodiscard]] Bytes next(Bytes space) {
    const ssize_t got = read(ends_.tun.descriptor, space.data() + kPadBytes, space.size() - kPadBytes);
    return got <= 0 ? Bytes() : space.first(kPadBytes + static_cast<std::size_t>(got));
  }

  void send_alone(Bytes frame) {
    if (!train_.cut(frame)) return;
    const std::size_t per_send = train_.datagrams_per_send();
    for (std::size_t first = 0; first < train_.datagrams(); first += per_send) {
      const std::size_t count = std::min(per_send, train_.datagrams() - first);
      send(train_.pieces(first, count), count, train_.datagram_bytes());
    }
  }

  void send(std::span<iovec> pieces, std::size_t count, std::size_t datagram_bytes) {
    if (sealer_) sealer_->seal(pieces, count);
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    if (count > 1) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = IPPROTO_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto segment = static_cast<std::uint16_t>(datagram_bytes);
      std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
    }
    while (sendmsg(ends_.udp, &message, 0) < 0 && (errno == EAGAIN || errno == EINTR)) wait_writable(ends_.udp);
  }

  const Ends& ends_;
  Train train_;
  std::optional<Sealer> sealer_;
  std::array<iovec, kTrainMax> pieces_{};
  // Singles stand one behind the other, and the next read may always be a super-packet.
  alignas(64) std::array<std::byte, kDatagramBytesMax + kBufferBytes> buffer_{};
};

class Inbound {
 public:
  explicit Inbound(const Ends& ends) : ends_(ends) {
    if (ends.seal) sealer_.emplace();
  }

  [[nodiscard]] bool carry() {
    iovec piece{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(ends_.udp, &message, 0);
    // A refused datagram (the other end is not up yet) is reported here once and ends nothing.
    if (got < 0) return errno == ECONNREFUSED;
    std::size_t datagram_bytes = static_cast<std::size_t>(got);
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO) continue;
      int segment = 0;
      std::memcpy(&segment, CMSG_DATA(header), sizeof segment);
      datagram_bytes = static_cast<std::size_t>(segment);
    }
    const Bytes received = Bytes(buffer_).first(static_cast<std::size_t>(got));
    if (sealer_ && !sealer_->open(received, datagram_bytes)) return true;
    merge_.begin(received, datagram_bytes);
    for (auto pieces = merge_.next(ends_.tun.udp_offload); !pieces.empty();
         pieces = merge_.next(ends_.tun.udp_offload)) {
      while (writev(ends_.tun.descriptor, pieces.data(), static_cast<int>(pieces.size())) < 0 &&
             (errno == EAGAIN || errno == EINTR)) {
        wait_writable(ends_.tun.descriptor);
      }
    }
    return true;
  }

 private:
  const Ends& ends_;
  Merge merge_;
  std::optional<Sealer> sealer_;
  alignas(64) std::array<std::byte, kBufferBytes> buffer_{};
};

void run(const Ends& ends) {
  const auto outbound = std::make_unique<Outbound>(ends);
  const auto inbound = std::make_unique<Inbound>(ends);
  for (;;) {
    bool busy = false;
    for (int i = 0; i < kTrainsPerTurn && outbound->carry(); ++i) busy = true;
    for (int i = 0; i < kTrainsPerTurn && inbound->carry(); ++i) busy = true;
    if (busy) continue;
    std::array<pollfd, 2> entries{{{ends.tun.descriptor, POLLIN, 0}, {ends.udp, POLLIN, 0}}};
    (void)poll(entries.data(), entries.size(), -1);
    if ((entries[0].revents & (POLLERR | POLLNVAL)) != 0) return;  // the interface was deleted
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The shortest unencrypted userspace tunnel with all offloads: the yardstick of fireline-bench",
               "fireline-forwarder");
  app.set_version_flag("--version", "fireline-forwarder " FIRELINE_VERSION);
  std::string interface;
  std::string listen_text;
  std::string peer_text;
  std::size_t mtu = 1420;
  bool foreground = true;
  bool without_uso = false;
  bool seal = false;
  app.add_option("interface", interface, "name of the TUN device to create")->required();
  app.add_flag("-f,--foreground", foreground, "accepted for likeness with wireguard-go; it never daemonises");
  app.add_option("--listen", listen_text, "own underlay address, e.g. 192.0.2.1:7000 or [2001:db8::1]:7000")
      ->required();
  app.add_option("--peer", peer_text, "underlay address of the other end")->required();
  app.add_option("--mtu", mtu, "MTU of the TUN device")->check(CLI::Range(576, 9000))->capture_default_str();
  app.add_flag("--without-uso", without_uso, "no UDP segmentation offload on the TUN device");
  app.add_flag("--seal", seal, "seal and open payloads with a key that everybody knows: what the cipher alone costs");
  if (const auto exit = parse_command_line(app, argc, argv)) return leave(*exit, "fireline-forwarder");

  const auto listen = Endpoint::parse(listen_text);
  const auto peer = Endpoint::parse(peer_text);
  if (!listen || !peer || listen->address.family() != peer->address.family()) {
    std::fprintf(stderr, "fireline-forwarder: --listen and --peer take ADDRESS:PORT of one family\n");
    return 1;
  }
  try {
    Ends ends;
    ends.tun = open_tun(interface, mtu, !without_uso);
    ends.udp = open_udp(*listen, *peer);
    ends.seal = seal;
    run(ends);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fireline-forwarder: %s\n", error.what());
    return 1;
  }
  return 0;
}
