#!/usr/bin/python3
"""One TCP stream through fireline-wg over a path that takes time: its rate at 20 and 100 ms round trip, nothing reordered by
us, and its goodput where the path loses segments, beside the unencrypted forwarder's.

    namespace near                     namespace wire                      namespace far
    ┌───────────────────────┐         ┌──────────────────┐         ┌───────────────────────┐
    │ device   10.77.0.1    │         │ fireline-lab-    │         │ device   10.77.0.2    │
    │ eth0     10.76.0.1    ├─ veth ──┤ delay            ├── veth ─┤ eth0     10.76.0.2    │
    └───────────────────────┘         └──────────────────┘         └───────────────────────┘

A rate counts as far as the lab could carry twice of it: plain TCP over the same wire, and what the wire says of itself.
usage: path_latency.py [--seconds N] [--rounds N] [CASE…]     cases: long-20 long-100 loss reorder (default: all)
"""
import argparse
import statistics

import lab
from slow_wire import Report, Wire
from tunnel import OVERLAY, UNDERLAY, Ends, endpoint, underlay_of

BUFFER_BYTES = 64 << 20  # of a TCP socket: far more than a second of any path here
OMITTED_SECONDS = 3  # slow start
ASKED = {20: 1e9, 100: 300e6}  # milliseconds there and back: bit/s of one stream
LOSS, LOSS_MILLISECONDS, LOSS_SHARE_ASKED = 0.01, 20, 0.8
# A sender's count of segments that arrived in another order than they left in (tcp_input.c).
REORDERS = ("TCPSACKReorder", "TCPRenoReorder", "TCPTSReorder")
FORWARDER = {"near": "10.75.0.1", "far": "10.75.0.2"}


class Path(Ends):
    """Two ends, a wire between them, and sockets that could fill it."""

    def __init__(self, laboratory, title, wire):
        self.lab = laboratory
        self.near, between, self.far = (laboratory.namespace(f"{label}-{title}") for label in ("near", "wire", "far"))
        self.wire = wire.join(between, self.near, "eth0", self.far, "eth0")
        for side, end in (("near", self.near), ("far", self.far)):
            end.run("sysctl", "-qw", f"net.ipv4.tcp_rmem=4096 131072 {BUFFER_BYTES}",
                    f"net.ipv4.tcp_wmem=4096 131072 {BUFFER_BYTES}")
            for address in underlay_of(side):
                end.run("ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))

    def forwarders(self):
        for side, other, end in (("near", "far", self.near), ("far", "near", self.far)):
            interface = self.lab.interface_name()
            end.start(lab.built("fireline-forwarder"), interface, "--listen", endpoint(UNDERLAY[side][0], 7000),
                      "--peer", endpoint(UNDERLAY[other][0], 7000), "--mtu", 1420, name=f"{side}-forwarder")
            lab.wait_until(lambda: end.has_link(interface), 10, f"the forwarder of {side} makes its device")
            end.run("ip", "address", "add", f"{FORWARDER[side]}/24", "dev", interface)
            end.run("ip", "link", "set", interface, "up")

    def stream(self, address, seconds, congestion=None):
        """Bit/s of one TCP stream from near to far, and how many reorderings its sender saw."""
        before = reorders(self.near)
        options = ["-O", OMITTED_SECONDS] + (["-C", congestion] if congestion else [])
        rate = lab.goodput(lab.iperf(self.far, self.near, address, seconds, options=options))
        return rate, reorders(self.near) - before


def reorders(namespace):
    lines = [line.split() for line in namespace.output("cat", "/proc/net/netstat").splitlines() if line.startswith("TcpExt:")]
    counters = dict(zip(*lines))
    return sum(int(counters[name]) for name in REORDERS)


def median_and_spread(rates):
    low, middle, high = (f"{rate / 1e6:,.0f}" for rate in (min(rates), statistics.median(rates), max(rates)))
    return f"{middle} Mbit/s ({low}–{high})"


def long_path(laboratory, milliseconds, seconds, rounds):
    path = Path(laboratory, f"long-{milliseconds}", Wire(milliseconds / 2))
    tunnels = path.tunnels("fireline", "fireline")
    path.near.ping(OVERLAY["far"][0])
    plain, through, reordered = [], [], 0
    for _ in range(rounds):
        plain.append(path.stream(UNDERLAY["far"][0], seconds)[0])
        rate, count = path.stream(OVERLAY["far"][0], seconds)
        through.append(rate)
        reordered += count
    for tunnel in tunnels:
        tunnel.process.stop()
    wire = Report(path.wire)
    lab.require(not wire.dropped(), f"the wire dropped {wire.counts}: nothing is concluded")
    ceiling = min(wire.ceiling, statistics.median(plain))
    print(f"  {milliseconds} ms: plain TCP {median_and_spread(plain)}, the wire alone {wire.ceiling / 1e9:.1f} Gbit/s")
    lab.check(reordered == 0, f"{milliseconds} ms: nothing reordered")
    asked = min(ASKED[milliseconds], ceiling / 2)
    lab.check(statistics.median(through) >= asked,
              f"{milliseconds} ms: {median_and_spread(through)} through the tunnel, asked {asked / 1e6:,.0f}, "
              f"believed up to {ceiling / 2e6:,.0f}")


def losses(laboratory, seconds, rounds):
    path = Path(laboratory, "loss", Wire(LOSS_MILLISECONDS / 2, loss=LOSS))
    path.tunnels("fireline", "fireline")
    path.forwarders()
    for address in (OVERLAY["far"][0], FORWARDER["far"]):
        lab.wait_until(lambda: path.near.reaches(address), 20, f"{address} answers")
    for congestion in ("cubic", "bbr"):
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(path.stream(FORWARDER["far"], seconds, congestion)[0])
            ours.append(path.stream(OVERLAY["far"][0], seconds, congestion)[0])
        share = statistics.median(ours) / statistics.median(theirs)
        lab.check(share >= LOSS_SHARE_ASKED, f"{LOSS:.0%} lost, {LOSS_MILLISECONDS} ms, {congestion}: {median_and_spread(ours)}, "
                                             f"{share:.0%} of the forwarder's {median_and_spread(theirs)}")


def reordering_shows(laboratory, seconds):
    """The wire's own reordering is seen by what is to see ours."""
    path = Path(laboratory, "reorder", Wire(10, reorder=0.01))
    path.tunnels("fireline", "fireline")
    path.near.ping(OVERLAY["far"][0])
    rate, count = path.stream(OVERLAY["far"][0], seconds)
    lab.check(count > 0, f"one in a hundred overtaken: {count} reorderings seen, {rate / 1e6:,.0f} Mbit/s")


CASES = {"long-20": lambda laboratory, seconds, rounds: long_path(laboratory, 20, seconds, rounds),
         "long-100": lambda laboratory, seconds, rounds: long_path(laboratory, 100, seconds, rounds),
         "loss": losses,
         "reorder": lambda laboratory, seconds, _: reordering_shows(laboratory, seconds)}


def scenario(laboratory, cases, seconds, rounds):
    for case in cases:
        CASES[case](laboratory, seconds, rounds)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("cases", nargs="*", choices=(*CASES, []), default=[])
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    lab.run(scenario, chosen.cases or CASES, chosen.seconds, chosen.rounds)
