// The seam between the packet thread and what it runs: a WireGuard device, a client or a gateway. Sans-I/O.
//
// State and cipher are two things. plan() decides and lists pure cipher jobs; somebody runs them; commit() applies the
// results in arrival order. A turn of the packet thread:
//
//   engine.plan(now, batch, work);      // takes the batch's buffers, leaves it empty
//   aead.seal/open(work.jobs)           // any thread, any order
//   engine.commit(now, work, output);   // clears the work
//
// Works are committed in the order in which they were planned; several may be planned before the first is committed.
// Rule of use: after handle_timeout and after commit the caller hands on everything in `output` before the next call.
// Threads: everything here belongs to the packet thread; jobs alone may run elsewhere.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/time.h"
#include "core/crypto/aead.h"
#include "core/packet/batch.h"

namespace fireline::packet {

// What a turn produces. The engine appends; the caller owns, sends and clears.
struct Output {
  UdpSendBatch udp4;
  UdpSendBatch udp6;
  TunWriteBatch tun;

  [[nodiscard]] UdpSendBatch& udp(Family family) noexcept { return family == Family::v4 ? udp4 : udp6; }
};

// The jobs of one planned batch; an engine derives its own context from it.
class Work {
 public:
  enum class Kind : std::uint8_t { seal, open };
  virtual ~Work() = default;

  Kind kind = Kind::seal;
  std::vector<crypto::AeadJob> jobs;
};

class Engine {
 public:
  virtual ~Engine() = default;

  [[nodiscard]] virtual std::unique_ptr<Work> make_work() = 0;
  virtual void plan(Now now, TunBatch& batch, Work& work) = 0;
  virtual void plan(Now now, UdpBatch& batch, Work& work) = 0;
  virtual void commit(Now now, Work& work, Output& output) = 0;

  // Handshake messages wait in a bounded queue of their own: one step works on at most one of them. The caller takes
  // at most one step between two data batches. False when none is waiting.
  virtual bool step_handshake(Now now, Output& output) = 0;

  // When handle_timeout wants to be called next; empty: never.
  [[nodiscard]] virtual std::optional<Instant> poll_timeout() const = 0;
  virtual void handle_timeout(Now now, Output& output) = 0;

  // The TUN device refused a merged packet: from here on TunWriteBatch holds single packets only.
  virtual void stop_merging() = 0;
};

}  // namespace fireline::packet
