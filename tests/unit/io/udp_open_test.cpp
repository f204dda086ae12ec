// Which backend a socket gets, and what happens where io_uring is forbidden.
#include "io/udp_open.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <sstream>
#include <string>
#include <thread>

#include "tests/unit/io/udp_backend.h"

namespace fireline::io {
namespace {

// What a container's default profile does, for the calling thread alone: io_uring_setup fails with EPERM.
bool forbid_io_uring() {
  std::array<sock_filter, 4> program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

class LogCapture {
 public:
  LogCapture() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    auto logger = std::make_shared<spdlog::logger>("test", std::move(sink));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

TEST(UdpOpen, WhereIoUringIsForbiddenThePlainBackendStandsInAndOneLineSaysWhy) {
  const LogCapture log;
  std::thread([] {
    ASSERT_TRUE(forbid_io_uring()) << "seccomp: " << errno;
    HeapBuffers pool;
    for (const auto family : {Family::v4, Family::v6}) {
      auto port = open_udp({.family = family, .io = UdpIo::io_uring});
      ASSERT_TRUE(port.has_value()) << port.error().to_string();
      EXPECT_EQ((*port)->backend(), "syscall");
      EXPECT_EQ((*port)->status().backend, "syscall");
      auto memory = numbered(300);
      packet::UdpSendBatch out;
      out.trains.push_back(train_of(memory, 100, loopback(family, (*port)->port())));
      SendCursor cursor;
      EXPECT_EQ((*port)->send(out, cursor, kNow), IoStatus::done);
      packet::UdpBatch in;
      (void)receive_next(**port, in, pool);
      EXPECT_EQ((*port)->receive_counters().get(UdpReceiveCounter::datagrams), 3U);
    }
  }).join();
  EXPECT_EQ(log.text(),
            "info cannot set up io_uring for UDP: Operation not permitted (EPERM): the sysctl kernel.io_uring_disabled "
            "or a seccomp profile (as containers have) forbids it; sockets use plain system calls\n");
}

TEST(UdpOpen, AutomaticIsTheRulesBackend) {
  const auto port = open_udp({.family = Family::v4});
  ASSERT_TRUE(port.has_value());
  EXPECT_EQ((*port)->backend(), name_of(automatic_udp_io()));
  EXPECT_NE(automatic_udp_io(), UdpIo::automatic);
}

TEST(UdpOpen, NamesAreReadBack) {
  for (const auto io : {UdpIo::automatic, UdpIo::io_uring, UdpIo::syscall}) EXPECT_EQ(parse_udp_io(name_of(io)), io);
  EXPECT_FALSE(parse_udp_io("uring"));
  EXPECT_FALSE(parse_udp_io(""));
}

}  // namespace
}  // namespace fireline::io
