#include "tools/wg/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/wg/fake_backend.h"
#include "tests/unit/tools/wg/running_loop.h"
#include "tools/wg/metrics.h"
#include "tools/wg/status_server.h"

namespace fireline::wg {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

StatusReport example() {
  StatusReport report;
  report.interface_name = "wg0";
  report.version = "1.2.3";
  report.now = UnixTime(1'700'000'100s);
  report.uptime_seconds = 3725;
  report.up = true;
  report.mtu = 1420;
  report.public_key = "PUBLIC=";
  report.listen_port = 51820;
  report.fwmark = 0x33;
  report.thread_mode = "direct";
  report.cipher_threads = 2;
  report.udp_io = "syscall";
  report.aead = "openssl";
  report.offloads = {{"udp_gso", OffloadReport::State::on, 0},
                     {"tun_uso", OffloadReport::State::refused, EINVAL},
                     {"udp6_gso", OffloadReport::State::on, EIO, 2}};
  report.queues = {{"udp-gro-batch", {{"network.type", "ipv4"}}, 3, 64}};
  report.pools = {{"udp_receive", 65792, 2, 16}};
  report.ledger = {.packets_in = {{"tun", 10}, {"udp", 5}},
                   .packets_out = {{"udp", 9}, {"tun", 4}},
                   .drops = {{"no_peer", 1}, {"replay", 0}},
                   .held = {{"queued_packets", 1}},
                   .kernel_drops = {{"udp_receive_buffer", 7}}};
  report.counters = {{"handshakes.initiated", 2}, {"handshakes.failed", 0}};
  report.peers = {{"PEER1=", "192.0.2.1:7", {"10.0.0.0/8", "fd00::/64"}, UnixTime(1'700'000'090s), 2048, 1'572'864, 25},
                  {"PEER2=", "", {}, std::nullopt, 0, 0, 0}};
  report.samples = {{"system.network.packets", {{"network.io.direction", "transmit"}}, 12}};
  return report;
}

TEST(Status, Json) {
  EXPECT_EQ(status_json(example()), R"({
  "interface": "wg0",
  "version": "1.2.3",
  "uptime_seconds": 3725,
  "up": true,
  "mtu": 1420,
  "public_key": "PUBLIC=",
  "listen_port": 51820,
  "fwmark": 51,
  "thread_mode": "direct",
  "cipher_threads": 2,
  "udp_io": "syscall",
  "aead": "openssl",
  "offloads": {
    "udp_gso": {
      "state": "on"
    },
    "tun_uso": {
      "state": "refused",
      "errno": 22,
      "error": "Invalid argument"
    },
    "udp6_gso": {
      "state": "on",
      "errno": 5,
      "error": "Input/output error",
      "refusing_paths": 2
    }
  },
  "queues": [
    {
      "name": "udp-gro-batch",
      "network.type": "ipv4",
      "length": 3,
      "capacity": 64
    }
  ],
  "pools": [
    {
      "name": "udp_receive",
      "buffer_bytes": 65792,
      "in_use": 2,
      "capacity": 16
    }
  ],
  "ledger": {
    "packets_in": {
      "tun": 10,
      "udp": 5
    },
    "packets_out": {
      "udp": 9,
      "tun": 4
    },
    "drops": {
      "no_peer": 1,
      "replay": 0
    },
    "held": {
      "queued_packets": 1
    },
    "kernel_drops": {
      "udp_receive_buffer": 7
    }
  },
  "counters": {
    "handshakes.initiated": 2,
    "handshakes.failed": 0
  },
  "peers": [
    {
      "public_key": "PEER1=",
      "endpoint": "192.0.2.1:7",
      "allowed_ips": [
        "10.0.0.0/8",
        "fd00::/64"
      ],
      "last_handshake_unix_seconds": 1700000090,
      "last_handshake_age_seconds": 10,
      "received_bytes": 2048,
      "sent_bytes": 1572864,
      "persistent_keepalive_seconds": 25
    },
    {
      "public_key": "PEER2=",
      "endpoint": null,
      "allowed_ips": [],
      "last_handshake_unix_seconds": null,
      "last_handshake_age_seconds": null,
      "received_bytes": 0,
      "sent_bytes": 0,
      "persistent_keepalive_seconds": 0
    }
  ]
}
)");
}

TEST(Status, Text) {
  EXPECT_EQ(status_text(example()), R"(interface: wg0 (up)
  version                  1.2.3
  running for              1 h 2 min
  public key               PUBLIC=
  listening port           51820
  fwmark                   0x33
  mtu                      1420
  threads                  direct
  cipher threads           2
  udp i/o                  syscall
  aead                     openssl

peer: PEER1=
  endpoint                 192.0.2.1:7
  allowed ips              10.0.0.0/8, fd00::/64
  latest handshake         10 s ago
  transfer                 2.00 KiB received, 1.50 MiB sent
  persistent keepalive     every 25 s

peer: PEER2=
  allowed ips              (none)
  transfer                 0 B received, 0 B sent

offloads
  udp_gso                  on
  tun_uso                  refused (Invalid argument)
  udp6_gso                 on, but not on 2 paths (Input/output error)

queues
  udp-gro-batch ipv4       3 of 64

buffers
  udp_receive              2 of 16 in use, 64.25 KiB each

ledger
  packets in               15
  packets out              13
  dropped                  1
  held                     1
  by place of entry
    tun                                                10
    udp                                                 5
  by place of exit
    udp                                                 9
    tun                                                 4
  drops by reason
    no_peer                                             1
  drops in the kernel (not in the sum)
    udp_receive_buffer                                  7
  counters
    handshakes.initiated                                2
)");
}

TEST(Status, SaysSoWhileNoSocketIsOpen) {
  auto report = example();
  report.udp_io.clear();
  EXPECT_THAT(status_text(report), HasSubstr("udp i/o                  (no socket)\n"));
}

TEST(Status, ForeignBytesBreakNothing) {
  auto report = example();
  report.interface_name = "\xff\xfe\"";
  EXPECT_THAT(status_json(report), HasSubstr("\\\""));
}

TEST(Metrics, PrometheusText) {
  EXPECT_EQ(prometheus_text(samples_of(example())),
            R"(# HELP fireline_info Always 1; its labels name version, threads, UDP backend and cipher.
# TYPE fireline_info gauge
fireline_info{version="1.2.3",thread_mode="direct",udp_io="syscall",aead="openssl"} 1
# HELP fireline_uptime Seconds since the process started.
# TYPE fireline_uptime gauge
fireline_uptime 3725
# HELP fireline_interface_up 1 while the interface is up.
# TYPE fireline_interface_up gauge
fireline_interface_up 1
# HELP fireline_peers Configured peers.
# TYPE fireline_peers gauge
fireline_peers 2
# HELP fireline_peers_active Peers with a handshake in the last 180 seconds.
# TYPE fireline_peers_active gauge
fireline_peers_active 1
# HELP fireline_peer_bytes Bytes of authenticated messages of all present peers.
# TYPE fireline_peer_bytes gauge
fireline_peer_bytes{network_io_direction="receive"} 2048
fireline_peer_bytes{network_io_direction="transmit"} 1572864
# HELP fireline_offload 1 for the state that a kernel feature is in.
# TYPE fireline_offload gauge
fireline_offload{name="udp_gso",state="on"} 1
fireline_offload{name="tun_uso",state="refused"} 1
fireline_offload{name="udp6_gso",state="on"} 1
# HELP fireline_packets_in Packets that came in, by place of entry.
# TYPE fireline_packets_in counter
fireline_packets_in{device="tun"} 10
fireline_packets_in{device="udp"} 5
# HELP fireline_packets_out Packets that left, by place of exit.
# TYPE fireline_packets_out counter
fireline_packets_out{device="udp"} 9
fireline_packets_out{device="tun"} 4
# HELP fireline_packets_held Packets in queues and behind handshakes.
# TYPE fireline_packets_held gauge
fireline_packets_held 1
# HELP fireline_kernel_dropped Packets that the kernel dropped before fireline read them or after it wrote them, by place.
# TYPE fireline_kernel_dropped counter
fireline_kernel_dropped{error_type="udp_receive_buffer"} 7
# HELP fireline_events Named events.
# TYPE fireline_events counter
fireline_events{name="handshakes.initiated"} 2
fireline_events{name="handshakes.failed"} 0
# HELP network_packet_dropped Packets dropped, by reason.
# TYPE network_packet_dropped counter
network_packet_dropped{error_type="no_peer"} 1
network_packet_dropped{error_type="replay"} 0
# HELP system_buffer_count Buffers in use, by pool.
# TYPE system_buffer_count gauge
system_buffer_count{system_buffer_pool_name="udp_receive",system_buffer_pool_buffer_size="65792"} 2
# HELP system_queue_length Elements waiting in a queue.
# TYPE system_queue_length gauge
system_queue_length{queue_item="udp-gro-batch",network_type="ipv4"} 3
# HELP system_network_packets Packets by device and direction.
# TYPE system_network_packets counter
system_network_packets{network_io_direction="transmit"} 12
)");
}

TEST(Metrics, ValuesAndLabelsAreWrittenByTheFormat) {
  struct Row {
    const char* rule;
    Sample sample;
    const char* line;
  };
  const Row rows[] = {
      {"large counts are digits", {"fireline.peers", {}, 1e15}, "fireline_peers 1000000000000000\n"},
      {"fractions are kept", {"fireline.peers", {}, 0.25}, "fireline_peers 0.25\n"},
      {"quotes, backslashes and newlines are escaped",
       {"fireline.peers", {{"a.b", "x\"\\\ny"}}, 1},
       "fireline_peers{a_b=\"x\\\"\\\\\\ny\"} 1\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_THAT(prometheus_text({row.sample}), HasSubstr(row.line));
  }
  EXPECT_EQ(prometheus_text({{"no.such.metric", {}, 1}}), "");
}

TEST(Metrics, NamesNoPeer) {
  const auto text = prometheus_text(samples_of(example()));
  for (const char* secretive : {"PEER1", "PUBLIC", "192.0.2.1", "10.0.0.0"}) {
    EXPECT_EQ(text.find(secretive), std::string::npos) << secretive;
  }
}

TEST(Metrics, EachDerivedSampleHasItsFamily) {
  for (const auto& sample : samples_of(example())) EXPECT_NE(find_metric(sample.name), nullptr) << sample.name;
}

TEST(Metrics, EachFamilyIsInTheOperatorsTable) {
  std::stringstream page;
  page << std::ifstream(FIRELINE_SOURCE_DIR "/docs/fireline-wg.md").rdbuf();
  for (const auto& family : metric_families()) {
    EXPECT_THAT(page.str(), HasSubstr("`" + std::string(family.name) + "`"));
  }
}

TEST(StatusServer, AnswersBothForms) {
  const io::TemporaryDirectory directory;
  FakeBackend backend("wg0");
  backend.status_report = example();
  RunningLoop loop;
  const auto server = serve_status(*loop, backend, "wg0", directory.path());
  ASSERT_TRUE(server) << server.error();
  struct stat status{};
  ASSERT_EQ(stat((*server)->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660u);
  loop.start();
  EXPECT_EQ(fetch_status("wg0", true, directory.path()), status_json(example()));
  EXPECT_EQ(fetch_status("wg0", false, directory.path()), status_text(example()));
  const auto nonsense = run_shell("echo nonsense | nc -U -N " + (*server)->path());
  EXPECT_THAT(nonsense.text, HasSubstr("unknown request"));
  loop.stop();
}

TEST(StatusServer, SaysWhenNobodyServes) {
  const io::TemporaryDirectory directory;
  EXPECT_EQ(fetch_status("wg7", true, directory.path()).error(),
            "no fireline-wg serves wg7: start it with: fireline-wg wg7");
}

}  // namespace
}  // namespace fireline::wg
