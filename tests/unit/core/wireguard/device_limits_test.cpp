// The ends of the counters, which no test can reach packet by packet: a session is put there by hand.
#include <gtest/gtest.h>

#include "core/wireguard/constants.h"
#include "core/wireguard/device_configure.h"
#include "core/wireguard/device_send.h"
#include "tests/unit/core/wireguard/device_fixture.h"

namespace fireline::wireguard {
namespace {

class DeviceLimits : public testing::Test {
 protected:
  DeviceLimits()
      : aead(crypto::make_aead(crypto::AeadBackend::libsodium)), state({}, now, large, small, random, *aead) {
    DeviceUpdate update;
    update.private_key = seeded_key(1);
    update.peers.push_back(peer_update(StaticIdentity(seeded_key(2)).public_key(), {"10.0.0.2/32"}));
    update.peers.front().endpoint = Endpoint::parse("192.0.2.2:1");
    apply_update(state, now, update, output);
    set_up(state, now, true, output);
    peer = state.peers.peers().front().get();
  }

  Session& session_at(std::uint64_t counter, bool initiator) {
    SessionRef session(new Session(peer, seeded_key(5), seeded_key(6), state.profile.replay_window));
    session->initiator = initiator;
    session->birth = now.boot;
    session->next_counter = counter;
    session->local_index = peer->next_session_index();
    Session& added = *session.get();
    peer->sessions.add(std::move(session));
    if (!initiator) peer->sessions.confirm(added);
    return added;
  }
  void plan(const Packets& packets) {
    packet::TunBatch batch = Node::tun_batch(input, packets);
    plan_tun(state, now, batch, work);
  }

  Now now{.boot = Instant(1000s), .wall = UnixTime(1'700'000'000s)};
  HeapBuffers large{packet::kLargeBufferBytes};
  HeapBuffers small{packet::kSmallBufferBytes};
  HeapBuffers input{packet::kLargeBufferBytes};
  SeededRandom random{1};
  std::unique_ptr<crypto::Aead> aead;
  packet::Output output;
  DeviceState state;
  DeviceWork work;
  Peer* peer = nullptr;
};

TEST_F(DeviceLimits, RekeyBehind2To60Messages) {
  for (const bool initiator : {true, false}) {
    session_at(kRekeyAfterMessages - 1, initiator);
    plan({a_to_b()});
    commit_seal(state, now, work, output);
    work.clear();
    EXPECT_EQ(state.wanted.size(), 0u) << "2^60 messages were sent, not more";
    plan({a_to_b()});
    commit_seal(state, now, work, output);
    work.clear();
    ASSERT_EQ(state.wanted.size(), 1u) << "either role";
    state.wanted.clear();
    peer->initiation_wanted = false;
  }
}

TEST_F(DeviceLimits, NothingIsSealedBehindTheLastCounter) {
  const Session& session = session_at(kRejectAfterMessages - 2, true);
  plan({a_to_b(), a_to_b(), a_to_b()});
  ASSERT_EQ(work.jobs.size(), 2u);
  EXPECT_EQ(work.jobs.back().counter, kRejectAfterMessages - 1);
  EXPECT_EQ(session.next_counter, kRejectAfterMessages);
  EXPECT_EQ(state.queued_packets, 1u) << "the third waits for another session";
  EXPECT_EQ(state.wanted.size(), 1u);
}

TEST_F(DeviceLimits, ASuperPacketDoesNotCrossTheEnd) {
  session_at(kRejectAfterMessages - 2, true);
  packet::Offload offload;
  const Packet whole = tcp_super_packet("10.0.0.1", "10.0.0.2", 4000, 1000, offload);
  packet::TunBatch batch = Node::tun_batch(input, {whole});
  batch.packets.front().offload = offload;
  plan_tun(state, now, batch, work);
  EXPECT_TRUE(work.jobs.empty());
  EXPECT_EQ(state.queued_packets, 4u);
}

}  // namespace
}  // namespace fireline::wireguard
