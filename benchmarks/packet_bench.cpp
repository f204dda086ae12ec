// What one packet costs in core/packet: checksum, copy, cut, merge. Items are packets; memory is warm, as on the data
// path right after a packet was opened or read.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "core/packet/checksum.h"
#include "core/packet/coalescer.h"
#include "core/packet/ip_packet.h"
#include "core/packet/segmenter.h"

namespace fireline::packet {
namespace {

constexpr std::size_t kPayload = 1368;  // of TCP with timestamps at MTU 1420
constexpr std::size_t kHeader = 52;

std::vector<std::byte> tcp_packet(std::size_t payload, std::uint32_t sequence = 1, std::uint16_t port = 1) {
  std::vector<std::byte> packet(kHeader + payload, std::byte{0x5A});
  store_be32(packet, 0, 0x4500'0000u + static_cast<std::uint32_t>(packet.size()));
  store_be32(packet, 4, 0x0001'4000u);
  store_be32(packet, 8, 0x4006'0000u);
  store_be32(packet, 12, 0x0A00'0001u);
  store_be32(packet, 16, 0x0A00'0002u);
  store_be16(packet, 10, checksum_of(sum(ConstBytes(packet).first(20))));
  store_be32(packet, 20, std::uint32_t{port} << 16 | 443);
  store_be32(packet, 24, sequence);
  store_be32(packet, 28, 7);
  store_be32(packet, 32, 0x8010'0100u);
  store_be32(packet, 36, 0);
  const ConstBytes bytes = packet;
  const auto transport_bytes = static_cast<std::uint32_t>(packet.size() - 20);
  const Sum pseudo = pseudo_header_sum(bytes.subspan(12, 4), bytes.subspan(16, 4), kProtocolTcp, transport_bytes);
  store_be16(packet, 36, checksum_of(sum(bytes.subspan(20), pseudo)));
  return packet;
}

bool take_backend(benchmark::State& state, const char* backend) {
  if (use_checksum_backend(backend)) return true;
  state.SkipWithError("this CPU does not have it");
  return false;
}

void checksum(benchmark::State& state, const char* backend) {
  if (!take_backend(state, backend)) return;
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  for (auto _ : state) benchmark::DoNotOptimize(sum(bytes));
}

void copy_with_checksum(benchmark::State& state, const char* backend) {
  if (!take_backend(state, backend)) return;
  const std::vector<std::byte> from(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  std::vector<std::byte> to(from.size() + 64);
  std::byte* const place = to.data() + 4;  // as behind a 52-byte header at a segment's odd place
  for (auto _ : state) {
    benchmark::DoNotOptimize(copy_and_sum(place, from.data(), from.size()));
    benchmark::ClobberMemory();
  }
}

void plain_copy(benchmark::State& state) {
  const std::vector<std::byte> from(static_cast<std::size_t>(state.range(0)), std::byte{0x5A});
  std::vector<std::byte> to(from.size() + 64);
  std::byte* const place = to.data() + 4;
  for (auto _ : state) {
    std::memcpy(place, from.data(), from.size());
    benchmark::ClobberMemory();
  }
}

void parse_header(benchmark::State& state) {
  const auto packet = tcp_packet(kPayload);
  for (auto _ : state) {
    benchmark::DoNotOptimize(packet.data());
    benchmark::DoNotOptimize(IpHeader::parse(packet));
  }
}

void parse_packet(benchmark::State& state) {
  const auto packet = tcp_packet(kPayload);
  for (auto _ : state) benchmark::DoNotOptimize(IpPacket::parse(packet));
}

// A super-packet of 47 segments into one buffer, as the engine does it; per segment.
void segmenter(benchmark::State& state, const char* backend) {
  if (!take_backend(state, backend)) return;
  constexpr std::size_t kSegments = 47;
  auto bytes = tcp_packet(kSegments * kPayload);
  const TunPacket packet{bytes,
                         {.segmentation = Segmentation::tcp4,
                          .needs_checksum = true,
                          .segment_bytes = kPayload,
                          .checksum_start = 20,
                          .checksum_offset = 16}};
  constexpr std::size_t kStride = kHeader + kPayload + 32;
  std::vector<std::byte> out(kSegments * kStride);
  for (auto _ : state) {
    const auto made = Segmenter::make(packet);
    for (std::size_t i = 0; i < made->segment_count(); ++i) made->write(i, out.data() + i * kStride + 16);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSegments));
}

// A packet on its own: copied and its checksum finished.
void segmenter_single(benchmark::State& state) {
  auto bytes = tcp_packet(static_cast<std::size_t>(state.range(0)));
  const TunPacket packet{bytes, {.needs_checksum = true, .checksum_start = 20, .checksum_offset = 16}};
  std::vector<std::byte> out(bytes.size());
  for (auto _ : state) {
    const auto made = Segmenter::make(packet);
    made->write(0, out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

// 44 packets of each of `flows` flows in turns; per packet. finish() edits the first header of each super-packet, and
// the benchmark restores it.
void coalescer(benchmark::State& state, const char* backend) {
  if (!take_backend(state, backend)) return;
  constexpr std::size_t kPackets = 44;
  const auto flows = static_cast<std::size_t>(state.range(0));
  std::vector<std::vector<std::byte>> packets;
  for (std::size_t i = 0; i < kPackets; ++i) {
    for (std::size_t f = 0; f < flows; ++f) {
      packets.push_back(
          tcp_packet(kPayload, static_cast<std::uint32_t>(1 + i * kPayload), static_cast<std::uint16_t>(1 + f)));
    }
  }
  const auto firsts = std::vector<std::vector<std::byte>>(packets.begin(), packets.begin() + state.range(0));
  Coalescer merging({.tcp4 = true, .tcp6 = true, .udp = true});
  TunWriteBatch batch;
  std::size_t writes = 0;
  for (auto _ : state) {
    for (auto& packet : packets) merging.add(packet, batch);
    merging.finish(batch);
    writes += batch.packets.size();
    benchmark::DoNotOptimize(batch.slices.data());
    batch.clear();
    for (std::size_t f = 0; f < flows; ++f) std::memcpy(packets[f].data(), firsts[f].data(), kHeader);
  }
  const auto count = state.iterations() * static_cast<std::int64_t>(packets.size());
  state.SetItemsProcessed(count);
  state.counters["packets_per_write"] = static_cast<double>(count) / static_cast<double>(writes);
}

// Acknowledgements pass alone.
void coalescer_acknowledgements(benchmark::State& state) {
  std::vector<std::vector<std::byte>> packets(44, tcp_packet(0));
  Coalescer merging({.tcp4 = true, .tcp6 = true, .udp = true});
  TunWriteBatch batch;
  for (auto _ : state) {
    for (auto& packet : packets) merging.add(packet, batch);
    merging.finish(batch);
    batch.clear();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(packets.size()));
}

BENCHMARK_CAPTURE(checksum, portable, "portable")->Arg(60)->Arg(1400);
BENCHMARK_CAPTURE(checksum, avx2, "avx2")->Arg(60)->Arg(1400);
BENCHMARK_CAPTURE(checksum, avx512, "avx512")->Arg(60)->Arg(1400)->Arg(65000);
BENCHMARK(plain_copy)->Arg(60)->Arg(1400);
BENCHMARK_CAPTURE(copy_with_checksum, portable, "portable")->Arg(60)->Arg(1400);
BENCHMARK_CAPTURE(copy_with_checksum, avx2, "avx2")->Arg(60)->Arg(1400);
BENCHMARK_CAPTURE(copy_with_checksum, avx512, "avx512")->Arg(60)->Arg(1400);
BENCHMARK(parse_header);
BENCHMARK(parse_packet);
BENCHMARK_CAPTURE(segmenter, portable, "portable");
BENCHMARK_CAPTURE(segmenter, avx2, "avx2");
BENCHMARK_CAPTURE(segmenter, avx512, "avx512");
BENCHMARK(segmenter_single)->Arg(0)->Arg(kPayload);
BENCHMARK_CAPTURE(coalescer, portable, "portable")->Arg(1);
BENCHMARK_CAPTURE(coalescer, avx2, "avx2")->Arg(1)->Arg(4)->Arg(16);
BENCHMARK_CAPTURE(coalescer, avx512, "avx512")->Arg(1)->Arg(4)->Arg(16);
BENCHMARK(coalescer_acknowledgements);

}  // namespace
}  // namespace fireline::packet
