// A real fireline-wg with many real peers, all of them on one socket of this process: for what a packet costs the whole
// program, system calls included, when many take turns.
//
//   namespace a: fireline-wg, TUN 100.95.255.254/10 ── veth ── namespace b: peer i at 10.0.0.0 + i, 100.64.0.0 + i
//   inside a socket behind the TUN: what comes out, what goes in      a socket for all of them, each with its own
//   address
//
// A burst is sent and waited for, so that nothing is lost and as much is in flight as one asks for. Peers keep no time:
// nothing of theirs is sent again, and sessions last for kCrowdLasts.
// Needs root. Threads: one. Lifetime: the program, the namespaces and the pools are its own.
#pragma once
#include <cstddef>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/wireguard/device.h"
#include "io/pool.h"
#include "io/udp_socket.h"
#include "tools/bench/namespace_pair.h"
#include "tools/bench/process.h"

namespace fireline::bench {

// Behind it the first peers would ask for another session: REKEY_AFTER_TIME.
inline constexpr Duration kCrowdLasts = std::chrono::seconds(120);

class CrowdWorld {
 public:
  // Starts `program` (fireline-wg), configures all peers and shakes hands with one after the other. Throws BenchError.
  CrowdWorld(const std::string& program, std::size_t peers);
  ~CrowdWorld();
  CrowdWorld(const CrowdWorld&) = delete;
  CrowdWorld& operator=(const CrowdWorld&) = delete;

  struct Burst {
    std::span<const std::size_t> peers;
    std::size_t count = 1;  // packets of each, a train
    std::size_t bytes = 0;  // of a packet
    // No two trains make a longer one, also where their peer is the same: each is of a flow of its own, and every other
    // one has another ECN.
    bool apart = true;
  };
  // From the peers; back when all have come out of the TUN. Throws BenchError when one is lost.
  void send_up(const Burst& burst);
  // Into the TUN, to the peers; back when all have come to them.
  void send_down(const Burst& burst);

  // CPU time of the program since it began: of all its threads, in the kernel as well.
  [[nodiscard]] double program_nanoseconds() const;
  // Since the first handshake.
  [[nodiscard]] Duration age() const;

 private:
  struct Member;

  void start_program(const std::string& program);
  void add_member(std::size_t number);
  void connect(Member& member);
  template <class Batch>
  void run_turn(Member& member, Batch& batch);
  // Everything in `out_`, in one call where the kernel takes it.
  void send_out();
  // The next datagrams at a socket; throws BenchError when none comes.
  [[nodiscard]] packet::UdpBatch next_batch(io::UdpSocket& socket);
  // Until so many datagrams of at least `bytes` have come.
  void wait_for(io::UdpSocket& socket, std::size_t datagrams, std::size_t bytes);

  NamespacePair lab_;
  std::string interface_name_;
  crypto::SystemRandom random_;
  std::unique_ptr<crypto::Aead> aead_;
  io::BufferPool large_;
  io::BufferPool small_;
  crypto::Key preshared_key_;
  crypto::Key private_key_;  // the program's
  std::vector<std::byte> zeros_;
  std::unique_ptr<io::UdpSocket> crowd_;
  std::unique_ptr<io::UdpSocket> inside_;
  std::vector<std::unique_ptr<Member>> members_;
  packet::Output out_;
  std::unique_ptr<Child> program_;
  clockid_t clock_{};
  Instant begun_{};
};

}  // namespace fireline::bench
