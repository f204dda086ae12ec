#!/usr/bin/python3
"""Garbage on the control port and on every allocation port beside ten clients that relay: 50,000 datagrams a second for
some seconds, then as fast as two senders go for ten: the clients lose at most 1 %, the relay lives, does not grow, and
serves without loss one second later. The relay's counters prove the rate. Topology: relay_lab.py.

usage: relay_garbage.py [--rate N] [--seconds S] [--unpaced-seconds S]
"""
import argparse
import time

import generators
import lab
from relay_churn import memory
from relay_lab import PEER, PORT, PUBLIC, Relay
from relay_load import ECHO_PORT, Load
from strain import Strain

ALLOCATION_PORTS = (50000, 50063)  # all of them allocated: what goes to a closed port costs the relay nothing
STRANGER = "10.82.0.66"
CLIENTS = 10
MESSAGES = 400  # of each client while garbage is paced
CONTROL_SHARE = 0.6
LOSS_MAX = 0.01
RECOVERY_SECONDS = 1.0
RECOVERY_RUN_SECONDS = 3.0
GROWTH_BYTES_MAX = 2 << 20  # nonces and answer limits of what garbage looks like requests
RATE_LEAST = 0.98


def crowd(ends, count, messages, seconds):
    load = Load(ends.client, "slow", server=PUBLIC[0], peer=PEER[0], port=ECHO_PORT, count=count, messages=messages,
                seconds=seconds)
    load.ready()
    return load


class Garbage:
    """Two senders: from clients to the control port, from peers to the allocation ports."""

    def __init__(self, ends, rate):
        control = int(rate * CONTROL_SHARE)
        self.begin = time.monotonic()
        self.senders = [
            generators.start(ends.client, "turn_garbage", control, seed=1, to=PUBLIC[0], port=PORT),
            generators.start(ends.peer, "turn_garbage", rate - control, seed=2, to=PUBLIC[0],
                             port=f"{ALLOCATION_PORTS[0]}-{ALLOCATION_PORTS[1]}")]

    def stop(self):
        """Datagrams sent by both, and their rate."""
        reports = [generators.stop(sender) for sender in self.senders]
        return sum(report["sent"] for report in reports), sum(report["sent"] / report["seconds"] for report in reports)


def arrived(before, after):
    """Datagrams that reached the relay's sockets: read by it, and dropped by the kernel at a full one."""
    read, dropped = (after[name] - before[name] for name in ("udp.receive.datagrams", "udp.receive.drop.kernel"))
    return read, dropped


def scenario(laboratory, rate, seconds, unpaced_seconds):
    ends = Relay(laboratory)
    ends.start("--lowest-port", ALLOCATION_PORTS[0], "--highest-port", ALLOCATION_PORTS[1], "--log-level", "error")
    Load(ends.peer, "echo", to=PEER[0], port=ECHO_PORT).ready()
    # From an address without permission: what comes from the permitted one is data, from whatever port.
    ends.peer.run("ip", "address", "add", f"{STRANGER}/24", "dev", "eth0")
    ends.peer.run("ip", "route", "add", f"{PUBLIC[0]}/32", "via", "10.82.0.1", "src", STRANGER)
    ports = ALLOCATION_PORTS[1] - ALLOCATION_PORTS[0] + 1
    crowd(ends, ports - 2 * CLIENTS, 1, 1)  # these only hold their allocations
    relaying = crowd(ends, CLIENTS, MESSAGES, seconds)
    recovering = crowd(ends, CLIENTS, MESSAGES, RECOVERY_RUN_SECONDS)
    lab.check(ends.gauge("allocations") == ports, "every allocation port is allocated")
    paced(ends, relaying, rate, seconds)
    unpaced(ends, recovering, rate, unpaced_seconds)
    lab.require(ends.process.stop() == 0, "the relay ends with code 0")


def paced(ends, clients, rate, seconds):
    before = ends.counters()
    garbage = Garbage(ends, rate)
    clients.go()
    result = clients.result()
    sent, sent_rate = garbage.stop()
    after = ends.counters()
    read, dropped = arrived(before, after)
    lab.check(sent_rate >= RATE_LEAST * rate and read + dropped >= RATE_LEAST * sent,
              f"{sent_rate:.0f} datagrams of garbage a second for {seconds:.0f} s: the relay read {read}, the kernel "
              f"dropped {dropped}")
    lab.check(result["received"] >= (1 - LOSS_MAX) * result["sent"],
              f"beside them {result['received']} of {result['sent']} echoes of {CLIENTS} clients came back")
    named = {name: after[name] - before[name] for name in after if name.startswith("drop.") and after[name] > before[name]}
    lab.check(sum(named.values()) >= 0.85 * read, f"they are dropped by name: {named}")


def unpaced(ends, clients, rate, seconds):
    before, held = ends.counters(), memory(ends.process)
    garbage = Garbage(ends, 0)
    time.sleep(seconds)
    lab.check(ends.process.alive(), "unpaced garbage does not end it")
    _, sent_rate = garbage.stop()
    strain = Strain()
    clients.go()
    result = clients.result()
    after, holds = ends.counters(), memory(ends.process)
    read, dropped = arrived(before, after)
    lab.check(sent_rate > rate,
              f"{sent_rate:.0f} a second for {seconds:.0f} s: the relay read {read}, the kernel dropped {dropped}")
    lab.check(holds - held <= GROWTH_BYTES_MAX, f"the relay's memory: {held >> 10} KiB before, {holds >> 10} KiB after")
    lab.check(strain.allows(RECOVERY_SECONDS, result["last_lost"]) and result["received"] > result["sent"] / 2,
              f"then {result['received']} of {result['sent']} echoes came back, the last one that did not was sent after "
              f"{result['last_lost']:.2f} s")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--rate", type=int, default=50_000)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--unpaced-seconds", type=float, default=10.0)
    chosen = options.parse_args()
    lab.run(scenario, chosen.rate, chosen.seconds, chosen.unpaced_seconds)
