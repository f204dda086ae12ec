#include "tools/bench/aead_bench.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/blake2s.h"
#include "core/crypto/random.h"
#include "core/crypto/x25519.h"
#include "tools/bench/report_files.h"
#include "tools/bench/report_parts.h"
#include "tools/bench/statistics.h"

namespace fireline::bench {
namespace {

using crypto::Aead;
using crypto::AeadBackend;
using crypto::AeadJob;

// A small packet, a voice packet, the two tunnel MTUs, and a piece far larger than a packet: the cipher alone.
constexpr std::array<std::size_t, 5> kSizes = {64, 256, 1280, 1420, 16384};

// Packets are worked on in batches as large as one GSO buffer, which is what the packet thread does.
constexpr std::size_t kBatchBytes = 65536;
constexpr std::size_t kBatchPackets = 64;

// One figure of one round: long enough for many batches, short enough that the rounds of all candidates stay close
// together in time.
constexpr std::int64_t kSampleNanoseconds = 2'000'000;

constexpr std::size_t kMac1Bytes = 116;  // the part of a handshake initiation that mac1 covers

// CPU time of this thread: what other programs take away in between is not the cipher's cost.
std::int64_t nanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::uint64_t elapsed() {
  return static_cast<std::uint64_t>(nanoseconds());
}

// What two readings with nothing in between differ by: half a microsecond, which a batch must not pay for.
std::int64_t clock_cost() {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t start = nanoseconds();
    least = std::min(least, nanoseconds() - start);
  }
  return least;
}

// The costs of one operation, one sample per round.
class Samples {
 public:
  void add(double value) { values_.insert(std::ranges::upper_bound(values_, value), value); }
  [[nodiscard]] double median() const { return summarize(values_)->median; }
  [[nodiscard]] double least() const { return values_.front(); }
  [[nodiscard]] double most() const { return values_.back(); }

  [[nodiscard]] nlohmann::ordered_json json() const {
    return {{"median_ns", median()}, {"least_ns", least()}, {"most_ns", most()}, {"round_ns", values_}};
  }

 private:
  std::vector<double> values_;  // ascending
};

// One batch of packets of one size in memory of its own.
class PacketBatch {
 public:
  explicit PacketBatch(std::size_t bytes) : bytes_(bytes) {
    const std::size_t packets = std::clamp<std::size_t>(kBatchBytes / bytes, 1, kBatchPackets);
    memory_.resize(packets * (bytes + crypto::kTagBytes));
    crypto::SystemRandom().fill(key_.mutable_bytes());
    for (std::size_t i = 0; i < packets; ++i) {
      jobs_.push_back({.key = &key_,
                       .counter = i,
                       .data = memory_.data() + i * (bytes + crypto::kTagBytes),
                       .bytes = static_cast<std::uint32_t>(bytes)});
    }
  }
  PacketBatch(const PacketBatch&) = delete;
  PacketBatch& operator=(const PacketBatch&) = delete;

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  // Nanoseconds per packet.
  [[nodiscard]] double seal(Aead& aead) {
    return sample([&] { return timed([&] { aead.seal(jobs_); }); });
  }

  // A packet can be opened once: sealing it again in between is not timed.
  [[nodiscard]] double open(Aead& aead) {
    return sample([&] {
      aead.seal(jobs_);
      return timed([&] { aead.open(jobs_); });
    });
  }

  [[nodiscard]] bool opened() const {
    return std::ranges::all_of(jobs_, [](const AeadJob& job) { return job.authentic; });
  }

 private:
  template <class Work>
  std::int64_t timed(Work&& work) {
    const std::int64_t start = nanoseconds();
    work();
    return nanoseconds() - start - clock_cost_;
  }

  template <class RunBatch>
  double sample(RunBatch&& run_batch) {
    std::int64_t duration = 0;
    std::size_t packets = 0;
    while (duration < kSampleNanoseconds) {
      duration += run_batch();
      packets += jobs_.size();
    }
    return static_cast<double>(duration) / static_cast<double>(packets);
  }

  std::size_t bytes_;
  std::int64_t clock_cost_ = clock_cost();
  crypto::Key key_;
  std::vector<std::byte> memory_;
  std::vector<AeadJob> jobs_;
};

struct AeadFigure {
  Aead* aead;
  PacketBatch* batch;
  Samples seal;
  Samples open;
};

struct PrimitiveFigure {
  const char* name;
  double (*sample)();
  Samples samples;
};

// Nanoseconds per call of `work`, which returns a byte so that nothing of it can be left out.
template <class Work>
double sample_calls(std::size_t calls_at_once, Work&& work) {
  [[maybe_unused]] static volatile unsigned char sink = 0;
  const std::int64_t start = nanoseconds();
  std::size_t calls = 0;
  std::int64_t duration = 0;
  while (duration < kSampleNanoseconds) {
    unsigned char bits = 0;
    for (std::size_t i = 0; i < calls_at_once; ++i) bits ^= std::to_integer<unsigned char>(work());
    sink = bits;
    calls += calls_at_once;
    duration = nanoseconds() - start;
  }
  return static_cast<double>(duration) / static_cast<double>(calls);
}

double sample_mac1() {
  std::array<std::byte, crypto::kHashBytes> key{};
  std::array<std::byte, kMac1Bytes> message{};
  return sample_calls(256, [&] {
    const crypto::Mac mac = crypto::mac16(key, message);
    message[0] = mac[0];
    return mac[1];
  });
}

double sample_kdf2() {
  crypto::Key chain;
  return sample_calls(64, [&] {
    const auto [next, key] = crypto::kdf2(chain, chain.bytes());
    chain = next;
    return key.bytes()[0];
  });
}

double sample_x25519() {
  crypto::SystemRandom random;
  const crypto::Key key = crypto::generate_private_key(random);
  const crypto::PublicKey peer = crypto::public_key(crypto::generate_private_key(random));
  return sample_calls(4, [&] {
    const auto secret = crypto::shared_secret(key, peer);
    return secret ? secret->bytes()[0] : std::byte{0};
  });
}

class Progress {
 public:
  explicit Progress(int rounds) : rounds_(rounds) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  void show(int round) const {
    if (!shown_) return;
    if (round == 0) {
      std::fputs("\r\033[Kwarming up", stderr);
    } else {
      std::fprintf(stderr, "\r\033[Kround %d of %d", round, rounds_);
    }
  }

 private:
  int rounds_;
  bool shown_ = ::isatty(STDERR_FILENO) == 1;
};

class AeadBench {
 public:
  explicit AeadBench(int rounds) : rounds_(rounds) {
    for (const AeadBackend backend : crypto::available_aead_backends()) aeads_.push_back(crypto::make_aead(backend));
    for (const std::size_t bytes : kSizes) {
      PacketBatch* batch = batches_.emplace_back(std::make_unique<PacketBatch>(bytes)).get();
      for (const auto& aead : aeads_) figures_.push_back({.aead = aead.get(), .batch = batch, .seal = {}, .open = {}});
    }
  }

  // False when a backend could not open what it had sealed: no figure of it would mean anything.
  [[nodiscard]] bool run() {
    const Progress progress(rounds_);
    for (int round = 0; round <= rounds_; ++round) {
      progress.show(round);
      for (AeadFigure& figure : figures_) {
        const double seal = figure.batch->seal(*figure.aead);
        const double open = figure.batch->open(*figure.aead);
        if (!figure.batch->opened()) return false;
        if (round == 0) continue;
        figure.seal.add(seal);
        figure.open.add(open);
      }
      for (PrimitiveFigure& figure : primitives_) {
        const double duration = figure.sample();
        if (round > 0) figure.samples.add(duration);
      }
    }
    const std::uint64_t start = elapsed();
    chosen_ = crypto::fastest_aead_backend(elapsed);
    choice_nanoseconds_ = elapsed() - start;
    return true;
  }

  void print() const {
    std::printf("AEAD on one thread, CPU nanoseconds per packet: median of %d rounds (least to most)\n\n", rounds_);
    std::printf("%6s  %-9s  %26s  %6s  %26s  %6s\n", "bytes", "backend", "seal ns", "GB/s", "open ns", "GB/s");
    for (const AeadFigure& figure : figures_) {
      const std::size_t bytes = figure.batch->bytes();
      std::printf("%6zu  %-9s", bytes, std::string(crypto::name_of(figure.aead->backend())).c_str());
      print_aead(figure.seal, bytes);
      print_aead(figure.open, bytes);
      std::printf("\n");
    }
    std::printf("\n%-28s %26s\n", "handshake", "ns");
    for (const PrimitiveFigure& figure : primitives_) {
      std::printf("%-28s", figure.name);
      print_samples(figure.samples);
      std::printf("\n");
    }
    std::printf("\nself-measurement chooses %s, in %.1f ms\n", std::string(crypto::name_of(chosen_)).c_str(),
                static_cast<double>(choice_nanoseconds_) / 1e6);
  }

  [[nodiscard]] nlohmann::ordered_json json(const std::string& command, const Machine& machine) const {
    nlohmann::ordered_json aead = nlohmann::ordered_json::array();
    for (const AeadFigure& figure : figures_) {
      aead.push_back({{"backend", crypto::name_of(figure.aead->backend())},
                      {"bytes", figure.batch->bytes()},
                      {"seal", figure.seal.json()},
                      {"open", figure.open.json()}});
    }
    nlohmann::ordered_json handshake = nlohmann::ordered_json::array();
    for (const PrimitiveFigure& figure : primitives_) {
      nlohmann::ordered_json entry = figure.samples.json();
      entry["name"] = figure.name;
      handshake.push_back(std::move(entry));
    }
    auto report = report_head("aead", command, machine);
    report["rounds"] = rounds_;
    report["aead"] = std::move(aead);
    report["handshake"] = std::move(handshake);
    report["chosen_backend"] = crypto::name_of(chosen_);
    report["choice_ns"] = choice_nanoseconds_;
    return report;
  }

 private:
  static void print_samples(const Samples& samples) {
    std::printf(" %9.0f (%6.0f to %6.0f)", samples.median(), samples.least(), samples.most());
  }
  static void print_aead(const Samples& samples, std::size_t bytes) {
    print_samples(samples);
    std::printf("  %6.2f", static_cast<double>(bytes) / samples.median());
  }

  int rounds_;
  std::vector<std::unique_ptr<Aead>> aeads_;
  std::vector<std::unique_ptr<PacketBatch>> batches_;
  std::vector<AeadFigure> figures_;  // all backends of a size side by side: they take turns
  std::array<PrimitiveFigure, 3> primitives_ = {
      {{"mac1 over 116 bytes", sample_mac1, {}}, {"KDF2 of 32 bytes", sample_kdf2, {}}, {"X25519", sample_x25519, {}}}};
  AeadBackend chosen_ = AeadBackend::libsodium;
  std::uint64_t choice_nanoseconds_ = 0;
};

}  // namespace

int run_aead_bench(const AeadBenchOptions& options) {
  if (options.rounds < 1) {
    std::fprintf(stderr, "fireline-bench aead: %d rounds give no figure: ask for at least one\n", options.rounds);
    return 1;
  }
  const Machine machine = describe_machine();
  AeadBench bench(options.rounds);
  if (!bench.run()) {
    std::fputs("fireline-bench aead: a backend cannot open what it sealed: its library is broken\n", stderr);
    return 1;
  }
  bench.print();
  if (const auto written = write_report(options.files, bench.json(options.command, machine)); !written) {
    std::fprintf(stderr, "fireline-bench aead: %s\n", written.error().c_str());
    return 1;
  }
  return 0;
}

}  // namespace fireline::bench
