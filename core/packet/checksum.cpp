#include "core/packet/checksum.h"

#include <array>
#include <atomic>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fireline::packet {
namespace {

// Each kernel keeps two sums per lane: `all` of the 64-bit words modulo 2^64, and `high` of their upper halves. The sum
// of the lower halves is then all - (high << 32), exactly, because none of the two can reach 2^64 below 32 GiB. This
// costs three operations per vector, and has no carry to hand on.
struct Kernel {
  Sum (*sum)(std::byte* to, const std::byte* from, std::size_t count) noexcept;
  Sum (*copy_and_sum)(std::byte* to, const std::byte* from, std::size_t count) noexcept;
  std::string_view name;
};

// Below this a call through the kernel's pointer costs more than it gains. Most headers are shorter.
constexpr std::size_t kKernelBytes = 64;

template <class T>
T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// The next word of type T, copied where the kernel copies.
template <bool kCopy, class T>
inline T take(std::byte* to, const std::byte* from) noexcept {
  const T value = load<T>(from);
  if constexpr (kCopy) std::memcpy(to, &value, sizeof(T));
  return value;
}

template <bool kCopy>
inline Sum run_portable(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  std::uint64_t all = 0;
  std::uint64_t high = 0;
  std::size_t at = 0;
  const auto place = [&]() { return kCopy ? to + at : nullptr; };
#pragma GCC unroll 4
  for (; at + 8 <= count; at += 8) {
    const auto word = take<kCopy, std::uint64_t>(place(), from + at);
    all += word;
    high += word >> 32;
  }
  Sum total = (all - (high << 32)) + high;
  if ((count & 4u) != 0) {
    total += take<kCopy, std::uint32_t>(place(), from + at);
    at += 4;
  }
  if ((count & 2u) != 0) {
    total += take<kCopy, std::uint16_t>(place(), from + at);
    at += 2;
  }
  if ((count & 1u) != 0) {
    const auto last = take<kCopy, std::uint8_t>(place(), from + at);
    total += std::endian::native == std::endian::little ? last : std::uint64_t{last} << 8;
  }
  return total;
}

template <bool kCopy>
Sum portable(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  return run_portable<kCopy>(to, from, count);
}

constexpr Kernel kPortable = {portable<false>, portable<true>, "portable"};

#if defined(__x86_64__)
// The vectors are locals of functions with a target and never cross a call, so that no other code depends on them.
template <bool kCopy>
__attribute__((target("avx2"))) Sum avx2(std::byte* to, const std::byte* from, std::size_t count) noexcept {
  __m256i all = _mm256_setzero_si256();
  __m256i high = _mm256_setzero_si256();
  std::size_t at = 0;
  for (; at + 64 <= count; at += 64) {
    const __m256i a = _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(from + at)));
    const __m256i b = _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(from + at + 32)));
    if constexpr (kCopy) {
      _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(to + at)), a);
      _mm256_storeu_si256(static_cast<__m256i*>(static_cast<void*>(to + at + 32)), b);
    }
    all = _mm256_add_epi64(all, _mm256_add_epi64(a, b));
    high = _mm256_add_epi64(high, _mm256_add_epi64(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)));
  }
  const __m256i low = _mm256_sub_epi64(all, _mm256_slli_epi64(high, 32));
  const __m256i total = _mm256_add_epi64(low, high);
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
  const auto sum = static_cast<Sum>(_mm_cvtsi128_si64(half)) + static_cast<Sum>(_mm_extract_epi64(half, 1));
  return sum + run_portable<kCopy>(kCopy ? to + at : nullptr, from + at, count - at);
}

// Shifts in their zero-masked form with all lanes on: the same instructions, but g++ 12 warns that the plain forms use
// an uninitialised value.
constexpr __mmask8 kAllLanes = 0xFF;

template <bool kCopy>
__attribute__((target("avx512f,avx512bw"))) Sum avx512(std::byte* to, const std::byte* from,
                                                       std::size_t count) noexcept {
  __m512i all = _mm512_setzero_si512();
  __m512i high = _mm512_setzero_si512();
  std::size_t at = 0;
  for (; at + 128 <= count; at += 128) {
    const __m512i a = _mm512_loadu_si512(from + at);
    const __m512i b = _mm512_loadu_si512(from + at + 64);
    if constexpr (kCopy) {
      _mm512_storeu_si512(to + at, a);
      _mm512_storeu_si512(to + at + 64, b);
    }
    all = _mm512_add_epi64(all, _mm512_add_epi64(a, b));
    high = _mm512_add_epi64(high, _mm512_maskz_srli_epi64(kAllLanes, a, 32));
    high = _mm512_add_epi64(high, _mm512_maskz_srli_epi64(kAllLanes, b, 32));
  }
  // The rest in at most two vectors: lanes behind the end read as zero, and are not written.
  for (; at < count; at += 64) {
    const std::size_t left = count - at;
    const __mmask64 mask = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    const __m512i a = _mm512_maskz_loadu_epi8(mask, from + at);
    if constexpr (kCopy) _mm512_mask_storeu_epi8(to + at, mask, a);
    all = _mm512_add_epi64(all, a);
    high = _mm512_add_epi64(high, _mm512_maskz_srli_epi64(kAllLanes, a, 32));
  }
  const __m512i low = _mm512_sub_epi64(all, _mm512_maskz_slli_epi64(kAllLanes, high, 32));
  const __m512i total = _mm512_add_epi64(low, high);
  const __m256i half =
      __builtin_shufflevector(total, total, 0, 1, 2, 3) + __builtin_shufflevector(total, total, 4, 5, 6, 7);
  const __m128i quarter = _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return static_cast<Sum>(_mm_cvtsi128_si64(quarter)) + static_cast<Sum>(_mm_extract_epi64(quarter, 1));
}

constexpr Kernel kAvx2 = {avx2<false>, avx2<true>, "avx2"};
constexpr Kernel kAvx512 = {avx512<false>, avx512<true>, "avx512"};
#endif

// The kernels that this CPU runs, the fastest first; null pads.
std::array<const Kernel*, 3> usable_kernels() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx512) return {&kAvx512, &kAvx2, &kPortable};
  if (has_avx2) return {&kAvx2, &kPortable, nullptr};
#endif
  return {&kPortable, nullptr, nullptr};
}

// Chosen at first use: callers in other static initialisers are served as well, and every thread stores the same.
constinit std::atomic<const Kernel*> chosen_kernel = nullptr;

const Kernel& kernel() noexcept {
  const Kernel* chosen = chosen_kernel.load(std::memory_order_relaxed);
  if (chosen == nullptr) [[unlikely]] {
    chosen = usable_kernels().front();
    chosen_kernel.store(chosen, std::memory_order_relaxed);
  }
  return *chosen;
}

}  // namespace

Sum sum(ConstBytes bytes, Sum initial) noexcept {
  if (bytes.size() < kKernelBytes) return add(initial, run_portable<false>(nullptr, bytes.data(), bytes.size()));
  return add(initial, kernel().sum(nullptr, bytes.data(), bytes.size()));
}

Sum copy_and_sum(std::byte* to, const std::byte* from, std::size_t count, Sum initial) noexcept {
  if (count < kKernelBytes) return add(initial, run_portable<true>(to, from, count));
  return add(initial, kernel().copy_and_sum(to, from, count));
}

Sum pseudo_header_sum(ConstBytes source, ConstBytes destination, std::uint8_t protocol,
                      std::uint32_t transport_bytes) noexcept {
  Sum total = sum(source, sum(destination));
  total = add(total, word_sum(protocol));
  total = add(total, word_sum(static_cast<std::uint16_t>(transport_bytes >> 16)));
  return add(total, word_sum(static_cast<std::uint16_t>(transport_bytes)));
}

bool complete_checksum(Bytes packet, std::size_t start, std::size_t offset) noexcept {
  if (start + 2 > packet.size() || start + 2 < start || offset > packet.size() - start - 2) return false;
  store_be16(packet, start + offset, udp_checksum_of(sum(packet.subspan(start))));
  return true;
}

std::string_view checksum_backend() noexcept {
  return kernel().name;
}

bool use_checksum_backend(std::string_view name) noexcept {
  for (const Kernel* usable : usable_kernels()) {
    if (usable == nullptr || usable->name != name) continue;
    chosen_kernel.store(usable, std::memory_order_relaxed);
    return true;
  }
  return false;
}

}  // namespace fireline::packet
