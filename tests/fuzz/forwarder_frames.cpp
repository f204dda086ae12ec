// libraries: fireline_forwarder_parts
// covers: tools/forwarder/train.cpp tools/forwarder/merge.cpp tools/forwarder/sealer.cpp tools/forwarder/frame.h
// The forwarder's two parsers. Bytes of the TUN through Train: whatever is cut, the datagrams hold the payload once, in
// order and where it was read. Bytes of the network through Merge: each packet lies in what was received, and a merged
// one is, cut again, the datagrams that came.
// Input: a byte of choices (1: cut; 2: UDP is merged). To cut: virtio_net_hdr and packet. To merge: two bytes, the
// length of a datagram, then the datagrams.
#include <algorithm>
#include <memory>

#include "tests/fuzz/heap_buffers.h"
#include "tests/unit/tools/forwarder/gathered.h"
#include "tools/forwarder/merge.h"
#include "tools/forwarder/sealer.h"
#include "tools/forwarder/train.h"

using namespace fireline;
using namespace fireline::forwarder;

namespace {

using fuzz::require;

constexpr std::size_t kFlagsByte = 13;  // in a TCP header

void check_cut(Train& train, Octets frame) {
  const Octets before = frame;
  if (!train.cut(frame)) return;
  require(frame == before);
  require(train.datagrams() >= 1 && train.datagrams_per_send() >= 1 && train.datagrams_per_send() <= kTrainMax);
  const std::byte* end = nullptr;
  for (std::size_t i = 0; i < train.datagrams(); ++i) {
    const auto pieces = train.pieces(i, 1);
    const std::size_t bytes = gathered(pieces).size();
    const bool last = i + 1 == train.datagrams();
    require(last ? bytes > kOverheadBytes && bytes <= train.datagram_bytes() : bytes == train.datagram_bytes());
    const auto* payload = static_cast<const std::byte*>(pieces.back().iov_base);
    require(end == nullptr || payload == end);
    end = payload + pieces.back().iov_len;
  }
  require(end == frame.data() + frame.size());
}

// A frame without what a merge does not keep: the pad, identification, checksums, UDP's length, CWR of later segments.
Octets comparable(ConstBytes bytes) {
  Octets frame(bytes.begin(), bytes.end());
  const auto clear = [&](std::size_t from, std::size_t count) {
    std::ranges::fill(std::span(frame).subspan(from, count), std::byte{0});
  };
  const Bytes packet = Bytes(frame).subspan(kOverheadBytes);
  const bool v6 = (load_u8(packet, 0) >> 4) == 6;
  const std::size_t transport = v6 ? 40 : 20;
  const bool tcp = load_u8(packet, v6 ? 6 : 9) == kTcp;
  Vnet vnet = Vnet::load(Bytes(frame).subspan(kPadBytes));
  vnet.header_bytes = 0;
  vnet.gso_bytes = 0;
  vnet.store(Bytes(frame).subspan(kPadBytes));
  clear(0, kPadBytes);
  if (!v6) {
    clear(kOverheadBytes + 4, 2);
    clear(kOverheadBytes + 10, 2);
  }
  clear(kOverheadBytes + transport + (tcp ? 16 : 4), tcp ? 2 : 4);
  if (tcp) {
    const auto flags = static_cast<std::uint8_t>(load_u8(packet, transport + kFlagsByte) & ~kTcpCwr);
    store_u8(packet, transport + kFlagsByte, flags);
  }
  return frame;
}

void check_merged(Train& train, ConstBytes packet, ConstBytes datagrams, std::size_t count,
                  std::size_t datagram_bytes) {
  require(packet.size() <= kVnetBytes + kPacketBytesMax);
  Octets frame(kPadBytes);
  frame.insert(frame.end(), packet.begin(), packet.end());
  require(train.cut(frame) && train.datagrams() == count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = i * datagram_bytes;
    const ConstBytes original = datagrams.subspan(from, std::min(datagram_bytes, datagrams.size() - from));
    require(comparable(gathered(train.pieces(i, 1))) == comparable(original));
  }
}

void check_merge(Train& train, Octets buffer, std::size_t datagram_bytes, bool merge_udp) {
  const Octets received = buffer;
  Merge merge;
  merge.begin(buffer, datagram_bytes);
  std::size_t taken = 0;
  for (auto pieces = merge.next(merge_udp); !pieces.empty(); pieces = merge.next(merge_udp)) {
    const std::size_t from = taken;
    taken = std::min(received.size(), from + pieces.size() * datagram_bytes);
    const ConstBytes datagrams = ConstBytes(received).subspan(from, taken - from);
    const Octets packet = gathered(pieces);
    if (pieces.size() == 1) {
      require(std::ranges::equal(packet, datagrams.subspan(kPadBytes)));
    } else {
      check_merged(train, packet, datagrams, pieces.size(), datagram_bytes);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ConstBytes input = std::as_bytes(std::span(data, size));
  if (input.size() < 3) return 0;
  const unsigned choices = load_u8(input, 0);
  const auto train = std::make_unique<Train>();
  if ((choices & 1) != 0) {
    Octets frame(kPadBytes);
    frame.insert(frame.end(), input.begin() + 1, input.end());
    check_cut(*train, std::move(frame));
  } else {
    const std::size_t datagram_bytes = std::max<std::size_t>(load_be16(input, 1), 1);
    const ConstBytes first = input.subspan(3, std::min(datagram_bytes, input.size() - 3));
    require(plain_bytes(first) <= first.size() && plain_bytes(first) >= std::min(first.size(), kOverheadBytes));
    check_merge(*train, Octets(input.begin() + 3, input.end()), datagram_bytes, (choices & 2) != 0);
  }
  return 0;
}
