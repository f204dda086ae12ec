#include "io/tun_device.h"

#include <linux/netlink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "core/packet/vnet_header.h"
#include "io/receive_arena.h"

namespace fireline::io {
namespace {

using packet::Segmentation;

// Interrupted writes of one turn, after which a packet counts as refused.
constexpr unsigned kInterruptsMax = 16;
constexpr std::size_t kPacketBytesMax = 65535;
constexpr std::size_t kIpHeaderBytesMin = 20;
static_assert(packet::kVnetHeaderBytes <= packet::kHeadroomBytes);
static_assert(packet::kLargeBufferBytes >= kPacketBytesMax);

// read(2), but no cancellation point: what glibc does for that around the call, where there are threads, is 3 % of what
// a packet costs that comes alone.
ssize_t read_packet_from(int queue, std::byte* start, std::size_t length) noexcept {
  return ::syscall(SYS_read, queue, start, length);
}

// Of payload behind `header_bytes`; a plain packet is one.
std::size_t segments_in(std::size_t packet_bytes, std::size_t header_bytes, const packet::Offload& offload) noexcept {
  if (offload.segmentation == Segmentation::none || offload.segment_bytes == 0) return 1;
  if (packet_bytes <= header_bytes) return 1;
  return (packet_bytes - header_bytes + offload.segment_bytes - 1) / offload.segment_bytes;
}

// IP and transport header of a super-packet: the checksum starts at the transport header.
std::size_t header_bytes_of(ConstBytes packet, const packet::Offload& offload) noexcept {
  constexpr std::size_t kUdpHeaderBytes = 8;
  constexpr std::size_t kTcpOffsetByte = 12;
  if (offload.segmentation == Segmentation::udp) return offload.checksum_start + kUdpHeaderBytes;
  const std::size_t place = offload.checksum_start + kTcpOffsetByte;
  if (place >= packet.size()) return 0;
  return offload.checksum_start + std::size_t{4} * (load_u8(packet, place) >> 4U);
}

}  // namespace

Result<std::unique_ptr<TunDevice>, IoError> TunDevice::open(std::string_view name, const TunOptions& options) {
  auto tun = open_tun(name, options);
  if (!tun.has_value()) return err(std::move(tun.error()));
  FileDescriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  return std::unique_ptr<TunDevice>(new TunDevice(std::move(*tun), std::move(netlink)));
}

TunDevice::TunDevice(OpenTun tun, FileDescriptor netlink)
    : queues_(std::move(tun.queues)),
      writer_(std::move(tun.writer)),
      control_(std::move(tun.control)),
      netlink_(std::move(netlink)),
      name_(std::move(tun.name)),
      index_(tun.index),
      capabilities_(tun.capabilities),
      coalescing_(tun.capabilities.vnet_header) {}

IoStatus TunDevice::read(packet::TunBatch& batch, packet::BufferSource& large) {
  queues_.begin();
  if (queues_.current() < 0) return IoStatus::would_block;
  ReceiveArena arena(batch.buffers, packet::kTunBatchBuffers, large);
  return read_turn(arena, batch.packets, packet::kTunBatchPackets, read_, [&] { return read_packet(arena, batch); });
}

ReadCall TunDevice::read_packet(ReceiveArena& arena, packet::TunBatch& batch) {
  const std::size_t vnet_bytes = capabilities_.vnet_header ? packet::kVnetHeaderBytes : 0;
  // The virtio-net header goes into the headroom, so that the packet starts at the buffer's aligned beginning.
  const Bytes space = arena.space();
  std::byte* const start = space.data() - vnet_bytes;
  const ssize_t result = read_packet_from(queues_.current(), start, space.size() + vnet_bytes);
  if (result > 0) {
    read_.add(TunReadCounter::calls);
    const auto length = static_cast<std::size_t>(result);
    queues_.took(length);
    take_packet(arena, length > vnet_bytes ? length - vnet_bytes : 0, ConstBytes(start, vnet_bytes), batch);
    return ReadCall::taken;
  }
  const int code = result == 0 ? EBADFD : errno;
  switch (code) {
    case EAGAIN:
      queues_.drained();
      return queues_.current() < 0 ? ReadCall::would_block : ReadCall::interrupted;
    case EINTR:
      return ReadCall::interrupted;
    case EBADFD:  // the interface was removed
    case EBADF:
    case ENODEV:
    case EIO:
      return ReadCall::closed;
    default:
      return ReadCall::failed;
  }
}

void TunDevice::take_packet(ReceiveArena& arena, std::size_t length, ConstBytes vnet_header, packet::TunBatch& batch) {
  // The kernel tells the packet's length even when it cut it.
  if (length > arena.space().size() || length > kPacketBytesMax) return read_.add(TunReadCounter::truncated);
  if (length < kIpHeaderBytesMin) return read_.add(TunReadCounter::bad_header);
  packet::Offload offload;
  if (!vnet_header.empty()) {
    const auto decoded = packet::decode_vnet_header(ConstBytes(vnet_header.data(), vnet_header.size() + length));
    if (!decoded.has_value()) return read_.add(TunReadCounter::bad_header);
    offload = *decoded;
  }
  const Bytes bytes = arena.keep(length);
  const std::size_t header_bytes = offload.segmentation == Segmentation::none ? 0 : header_bytes_of(bytes, offload);
  read_.add(TunReadCounter::packets);
  read_.add(TunReadCounter::segments, segments_in(length, header_bytes, offload));
  read_.add(TunReadCounter::bytes, length);
  // In its place, not copied from the stack: such a copy waits for all stores before it
  // (core/wireguard/train_builder.cpp).
  packet::TunPacket& packet = batch.packets.emplace_back();
  packet.bytes = bytes;
  packet.offload = offload;
}

IoStatus TunDevice::write(const packet::TunWriteBatch& batch, TunCursor& cursor) {
  unsigned interrupts = 0;
  while (cursor.packet < batch.packets.size()) {
    const packet::TunWrite& packet = batch.packets[cursor.packet];
    std::size_t bytes = 0;
    const ssize_t result = write_packet(batch, packet, bytes);
    const std::size_t segments = segments_in(bytes, packet.header_bytes, packet.offload);
    if (result >= 0) {
      written_.add(TunWriteCounter::calls);
      written_.add(TunWriteCounter::packets);
      written_.add(TunWriteCounter::segments, segments);
      written_.add(TunWriteCounter::bytes, bytes);
      ++cursor.packet;
      continue;
    }
    const int code = static_cast<int>(-result);
    if (code == EINTR && ++interrupts <= kInterruptsMax) continue;
    if (code == EAGAIN) {
      written_.add(TunWriteCounter::would_block);
      return IoStatus::would_block;
    }
    if (code == EBADFD || code == EBADF) {
      note_gone(batch, cursor);
      return IoStatus::closed;
    }
    note_write_error(code, packet, segments);
    ++cursor.packet;
  }
  return IoStatus::done;
}

// Bytes written or the negative errno; `bytes` gets the packet's length in either case.
ssize_t TunDevice::write_packet(const packet::TunWriteBatch& batch, const packet::TunWrite& packet,
                                std::size_t& bytes) noexcept {
  std::array<std::byte, packet::kVnetHeaderBytes> header;
  std::array<iovec, IOV_MAX> vectors;  // not cleared: only those in use are written and read
  std::size_t used = 0;
  if (capabilities_.vnet_header) {
    packet::encode_vnet_header(header, packet.offload, packet.header_bytes);
    vectors[used++] = {.iov_base = header.data(), .iov_len = header.size()};
  }
  const auto slices = std::span(batch.slices).subspan(packet.first_slice, packet.slice_count);
  for (const ConstBytes& slice : slices) {
    bytes += slice.size();
    // writev only reads; its type is older than const.
    if (used < vectors.size()) {
      vectors[used] = {.iov_base = const_cast<std::byte*>(slice.data()), .iov_len = slice.size()};
    }
    ++used;
  }
  if (used > vectors.size()) return -EMSGSIZE;
  const ssize_t result = ::writev(write_fd(), vectors.data(), static_cast<int>(used));
  return result >= 0 ? result : -errno;
}

void TunDevice::note_gone(const packet::TunWriteBatch& batch, TunCursor& cursor) {
  for (; cursor.packet < batch.packets.size(); ++cursor.packet) {
    const packet::TunWrite& lost = batch.packets[cursor.packet];
    std::size_t bytes = 0;
    for (const ConstBytes& slice : std::span(batch.slices).subspan(lost.first_slice, lost.slice_count)) {
      bytes += slice.size();
    }
    written_.add(TunWriteCounter::drop_down, segments_in(bytes, lost.header_bytes, lost.offload));
  }
}

void TunDevice::note_write_error(int code, const packet::TunWrite& packet, std::size_t segments) {
  const bool merged = packet.offload.segmentation != Segmentation::none;
  if (code == EINVAL && merged) {
    written_.add(TunWriteCounter::drop_gso_refused, segments);
    if (coalescing_.exchange(false, std::memory_order_relaxed)) {
      spdlog::info("TUN device {} refused a merged packet (EINVAL): packets are written singly from here on", name_);
    }
    return;
  }
  TunWriteCounter counter = TunWriteCounter::drop_other;
  switch (code) {
    case EIO:
    case ENETDOWN:
      counter = TunWriteCounter::drop_down;
      break;
    case EINVAL:
    case EMSGSIZE:
      counter = TunWriteCounter::drop_invalid;
      break;
    case ENOMEM:
    case ENOBUFS:
      counter = TunWriteCounter::drop_no_memory;
      break;
    default:
      break;
  }
  written_.add(counter, segments);
  if (std::exchange(logged_errno_, code) != code) {
    spdlog::debug("packets for TUN device {} dropped: {}", name_, errno_name(code));
  }
}

Result<LinkDrops, IoError> TunDevice::kernel_drops() const {
  if (!netlink_) return err(IoError{.code = EAFNOSUPPORT, .operation = "read the statistics of", .context = name_});
  return query_link_drops(netlink_.get(), index_);
}

}  // namespace fireline::io
