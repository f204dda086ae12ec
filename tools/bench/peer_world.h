// A device of the profile `paper` with many peers and, in the same process without sockets, those peers: for what
// 10,000 of them cost it. A peer can be configured and no more, or have a session. Metered is the device alone: CPU
// time of this thread without that of reading the clock, and memory.
//
//   peer i: 10.0.0.0 + i, inside 100.64.0.0 + i ──── device 192.0.2.1, inside 100.95.255.254
//
// Threads: one. Lifetime: the pools of a world are its own.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/keys.h"
#include "core/crypto/random.h"
#include "core/wireguard/device.h"
#include "io/pool.h"

namespace fireline::bench {

class PeerWorld {
 public:
  // The device and its own key; no peer yet.
  PeerWorld();
  ~PeerWorld();
  PeerWorld(const PeerWorld&) = delete;
  PeerWorld& operator=(const PeerWorld&) = delete;

  struct Cost {
    double nanoseconds = 0;  // of all
    double bytes = 0;        // of each
  };
  // So many peers in one update, as `wg syncconf` gives them: endpoint, preshared key, one allowed IP.
  Cost configure(std::size_t peers);
  // A handshake of each, begun by the peer, and a first packet. Throws BenchError where one fails.
  Cost connect();

  // `count` packets in one train, given to the device at once: CPU nanoseconds of its turn, cipher included. Throws
  // BenchError when one of them is lost.
  [[nodiscard]] double receive(std::size_t peer, std::size_t count, std::size_t bytes);
  [[nodiscard]] double send(std::size_t peer, std::size_t count, std::size_t bytes);

 private:
  struct Party;

  [[nodiscard]] Now now() const noexcept;
  [[nodiscard]] std::unique_ptr<Party> make_party(const Endpoint& address, std::uint32_t inner);
  void start_device(Party& party);
  void shake_hands(Party& peer);
  // Moves what one sent to the other; nothing when it sent nothing.
  void carry(Party& from, Party& to);
  template <class Batch>
  void run_turn(Party& party, Batch& batch);
  Cost take_cost() noexcept;
  [[nodiscard]] std::uint64_t counted(wireguard::DeviceCounter counter) const;

  Instant now_;
  crypto::SystemRandom random_;
  std::unique_ptr<crypto::Aead> aead_;
  double clock_nanoseconds_;
  io::BufferPool large_;
  io::BufferPool small_;
  crypto::Key preshared_key_;
  Cost cost_;              // of the device's turns since it was taken
  bool weighing_ = false;  // a look at the heap walks through all of it: not around a single packet
  std::unique_ptr<Party> device_;
  std::vector<std::unique_ptr<Party>> peers_;  // without a device of their own until connect()
};

}  // namespace fireline::bench
