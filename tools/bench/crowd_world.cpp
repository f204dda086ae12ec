#include "tools/bench/crowd_world.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "core/crypto/x25519.h"
#include "io/loop_thread.h"
#include "tools/bench/inner_packet.h"
#include "tools/bench/node_addresses.h"
#include "tools/bench/thread_cost.h"

namespace fireline::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kProgramPort = 51820, kCrowdPort = 51821;
constexpr std::uint32_t kCrowd = 0x0A000000;
constexpr int kMtu = 1420;
constexpr std::size_t kLargeLimitBytes = 128 * packet::kLargeBufferBytes;
constexpr std::size_t kSmallLimitBytes = 512 * packet::kSmallBufferBytes;
constexpr std::size_t kFirstPacketBytes = 64;
constexpr std::size_t kIpAndUdpBytes = 28;
constexpr auto kReady = 10s;
// For a burst of at most a few hundred packets: what takes longer is lost.
constexpr int kBurstMilliseconds = 5000;
// A few milliseconds of looking before the receiver sleeps. A datagram that finds it asleep costs the program that sent
// it a wake-up, a quarter of a packet alone, and how many do is chance.
constexpr int kLooksBeforeSleep = 10'000;

}  // namespace

struct CrowdWorld::Member {
  IpAddress address;
  std::uint32_t inner = 0;
  crypto::PublicKey public_key;
  std::unique_ptr<wireguard::Device> device;
  std::unique_ptr<packet::Work> work;
};

CrowdWorld::CrowdWorld(const std::string& program, std::size_t peers)
    : lab_(Underlay::plain),
      interface_name_(fmt::format("fl{}c", getpid())),
      aead_(crypto::make_aead(
          crypto::fastest_aead_backend([] { return static_cast<std::uint64_t>(thread_nanoseconds()); }))),
      large_("bench.large", packet::kLargeBufferBytes, kLargeLimitBytes),
      small_("bench.small", packet::kSmallBufferBytes, kSmallLimitBytes),
      preshared_key_(crypto::generate_private_key(random_)),
      private_key_(crypto::generate_private_key(random_)),
      zeros_(packet::kTrainBytesV4) {
  large_.adopt(nullptr);
  small_.adopt(nullptr);
  for (std::size_t i = 0; i < peers; ++i) add_member(i);
  start_program(program);
  run_in(lab_.a(), fmt::format("ip route add 10.0.0.0/8 via {}", kUnderlayB));
  run_in(lab_.b(), "ip route add local 10.0.0.0/8 dev lo");
  crowd_ = open_udp_socket(lab_.b(), {.family = Family::v4, .port = kCrowdPort});
  inside_ = open_udp_socket(lab_.a(), {.family = Family::v4, .port = kInnerTo, .address = address4(kTunnelOfGateway)});
  begun_ = io::read_clocks().boot;
  for (const auto& member : members_) connect(*member);
}

CrowdWorld::~CrowdWorld() {
  out_.udp4.clear();
  members_.clear();
}

void CrowdWorld::send_up(const Burst& burst) {
  std::uint16_t from = kInnerFrom;
  for (const std::size_t peer : burst.peers) {
    Member& member = *members_[peer];
    auto batch = inner_packets(large_.acquire(), member.inner, kTunnelOfGateway, burst.count, burst.bytes, from);
    run_turn(member, batch);
    if (burst.apart) ++from;
  }
  send_out();
  wait_for(*inside_, burst.peers.size() * burst.count, burst.bytes - kIpAndUdpBytes);
}

void CrowdWorld::send_down(const Burst& burst) {
  const std::size_t payload = burst.bytes - kIpAndUdpBytes;
  packet::UdpSendBatch batch;
  for (const std::size_t peer : burst.peers) {
    const bool marked = burst.apart && batch.trains.size() % 2 == 1;
    batch.trains.push_back({.bytes = Bytes(zeros_).first(burst.count * payload),
                            .segment_bytes = static_cast<std::uint16_t>(payload),
                            .ecn = marked ? packet::Ecn::ect0 : packet::Ecn::not_ect,
                            .destination = {address4(members_[peer]->inner), kInnerTo},
                            .local = {}});
  }
  io::SendCursor cursor;
  while (inside_->send(batch, cursor, io::read_clocks().boot) != io::IoStatus::done) check_interrupt();
  wait_for(*crowd_, burst.peers.size() * burst.count, burst.bytes);
}

double CrowdWorld::program_nanoseconds() const {
  timespec time{};
  if (::clock_gettime(clock_, &time) != 0) throw BenchError("fireline-wg is gone");
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

Duration CrowdWorld::age() const {
  return io::read_clocks().boot - begun_;
}

void CrowdWorld::add_member(std::size_t number) {
  const Now now = io::read_clocks();
  auto member = std::make_unique<Member>();
  member->address = address4(kCrowd + static_cast<std::uint32_t>(number) + 1);
  member->inner = kTunnelOfClients + static_cast<std::uint32_t>(number);
  member->device = std::make_unique<wireguard::Device>(wireguard::DeviceOptions{.profile = wireguard::kPaperProfile},
                                                       now, large_, small_, random_, *aead_);
  member->work = member->device->make_work();
  wireguard::DeviceUpdate update;
  update.private_key = crypto::generate_private_key(random_);
  member->public_key = crypto::public_key(*update.private_key);
  auto& known = update.peers.emplace_back();
  known.public_key = crypto::public_key(private_key_);
  known.endpoint = Endpoint{.address = *IpAddress::parse(kUnderlayA), .port = kProgramPort};
  known.preshared_key = preshared_key_;
  known.allowed_ips = {{*Prefix::make(address4(kTunnelOfGateway), 32), false}};
  member->device->apply(now, update, out_);
  member->device->set_up(now, true, out_);
  members_.push_back(std::move(member));
}

void CrowdWorld::start_program(const std::string& program) {
  program_ = std::make_unique<Child>(Command{{program, "-f", interface_name_}, lab_.a(), {{"LOG_LEVEL", "error"}}, {}});
  const std::string socket = fmt::format("/var/run/wireguard/{}.sock", interface_name_);
  for (auto waited = 0ms; !std::filesystem::exists(socket); waited += 20ms) {
    if (program_->ended() || waited > kReady)
      throw BenchError("fireline-wg does not start: " + program_->error_output());
    pause_for(20ms);
  }
  if (::clock_getcpuclockid(program_->pid(), &clock_) != 0) throw BenchError("no CPU clock of another process");
  std::string text =
      fmt::format("[Interface]\nPrivateKey = {}\nListenPort = {}\n", private_key_.to_base64(), kProgramPort);
  for (const auto& member : members_) {
    text += fmt::format("[Peer]\nPublicKey = {}\nPresharedKey = {}\nAllowedIPs = {}/32\nEndpoint = {}:{}\n",
                        member->public_key.to_base64(), preshared_key_.to_base64(), address4(member->inner).to_string(),
                        member->address.to_string(), kCrowdPort);
  }
  run({{"wg", "setconf", interface_name_, "/dev/stdin"}, lab_.a(), {}, std::move(text)});
  run_in(lab_.a(), fmt::format("ip address add {}/10 dev {}", address4(kTunnelOfGateway).to_string(), interface_name_));
  run_in(lab_.a(), fmt::format("ip link set {} mtu {} up", interface_name_, kMtu));
}

void CrowdWorld::connect(Member& member) {
  check_interrupt();
  auto first = inner_packets(large_.acquire(), member.inner, kTunnelOfGateway, 1, kFirstPacketBytes);
  run_turn(member, first);
  send_out();
  // Meanwhile others get keepalives.
  packet::UdpBatch response;
  while (response.empty()) {
    response = next_batch(*crowd_);
    std::erase_if(response.datagrams, [&](const auto& one) { return one.local.address != member.address; });
  }
  run_turn(member, response);
  send_out();
  wait_for(*inside_, 1, 0);
}

template <class Batch>
void CrowdWorld::run_turn(Member& member, Batch& batch) {
  const std::size_t before = out_.udp4.trains.size();
  const Now now = io::read_clocks();
  packet::Work& work = *member.work;
  member.device->plan(now, batch, work);
  work.kind == packet::Work::Kind::seal ? aead_->seal(work.jobs) : aead_->open(work.jobs);
  member.device->commit(now, work, out_);
  while (member.device->step_handshake(now, out_)) {
  }
  for (std::size_t i = before; i < out_.udp4.trains.size(); ++i) {
    out_.udp4.trains[i].local = {.address = member.address, .interface = 0};
  }
}

void CrowdWorld::send_out() {
  io::SendCursor cursor;
  while (crowd_->send(out_.udp4, cursor, io::read_clocks().boot) != io::IoStatus::done) check_interrupt();
  out_.udp4.clear();
  out_.tun.clear();
}

packet::UdpBatch CrowdWorld::next_batch(io::UdpSocket& socket) {
  packet::UdpBatch batch;
  for (int looks = 0;; ++looks) {
    const io::IoStatus status = socket.receive(batch, large_);
    if (!batch.empty()) return batch;
    if (status == io::IoStatus::closed) throw BenchError("a socket was closed");
    if (looks < kLooksBeforeSleep) continue;
    pollfd waiting{.fd = socket.poll_fd(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, kBurstMilliseconds);
    check_interrupt();
    if (ready == 0) throw BenchError("a packet was lost on the way through fireline-wg");
  }
}

void CrowdWorld::wait_for(io::UdpSocket& socket, std::size_t datagrams, std::size_t bytes) {
  std::size_t came = 0;
  while (came < datagrams) {
    for (const packet::ReceivedDatagrams& train : next_batch(socket).datagrams) {
      if (train.segment_bytes >= bytes) came += train.count();
    }
  }
  if (came != datagrams) throw BenchError("more packets came through fireline-wg than were sent");
}

}  // namespace fireline::bench
