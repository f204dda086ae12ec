#include "io/tun_open.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <spdlog/spdlog.h>

#include "core/packet/vnet_header.h"

namespace fireline::io {
namespace {

constexpr const char* kTunNode = "/dev/net/tun";
constexpr unsigned kTunMajor = 10;
constexpr unsigned kTunMinor = 200;

// Linux 6.2; missing in older headers.
constexpr unsigned kUdp4Offload = 0x20;
constexpr unsigned kUdp6Offload = 0x40;

struct OffloadSet {
  unsigned flags;
  bool tso;
  bool uso;
};
// All or nothing per call: the first set that the kernel takes.
constexpr std::array kOffloadSets = {
    OffloadSet{TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | kUdp4Offload | kUdp6Offload, true, true},
    OffloadSet{TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, true, false},
    OffloadSet{TUN_F_CSUM, false, false},
};

ifreq request_for(std::string_view name) noexcept {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Result<FileDescriptor, IoError> open_node(const std::string& context) {
  provide_tun_node();
  FileDescriptor fd(::open(kTunNode, O_RDWR | O_CLOEXEC));
  if (fd) return fd;
  IoError error = last_error("open /dev/net/tun", "for " + context);
  if (error.code == ENOENT || error.code == ENODEV || error.code == ENXIO) {
    error.fix = "load the tun module (modprobe tun), or pass the device into the container";
  }
  // A capability does not open a device that belongs to root alone.
  if (error.code == EACCES) error.fix = "run as root, or grant CAP_NET_ADMIN and access to /dev/net/tun";
  if (error.code == EPERM) error.fix = "run as root, or allow the device /dev/net/tun in the container";
  return err(std::move(error));
}

std::string_view create_fix(int code) noexcept {
  switch (code) {
    case EBUSY:
      return "another program holds an interface of this name: stop it or choose another name";
    case EINVAL:
      return "an interface of this name exists, which another program holds with other flags, or which is no TUN "
             "device: stop the program, remove the interface or choose another name";
    case EEXIST:
      return "an interface of this name exists: remove it or choose another name";
    default:
      return "";
  }
}

std::optional<IoError> make_nonblocking(int fd, const std::string& context) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return last_error("make non-blocking", context);
  return std::nullopt;
}

bool set_interface(int fd, ifreq& request, int flags) noexcept {
  request.ifr_flags = static_cast<short>(flags);
  return ::ioctl(fd, TUNSETIFF, &request) == 0;
}

// Creates the interface with room for several queues, or attaches to one that is there and has a single one. One with
// several is not joined: another program reads it.
bool create_interface(int fd, ifreq& request, int flags, bool several) noexcept {
  if (!several) return set_interface(fd, request, flags);
  ifreq created = request;
  const bool done = set_interface(fd, created, flags | IFF_MULTI_QUEUE | IFF_TUN_EXCL);
  if (!done && errno == EBUSY) return set_interface(fd, request, flags);
  request = created;
  return done;
}

Result<FileDescriptor, IoError> attach_queue(const OpenTun& tun, int flags, const std::string& context) {
  auto node = open_node(context);
  if (!node.has_value()) return node;
  ifreq request = request_for(tun.name);
  if (!set_interface(node->get(), request, flags | IFF_MULTI_QUEUE)) {
    return err(last_error("add a queue to", context));
  }
  if (auto error = make_nonblocking(node->get(), context)) return err(*std::move(error));
  return node;
}

// The kernel lets a flow follow the queue to which its answers are written; what goes into a detached one does not
// count, and flows stay where their hash puts them (tun_get_user()).
std::optional<IoError> add_queues(OpenTun& tun, unsigned queues, int flags, const std::string& context) {
  auto writer = attach_queue(tun, flags, context);
  if (!writer.has_value()) return writer.error();
  ifreq request{};
  request.ifr_flags = IFF_DETACH_QUEUE;
  if (::ioctl(writer->get(), TUNSETQUEUE, &request) != 0) return last_error("detach a queue of", context);
  tun.writer = std::move(*writer);
  while (tun.queues.size() < queues) {
    auto queue = attach_queue(tun, flags, context);
    if (!queue.has_value()) return queue.error();
    if (auto error = tun.queues.add(std::move(*queue))) return error;
  }
  return std::nullopt;
}

void switch_offloads_on(int fd, TunCapabilities& capabilities) {
  for (const OffloadSet& set : kOffloadSets) {
    if (::ioctl(fd, TUNSETOFFLOAD, static_cast<unsigned long>(set.flags)) == 0) {
      capabilities.checksum = true;
      capabilities.tso = set.tso;
      capabilities.uso = set.uso;
      return;
    }
    if (capabilities.offload_errno == 0) capabilities.offload_errno = errno;
  }
  // A persistent interface may still have those of its last holder.
  (void)::ioctl(fd, TUNSETOFFLOAD, 0UL);
}

std::optional<IoError> set_up_interface(int control, const OpenTun& tun, const TunOptions& options,
                                        const std::string& context) {
  ifreq request = request_for(tun.name);
  request.ifr_mtu = static_cast<int>(options.mtu);
  if (::ioctl(control, SIOCSIFMTU, &request) != 0) {
    return last_error("set the MTU of", context + " to " + std::to_string(options.mtu));
  }
  request = request_for(tun.name);
  request.ifr_qlen = static_cast<int>(options.queue_packets);
  if (::ioctl(control, SIOCSIFTXQLEN, &request) != 0) {
    spdlog::warn("{}", last_error("set the queue length of", context).to_string());
  }
  return std::nullopt;
}

}  // namespace

// Systems without udev (containers, initramfs) may lack the node although the kernel has the driver.
void provide_tun_node() noexcept {
  if (::access(kTunNode, F_OK) == 0 || errno != ENOENT) return;
  if (::mkdir("/dev/net", 0751) == 0) (void)::chmod("/dev/net", 0751);
  (void)::mknod(kTunNode, S_IFCHR | 0666, makedev(kTunMajor, kTunMinor));
}

Result<OpenTun, IoError> open_tun(std::string_view name, const TunOptions& options) {
  const std::string context =
      "TUN device " + std::string(name) +
      (options.offloads ? " (flags IFF_TUN|IFF_NO_PI|IFF_VNET_HDR)" : " (flags IFF_TUN|IFF_NO_PI)");
  if (const std::string_view wrong = check_interface_name(name); !wrong.empty()) {
    return err(IoError{.code = EINVAL, .operation = "create", .context = context, .fix = std::string(wrong)});
  }
  if (options.mtu < kTunMtuMin || options.mtu > kTunMtuMax) {
    return err(IoError{.code = EINVAL,
                       .operation = "create",
                       .context = context,
                       .fix = "the MTU must be " + std::to_string(kTunMtuMin) + " to " + std::to_string(kTunMtuMax)});
  }
  auto node = open_node(context);
  if (!node.has_value()) return err(std::move(node.error()));
  const int fd = node->get();
  ifreq request = request_for(name);
  const int wanted = IFF_TUN | IFF_NO_PI | (options.offloads ? IFF_VNET_HDR : 0);
  if (!create_interface(fd, request, wanted, options.queues > 1)) {
    return err(last_error("create", context, std::string(create_fix(errno))));
  }
  const bool several = (request.ifr_flags & IFF_MULTI_QUEUE) != 0;
  OpenTun tun(std::move(*node));
  tun.name.assign(request.ifr_name, ::strnlen(request.ifr_name, IFNAMSIZ));

  if (options.offloads) {
    int header_bytes = static_cast<int>(packet::kVnetHeaderBytes);
    if (::ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) != 0) {
      return err(last_error("set the virtio-net header size of", context));
    }
    tun.capabilities.vnet_header = true;
    switch_offloads_on(fd, tun.capabilities);
  }
  if (auto error = make_nonblocking(fd, context)) return err(*std::move(error));
  if (several) {
    // With fewer queues than wished for it works as well.
    if (auto error = add_queues(tun, options.queues, wanted, context)) spdlog::debug("{}", error->to_string());
  }

  tun.control = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!tun.control) return err(last_error("open a control socket for", context));
  if (auto error = set_up_interface(tun.control.get(), tun, options, context)) return err(*std::move(error));
  request = request_for(tun.name);
  if (::ioctl(tun.control.get(), SIOCGIFINDEX, &request) != 0) return err(last_error("find the index of", context));
  tun.index = request.ifr_ifindex;
  return tun;
}

std::string_view check_interface_name(std::string_view name) noexcept {
  if (name.empty()) return "an interface name must not be empty";
  if (name.size() >= IFNAMSIZ) return "an interface name has at most 15 bytes";
  if (name == "." || name == "..") return "an interface must not be named . or ..";
  for (const char c : name) {
    if (c == '/' || c == ':') return "an interface name must not contain / or :";
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f) return "an interface name must not contain white space or control characters";
  }
  const std::size_t percent = name.find('%');
  if (percent != std::string_view::npos &&
      (name.substr(percent, 2) != "%d" || name.find('%', percent + 1) != std::string_view::npos)) {
    return "a % in an interface name must be that of one %d";
  }
  return {};
}

Result<unsigned, IoError> query_mtu(int control, const std::string& name) {
  ifreq request = request_for(name);
  if (::ioctl(control, SIOCGIFMTU, &request) != 0) return err(last_error("read the MTU of", name));
  return static_cast<unsigned>(request.ifr_mtu);
}

}  // namespace fireline::io
