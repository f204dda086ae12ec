#!/usr/bin/python3
"""The ledger of `fireline-wg --status --json` adds up at both ends and between them, after traffic of every kind: TCP both
ways, floods that overflow queues, garbage, packets without a peer. Each packet that came in went out or is a named drop.
Topology: tunnel.py.

usage: ledger.py [--near PROGRAM] [--far PROGRAM]     both must be fireline-wg
"""
import argparse
import base64
import json
import os
import signal
import time

import generators
import lab
from tunnel import OVERLAY, PORT, UNDERLAY, Ends

QUIET_SECONDS = 15  # for gauges that are collected once a second, and packets still under way
FLOOD_SECONDS = 2
STOPPED_SECONDS = 1
TRAIN_SEGMENTS = 64   # the most that the kernel merges into one receive


class Ledger:
    """The numbers of one status, by their dotted names wherever they stand in the document; the kernel's of the link beside
    them."""

    def __init__(self, tunnel, link=True):
        text = tunnel.namespace.output(lab.program(tunnel.program_name), "--status", tunnel.interface, "--json")
        self.numbers = {}
        status = json.loads(text)
        self.udp_io, self.pools, self.offloads = status["udp_io"], status["pools"], status["offloads"]
        self.flatten("", status)
        folder = f"/sys/class/net/{tunnel.interface}/statistics"
        for name in ("tx_packets", "tx_dropped", "rx_packets", "rx_dropped") if link else ():
            self.numbers[f"link.{name}"] = int(tunnel.namespace.output("cat", f"{folder}/{name}"))

    def flatten(self, path, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                self.flatten(f"{path}.{key}" if path else key, inner)
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                self.flatten(f"{path}.{position}", inner)
        elif isinstance(value, int) and not isinstance(value, bool):
            self.numbers[path] = value

    def get(self, name):
        """The sum over all places of that name (a counter of each socket is one)."""
        found = [value for path, value in self.numbers.items() if f".{path}".endswith(f".{name}")]
        lab.require(found, f"the status has no {name}; it has {sorted(self.numbers)}")
        return sum(found)

    def drops(self, prefix):
        """All counters below the prefix: {name: value}."""
        return {path[path.index(prefix):]: self.get(path[path.index(prefix):]) for path in self.numbers if f".{prefix}" in f".{path}"}


class Change:
    """What happened between two ledgers."""

    def __init__(self, before, after):
        self.before, self.after = before, after

    def __call__(self, *names):
        return sum(self.after.get(name) - self.before.get(name) for name in names)

    def drops(self, prefix):
        old = self.before.drops(prefix)
        return {name: value - old.get(name, 0) for name, value in self.after.drops(prefix).items() if value != old.get(name, 0)}


OWN_MESSAGES = ("sent.keepalives", "sent.initiations", "sent.responses", "sent.cookie_replies")


def equal(title, left, right, drops):
    named = ", ".join(f"{count} {name}" for name, count in sorted(drops.items())) or "none"
    lab.check(left == right + sum(drops.values()), f"{title}: {left} = {right} + drops ({named})")


def wire(title, sent, receiver):
    """Datagrams between the ends; a drop of the kernel's is one receive, up to a train of them."""
    lost = sent - receiver("udp.receive.datagrams") - sum(unread(receiver).values())
    drops = receiver("ledger.kernel_drops.udp.receive.kernel_drops", "ledger.kernel_drops.udp.receive.loud_drops")
    lab.check(drops <= lost <= drops * TRAIN_SEGMENTS, f"{title}: {sent} datagrams sent, {lost} of them lost in {drops} drops of the kernel's")


def scenario(laboratory, near, far):
    ends = Ends(laboratory)
    tunnels = ends.tunnels(near, far)
    before = [Ledger(tunnel) for tunnel in tunnels]
    garbage = traffic(ends, *tunnels)
    after = [settled(tunnel) for tunnel in tunnels]
    changes = [Change(old, new) for old, new in zip(before, after)]
    for title, change in zip(("near", "far"), changes):
        print(f" {title}")
        one_end(change)
    print(" between the ends")
    for title, sender, receiver, extra in (("near to far", *changes, 0), ("far to near", *reversed(changes), garbage)):
        wire(title, sender("udp.send.datagrams") + extra, receiver)


def traffic(ends, left, right):
    """Everything at once; how many datagrams of garbage near was sent."""
    ends.ping_both_ways()
    ends.tcp_both_ways()
    garbage = generators.start(ends.far, "garbage", 20_000, to=UNDERLAY["near"][0], port=PORT,
                               public_key=base64.b64decode(left.keys.public).hex())
    inside = generators.start(ends.near, "plain", 0, to=OVERLAY["far"][0], port=9)
    # Into the device without a peer that takes it.
    ends.near.run("ip", "route", "add", "10.98.0.0/16", "dev", left.interface)
    homeless = generators.start(ends.near, "plain", 1000, to="10.98.0.1", port=9)
    # Long enough that the kernel drops trains.
    os.kill(right.process.pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.kill(right.process.pid, signal.SIGCONT)
    time.sleep(FLOOD_SECONDS)
    for generator in (inside, homeless):
        generators.stop(generator)
    return generators.stop(garbage)["sent"]


def settled(tunnel):
    """The ledger once nothing moves any more."""
    last = Ledger(tunnel)
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        time.sleep(1.5)
        ledger = Ledger(tunnel)
        if all(ledger.get(name) == last.get(name) for name in ("tun.segments", "udp.datagrams", "udp.send.datagrams")):
            return ledger
        lab.require(time.monotonic() < deadline, "the counters come to rest")
        last = ledger


def unread(change):
    return {name: change(name) for name in ("udp.receive.empty", "udp.receive.truncated", "udp.receive.bad_segment",
                                            "udp.receive.bad_source") if change(name)}


def one_end(change):
    ledger = {name: sum(value for path, value in change.after.numbers.items() if path.startswith(f"ledger.{name}."))
              for name in ("packets_in", "packets_out", "drops")}
    lab.check(ledger["packets_in"] == ledger["packets_out"] + ledger["drops"] > 0,
              f"the ledger of the status: {ledger['packets_in']} in = {ledger['packets_out']} out + {ledger['drops']} drops")
    equal("kernel's packets into the device", change("link.tx_packets"), change("tun.read.packets"),
          {name: change(name) for name in ("tun.read.bad_header", "tun.read.truncated") if change(name)})
    equal("read segments", change("tun.read.segments"), change("tun.segments"), {})
    held = sum(change.after.get(f"ledger.held.{name}") for name in ("queued_packets", "queued_handshakes"))
    lab.check(held == 0, "at rest nothing is held")
    equal("segments from the TUN", change("tun.segments"), change("tun.sealed"), change.drops("drop.tun."))
    equal("datagrams to send", change("tun.sealed", *OWN_MESSAGES), change("udp.send.datagrams"),
          change.drops("udp.send.drop."))
    equal("datagrams received", change("udp.receive.datagrams"), change("udp.datagrams"),
          change.drops("udp.receive.drop."))
    equal("datagrams from the sockets", change("udp.datagrams"),
          change("udp.opened", "udp.keepalives", "udp.initiations", "udp.responses", "udp.cookie_replies"),
          change.drops("drop.udp."))
    equal("segments to write", change("udp.opened", "sent.icmp_errors"), change("tun.write.segments"),
          change.drops("tun.write.drop."))
    equal("packets out of the device", change("tun.write.packets"), change("link.rx_packets"), {})


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--near", default="fireline")
    options.add_argument("--far", default="fireline")
    chosen = options.parse_args()
    lab.run(scenario, chosen.near, chosen.far)
