// Everything that a device knows about one peer. A plain record: the device's parts (device_state.h) keep its rules.
// Lifetime: made and dropped by PeerTable; never moves. Threads: one owner.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/deadline_heap.h"
#include "core/base/endpoint.h"
#include "core/base/prefetch.h"
#include "core/base/time.h"
#include "core/crypto/keys.h"
#include "core/packet/batch.h"
#include "core/wireguard/allowed_ips.h"
#include "core/wireguard/cookie.h"
#include "core/wireguard/index_table.h"
#include "core/wireguard/noise.h"
#include "core/wireguard/packet_queue.h"
#include "core/wireguard/peer_path.h"
#include "core/wireguard/session_set.h"
#include "core/wireguard/timers.h"

namespace fireline::wireguard {

struct alignas(kCacheLineBytes) Peer : AllowedIpsOwner {
  Peer(const crypto::PublicKey& key, const Profile& profile) noexcept
      : timers(profile), queue(profile.queued_packets), sessions(profile.sessions), public_key(key) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // What every packet touches is three cache lines, to the current session's pointer; the path is a fourth one.

  // Of the tables that hold it.
  std::uint32_t heap_position = kNotInHeap;
  std::uint32_t first_planned = kNone;  // of this turn: chain of the packets to be planned
  std::uint32_t last_planned = kNone;
  bool flush_wanted = false;            // in the device's list
  bool data_watched = false;            // the next one is reported
  bool late_initiation_wanted = false;  // asked for once at 165 s of this session
  Instant heap_deadline = Instant::max();
  std::optional<Instant> last_data;  // an IP packet sent, queued or received
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  Timers timers;
  PacketQueue queue;
  SessionSet sessions;
  std::uint64_t last_planned_work = 0;  // number of the last Work that holds trains for it
  std::optional<PeerPath> path;         // Profile::roaming: `local` is where its last authentic packet arrived
#ifdef FIRELINE_PLANTED_OLD_PATH
  std::optional<PeerPath> former_path;
#endif

  // Identity. `remote` and `cookies` exist while the device has a private key.
  crypto::PublicKey public_key;
  crypto::Key preshared_key;
  std::optional<RemoteIdentity> remote;
  std::optional<CookieGenerator> cookies;

  // Configuration.
  std::uint16_t persistent_keepalive_seconds = 0;
  std::uint32_t table_position = 0;  // in PeerTable

  // Handshakes.
  std::uint32_t connection = 0;                          // upper 24 bits of all session indices
  std::uint8_t session_counter = 0;                      // lower 8 bits of the last one given
  std::optional<InitiatorHandshake> initiation;          // ours, unanswered
  std::optional<InitiatorHandshake> earlier_initiation;  // Profile::keeps_earlier_initiation
  std::vector<ResponseMessage> held_responses;           // without a path; at most kHeldResponses
  std::optional<Instant> last_handshake_sent;            // initiation or response
  std::optional<Instant> last_initiation_received;       // the last one that was answered
  Tai64n greatest_timestamp;
  std::optional<UnixTime> last_handshake;  // completed
  bool initiation_wanted = false;          // in the device's list
  Peer* wanted_before = nullptr;           // its neighbours there
  Peer* wanted_behind = nullptr;
  bool initiation_postponed = false;  // asked for, but a handshake message left less than REKEY_TIMEOUT ago

  // Nothing but what each direction needs: a core waits for a dozen lines or so at a time.
  void prefetch_sending() const noexcept {
    prefetch_receiving(false);
    prefetch_line(&path);
  }
  void prefetch_receiving(bool roaming) const noexcept {
    fireline::prefetch(this, &sessions);
    if (roaming) prefetch_line(&path);
  }

  // The next index that no session or initiation of this peer uses.
  [[nodiscard]] std::uint32_t next_session_index() noexcept;
  // Whether an initiation of ours is unanswered and will be sent again. Its response is welcome longer than that: until
  // another initiation takes its place.
  [[nodiscard]] bool initiating() const noexcept {
    return initiation.has_value() && timers.armed(Timer::retransmit_handshake);
  }
  void forget_handshakes() noexcept;
};

}  // namespace fireline::wireguard
