#!/usr/bin/python3
"""What tools/demo relay shows: two hosts behind symmetric NATs exchange traffic through fireline-relay, first in user
space, then forwarded by XDP, and the rates.

    host a ── nat a ──┐
    192.168.1.2       ├── router ── relay 203.0.113.10
    host b ── nat b ──┘
    192.168.2.2           nat: nftables masquerade random: another port for every destination

usage: relay_demo.py [--seconds N] [--user-space]
"""
import argparse
import os
import platform

import lab
import relay_lab
from relay_load import Load

RELAY, ROUTER = "203.0.113.10", "203.0.113.1"
WHOAMI_PORT = 7000
RATES = (0.25e9, 0.5e9, 1e9, 2e9, 3e9, 4e9, 6e9)
LOSS_MAX = 0.01


class Host(Load):
    """One program that holds an allocation; told what to do line by line."""

    def __init__(self, namespace):
        super().__init__(namespace, "host", server=RELAY, to=ROUTER, port=WHOAMI_PORT)
        self.seen = 0

    def next(self, seconds=60):
        lab.wait_until(lambda: len(self.lines()) > self.seen or not self.process.alive(), seconds,
                       f"{self.process.name} reports")
        lab.require(len(self.lines()) > self.seen, f"{self.process.name} runs")
        self.seen += 1
        return self.lines()[self.seen - 1]

    def tell(self, *words):
        self.process.popen.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.popen.stdin.flush()


def scenario(laboratory, seconds, user_space_alone):
    router, relay = laboratory.namespace("router"), laboratory.namespace("relay")
    laboratory.link(router, [f"{ROUTER}/24"], relay, [f"{RELAY}/24"], name="relay0", right_name="eth0")
    relay.run("ip", "route", "add", "default", "via", ROUTER)
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    hosts = [behind_nat(laboratory, router, number) for number in (1, 2)]
    Load(router, "whoami", to=ROUTER, port=WHOAMI_PORT).ready()
    rows = [("user space", *run(laboratory, relay, hosts, seconds, []))]
    if not user_space_alone:
        # A frame that XDP sends is received only where a program waits, and it must come with its checksum and as one.
        router.run(xdp_pass(), "attach", "relay0")
        router.run("ethtool", "-K", "relay0", "tx", "off", "tso", "off", "gso", "off", "tx-udp-segmentation", "off",
                   must=False)
        rows.append(("XDP", *run(laboratory, relay, hosts, seconds, ["--ebpf-offloading", "eth0"])))
    print(f"\n{platform.processor() or platform.machine()}, Linux {platform.release()}; hosts, NATs, router and relay "
          f"share this machine")
    titles = ("path", "a to b", "b to a", "relay CPU")
    for row in [titles, *rows]:
        print("".join(cell.ljust(16) for cell in row).rstrip())


def xdp_pass():
    beside = os.path.join(os.path.dirname(relay_lab.program()), "fireline-xdp-pass")
    return os.environ.get("FIRELINE_XDP_PASS", beside)


def behind_nat(laboratory, router, number):
    host, nat = laboratory.namespace(f"host{number}"), laboratory.namespace(f"nat{number}")
    laboratory.link(host, [f"192.168.{number}.2/24"], nat, [f"192.168.{number}.1/24"], name="eth0", right_name="lan")
    laboratory.link(nat, [f"198.51.100.{4 * number + 2}/30"], router, [f"198.51.100.{4 * number + 1}/30"], name="wan",
                    right_name=f"nat{number}")
    host.run("ip", "route", "add", "default", "via", f"192.168.{number}.1")
    nat.run("ip", "route", "add", "default", "via", f"198.51.100.{4 * number + 1}")
    nat.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    nat.run("nft", "-f", "-", text="""table ip nat {
  chain out { type nat hook postrouting priority 100; oifname "wan" masquerade random; }
}
""")
    return host


def run(laboratory, relay, namespaces, seconds, arguments):
    users = laboratory.folder / "users"
    users.write_text(f"{relay_lab.USER}:{relay_lab.PASSWORD}\n")
    process = relay.start(relay_lab.program(), "--public-ip4-addr", RELAY, "--auth", "static", "--users", users,
                          *arguments, name="fireline-relay")
    lab.wait_until(lambda: "listens on port" in process.text() or not process.alive(), 10, "the relay listens")
    lab.require(process.alive(), "the relay started")
    hosts = [Host(namespace) for namespace in namespaces]
    opened = [host.next() for host in hosts]
    for host, answer in zip(hosts, opened):
        lab.check(answer["seen_there"] != answer["seen_here"],
                  f"{host.process.name}: port {answer['seen_there']} for one destination, {answer['seen_here']} for "
                  f"another: a symmetric NAT")
    for host, other in zip(hosts, opened[::-1]):
        host.tell("bind", other["relayed_port"])
        host.next()
    before = cpu_seconds(process.pid)
    moved, cells = 0, []
    for sender, receiver in (hosts, hosts[::-1]):
        best = 0
        for rate in RATES:
            receiver.tell("count", seconds + 0.5)
            sender.tell("send", rate, seconds)
            sent, received = sender.next()["sent"], receiver.next()["received"]
            moved += received
            print(f"  {sender.process.name}: {sent * 8 / seconds / 1e6:.0f} Mbit/s sent, "
                  f"{100 * received / sent:.1f} % arrived", flush=True)
            if received < (1 - LOSS_MAX) * sent:
                break
            best = max(best, received * 8 / seconds)
            if sent * 8 / seconds < 0.9 * rate:
                break  # the sender can do no more
        lab.require(best > 0, "traffic arrives through the relay")
        cells.append(f"{best / 1e9:.2f} Gbit/s")
    cells.append(f"{(cpu_seconds(process.pid) - before) / (moved / 1e9):.2f} s/GB")
    if arguments:
        counters = relay.output("curl", "-sS", "http://127.0.0.1:9999/metrics")
        relayed = next(int(line.split()[1]) for line in counters.splitlines() if line.startswith("data_relayed_ebpf_bytes "))
        lab.check(relayed > moved / 2, f"XDP forwarded {relayed / 1e6:.0f} MB of it")
    for host in hosts:
        host.process.kill()
    lab.require(process.stop() == 0, "the relay ends with code 0")
    return cells


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--user-space", action="store_true")
    chosen = options.parse_args()
    lab.run(scenario, chosen.seconds, chosen.user_space)
