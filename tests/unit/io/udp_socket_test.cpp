// Real sockets on the loopback of a fresh namespace: what one side sends, the other receives, with all its marks.
#include "io/udp_socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/io/heap_buffers.h"
#include "tests/unit/io/network_namespace.h"

namespace fireline::io {
namespace {

constexpr Instant kNow{std::chrono::hours(1)};

std::unique_ptr<UdpSocket> open_socket(const UdpOptions& options) {
  auto socket = UdpSocket::open(options);
  if (!socket.has_value()) {
    ADD_FAILURE() << socket.error().to_string();
    return nullptr;
  }
  return std::move(*socket);
}

Endpoint loopback(Family family, std::uint16_t port) {
  return {.address = *IpAddress::parse(family == Family::v4 ? "127.0.0.1" : "::1"), .port = port, .scope = 0};
}

packet::UdpTrain train_of(std::vector<std::byte>& memory, std::size_t segment_bytes, const Endpoint& destination) {
  packet::UdpTrain train;
  train.bytes = memory;
  train.segment_bytes = static_cast<std::uint16_t>(segment_bytes);
  train.destination = destination;
  return train;
}

std::vector<std::byte> numbered(std::size_t bytes) {
  std::vector<std::byte> memory(bytes);
  for (std::size_t i = 0; i < bytes; ++i) memory[i] = std::byte(i * 7 + i / 256);
  return memory;
}

void wait_readable(const UdpSocket& socket) {
  pollfd poll{.fd = socket.poll_fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&poll, 1, 5000), 1) << "nothing arrived";
}

class UdpSocketOf : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, UdpSocketOf, testing::Values(Family::v4, Family::v6),
                         [](const auto& param) { return param.param == Family::v4 ? "v4" : "v6"; });

TEST_P(UdpSocketOf, ATrainArrivesAsOneGroTrain) {
  in_network_namespace([family = GetParam()] {
    const auto sender = open_socket({.family = family});
    const auto receiver = open_socket({.family = family});
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

    wait_readable(*receiver);
    HeapBuffers pool;
    packet::UdpBatch in;
    ASSERT_EQ(receiver->receive(in, pool), IoStatus::would_block);
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

TEST_P(UdpSocketOf, TheLargestTrainGoesInOneCall) {
  in_network_namespace([family = GetParam()] {
    const auto sender = open_socket({.family = family});
    const auto receiver = open_socket({.family = family});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(family == Family::v4 ? packet::kTrainBytesV4 : packet::kTrainBytesV6);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 1452, loopback(family, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::calls), 1U);
    EXPECT_EQ(sender->send_counters().get(UdpSendCounter::datagrams), 46U);
    wait_readable(*receiver);
    HeapBuffers pool;
    packet::UdpBatch in;
    (void)receiver->receive(in, pool);
    std::vector<std::byte> got;
    for (const auto& datagrams : in.datagrams) got.insert(got.end(), datagrams.bytes.begin(), datagrams.bytes.end());
    EXPECT_EQ(got, memory);
  });
}

TEST_P(UdpSocketOf, EcnBitsArriveAndAreClearedAgain) {
  in_network_namespace([family = GetParam()] {
    const auto sender = open_socket({.family = family});
    const auto receiver = open_socket({.family = family});
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
    wait_readable(*receiver);
    HeapBuffers pool;
    packet::UdpBatch in;
    (void)receiver->receive(in, pool);
    ASSERT_EQ(in.datagrams.size(), marks.size());
    for (std::size_t i = 0; i < marks.size(); ++i) EXPECT_EQ(in.datagrams[i].ecn, marks[i]) << i;
  });
}

TEST_P(UdpSocketOf, ReceivesSinglesAndTrainsInOrder) {
  in_network_namespace([family = GetParam()] {
    const auto sender = open_socket({.family = family});
    const auto receiver = open_socket({.family = family, .gro = false});
    ASSERT_TRUE(sender && receiver);
    EXPECT_FALSE(receiver->status().gro);
    auto memory = numbered(20 * 100);
    packet::UdpSendBatch out;
    out.trains.push_back(train_of(memory, 100, loopback(family, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    wait_readable(*receiver);
    HeapBuffers pool;
    packet::UdpBatch in;
    (void)receiver->receive(in, pool);
    ASSERT_EQ(in.datagrams.size(), 20U) << "without GRO the kernel cuts the train";
    EXPECT_EQ(in.buffers.size(), 1U);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(std::equal(in.datagrams[i].bytes.begin(), in.datagrams[i].bytes.end(),
                             memory.begin() + static_cast<std::ptrdiff_t>(i * 100)));
    }
  });
}

TEST_P(UdpSocketOf, AVanishedSourceAddressDoesNotStopSending) {
  in_network_namespace([family = GetParam()] {
    const auto sender = open_socket({.family = family});
    const auto receiver = open_socket({.family = family});
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
    wait_readable(*receiver);
  });
}

TEST(UdpSocket, AnInterfaceThatIsGonePinsLinkLocalSourcesAlone) {
  in_network_namespace([] {
    const auto sender = open_socket({.family = Family::v6});
    const auto receiver = open_socket({.family = Family::v6});
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
    wait_readable(*receiver);
  });
}

TEST(UdpSocket, AnswersLeaveFromTheAddressThatWasAsked) {
  in_network_namespace([] {
    const auto asker = open_socket({.family = Family::v4});
    const auto answerer = open_socket({.family = Family::v4});
    ASSERT_TRUE(asker && answerer);
    auto memory = numbered(100);
    packet::UdpSendBatch question;
    question.trains.push_back(
        train_of(memory, 100, *Endpoint::parse("127.0.0.77:" + std::to_string(answerer->port()))));
    SendCursor cursor;
    ASSERT_EQ(asker->send(question, cursor, kNow), IoStatus::done);
    wait_readable(*answerer);
    HeapBuffers pool;
    packet::UdpBatch in;
    (void)answerer->receive(in, pool);
    ASSERT_EQ(in.datagrams.size(), 1U);
    EXPECT_EQ(in.datagrams[0].local.address.to_string(), "127.0.0.77");

    packet::UdpSendBatch answer;
    answer.trains.push_back(train_of(memory, 100, in.datagrams[0].source));
    answer.trains[0].local = in.datagrams[0].local;
    SendCursor back;
    ASSERT_EQ(answerer->send(answer, back, kNow), IoStatus::done);
    wait_readable(*asker);
    packet::UdpBatch answered;
    (void)asker->receive(answered, pool);
    ASSERT_EQ(answered.datagrams.size(), 1U);
    EXPECT_EQ(answered.datagrams[0].source.address.to_string(), "127.0.0.77");
  });
}

TEST(UdpSocket, UnreachableAndTooLargeAreCountedAndTheRestGoes) {
  in_network_namespace([] {
    const auto sender = open_socket({.family = Family::v4});
    const auto probing = open_socket({.family = Family::v4, .path_mtu = PathMtu::probe});
    const auto receiver = open_socket({.family = Family::v4});
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
    const FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request = interface_request("lo");
    request.ifr_mtu = 600;
    ASSERT_EQ(::ioctl(control.get(), SIOCSIFMTU, &request), 0);
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

TEST(UdpSocket, AFullSocketBufferIsCountedAsKernelDrops) {
  in_network_namespace([] {
    const auto sender = open_socket({.family = Family::v4});
    const auto receiver = open_socket({.family = Family::v4, .receive_buffer_bytes = kUdpBufferBytesMin, .gro = false});
    ASSERT_TRUE(sender && receiver);
    auto memory = numbered(64 * 1000);
    packet::UdpSendBatch out;
    for (int i = 0; i < 20; ++i) out.trains.push_back(train_of(memory, 1000, loopback(Family::v4, receiver->port())));
    SendCursor cursor;
    ASSERT_EQ(sender->send(out, cursor, kNow), IoStatus::done);
    HeapBuffers pool;
    const auto drain = [&] {
      for (;;) {
        packet::UdpBatch in;
        if (receiver->receive(in, pool) == IoStatus::would_block) return;
      }
    };
    wait_readable(*receiver);
    drain();
    // The count travels with the next datagram that finds room.
    packet::UdpSendBatch last;
    last.trains.push_back(train_of(memory, 1000, loopback(Family::v4, receiver->port())));
    last.trains[0].bytes = last.trains[0].bytes.first(1000);
    SendCursor last_cursor;
    ASSERT_EQ(sender->send(last, last_cursor, kNow), IoStatus::done);
    wait_readable(*receiver);
    drain();
    const auto received = receiver->receive_counters().get(UdpReceiveCounter::datagrams);
    const auto dropped = receiver->receive_counters().get(UdpReceiveCounter::kernel_drops);
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(received + dropped, 20U * 64 + 1) << "the ledger adds up";
    EXPECT_EQ(receiver->status().kernel_drops, dropped);
  });
}

TEST(UdpSocket, SendsReceivesAndTellsItsStatusOnThreeThreadsAtOnce) {
  in_network_namespace([] {
    const auto socket = open_socket({.family = Family::v4});
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
    HeapBuffers pool;
    std::uint64_t received = 0;
    while (received < kTrains * kDatagrams && !testing::Test::HasFatalFailure()) {
      wait_readable(*socket);
      packet::UdpBatch in;
      (void)socket->receive(in, pool);
      for (const auto& each : in.datagrams) received += each.bytes.size() / 100;
    }
    finished = true;
    sender.join();
    reader.join();
    EXPECT_EQ(received, socket->receive_counters().get(UdpReceiveCounter::datagrams));
  });
}

TEST(UdpSocket, ATakenPortIsOneClearSentence) {
  in_network_namespace([] {
    const auto first = open_socket({.family = Family::v4, .port = 51820});
    ASSERT_TRUE(first);
    const auto second = UdpSocket::open({.family = Family::v4, .port = 51820});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(
        second.error().to_string(),
        "cannot bind UDP port 51820 (IPv4): Address already in use (EADDRINUSE): choose another ListenPort or stop "
        "the program that holds this one");
  });
}

TEST(UdpSocket, APairSharesItsPort) {
  in_network_namespace([] {
    const auto pair = open_udp_pair({});
    ASSERT_TRUE(pair.has_value()) << pair.error().to_string();
    ASSERT_TRUE(pair->v4 && pair->v6);
    EXPECT_NE(pair->v4->port(), 0U);
    EXPECT_EQ(pair->v4->port(), pair->v6->port());
    const auto again = open_udp_pair({.port = pair->v6->port()});
    EXPECT_FALSE(again.has_value());
  });
}

TEST(UdpSocket, TheMarkIsSetAndChanged) {
  in_network_namespace([] {
    const auto socket = open_socket({.family = Family::v4, .fwmark = 0xfd002021});
    ASSERT_TRUE(socket);
    const auto mark = [&] {
      std::uint32_t value = 0;
      socklen_t length = sizeof value;
      EXPECT_EQ(::getsockopt(socket->poll_fd(), SOL_SOCKET, SO_MARK, &value, &length), 0);
      return value;
    };
    EXPECT_EQ(mark(), 0xfd002021U);
    EXPECT_FALSE(socket->set_fwmark(0).has_value());
    EXPECT_EQ(mark(), 0U);
  });
}

TEST(UdpSocket, BuffersAreAsLargeAsAskedWhenPrivileged) {
  in_network_namespace([] {
    const auto socket = open_socket({.family = Family::v4});
    ASSERT_TRUE(socket);
    EXPECT_EQ(socket->status().receive_buffer_bytes, kUdpReceiveBufferBytes);
    EXPECT_EQ(socket->status().send_buffer_bytes, kUdpSendBufferBytes);
  });
}

}  // namespace
}  // namespace fireline::io
