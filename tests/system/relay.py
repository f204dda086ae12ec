#!/usr/bin/python3
"""fireline-relay with clients that we did not write: coturn's turnutils_uclient over channels and Send indications, IPv4
and IPv6, 100 clients against turnutils_peer: nothing lost. Topology: relay_lab.py.

usage: relay.py [--clients N] [--messages N] [--matrix]     --matrix: also clients and peers of different families
"""
import argparse
import os
import re

import lab
from relay_lab import PASSWORD, PEER, PORT, PUBLIC, USER, Relay, lost, tool

PEER_PORT = 3480
AT_ONCE = 4
EXCHANGE_SECONDS = 120  # takes about 13


def scenario(laboratory, clients, messages, matrix):
    tool("turnutils_uclient")
    ends = Relay(laboratory)
    privileges(ends.start())
    for address in PEER:
        ends.peer.start("turnutils_peer", "-L", address, "-p", PEER_PORT)
    cases = [(server, indications, peer) for peer in (0, 1) for server in (0, 1) for indications in (False, True)
             if matrix or peer == server]
    # uclient waits most of its time: some at once, each from a network of its own, for a source has its limit.
    for first in range(0, len(cases), AT_ONCE):
        running = [Exchange(ends, number, clients, messages, *case)
                   for number, case in enumerate(cases[first:first + AT_ONCE], first)]
        for one in running:
            one.check()
    counters = ends.counters()
    lab.check(not lost(counters), f"the relay dropped nothing: {lost(counters) or 'no drop counter moved'}")
    lab.check(counters["udp.receive.drop.kernel"] == 0, "nor did the kernel")
    gauges = ends.status()["gauges"]
    # uclient tries some allocations that it never frees; they have a socket each, and nothing else has.
    lab.check(gauges["sockets"] == gauges["allocations"] + 2, "as many sockets as allocations, and two control sockets")


def privileges(process):
    """docs/privileges.md: nothing is left after set-up, in any thread."""
    for task in sorted(os.listdir(f"/proc/{process.pid}/task")):
        with open(f"/proc/{process.pid}/task/{task}/status") as file:
            fields = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapAmb") if int(fields[name], 16)]
        lab.require(not held and fields["NoNewPrivs"] == "1", f"thread {task} holds {held}")
        lab.require(fields["Seccomp"] == "2", f"thread {task} runs under the filter of system calls")
    lab.check(True, "no thread holds a capability, none can regain one, and all run under the filter of system calls")


class Exchange:
    """Each client sends, the peer echoes, and every echo must come back."""

    def __init__(self, ends, number, clients, messages, server, indications, peer):
        self.title = f"{clients} clients over {('IPv4', 'IPv6')[server]}, peer {('IPv4', 'IPv6')[peer]}, " \
                     f"{'Send indications' if indications else 'channels'}"
        source = (f"10.81.0.{10 + number}", f"fd81:81:0:{10 + number}::1")[server]
        ends.client.run("ip", "address", "add", f"{source}/{(24, 64)[server]}", "dev", "eth0",
                        *(["nodad"] if server else []))
        if server:
            ends.relay.run("ip", "route", "add", f"{source}/128", "dev", "eth0")
        command = ["turnutils_uclient", "-c", "-u", USER, "-w", PASSWORD, "-e", PEER[peer], "-r", PEER_PORT, "-p", PORT,
                   "-m", clients, "-n", messages, "-l", 800, "-z", 20, "-L", source]
        command += ["-s"] if indications else []
        command += ["-x"] if peer else ["-X"]
        self.process = ends.client.start(*command, PUBLIC[server], name=f"uclient-{number}")

    def check(self):
        code = self.process.wait(EXCHANGE_SECONDS)
        text = self.process.text()
        sent = re.search(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)(?!.*tot_send_msgs)", text, re.S)
        missing = re.search(r"Total lost packets (\d+)", text)
        lab.require(missing, f"uclient printed its loss:\n{text[-2000:]}")
        lab.check(int(missing[1]) == 0 and code == 0,
                  f"{self.title}: {sent[1] if sent else '?'} sent, {sent[2] if sent else '?'} received, {missing[1]} lost")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--clients", type=int, default=100)
    options.add_argument("--messages", type=int, default=50)
    options.add_argument("--matrix", action="store_true")
    chosen = options.parse_args()
    lab.run(scenario, chosen.clients, chosen.messages, chosen.matrix)
