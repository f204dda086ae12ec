// Real sockets on the loopback of a fresh namespace, with each backend: what one side sends, the other receives, with
// all its marks.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/unit/io/network_namespace.h"
#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

class UdpPortOn : public OnEachUdpBackend {};
FIRELINE_ON_EACH_UDP_BACKEND(UdpPortOn);

class UdpPortOf : public OnEachFamilyAndUdpBackend {};
FIRELINE_ON_EACH_FAMILY_AND_UDP_BACKEND(UdpPortOf);

TEST_P(UdpPortOf, ATrainArrivesAsOneGroTrain) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = family});
    const auto receiver = open_port(io, {.family = family});
    ASSERT_TRUE(sender && receiver);
    EXPECT_TRUE(receiver->status().gro);
    EXPECT_TRUE(sender->status().gso);
    auto memory = numbered(40 * 1300 + 700);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 1300, loopback(family, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::calls), 1U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 41U);

    packet::UdpBatch in;
    ASSERT_EQ(receive_next(*receiver, in, pool), IoStatus::would_block);
    ASSERT_EQ(in.datagrams.size(), 1U);
    const packet::ReceivedDatagrams& got = in.datagrams[0];
    EXPECT_EQ(got.segment_bytes, 1300U);
    ASSERT_EQ(got.bytes.size(), memory.size());
    EXPECT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(), memory.begin()));
    EXPECT_EQ(got.source, loopback(family, sender->port()));
    EXPECT_EQ(got.local.address, loopback(family, 0).address);
    EXPECT_NE(got.local.interface, 0U);
    EXPECT_EQ(receiver->receive_counters().get(UdpReceiveCounter::datagrams), 41U);
  });
}

TEST_P(UdpPortOf, TheLargestTrainGoesInOneCall) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = family});
    const auto receiver = open_port(io, {.family = family});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(family == Family::v4 ? packet::kTrainBytesV4 : packet::kTrainBytesV6);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 1452, loopback(family, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::calls), 1U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 46U);
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
    std::vector<std::byte> got;
    for (const auto& datagrams : in.datagrams) got.insert(got.end(), datagrams.bytes.begin(), datagrams.bytes.end());
    EXPECT_EQ(got, memory);
  });
}

TEST_P(UdpPortOf, EcnBitsArriveAndAreClearedAgain) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = family});
    const auto receiver = open_port(io, {.family = family});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(500);
    packet::UdpSendBatch out;
    const std::vector<packet::Ecn> marks = {packet::Ecn::ce, packet::Ecn::not_ect, packet::Ecn::ect0, packet::Ecn::ect1,
                                            packet::Ecn::not_ect};
    for (const packet::Ecn mark : marks) {
      out.trains.push_back(train_of(memory, 100, loopback(family, receiver->port())));
      out.trains.back().ecn = mark;
    }
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
    ASSERT_EQ(in.datagrams.size(), marks.size());
    for (std::size_t i = 0; i < marks.size(); ++i) EXPECT_EQ(in.datagrams[i].ecn, marks[i]) << i;
  });
}

TEST_P(UdpPortOf, ReceivesSinglesAndTrainsInOrder) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = family});
    const auto receiver = open_port(io, {.family = family, .gro = false});
    ASSERT_TRUE(sender && receiver);
    EXPECT_FALSE(receiver->status().gro);
    auto memory = numbered(20 * 100);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 100, loopback(family, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
    ASSERT_EQ(in.datagrams.size(), 20U) << "without GRO the kernel cuts the train";
    EXPECT_EQ(in.buffers.size(), 1U);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(std::equal(in.datagrams[i].bytes.begin(), in.datagrams[i].bytes.end(),
                             memory.begin() + static_cast<std::ptrdiff_t>(i * 100)));
    }
  });
}

TEST_P(UdpPortOf, AVanishedSourceAddressDoesNotStopSending) {
  in_network_namespace([family = std::get<0>(GetParam()), io = std::get<1>(GetParam())] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = family});
    const auto receiver = open_port(io, {.family = family});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(300);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 100, loopback(family, receiver->port())));
    out.trains[0].local = {.address = *IpAddress::parse(family == Family::v4 ? "198.51.100.7" : "2001:db8::7"),
                           .interface = 999};
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::without_source), 1U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 3U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::gso_refused), 0U);
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
  });
}

TEST_P(UdpPortOn, AnInterfaceThatIsGonePinsLinkLocalSourcesAlone) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = Family::v6});
    const auto receiver = open_port(io, {.family = Family::v6});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(100);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 100, loopback(Family::v6, receiver->port())));
    out.trains[0].local = {.address = *IpAddress::parse("::1"), .interface = 999};
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::without_source), 0U) << "the address is still ours";
    out.trains[0].local.address = *IpAddress::parse("fe80::1");
    cursor = {};
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::without_source), 1U);
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
  });
}

TEST_P(UdpPortOn, AnswersLeaveFromTheAddressThatWasAsked) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto asker = open_port(io, {.family = Family::v4});
    const auto answerer = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(asker && answerer);
    auto memory = numbered(100);
    packet::UdpSendBatch question;
    question.trains.push_back(
        train_of(memory, 100, *Endpoint::parse("127.0.0.77:" + std::to_string(answerer->port()))));
    SendCursor cursor;
    ASSERT_EQ(asker->send(question, cursor, kNow), IoStatus::done);
    packet::UdpBatch in;
    (void)receive_next(*answerer, in, pool);
    ASSERT_EQ(in.datagrams.size(), 1U);
    EXPECT_EQ(in.datagrams[0].local.address.to_string(), "127.0.0.77");

    packet::UdpSendBatch answer;
    answer.trains.push_back(train_of(memory, 100, in.datagrams[0].source));
    answer.trains[0].local = in.datagrams[0].local;
    SendCursor back;
    ASSERT_EQ(answerer->send(answer, back, kNow), IoStatus::done);
    packet::UdpBatch answered;
    (void)receive_next(*asker, answered, pool);
    ASSERT_EQ(answered.datagrams.size(), 1U);
    EXPECT_EQ(answered.datagrams[0].source.address.to_string(), "127.0.0.77");
  });
}

TEST_P(UdpPortOn, UnreachableAndTooLargeAreCountedAndTheRestGoes) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = Family::v4});
    const auto probing = open_port(io, {.family = Family::v4, .path_mtu = PathMtu::probe});
    const auto receiver = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(sender && probing && receiver);
    auto memory = numbered(300);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 100, *Endpoint::parse("192.0.2.1:9")));
    out.trains.push_back(train_of(memory, 100, loopback(Family::v4, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::drop_unreachable), 3U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 3U);

    // An MTU below the segment: the full segments are too large, the short last one goes.
    set_interface_mtu("lo", 600);
    auto large = numbered(1000 + 1000 + 50);
    packet::UdpSendBatch too_large;
    too_large.trains.push_back(train_of(large, 1000, loopback(Family::v4, receiver->port())));
    SendCursor probe_cursor;
    ASSERT_EQ(probing->send(too_large, probe_cursor, kNow), IoStatus::done);
    EXPECT_EQ(probing->send_counters().get(UdpSendCounter::drop_too_big), 2U);
    EXPECT_EQ(probing->send_counters().get(UdpSendCounter::datagrams), 1U);
    EXPECT_EQ(probing->status().gso_errno, 0);
  });
}

TEST_P(UdpPortOn, AFailureInTheMiddleOfABatchNeitherStopsNorReordersTheRest) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = Family::v4});
    const auto receiver = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(sender && receiver);
    const Endpoint good = loopback(Family::v4, receiver->port());
    const Endpoint unreachable = *Endpoint::parse("192.0.2.1:9");
    const Endpoint foreign = loopback(Family::v6, 9);
    std::vector<std::vector<std::byte>> memory;
    packet::UdpSendBatch out;
    unsigned char number = 0;
    // More than one chain, with failures at its start, in its middle and at its end.
    for (const Endpoint& destination : {unreachable, good, good, foreign, good, unreachable, unreachable, good, good,
                                        good, good, good, good, good, good, unreachable, good, good, foreign}) {
      memory.emplace_back(250, std::byte{number++});
      out.trains.push_back(train_of(memory.back(), 100, destination));
    }
    for (std::size_t i = 0; i < memory.size(); ++i) out.trains[i].bytes = memory[i];
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::drop_unreachable), 4U * 3);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::drop_invalid), 2U * 3);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 13U * 3);
    std::vector<unsigned> arrived;
    packet::UdpBatch in;
    (void)receive_next(*receiver, in, pool);
    for (const auto& each : in.datagrams) arrived.push_back(std::to_integer<unsigned>(each.bytes[0]));
    EXPECT_EQ(arrived, (std::vector<unsigned>{1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17}));
  });
}

TEST_P(UdpPortOn, AFullSocketBufferIsCountedAsKernelDrops) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto sender = open_port(io, {.family = Family::v4});
    const auto receiver =
        open_port(io, {.family = Family::v4, .receive_buffer_bytes = kUdpBufferBytesMin, .gro = false});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(64 * 1000);
    packet::UdpSendBatch out;
    for (int i = 0; i < 20; ++i) out.trains.push_back(train_of(memory, 1000, loopback(Family::v4, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    const auto drain = [&] {
      packet::UdpBatch in;
      IoStatus status = receive_next(*receiver, in, pool);
      while (status == IoStatus::done) {
        packet::UdpBatch more;
        status = receiver->receive(more, pool);
      }
    };
    drain();
    // The count travels with the next datagram that finds room.
    packet::UdpSendBatch last;
    last.trains.push_back(train_of(memory, 1000, loopback(Family::v4, receiver->port())));
    last.trains[0].bytes = last.trains[0].bytes.first(1000);
    SendCursor last_cursor;
    ASSERT_EQ(sender->send(last, last_cursor, kNow), IoStatus::done);
    drain();
    const auto received = receiver->receive_counters().get(UdpReceiveCounter::datagrams);
    const auto dropped = receiver->receive_counters().get(UdpReceiveCounter::kernel_drops);
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(received + dropped, 20U * 64 + 1) << "the ledger adds up";
    EXPECT_EQ(receiver->status().kernel_drops, dropped);
  });
}

TEST_P(UdpPortOn, SendsReceivesAndTellsItsStatusOnThreeThreadsAtOnce) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto socket = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(socket);
    constexpr std::uint64_t kTrains = 200;
    constexpr std::uint64_t kDatagrams = 10;
    std::thread sender([&] {
      auto memory = numbered(kDatagrams * 100);
      for (std::uint64_t i = 0; i < kTrains; ++i) {
        packet::UdpSendBatch out;
        out.trains.push_back(train_of(memory, 100, loopback(Family::v4, socket->port())));
        SendCursor cursor;
        EXPECT_EQ(socket->send(out, cursor, kNow), IoStatus::done);
      }
    });
    std::atomic<bool> finished{false};
    std::thread reader([&] {
      while (!finished) {
        EXPECT_TRUE(socket->status().gro);
        EXPECT_LE(socket->send_counters().get(UdpSendCounter::datagrams), kTrains * kDatagrams);
      }
    });
    std::uint64_t received = 0;
    while (received < kTrains * kDatagrams) {
      packet::UdpBatch in;
      if (receive_next(*socket, in, pool) == IoStatus::closed) break;
      for (const auto& each : in.datagrams) received += each.bytes.size() / 100;
    }
    finished = true;
    sender.join();
    reader.join();
    EXPECT_EQ(received, socket->receive_counters().get(UdpReceiveCounter::datagrams));
  });
}

TEST_P(UdpPortOn, ATakenPortIsOneClearSentence) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto first = open_port(io, {.family = Family::v4, .port = 51820});
    ASSERT_TRUE(first);
    const auto second = open_udp({.family = Family::v4, .port = 51820, .io = io});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(
        second.error().to_string(),
        "cannot bind UDP port 51820 (IPv4): Address already in use (EADDRINUSE): choose another ListenPort or stop "
        "the program that holds this one");
  });
}

TEST_P(UdpPortOn, APairSharesItsPort) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto pair = open_udp_pair({.io = io});
    ASSERT_TRUE(pair.has_value()) << pair.error().to_string();
    ASSERT_TRUE(pair->v4 && pair->v6);
    EXPECT_NE(pair->v4->port(), 0U);
    EXPECT_EQ(pair->v4->port(), pair->v6->port());
    const auto again = open_udp_pair({.port = pair->v6->port(), .io = io});
    EXPECT_FALSE(again.has_value());
  });
}

TEST_P(UdpPortOn, TheMarkIsSetAndChanged) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto socket = open_port(io, {.family = Family::v4, .fwmark = 0xfd002021});
    ASSERT_TRUE(socket);
    const auto mark = [&] {
      std::uint32_t value = 0;
      socklen_t length = sizeof value;
      EXPECT_EQ(::getsockopt(socket->send_fd(), SOL_SOCKET, SO_MARK, &value, &length), 0);
      return value;
    };
    EXPECT_EQ(mark(), 0xfd002021U);
    EXPECT_FALSE(socket->set_fwmark(0).has_value());
    EXPECT_EQ(mark(), 0U);
  });
}

TEST_P(UdpPortOn, BuffersAreAsLargeAsAskedWhenPrivileged) {
  in_network_namespace([io = GetParam()] {
    HeapBuffers pool;
    const auto socket = open_port(io, {.family = Family::v4});
    ASSERT_TRUE(socket);
    EXPECT_EQ(socket->status().receive_buffer_bytes, kUdpReceiveBufferBytes);
    EXPECT_EQ(socket->status().send_buffer_bytes, kUdpSendBufferBytes);
  });
}

}  // namespace
}  // namespace fireline::io
