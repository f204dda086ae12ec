#include "io/data_plane.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <stdexcept>
#include <system_error>

#include "io/limits.h"

namespace fireline::io {
namespace {

WriteStatus to_write_status(IoStatus status) noexcept {
  // A closed device takes nothing any more and has counted what it dropped.
  return status == IoStatus::would_block ? WriteStatus::blocked : WriteStatus::done;
}

std::size_t datagram_count(const packet::UdpTrain& train, std::size_t sent_bytes) noexcept {
  return (train.bytes.size() - sent_bytes + train.segment_bytes - 1) / train.segment_bytes;
}

class UdpWriter final : public DeviceWriter<packet::UdpSendBatch, SendCursor> {
 public:
  void set_port(UdpPort* port) noexcept { port_ = port; }

  WriteStatus write(const packet::UdpSendBatch& batch, SendCursor& cursor, Now now) noexcept override {
    if (port_ == nullptr) {
      std::size_t lost = 0;
      // A socket that is gone may have sent the beginning of the first.
      for (std::size_t i = cursor.train; i < batch.trains.size(); ++i) {
        lost += datagram_count(batch.trains[i], i == cursor.train ? cursor.offset_bytes : 0);
      }
      without_socket_.fetch_add(lost, std::memory_order_relaxed);
      return WriteStatus::done;
    }
    const WriteStatus status = to_write_status(port_->send(batch, cursor, now.boot));
    return status == WriteStatus::blocked && cursor.kernel_busy ? WriteStatus::retry : status;
  }
  int write_fd() const noexcept override { return port_ == nullptr ? -1 : port_->send_fd(); }
  [[nodiscard]] std::uint64_t without_socket() const noexcept { return without_socket_.load(); }

 private:
  UdpPort* port_ = nullptr;
  std::atomic<std::uint64_t> without_socket_{0};  // both the packet thread and the UDP thread may write
};

class TunWriter final : public DeviceWriter<packet::TunWriteBatch, TunCursor> {
 public:
  explicit TunWriter(TunPort& device) : device_(&device) {}
  WriteStatus write(const packet::TunWriteBatch& batch, TunCursor& cursor, Now) noexcept override {
    return to_write_status(device_->write(batch, cursor));
  }
  int write_fd() const noexcept override { return device_->write_fd(); }

 private:
  TunPort* device_;
};

using UdpWriterStation = WriterStation<packet::UdpSendBatch, SendCursor>;
using TunWriterStation = WriterStation<packet::TunWriteBatch, TunCursor>;

// One family's socket side: reader, writer, and the channels to and from the packet thread.
struct UdpSide {
  UdpSide(std::string pool_name, Waker& udp_waker, Waker& packet_waker)
      : pool(std::move(pool_name), packet::kLargeBufferBytes, kUdpReadPoolBytes),
        in(kInboundBatches, udp_waker, packet_waker),
        out(kOutboundBatches, packet_waker, udp_waker),
        reader(in, pool, udp_waker),
        writer_station(writer, out) {}

  void set_port(std::unique_ptr<UdpPort> next) {
    reader.set_port(next.get());
    writer.set_port(next.get());
    port = std::move(next);
  }

  BufferPool pool;
  std::unique_ptr<UdpPort> port;
  UdpWriter writer;
  Channel<packet::UdpBatch> in;
  Channel<UdpOutbox::Item> out;
  UdpReader reader;
  UdpWriterStation writer_station;
};

struct CipherThread {
  CipherThread(unsigned number, std::unique_ptr<crypto::Aead> aead, Waker& packet_waker)
      : thread("cipher " + std::to_string(number)), helper(std::move(aead), thread.waker(), packet_waker) {
    thread.add(helper);
  }

  LoopThread thread;
  CipherHelper helper;
};

}  // namespace

// Members in the order of their dependence: threads stop and channels empty before pools go.
struct DataPlane::Parts {
  Parts(packet::Engine& engine, crypto::Aead& aead, TunPort& tun, std::vector<BufferPool*> engine_pools,
        DataPlaneOptions options, int closed_fd)
      : tun_pool("tun", packet::kLargeBufferBytes, kTunReadPoolBytes),
        fused(options.mode == ThreadMode::fused),
        packet_thread(fused ? "data plane" : "packet"),
        tun_thread("TUN"),
        udp4_thread("UDP IPv4"),
        udp6_thread("UDP IPv6"),
        udp4("udp4", home(udp4_thread).waker(), packet_thread.waker()),
        udp6("udp6", home(udp6_thread).waker(), packet_thread.waker()),
        tun_in(kInboundBatches, home(tun_thread).waker(), packet_thread.waker()),
        tun_out(kOutboundBatches, packet_thread.waker(), home(tun_thread).waker()),
        tun_reader(tun, tun_in, tun_pool, home(tun_thread).waker(),
                   [closed_fd] {
                     const std::uint64_t one = 1;
                     [[maybe_unused]] const auto written = ::write(closed_fd, &one, sizeof one);
                   }),
        tun_writer(tun),
        tun_writer_station(tun_writer, tun_out),
        helpers(make_helpers(std::move(options.helpers), packet_thread.waker())),
        loop(PacketLoop::Wiring{
            .engine = &engine,
            .aead = &aead,
            .tun = &tun,
            .waker = &packet_thread.waker(),
            .tun_in = &tun_in,
            .udp4_in = &udp4.in,
            .udp6_in = &udp6.in,
            .tun_out = TunOutbox(tun_writer, tun_out, options.mode != ThreadMode::split),
            .udp4_out = UdpOutbox(udp4.writer, udp4.out, options.mode != ThreadMode::split),
            .udp6_out = UdpOutbox(udp6.writer, udp6.out, options.mode != ThreadMode::split),
            .pools = std::move(engine_pools),
            .helpers = helper_list(),
            .cipher_threshold = options.cipher_threshold,
        }) {
    // In a fused loop the order matters: what was read is worked on and written in the same turn.
    home(udp4_thread).add(udp4.reader);
    home(udp6_thread).add(udp6.reader);
    home(tun_thread).add(tun_reader);
    packet_thread.add(loop);
    home(tun_thread).add(tun_writer_station);
    home(udp4_thread).add(udp4.writer_station);
    home(udp6_thread).add(udp6.writer_station);
  }

  // Where a device's stations run.
  LoopThread& home(LoopThread& own) noexcept { return fused ? packet_thread : own; }
  std::vector<LoopThread*> threads() {
    std::vector<LoopThread*> threads{&tun_thread, &udp4_thread, &udp6_thread, &packet_thread};
    for (const auto& helper : helpers) threads.push_back(&helper->thread);
    return threads;
  }
  std::vector<CipherHelper*> helper_list() {
    std::vector<CipherHelper*> list;
    for (const auto& helper : helpers) list.push_back(&helper->helper);
    return list;
  }
  static std::vector<std::unique_ptr<CipherThread>> make_helpers(std::vector<std::unique_ptr<crypto::Aead>> aeads,
                                                                 Waker& packet_waker) {
    std::vector<std::unique_ptr<CipherThread>> helpers;
    for (auto& aead : aeads) {
      const auto number = static_cast<unsigned>(helpers.size() + 1);
      helpers.push_back(std::make_unique<CipherThread>(number, std::move(aead), packet_waker));
    }
    return helpers;
  }

  void drain() {
    udp4.in.drain();
    udp6.in.drain();
    tun_in.drain();
    tun_out.drain();
    udp4.out.drain();
    udp6.out.drain();
  }

  BufferPool tun_pool;
  bool fused;
  LoopThread packet_thread;
  LoopThread tun_thread;
  LoopThread udp4_thread;
  LoopThread udp6_thread;
  UdpSide udp4;
  UdpSide udp6;
  Channel<packet::TunBatch> tun_in;
  Channel<TunOutbox::Item> tun_out;
  TunReader tun_reader;
  TunWriter tun_writer;
  TunWriterStation tun_writer_station;
  std::vector<std::unique_ptr<CipherThread>> helpers;
  PacketLoop loop;
};

DataPlane::DataPlane(packet::Engine& engine, crypto::Aead& aead, TunPort& tun, std::vector<BufferPool*> engine_pools,
                     DataPlaneOptions options)
    : mode_(options.mode), closed_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (closed_.get() < 0) throw std::system_error(errno, std::generic_category(), "cannot create an eventfd");
  parts_ = std::make_unique<Parts>(engine, aead, tun, std::move(engine_pools), std::move(options), closed_.get());
}

DataPlane::~DataPlane() {
  stop();
  parts_->drain();
}

void DataPlane::start() {
  for (LoopThread* thread : parts_->threads()) thread->start();
  running_ = true;
}

void DataPlane::stop() {
  for (LoopThread* thread : parts_->threads()) thread->stop();
  running_ = false;
}

void DataPlane::set_ports(std::unique_ptr<UdpPort> v4, std::unique_ptr<UdpPort> v6,
                          const std::function<void(const UdpPort&)>& retire) {
  const bool was_running = running_;
  stop();
  for (const UdpSide* side : {&parts_->udp4, &parts_->udp6}) {
    if (retire && side->port) retire(*side->port);
  }
  parts_->udp4.set_port(std::move(v4));
  parts_->udp6.set_port(std::move(v6));
  if (was_running) start();
}

UdpPort* DataPlane::port(Family family) noexcept {
  return (family == Family::v4 ? parts_->udp4 : parts_->udp6).port.get();
}

std::string_view DataPlane::udp_backend() const noexcept {
  for (const UdpSide* side : {&parts_->udp4, &parts_->udp6}) {
    if (side->port) return side->port->backend();
  }
  return {};
}

void DataPlane::run(const std::function<void(packet::Engine&, Now, packet::Output&)>& command) {
  std::promise<void> done;
  auto finished = done.get_future();
  const bool posted = parts_->loop.post([&command, &done](packet::Engine& engine, Now now, packet::Output& output) {
    command(engine, now, output);
    done.set_value();
  });
  // The control thread waits for each command, so that the queue never fills.
  if (!posted) throw std::logic_error("the packet thread's command queue is full");
  if (!running_) parts_->loop.run_posted(read_clocks());
  finished.wait();
}

std::vector<QueueDepth> DataPlane::queue_depths() const {
  return {
      {"tun_in", parts_->tun_in.depth(), parts_->tun_in.length()},
      {"udp4_in", parts_->udp4.in.depth(), parts_->udp4.in.length()},
      {"udp6_in", parts_->udp6.in.depth(), parts_->udp6.in.length()},
      {"tun_out", parts_->tun_out.depth(), parts_->tun_out.length()},
      {"udp4_out", parts_->udp4.out.depth(), parts_->udp4.out.length()},
      {"udp6_out", parts_->udp6.out.depth(), parts_->udp6.out.length()},
  };
}

std::vector<const BufferPool*> DataPlane::pools() const {
  std::vector<const BufferPool*> pools{&parts_->tun_pool, &parts_->udp4.pool, &parts_->udp6.pool};
  const auto& engine_pools = parts_->loop.pools();
  pools.insert(pools.end(), engine_pools.begin(), engine_pools.end());
  return pools;
}

const Counters<PacketLoopCounter>& DataPlane::loop_counters() const noexcept {
  return parts_->loop.counters();
}

const Counters<CipherCounter>& DataPlane::cipher_counters() const noexcept {
  return parts_->loop.cipher_counters();
}

std::size_t DataPlane::cipher_threads() const noexcept {
  return parts_->helpers.size();
}

const Counters<UdpReaderCounter>& DataPlane::reader_counters(Family family) const noexcept {
  return (family == Family::v4 ? parts_->udp4 : parts_->udp6).reader.counters();
}

std::vector<const LoopThread*> DataPlane::threads() const {
  std::vector<const LoopThread*> threads;
  for (const LoopThread* thread : parts_->threads()) {
    if (!thread->empty()) threads.push_back(thread);
  }
  return threads;
}

std::uint64_t DataPlane::datagrams_without_socket() const noexcept {
  return parts_->udp4.writer.without_socket() + parts_->udp6.writer.without_socket();
}

}  // namespace fireline::io
